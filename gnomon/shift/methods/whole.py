"""Statistics of the whole target set (AdaBN, Li et al. 2016, arXiv:1603.04779), pooled without loss."""

from __future__ import annotations

from gnomon.shift._method import Fit, over
from gnomon.shift._policy import Mix
from gnomon.shift._target import Target


def method(target: Target, *, passes: int = 1, first: int = 0, last: int = 0) -> Fit:
    """Exact pooled moments. More passes see later layers behind pooled statistics; as many as layers is exact."""
    policy = Mix(0.0, target.layers.kept(first, last))
    fit = over(target, policy, "set")
    for _ in range(min(passes, len(target.layers.aligned) or 1) - 1):
        fit = Fit(policy.settled(target.layers.aligned, target.plain(fit.policy, gather=True).tallies))
    return fit
