"""What did it look at? `gnomon explain`: which inputs mattered, with a bound on how often that is wrong.

::

    explain(data, model)      the study: inputs x groups, one family, a test at a false-discovery rate q, a report
    IRT, OSFT                 the tests, estimators on outputs, one file each in `methods/`
    observe(model, X, ...)    outputs of inputs and their counterfactuals, for the tests
    Gaussian, NGram, ...      counterfactual distributions, one file each in `samplers/`
    simulate()                the paper's simulations, with the truth known

Belongs here: the room's public names, imported when first used. Does not belong here: anything that computes.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Columns": "_groups",
    "Region": "_groups",
    "Spans": "_groups",
    "boxes": "_groups",
    "columns": "_groups",
    "grid": "_groups",
    "sentences": "_groups",
    "superpixels": "_groups",
    "words": "_groups",
    "Outputs": "_outputs",
    "SharedInputError": "_outputs",
    "Explained": "_explained",
    "explain": "_study",
    "ImageDisplay": "_display",
    "TableDisplay": "_display",
    "TextDisplay": "_display",
    "irt": "_explained",
    "osft": "_explained",
    "Observed": "_observe",
    "observe": "_observe",
    "bh": "_select",
    "by": "_select",
    "ebh": "_select",
    "knockoff_plus": "_select",
    "Sampler": "_sampler",
    "Subject": "_subject",
    "as_subject": "_subject",
    "Called": "_subject",
    "Chooser": "_subject_text",
    "Classifier": "_subject_text",
    "Vision": "_subject_torch",
    "simulate": "_simulate",
    "IRT": "methods.irt",
    "OSFT": "methods.osft",
    "Infill": "samplers.infill",
    "PCAGaussian": "samplers.pca",
    "Patches": "samplers.patches",
    "Causal": "samplers.causal",
    "MaskedLM": "samplers.masked_lm",
    "NGram": "samplers.ngram",
    "Copula": "samplers.copula",
    "Discrete": "samplers.discrete",
    "Donors": "samplers.donors",
    "Gaussian": "samplers.gaussian",
    "Marginal": "samplers.marginal",
    "Tree": "samplers.tree",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gnomon.importance' has no attribute {name!r}")
    return getattr(importlib.import_module(f"gnomon.importance.{_HOMES[name]}"), name)
