"""Who is explained: one number for every input, of anything that answers a batch.

Belongs here: read-outs, and the wrapping of callables and scikit-learn estimators. Does not belong here: language
models (`_subject_text.py`) and networks for images (`_subject_torch.py`).

The read-out f must be one number. Where a subject gives several (classes), the class is the one that it chooses on the
original input, held fixed for all counterfactuals of that input.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import UsageError
from gnomon.importance._select import Floats

__all__ = ["READOUTS", "Called", "Estimator", "Subject", "as_subject", "log_odds"]

READOUTS = ("value", "log-odds", "difference")


class Subject:
    """Something that is explained.

    `values(batch, which)` gives (n,) for a subject with one output, else (n, classes); `which` (n,) is the number of
    the input that each element of the batch is, or is a counterfactual of (most subjects have no use for it). `readout`
    says how classes become one number: "log-odds" where they are logits or log-probabilities, "difference" (from the
    largest other) else.
    """

    name: str = "subject"
    readout: str = "value"
    classes: Sequence[str] = ()
    chunk: ClassVar[int] = 4096
    """Counterfactuals in one call, unless a user says otherwise."""
    digits: ClassVar[int] = 6
    """Decimals that are kept: sums in another order differ beyond them, and equal outputs must tie."""

    @abstractmethod
    def values(self, batch: Sequence[Any], which: NDArray[np.int64]) -> NDArray[Any]:
        """Outputs of a batch of inputs."""

    def describe(self) -> dict[str, str]:
        """What a reader wants to know."""
        return {"name": self.name, "read-out": self.readout}

    def fingerprint(self) -> str:
        """A hash of all that can change an output; empty where there is none."""
        return ""

    def choose(self, batch: Sequence[Any], which: NDArray[np.int64] | None = None) -> tuple[Floats, NDArray[np.int64]]:
        """f on original inputs, and the class of each that is read from now on (0 where there is one output)."""
        given = self._checked(batch, np.arange(len(batch)) if which is None else which)
        if given.ndim == 1:
            return np.round(given, self.digits), np.zeros(len(given), dtype=np.int64)
        safe = np.where(np.isfinite(given), given, -np.inf)
        chosen = safe.argmax(axis=1).astype(np.int64)
        return self._read(given, chosen), chosen

    def read(self, batch: Sequence[Any], chosen: NDArray[np.int64], which: NDArray[np.int64]) -> Floats:
        """f on counterfactuals, of the class that was chosen on the original."""
        given = self._checked(batch, which)
        return np.round(given, self.digits) if given.ndim == 1 else self._read(given, chosen)

    def _checked(self, batch: Sequence[Any], which: NDArray[np.int64]) -> Floats:
        given = np.asarray(self.values(batch, which), dtype=np.float64)
        if given.ndim == 2 and given.shape[1] == 1:
            given = given[:, 0]
        if given.ndim not in (1, 2) or len(given) != len(batch):
            raise UsageError(f"{self.name} gave outputs of shape {given.shape} for {len(batch)} inputs.")
        if given.ndim == 2 and self.readout not in READOUTS[1:]:
            raise UsageError(
                f"{self.name} gives {given.shape[1]} numbers an input, and a test needs one.",
                hint="Say how to read them: readout='log-odds' for logits, readout='difference' for probabilities.",
            )
        return given

    def _read(self, given: Floats, chosen: NDArray[np.int64]) -> Floats:
        found = log_odds(given, chosen) if self.readout == "log-odds" else _difference(given, chosen)
        return np.round(found, self.digits)


def log_odds(logits: Floats, chosen: NDArray[np.int64]) -> Floats:
    """log p_y - log(1 - p_y) from logits (n, classes), finite where the logits are.

    >>> log_odds(np.array([[1000.0, 0.0]]), np.array([0]))
    array([1000.])
    """
    from scipy.special import logsumexp

    rows = np.arange(len(logits))
    others = logits.copy()
    others[rows, chosen] = -np.inf
    return np.asarray(logits[rows, chosen] - logsumexp(others, axis=1), dtype=np.float64)


def _difference(values: Floats, chosen: NDArray[np.int64]) -> Floats:
    rows = np.arange(len(values))
    others = values.copy()
    others[rows, chosen] = -np.inf
    return np.asarray(values[rows, chosen] - others.max(axis=1), dtype=np.float64)


class Called(Subject):
    """Any callable on a batch: a list of texts, or an array (n, ...) of rows or images."""

    def __init__(self, function: Callable[[Any], Any], readout: str = "value", name: str = "") -> None:
        if readout not in READOUTS:
            raise UsageError(f"readout={readout!r} is not possible.", hint=f"Use one of {', '.join(READOUTS)}.")
        self.function, self.readout = function, readout
        self.name = name or str(getattr(function, "__name__", type(function).__name__))

    def values(self, batch: Sequence[Any], which: NDArray[np.int64]) -> NDArray[Any]:
        return np.asarray(self.function(_stacked(batch)))


class Estimator(Subject):
    """A fitted scikit-learn estimator (or pipeline): decision function, else probabilities, else predictions.

    Probabilities are read as they are, not as log-odds: forests give 0 and 1, whose log-odds are infinite.
    """

    def __init__(self, estimator: Any, name: str = "") -> None:
        self.estimator = estimator
        self.name = name or type(estimator).__name__
        classes = getattr(estimator, "classes_", None)
        if hasattr(estimator, "decision_function") and classes is not None:
            self._call = estimator.decision_function
        elif hasattr(estimator, "predict_proba"):
            self._call = estimator.predict_proba
        elif hasattr(estimator, "predict"):
            self._call = estimator.predict
        else:
            raise UsageError(f"{self.name} has no decision_function, predict_proba or predict.")
        self.classes = [str(one) for one in classes] if classes is not None else ()
        self.readout = "difference" if classes is not None else "value"

    def values(self, batch: Sequence[Any], which: NDArray[np.int64]) -> NDArray[Any]:
        found = np.asarray(self._call(_stacked(batch)), dtype=np.float64)
        if found.ndim == 1 and len(self.classes) == 2:  # a margin above 0 speaks for the second class
            return np.stack([-found / 2, found / 2], axis=1)
        return found


def as_subject(given: Any, readout: str | None = None) -> Subject:
    """A subject of anything: a `Subject`, a scikit-learn estimator, a torch module, or a callable.

    >>> as_subject(lambda X: X.sum(axis=1)).choose(np.ones((2, 3)))[0]
    array([3., 3.])
    """
    if isinstance(given, Subject):
        return given
    if hasattr(given, "fit") and (hasattr(given, "predict") or hasattr(given, "decision_function")):
        return Estimator(given)
    if type(given).__module__.startswith("torch.") or hasattr(given, "named_parameters"):
        from gnomon.importance._subject_torch import Vision

        vision: Subject = Vision(given)
        return vision
    if callable(given):
        return Called(given, readout or "value")
    raise UsageError(
        f"a {type(given).__name__} cannot be explained.",
        hint="Give a callable on a batch, a scikit-learn estimator, a torch module or a model of gnomon.",
    )


def _stacked(batch: Sequence[Any]) -> Any:
    return batch if len(batch) and isinstance(batch[0], str) else np.asarray(batch)
