"""`lime`: LIME through its own package. Belongs here: calling it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import UsageError

__all__ = ["baseline", "of_texts"]

_INSTALL = "pip install 'gnomon[explain]'"


def baseline(
    f: Callable[[NDArray[Any]], NDArray[Any]],
    X: NDArray[np.float64],
    background: NDArray[np.float64],
    seed: int = 0,
    samples: int = 1000,
) -> NDArray[np.float64]:
    """|weight| of every column in LIME's local linear model (Ribeiro et al. 2016), undiscretised: scores (n, d)."""
    LimeTabularExplainer = _lime("lime_tabular").LimeTabularExplainer
    d = X.shape[1]
    explainer = LimeTabularExplainer(background, mode="regression", discretize_continuous=False, random_state=seed)
    scores = np.zeros(X.shape)
    for row, x in enumerate(X):
        found = explainer.explain_instance(x, f, num_features=d, num_samples=samples)
        for column, weight in next(iter(found.as_map().values())):
            scores[row, column] = abs(weight)
    return scores


def of_texts(
    f: Callable[[list[str]], NDArray[Any]], texts: list[str], seed: int = 0, samples: int = 1000
) -> list[list[tuple[str, float]]]:
    """(word, weight) of every word of every text; f gives log-odds, and LIME is shown both classes' probabilities."""
    LimeTextExplainer = _lime("lime_text").LimeTextExplainer

    def both(batch: list[str]) -> NDArray[np.float64]:
        p = 1 / (1 + np.exp(-np.asarray(f(list(batch)), dtype=np.float64)))
        return np.stack([1 - p, p], axis=1)

    explainer = LimeTextExplainer(bow=False, random_state=seed)
    return [list(explainer.explain_instance(x, both, num_features=200, num_samples=samples).as_list()) for x in texts]


def _lime(module: str) -> Any:
    try:
        return importlib.import_module(f"lime.{module}")
    except ImportError as error:
        raise UsageError("the baseline 'lime' needs the package lime.", hint=_INSTALL) from error
