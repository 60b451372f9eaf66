"""Probes on disk: directions with what they may be applied to, as plain tensors; and refusing what they do not fit.

Belongs here: writing, reading and checking. Does not belong here: fitting. No pickle: a file of tensors and text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gnomon.asks import StateLayout
from gnomon.errors import DataError, UsageError
from gnomon.files import write_atomically
from gnomon.models import Model, Represents

if TYPE_CHECKING:
    from gnomon.knowledge._diagnose import Computed

__all__ = ["SavedProbe", "load_probes", "save", "saved_probes"]

SCHEMA = "1"


@dataclass(frozen=True)
class SavedProbe:
    """A linear probe of a finished run.

    `theta` (d,): decisions are theta.(z+ - z-) + bias on pairs normalised as `normalize` says; `model`, `rule`, `layer`
    say whose states it was fitted on.
    """

    task: str
    method: str
    layer: str
    model: str
    rule: str
    normalize: str
    sign_source: str
    theta: NDArray[np.float64]
    bias: float

    def check(self, *, model: str, layout: StateLayout, layer: str) -> None:
        """Raise UsageError unless states of this model, layout and layer are those that the probe was fitted on."""
        mine = {"model": self.model, "reading rule": self.rule, "layer": self.layer, "width": str(len(self.theta))}
        theirs = {"model": model, "reading rule": layout.rule, "layer": layer, "width": str(layout.width)}
        for what, value in mine.items():
            if theirs[what] != value:
                raise UsageError(
                    f"the probe {self.method} of {self.task} was fitted on states of another {what}: "
                    f"{_short(value)}, and these are of {_short(theirs[what])}.",
                    hint="A direction means nothing elsewhere: fit it again on these states.",
                )

    def decide(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Decisions (n,) on normalised pairs (n, 2, d); raises UsageError for another width."""
        if Z.shape[-1] != len(self.theta):
            raise UsageError(
                f"the probe {self.method} of {self.task} was fitted on states of width {len(self.theta)}, and these "
                f"have {Z.shape[-1]}."
            )
        return np.asarray((Z[:, 0] - Z[:, 1]) @ self.theta + self.bias, dtype=np.float64)


def saved_probes(found: Sequence[Computed], model: Model, normalize: str) -> dict[str, SavedProbe]:
    """The linear probes of a study that were fitted on all templates, by `task/method/layer`."""
    assert isinstance(model, Represents)
    rule, print_ = model.layout().rule, model.fingerprint()
    saved = {}
    for one in found:
        for (method, layer), fitted in one.grid.fitted.items():
            probe = fitted.probe
            theta = getattr(probe, "theta_", None)
            if theta is None or len(fitted.probes) > 1:
                continue
            bias = float(getattr(probe, "bias_", 0.0))
            saved[f"{one.part.name}/{method}/{layer}"] = SavedProbe(
                task=one.part.name,
                method=method,
                layer=layer,
                model=print_,
                rule=rule,
                normalize=normalize,
                sign_source=probe.sign_source_,
                theta=probe.sign_ * np.asarray(theta, dtype=np.float64)[: probe.n_features_in_],
                bias=probe.sign_ * bias,
            )
    return saved


def save(path: Path, probes: Mapping[str, SavedProbe]) -> None:
    """Write probes by name; the file appears whole or not at all."""
    from safetensors.numpy import save as tensors_to_bytes

    tensors = {name: np.append(one.theta, one.bias) for name, one in probes.items()}
    words = {
        name: json.dumps({key: getattr(one, key) for key in _WORDS}, sort_keys=True) for name, one in probes.items()
    }
    write_atomically(path, tensors_to_bytes(tensors, metadata={"schema": SCHEMA, **words}))


def load_probes(path: Path) -> dict[str, SavedProbe]:
    """The probes of a run's `arrays/probes.safetensors`; raises DataError for a file that is none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            words: dict[str, Any] = file.metadata() or {}
            return {
                name: SavedProbe(**json.loads(words[name]), theta=vector[:-1], bias=float(vector[-1]))
                for name in file.keys()  # noqa: SIM118 - the handle is no mapping
                for vector in [file.get_tensor(name)]
            }
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} holds no probes of gnomon ({type(error).__name__}).") from error


_WORDS = ("task", "method", "layer", "model", "rule", "normalize", "sign_source")


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
