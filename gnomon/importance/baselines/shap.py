"""`shap`: SHAP through its own package. Belongs here: calling it."""

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
    samples: int = 500,
) -> NDArray[np.float64]:
    """|Shapley value| of every column by SHAP's permutation explainer (Lundberg & Lee 2017): scores (n, d).

    `samples` is the number of evaluations a row; at least 2 d + 1 are made. The background is cut to 50 rows.
    """
    shap = _shap()
    d = X.shape[1]
    masker = shap.maskers.Independent(background, max_samples=50)
    explainer = shap.explainers.Permutation(f, masker, seed=seed)
    found = explainer(X, max_evals=max(samples, 2 * d + 1), silent=True)
    return np.abs(np.asarray(found.values, dtype=np.float64))


def of_texts(
    f: Callable[[list[str]], NDArray[Any]], texts: list[str], seed: int = 0, samples: int = 500
) -> list[list[tuple[str, float]]]:
    """(token, value) of every token of every text, by SHAP's partition explainer with words cut at spaces."""
    shap = _shap()
    explainer = shap.Explainer(
        lambda batch: np.asarray(f([str(one) for one in batch])), shap.maskers.Text(r"\s+"), seed=seed
    )
    found = explainer(texts, max_evals=samples, silent=True)
    return [
        list(zip(map(str, tokens), map(float, values), strict=True))
        for tokens, values in zip(found.data, found.values, strict=True)
    ]


def _shap() -> Any:
    try:
        return importlib.import_module("shap")
    except ImportError as error:
        raise UsageError("the baseline 'shap' needs the package shap.", hint=_INSTALL) from error
