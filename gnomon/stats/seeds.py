"""Named streams of randomness from one seed.

Belongs here: how a seed and a name become a generator. Does not belong here: who draws what from it.
"""

from __future__ import annotations

import hashlib

import numpy as np

from gnomon.stats._checks import natural

__all__ = ["as_generator", "stream"]


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of that `name` under `seed`: the same on every platform, independent of all other names.

    Adding a draw to one stream moves no number in another, so a study's shots stay put when its bootstrap changes.

    Parameters
    ----------
    seed : int
        The study's seed, at least 0.
    name : str
        What the draws are for, such as "shots" or "bootstrap".

    Returns
    -------
    numpy.random.Generator
        A PCG64 generator, seeded with the SHA-256 of seed and name. The global generators are not touched.

    Raises
    ------
    UsageError
        If `seed` is negative or not a whole number.

    Notes
    -----
    PCG64 is named, not left to `default_rng`, because its raw output is frozen while the default may change.

    Examples
    --------
    >>> int(stream(0, "shots").bit_generator.random_raw())
    8868825982119467536
    >>> stream(0, "shots").random() == stream(0, "bootstrap").random()
    False
    """
    # NUL ends the number, so no (seed, name) can be read as another one: (1, "2x") is not (12, "x").
    text = f"{natural(seed, 'seed', least=0)}\0{name}"
    entropy = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def as_generator(seed: int | np.random.Generator, name: str) -> np.random.Generator:
    """`seed` itself if it is a generator, else the stream of that `name`.

    Parameters
    ----------
    seed : int or numpy.random.Generator
        A seed, or a generator to go on drawing from.
    name : str
        The stream to open where a seed is given.

    Returns
    -------
    numpy.random.Generator
        The generator to draw from.

    Raises
    ------
    UsageError
        If `seed` is neither.

    Examples
    --------
    >>> ours = stream(3, "mine")
    >>> as_generator(ours, "anything") is ours
    True
    """
    return seed if isinstance(seed, np.random.Generator) else stream(seed, name)
