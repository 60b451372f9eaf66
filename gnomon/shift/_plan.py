"""What a study of shifts consists of: its images, network, shifts and variants, settled before any work.

Belongs here: understanding and refusing what was asked. Does not belong here: doing it (`_study.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.errors import DataError, UsageError
from gnomon.shift._method import method_named
from gnomon.shift._pictures import Bytes, Labels, Pictures, load_pictures
from gnomon.shift._shift import CORRUPTIONS, shift_named
from gnomon.shift._subject import Subject, load_network
from gnomon.stats import stream

__all__ = ["SHIFTS", "VARIANTS", "Study", "expanded", "settle"]

SHIFTS = ("none", "gaussian_noise", "contrast", "motion_blur", "border", "rotation", "labels")
VARIANTS = ("source", "batch", "mix", "whole", "early", "matched")
_MORE = ("border", "rotation", "colour")


@dataclass
class Study:
    """Everything that is settled before the first pass."""

    pictures: Pictures
    subject: Subject
    shifts: list[str]
    variants: list[str]
    batch_size: int
    seed: int
    resize: bool
    source: Bytes | None
    source_labels: Labels | None
    spec: dict[str, Any]
    notes: list[str]


def expanded(names: Sequence[str], severities: Sequence[int]) -> list[str]:
    """Every shift in full: groups spelled out, and one with severities and no settings at each of `severities`.

    >>> expanded(["none", "fog"], [1, 5])
    ['none', 'fog@severity=1', 'fog@severity=5']
    """
    for level in severities:
        if not 1 <= level <= 5:
            raise UsageError(f"severity {level} was given.", hint="Severities go from 1 to 5.")
    found: list[str] = []
    for name in names:
        group = {"corruptions": CORRUPTIONS, "all": ("none", *CORRUPTIONS, *_MORE)}.get(name, (name,))
        for one in group:
            shift = shift_named(one)
            if shift.severity and "@" not in one:
                found += [f"{one}@severity={severity}" for severity in severities]
            else:
                found.append(one)
    return list(dict.fromkeys(found))


def settle(
    data: str,
    model: str,
    *,
    shifts: Sequence[str],
    severities: Sequence[int],
    variants: Sequence[str] | None,
    limit: int | None,
    batch_size: int,
    source: int,
    resize: bool,
    seed: int,
    task_args: Mapping[str, str],
    model_args: Mapping[str, str],
    subject: Subject | None = None,
) -> Study:
    """Names into things; raises UsageError, DataError or ModelError before any pass."""
    if (limit is not None and limit < 2) or batch_size < 1 or source < 0:
        raise UsageError(
            f"limit={limit}, batch={batch_size}, source={source} was given.",
            hint="Give a limit from 2, a batch size from 1, a source from 0.",
        )
    names = expanded(shifts, severities)
    for name in variants or ():
        method_named(name)
    if not names or (variants is not None and not variants):
        raise UsageError("there is nothing to compare.", hint="Name shifts and variants, or leave both out.")
    pictures = load_pictures(data, task_args)
    network = subject or load_network(model, pictures, model_args)
    if pictures.labels is None and any(name.startswith("labels") for name in names):
        raise DataError(f"'{pictures.name}' has no labels, which a shift of labels chooses by.")
    if pictures.classes and len(pictures.classes) != network.classes:
        raise UsageError(
            f"'{pictures.name}' has {len(pictures.classes)} classes, and {network.name} tells {network.classes} apart.",
            hint="Take images of the classes that the network knows.",
        )
    if limit is not None and limit < len(pictures.images):
        drawn = stream(seed, "which images").permutation(len(pictures.images))[:limit]
        pictures = pictures.taken(np.sort(drawn))
    pictures = pictures.showing(network.fitting(pictures.images, resize))
    network.inputs(pictures.images[:1])
    few = pictures.taken(np.arange(min(4, len(pictures.images))))
    for name in names:  # whatever a shift refuses, it refuses now
        shift_named(name).of(few, seed)
    images, labels = _source(pictures, network, source, seed)
    wanted, notes = _variants(variants, images, labels, pictures)
    notes += [*pictures.notes, *network.notes]
    spec = {
        "study": "adapt",
        "data": pictures.checksum(),
        "model": network.fingerprint(),
        "batch": batch_size,
        "source": 0 if images is None else len(images),
        "seed": seed,
    }
    return Study(pictures, network, names, wanted, batch_size, seed, resize, images, labels, spec, notes)


def _source(pictures: Pictures, network: Subject, many: int, seed: int) -> tuple[Bytes | None, Labels | None]:
    """Images of the source as they are: those that the network brings along, else the set's own."""
    images, labels = network.learned or (pictures.train, pictures.train_labels)
    if images is None or not many:
        return None, None
    rows = np.sort(stream(seed, "source images").permutation(len(images))[:many])
    taken = images[rows]
    if taken.shape[1:] != (network.side, network.side, network.channels):
        taken = network.fitting(taken, True)
    return taken, None if labels is None else labels[rows]


def _variants(
    asked: Sequence[str] | None, images: Bytes | None, labels: Labels | None, pictures: Pictures
) -> tuple[list[str], list[str]]:
    """The variants, the source's own output first; what cannot be done is refused where it was asked for by name."""
    notes = []
    wanted = list(asked or VARIANTS)
    for name, needs, there in (
        ("matched", "images of the source", images is not None),
        ("prior", "labelled images of the source", labels is not None),
        ("oracle", "labels", labels is not None and pictures.labels is not None),
    ):
        found = [one for one in wanted if one.partition("@")[0] == name]
        if found and not there:
            if asked:
                raise UsageError(f"'{name}' needs {needs}, and there are none.", hint="Leave it out.")
            wanted = [one for one in wanted if one not in found]
            notes.append(f"Without {needs} there is no variant '{name}', and no picture of where a shift lies.")
    return list(dict.fromkeys(["source", *wanted])), notes
