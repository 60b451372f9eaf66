"""Methods x layers on one table of rows: fits, decisions on every row, and the layer chosen without labels.

Belongs here: the grid. Does not belong here: a method (`probes/`), what decisions are worth (`_measure.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from gnomon.errors import UsageError
from gnomon.knowledge._probe import Probe
from gnomon.knowledge._rows import Rows

__all__ = ["Fitted", "Grid", "Load", "apply", "fit_grid", "held_out", "informative"]

Floats = NDArray[np.float64]
Load = Callable[[str], NDArray[np.float32]]
"""A layer's states of all rows: (n, 2, d)."""

_CHUNK = 1 << 30
"""Bytes of states that are fitted together at most."""


@dataclass(frozen=True)
class Fitted:
    """One method at one layer: its probes by template ("" for one probe of all templates) and what they decide."""

    method: str
    layer: str
    probes: Mapping[str, Probe]
    decisions: Floats
    p: Floats

    @property
    def probe(self) -> Probe:
        """The probe of all templates, or of the first."""
        return next(iter(self.probes.values()))

    def turned(self, signs: Mapping[str, tuple[int, str]], templates: NDArray[Any]) -> Fitted:
        """The same with resolved signs: (sign, source) by the names of `probes`; `templates` of the rows."""
        probes = {name: probe.resolved(*signs[name]) for name, probe in self.probes.items()}
        decisions, p = self.decisions.copy(), self.p.copy()
        for name, probe in self.probes.items():
            if probes[name].sign_ != probe.sign_:
                rows = templates == name if name else np.ones(len(templates), dtype=bool)
                decisions[rows], p[rows] = -decisions[rows], 1 - p[rows]
        return Fitted(self.method, self.layer, probes, decisions, p)

    def alone(self, template: str) -> Fitted:
        """The same with the probe of one template for all rows."""
        return (
            self
            if len(self.probes) == 1
            else Fitted(self.method, self.layer, {template: self.probes[template]}, self.decisions, self.p)
        )


@dataclass
class Grid:
    """All fits of one task; `skipped` says which layers hold nothing, `parts` the held-out CCS loss by layer, in
    consistency and confidence."""

    fitted: dict[tuple[str, str], Fitted] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def loss(self) -> dict[str, float]:
        return {layer: sum(both) for layer, both in self.parts.items()}

    def layers(self) -> list[str]:
        return list(dict.fromkeys(layer for _, layer in self.fitted))

    def methods(self) -> list[str]:
        return list(dict.fromkeys(method for method, _ in self.fitted))


def fit_grid(
    rows: Rows,
    load: Load,
    layers: Sequence[str],
    methods: Mapping[str, Probe],
    *,
    stacked: bool = True,
    transductive: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Grid:
    """Fit every method at every layer on the training rows and decide every row.

    Parameters
    ----------
    stacked : bool
        One probe on all templates stacked, each normalised on its own (the paper); else one probe a template.
    transductive : bool
        Test rows are normalised with their own statistics instead of those of the training rows.
    """
    grid = Grid()
    total = len(layers) * len(methods)
    done = 0
    progress(0, total)
    for some in _chunks(rows, load, layers):
        kept = {layer: X for layer, X in some.items() if informative(X[rows.train], rows.templates[rows.train])}
        grid.skipped += [layer for layer in some if layer not in kept]
        for method, prototype in methods.items():
            if kept:
                for fitted in _fit_layers(rows, kept, method, prototype, stacked, transductive):
                    grid.fitted[method, fitted.layer] = fitted
            done += len(some)
            progress(done, total)
        if "ccs" in methods:
            for layer, X in kept.items():
                grid.parts[layer] = held_out(grid.fitted["ccs", layer], rows, X, transductive)
    if not grid.fitted:
        raise UsageError(
            f"at none of the layers {', '.join(layers)} do the states differ between pairs.", hint="Give other layers."
        )
    return grid


def _chunks(rows: Rows, load: Load, layers: Sequence[str]) -> Any:
    """Layers with their states, as many at a time as memory should hold."""
    held: dict[str, NDArray[np.float32]] = {}
    for layer in layers:
        held[layer] = load(layer)
        size = held[layer].size * 8
        if (len(held) + 1) * size > _CHUNK:
            yield held
            held = {}
    if held:
        yield held


def _fit_layers(
    rows: Rows, states: Mapping[str, Any], method: str, prototype: Probe, stacked: bool, transductive: bool
) -> list[Fitted]:
    parts = {"": np.ones(len(rows), dtype=bool)} if stacked else {t: rows.templates == t for t in rows.template_names()}
    probes: dict[str, dict[str, Probe]] = {layer: {} for layer in states}
    for name, part in parts.items():
        train = part & rows.train
        found = prototype.fit_layers(
            [X[train] for X in states.values()],
            rows.y[train],
            templates=rows.templates[train],
            items=rows.items[train],
            sample_weight=rows.weight[train],
        )
        for layer, probe in zip(states, found, strict=True):
            probes[layer][name] = probe
    return [
        Fitted(method, layer, probes[layer], *_decide(probes[layer], X, rows, transductive))
        for layer, X in states.items()
    ]


def _decide(probes: Mapping[str, Probe], X: Any, rows: Rows, transductive: bool) -> tuple[Floats, Floats]:
    decisions, p = np.empty(len(rows)), np.empty(len(rows))
    for name, probe in probes.items():
        part = rows.templates == name if name else np.ones(len(rows), dtype=bool)
        for mask, own in ((part & rows.train, False), (part & rows.test, transductive)):
            if mask.any():
                names = rows.templates[mask]
                decisions[mask] = probe.decision_function(X[mask], templates=names, transductive=own)
                p[mask] = probe.predict_proba(X[mask], templates=names, transductive=own)
    return decisions, p


def apply(fitted: Fitted, X: Any, rows: Rows, *, renormalize: NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
    """Decisions and probabilities of fitted probes on other rows.

    `renormalize` names the rows whose (unlabelled) statistics replace those of training: for other tasks or prompts.
    Where each template has its probe, a template is judged by the probe of its name, else by the mean p~ of all.
    """
    if renormalize is None:
        if len(fitted.probes) > 1:
            return _decide(fitted.probes, X, rows, False)
        return _said(fitted.probe, X, rows.templates)
    decisions, p = np.empty(len(rows)), np.empty(len(rows))
    for name in rows.template_names() if len(fitted.probes) > 1 else [""]:
        part = rows.templates == name if name else np.ones(len(rows), dtype=bool)
        learn = part & renormalize
        some = [fitted.probes[name]] if name in fitted.probes else list(fitted.probes.values())
        judged = [
            _said(one.renormalized(X[learn], templates=rows.templates[learn]), X[part], rows.templates[part])
            for one in some
        ]
        if len(judged) == 1:
            decisions[part], p[part] = judged[0]
        else:
            p[part] = np.mean([probability for _, probability in judged], axis=0)
            decisions[part] = p[part] - 0.5
    return decisions, p


def _said(probe: Probe, X: Any, templates: NDArray[Any]) -> tuple[Floats, Floats]:
    return probe.decision_function(X, templates=templates), probe.predict_proba(X, templates=templates)


def informative(X: Any, templates: NDArray[Any]) -> bool:
    """Whether, within some template, the states of some side differ between pairs (embeddings of a last word do
    not)."""
    for name in dict.fromkeys(templates.tolist()):
        part = np.asarray(X[templates == name], dtype=np.float64)
        spread = np.abs(part - part[:1]).max(initial=0)
        if spread > 1e-6 * max(1e-30, np.abs(part).max(initial=0)):
            return True
    return False


def held_out(fitted: Fitted, rows: Rows, X: Any, transductive: bool = False) -> tuple[float, float]:
    """The CCS loss on the test rows, which needs no label: consistency, mean (p+ + p- - 1)^2, and confidence, mean
    min(p+, p-)^2. Rows are normalised as for the decisions."""
    found, weight = np.zeros(2), 0.0
    for name, probe in fitted.probes.items():
        mask = rows.test & (rows.templates == name if name else True)
        if not mask.any():
            continue
        Z = probe.normalized(X[mask], templates=rows.templates[mask], transductive=transductive)
        plus, minus = expit(probe.side_logits(Z)).T
        share = rows.weight[mask]
        found += [np.square(plus + minus - 1) @ share, np.square(np.minimum(plus, minus)) @ share]
        weight += float(share.sum())
    consistency, confidence = (found / weight).tolist()
    return consistency, confidence
