"""Ways to align a network with unlabelled inputs. One file is one variant; the file's name is the variant's.

Each file defines `method(target, *, settings) -> Fit`. Belongs here: variants. Does not belong here: formulas on
moments (`_policy.py`), passes (`_target.py`).
"""
