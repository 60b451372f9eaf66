"""Ways to align: their names, their settings, and what each hands back.

Belongs here: the registry, reading `NAME@setting=value`, and what methods share. Does not belong here: any method
(`methods/`, one file each).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gnomon.errors import UsageError
from gnomon.registry import Registry, did_you_mean
from gnomon.shift._policy import Mix, Policy
from gnomon.shift._target import Target

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Fit", "Method", "method_named", "over", "registry", "settings_of"]


@dataclass(frozen=True)
class Fit:
    """An alignment that was found.

    Attributes
    ----------
    policy : Policy
        What layers do from now on: statistics that stand, or a rule that reads each batch.
    logits : Tensor or None
        (n, classes), where finding it evaluated the set already; else a pass under `policy` gives them.
    facts : dict
        What a reader should know, such as the weight left on the source.
    """

    policy: Policy
    logits: Tensor | None = None
    facts: dict[str, float] = field(default_factory=dict)

    def evaluated(self, target: Target) -> Tensor:
        """Logits (n, classes) of the target's inputs."""
        return self.logits if self.logits is not None else target.plain(self.policy).logits


Method = Callable[[Target], Fit]

registry = Registry(kind="variant", package="gnomon.shift.methods", attribute="method", group="gnomon.alignments")

_RANGES = {
    "N": (0.0, 1e15),
    "first": (0, 10_000),
    "last": (0, 10_000),
    "passes": (1, 10_000),
    "momentum": (0.0, 1.0),
    "steps": (1, 1000),
    "damping": (0.0, 1.0),
    "lr": (0.0, 10.0),
    "rho": (0.0, 10.0),
    "margin": (0.0, 1.0),
    "reset": (0.0, 100.0),
}


def method_named(text: str) -> Method:
    """The method called `NAME` or `NAME@setting=value@...`; the file's name is the method's.

    Raises UsageError with the closest name for an unknown method or setting, and for a value out of range.

    >>> method_named("mix@N=256") is not None
    True
    >>> method_named("mixx")
    Traceback (most recent call last):
    gnomon.errors.UsageError: no variant is named 'mixx'. Did you mean 'mix'? Known: augmented, ...
    """
    name, *parts = text.split("@")
    found: Any = registry.load(name)
    known = settings_of(found)
    given: dict[str, Any] = {}
    for part in parts:
        key, _, value = part.partition("=")
        if key not in known:
            hint = " ".join(filter(None, [did_you_mean(key, known), f"Known: {', '.join(known) or 'none'}."]))
            raise UsageError(f"variant '{name}' has no setting '{key}'.", hint=hint)
        given[key] = _value(name, key, value, known[key])
    return functools.partial(found, **given) if given else found


def settings_of(found: Callable[..., Fit]) -> dict[str, Any]:
    """A method's settings and their defaults."""
    return {
        key: one.default
        for key, one in inspect.signature(found).parameters.items()
        if one.kind is inspect.Parameter.KEYWORD_ONLY
    }


def _value(name: str, key: str, value: str, default: Any) -> Any:
    if isinstance(default, str):
        if value not in ("set", "batch"):
            raise UsageError(f"{key}={value} of variant '{name}': give set or batch.")
        return value
    low, high = _RANGES[key]
    try:
        number = int(value) if isinstance(default, int) else float(value)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise UsageError(f"{key}={value} of variant '{name}': give a number from {low:g} to {high:g}.")
    return number


def _that_matter(target: Target, kept: frozenset[str]) -> frozenset[str]:
    """Kept layers before the last aligned one. Those behind it change nothing that is gathered, so that leaving out the
    last layers needs no pass of its own."""
    names = [layer.name for layer in target.layers.aligned]
    last = max((place for place, name in enumerate(names) if name not in kept), default=-1)
    return frozenset(names[:last]) & kept


def over(target: Target, policy: Policy, where: str, facts: dict[str, float] | None = None) -> Fit:
    """A rule on every batch by itself ("batch"), or on the moments of the whole set ("set").

    For the set, one pass gathers moments while every batch is aligned by its own, and the moments pooled over batches
    then stand. Moments of later layers were therefore seen behind the batches' statistics and not behind the pooled
    ones; the difference vanishes with the size of a batch, and is nil where the set is one batch. Pseudo-counts are
    mixed into moments that were seen under the batches' own statistics, one pass for all N.
    """
    if where == "set" and isinstance(policy, Mix):
        seen = target.observed(_that_matter(target, policy.kept))
        return Fit(policy.settled(target.layers.aligned, seen.tallies), None, facts or {})
    seen = target.batches(policy)
    if where == "batch":
        return Fit(policy, seen.logits, facts or {})
    return Fit(policy.settled(target.layers.aligned, seen.tallies), None, facts or {})
