"""Probes on disk: directions with what normalises and what they may be applied to, as plain tensors; and refusing what
they do not fit.

Belongs here: writing, reading, checking and applying. Does not belong here: fitting. No pickle: a file of tensors and
text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnomon.asks import StateLayout
from gnomon.errors import DataError, UsageError
from gnomon.files import write_atomically
from gnomon.knowledge._linear import LinearProbe
from gnomon.knowledge._normalize import normalizer
from gnomon.knowledge._probe import Floats, Pairs, Probe
from gnomon.models import Model, Represents

if TYPE_CHECKING:
    from gnomon.knowledge._computed import Computed

__all__ = ["SavedProbe", "load_probes", "save", "saved_probes"]

SCHEMA = "2"


@dataclass(frozen=True)
class SavedProbe:
    """A linear probe of a finished run.

    Decisions on normalised pairs are theta.(z+ - z-) + bias, with the logistic function of the decision over `scale`
    as probability; where `sides` is set (CCS), p(z) = sigmoid(theta.z + bias) on each side, p~ = (p+ + 1 - p-) / 2 and
    the decision p~ - 1/2. `statistics` holds, by template, what `normalize` learned of the training rows. `model` (a
    fingerprint), `rule` and `layer` say whose states it was fitted on.
    """

    task: str
    method: str
    layer: str
    model: str
    rule: str
    normalize: str
    sign_source: str
    sides: bool
    scale: float
    theta: NDArray[np.float64]
    bias: float
    statistics: Mapping[str, tuple[NDArray[np.float64], ...]]

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

    def apply(self, X: ArrayLike, *, template: str | Sequence[str], model: Model, layer: str) -> Floats:
        """Decisions (n,) on raw states, above 0 where the first answer is judged right: those of the study.

        Parameters
        ----------
        X : (n, 2, d)
            States of x+ and x- as `model` gives them at `layer`.
        template : str, or n of them
            The prompt template that the pairs are worded in; its training rows' statistics normalise them.
        model : Model
            Who was read.
        layer : str
            Where.

        Raises
        ------
        UsageError
            For states of another model, reading rule, layer or width, another shape, or a template that the probe was
            not fitted on.
        """
        plus, minus = self._both(X, template, model, layer)
        if self.sides:
            from gnomon.knowledge.probes.ccs import half_apart

            return half_apart(plus + self.bias, minus + self.bias)
        return plus - minus + self.bias

    def predict_proba(self, X: ArrayLike, *, template: str | Sequence[str], model: Model, layer: str) -> Floats:
        """The probability (n,) that the first answer is right; as `apply`."""
        from scipy.special import expit

        decisions = self.apply(X, template=template, model=model, layer=layer)
        return 0.5 + decisions if self.sides else np.asarray(expit(decisions / self.scale), dtype=np.float64)

    def _both(self, X: ArrayLike, template: str | Sequence[str], model: Model, layer: str) -> tuple[Floats, Floats]:
        """theta.z of both sides, once all is known to fit."""
        if not isinstance(model, Represents):
            raise UsageError(f"{model.name} gives no hidden states.")
        self.check(model=model.fingerprint(), layout=model.layout(), layer=layer)
        n = len(np.asarray(X))
        pairs = Pairs(X, templates=np.array([template] * n) if isinstance(template, str) else np.asarray(template))
        if pairs.X.shape[2] != len(self.theta):
            raise UsageError(
                f"the probe {self.method} of {self.task} was fitted on states of width {len(self.theta)}, and these "
                f"have {pairs.X.shape[2]}."
            )
        for name in dict.fromkeys(pairs.templates.tolist()):
            if name not in self.statistics:
                raise UsageError(
                    f"the probe {self.method} of {self.task} was fitted on no template '{name}'.",
                    hint=f"Known: {', '.join(self.statistics)}.",
                )
        Z = normalizer(self.normalize).restored(self.statistics).transform(pairs.X, pairs.templates)
        return Z[:, 0] @ self.theta, Z[:, 1] @ self.theta


def saved_probes(found: Sequence[Computed], model: Model, normalize: str) -> dict[str, SavedProbe]:
    """The linear probes of a study: `task/method/layer`, or `task/method/layer/template` where each template has its
    own."""
    assert isinstance(model, Represents)
    rule, print_ = model.layout().rule, model.fingerprint()
    saved = {}
    for one in found:
        for (method, layer), fitted in one.grid.fitted.items():
            for template, probe in fitted.probes.items():
                if (direction := _direction(probe)) is None:
                    continue
                theta, bias, sides, scale = direction
                saved[f"{one.part.name}/{method}/{layer}" + (f"/{template}" if template else "")] = SavedProbe(
                    task=one.part.name,
                    method=method,
                    layer=layer,
                    model=print_,
                    rule=rule,
                    normalize=normalize,
                    sign_source=probe.sign_source_,
                    sides=sides,
                    scale=scale,
                    theta=probe.sign_ * theta,
                    bias=probe.sign_ * bias,
                    statistics={str(name): parts for name, parts in probe.normalizer_.statistics_.items()},
                )
    return saved


def _direction(probe: Probe) -> tuple[Floats, float, bool, float] | None:
    """theta, bias, whether sides have probabilities of their own, and the scale of decisions; None for what is not
    linear in the difference."""
    from gnomon.knowledge.probes.ccs import CCS

    if isinstance(probe, CCS):
        return None if probe.hidden else (probe.theta_[:-1], float(probe.theta_[-1]), True, 1.0)
    if isinstance(probe, LinearProbe) and getattr(probe, "on", "difference") == "difference":
        return probe.theta_, float(probe.bias_), False, float(probe.scale_)
    return None


def save(path: Path, probes: Mapping[str, SavedProbe]) -> None:
    """Write probes by name, statistics that are equal only once; the file appears whole or not at all."""
    from safetensors.numpy import save as tensors_to_bytes

    tensors: dict[str, Floats] = {}
    words: dict[str, Any] = {}
    for name, one in probes.items():
        tensors[name] = np.append(one.theta, one.bias)
        homes = {template: [_keep(part, tensors) for part in parts] for template, parts in one.statistics.items()}
        known = {key: getattr(one, key) for key in _WORDS}
        words[name] = {**known, "statistics": homes}
    # One entry, since the order of several is not fixed and the same command should give the same bytes.
    told = json.dumps({"schema": SCHEMA, "probes": words}, sort_keys=True)
    write_atomically(path, tensors_to_bytes(tensors, metadata={_WORDS_OF: told}))


def _keep(array: Floats, tensors: dict[str, Floats]) -> str:
    """The name of `array` among `tensors`, put there by its content."""
    plain = np.ascontiguousarray(array, dtype=np.float64)
    name = f"{_STATISTICS}{hashlib.sha256(repr(plain.shape).encode() + plain.tobytes()).hexdigest()[:24]}"
    tensors.setdefault(name, plain)
    return name


def load_probes(path: Path) -> dict[str, SavedProbe]:
    """The probes of a run's `arrays/probes.safetensors`; raises DataError for a file that is none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            told = json.loads((file.metadata() or {})[_WORDS_OF])
            if told["schema"] != SCHEMA:
                raise ValueError(f"schema {told['schema']}")
            return {name: _loaded(words, file, name) for name, words in told["probes"].items()}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} holds no probes of this version of gnomon ({type(error).__name__}).",
            hint="Give the command of its run again.",
        ) from error


def _loaded(words: dict[str, Any], file: Any, name: str) -> SavedProbe:
    homes, vector = words.pop("statistics"), file.get_tensor(name)
    statistics = {template: tuple(file.get_tensor(home) for home in parts) for template, parts in homes.items()}
    return SavedProbe(**words, theta=vector[:-1], bias=float(vector[-1]), statistics=statistics)


_WORDS = ("task", "method", "layer", "model", "rule", "normalize", "sign_source", "sides", "scale")
_WORDS_OF = "gnomon probes"
_STATISTICS = "statistics of training rows/"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
