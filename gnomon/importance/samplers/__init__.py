"""The samplers. One file is one counterfactual distribution; the file name, with hyphens, is its name in `--sampler`.

Each file defines `sampler`, a subclass of `gnomon.importance._sampler.Sampler`. Belongs here: samplers. Does not belong
here: tests (`methods/`), or which groups are filled (`_groups.py`).
"""
