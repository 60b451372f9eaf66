"""Shifts. One file is one shift; the file's name is its name in `--shifts`.

Each file defines `shift(given, generator, *, settings) -> Pictures`. Belongs here: shifts. Does not belong here: what
they share (`_shift.py`).
"""
