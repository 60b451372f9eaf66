"""The methods. One file is one method; the file name, with hyphens, is its name in `--methods`.

Each file defines `probe`, a subclass of `gnomon.knowledge._probe.Probe`. Belongs here: methods. Does not belong here:
normalisations (`_normalize.py`), how a sign is resolved (`_signs.py`), or what a result means (`_verdict.py`).
"""
