"""Ours, and only a bound: like 'prior' with the true mix of classes, which is label information."""

from __future__ import annotations

from gnomon.errors import UsageError
from gnomon.shift._method import Fit, over
from gnomon.shift._policy import Match
from gnomon.shift._target import Target


def method(target: Target, *, where: str = "set", first: int = 0, last: int = 0) -> Fit:
    """Matched under the true mix of classes. It uses labels (with one class the mix is the answer): an upper bound."""
    source = target.need_source("oracle")
    if target.prior is None:
        raise UsageError("'oracle' knows the true mix of classes, and no labels were given.", hint="Use 'prior'.")
    return over(target, Match(source.pairs_for(target.prior), target.layers.kept(first, last)), where)
