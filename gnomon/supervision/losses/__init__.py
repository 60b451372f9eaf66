"""Losses on weak labels. One file is one loss; the file's name is its name in `--losses`.

Each file defines `loss(logits, weak, step, *, settings)`: logits (..., batch, 2), weak labels (..., batch), and a loss
for every head (...). Belongs here: losses. Does not belong here: what they share (`_loss.py`) or training.
"""
