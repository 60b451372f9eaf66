"""A network and a set of unlabelled inputs: every pass over them is made once, whoever asks for it.

Belongs here: passes over sets, in batches, and what they are kept for. Does not belong here: which passes a method
needs (`methods/`), or images (`_subject.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from gnomon.errors import DataError, UsageError
from gnomon.shift._layers import Layers, find_layers
from gnomon.shift._moments import Tally
from gnomon.shift._norms import Norms
from gnomon.shift._policy import Mix, Pair, Policy, Source
from gnomon.stats import stream

__all__ = ["Pass", "SourceSample", "Target", "run_pass"]

CHUNK = 100
"""Inputs at a time where the batch changes nothing: few enough for activations to stay in the processor's cache."""


@dataclass(frozen=True)
class Pass:
    """Logits (n, classes) in the order of the inputs, and the moments that every layer saw."""

    logits: Tensor
    tallies: Mapping[str, Tally] = field(default_factory=dict)


def run_pass(
    module: nn.Module,
    layers: Layers,
    inputs: Tensor,
    policy: Policy,
    *,
    batch_size: int,
    order: Tensor | None = None,
    gather: bool = False,
    apart: bool = False,
) -> Pass:
    """One forward pass over all `inputs`, in batches taken in `order`, under `policy`; nothing of `module` changes."""
    place = torch.arange(len(inputs)) if order is None else order
    logits: list[Tensor] = []
    with torch.no_grad(), Norms(module, layers, policy) as norms:
        norms.apart = apart
        norms.tallies = {} if gather else None
        for part in torch.split(place, batch_size):
            batch = inputs[part] if order is not None else inputs[int(part[0]) : int(part[-1]) + 1]
            logits.append(module(_laid_out(batch)).float())
        tallies = norms.tallies or {}
    out = torch.cat(logits)
    if out.dim() != 2:
        raise DataError(f"the network's output has shape {tuple(out.shape)}, not (n, classes).")
    back = torch.empty_like(out)
    back[place] = out
    return Pass(back, tallies)


def _laid_out(batch: Tensor) -> Tensor:
    """Images with the channels last in memory: convolutions on CPUs are then up to three times as fast."""
    return batch.contiguous(memory_format=torch.channels_last) if batch.dim() == 4 else batch


class SourceSample:
    """Un-augmented inputs of the source, with labels where there are any: what alignment may aim at.

    Parameters
    ----------
    module, layers, inputs :
        As in `Target`.
    labels : Tensor (n,), optional
        Whole numbers from 0; without them there are no moments by class.
    classes : int, optional
        How many classes the network tells apart.
    """

    def __init__(
        self,
        module: nn.Module,
        layers: Layers,
        inputs: Tensor,
        labels: Tensor | None = None,
        classes: int | None = None,
    ) -> None:
        self.labels = labels
        self.classes = int(labels.max()) + 1 if labels is not None and classes is None else classes or 0
        groups = [torch.arange(len(inputs))]
        if labels is not None:
            groups = [torch.nonzero(labels == one).flatten() for one in range(self.classes)]
        self.by_class: list[Mapping[str, Tally]] = []
        self.tallies: dict[str, Tally] = {}
        parts: list[Tensor] = []
        for rows in groups:
            if not len(rows):
                self.by_class.append({})
                continue
            found = run_pass(module, layers, inputs[rows], Source(), batch_size=CHUNK, gather=True, apart=True)
            parts.append(found.logits)
            self.by_class.append(found.tallies)
            for name, tally in found.tallies.items():
                self.tallies[name] = self.tallies[name].merged(tally) if name in self.tallies else tally
        self.logits = torch.cat(parts)
        self.n = len(self.logits)

    @property
    def prior(self) -> Tensor:
        """Share of every class in the sample (classes,), float64. Raises UsageError without labels."""
        if self.labels is None:
            raise UsageError("the source sample has no labels, and moments by class need them.")
        count = torch.bincount(self.labels, minlength=self.classes).double()
        return count / count.sum()

    def pairs(self) -> dict[str, Pair]:
        """Moments of all classes together, by layer."""
        return {name: (tally.mean, tally.variance) for name, tally in self.tallies.items()}

    def pairs_for(self, prior: Tensor) -> dict[str, Pair]:
        """Moments that the source would have under another mix of classes: mu = sum p_c mu_c, and
        v = sum p_c (v_c + mu_c^2) - mu^2. Raises UsageError without labels, or where a class has no image."""
        if self.labels is None:
            raise UsageError(
                "moments by class need a source sample with labels.", hint="Give  source_labels=... , or use 'matched'."
            )
        for one in range(self.classes):
            if prior[one] > 0 and not self.by_class[one]:
                raise UsageError(f"the source sample has no image of class {one}.", hint="Give some of every class.")
        found = {}
        held = [one for one in range(self.classes) if self.by_class[one]]
        share = prior[held].double()
        for name in self.tallies:
            means = torch.stack([self.by_class[one][name].mean for one in held])
            squares = torch.stack([self.by_class[one][name].variance for one in held]) + means.square()
            mean = share @ means
            found[name] = mean, (share @ squares - mean.square()).clamp_min(0)
        return found


class Target:
    """A network and unlabelled inputs.

    Parameters
    ----------
    module : nn.Module
        Any network that gives logits (n, classes). It is not changed.
    inputs : Tensor (n, ...)
        As the network takes them: normalised, channels first.
    batch_size : int
        Of what depends on the batch.
    seed : int
        Of the order in which inputs come, and of augmentation.
    source : SourceSample, optional
        For methods that aim at the source's own moments.
    prior : Tensor (classes,), optional
        The true mix of classes, for the bound that knows it.
    augment : callable, optional
        (inputs, generator) -> inputs as in training.
    layers : Layers, optional
        Found by `find_layers` before.

    Attributes
    ----------
    passes : float
        Forward passes made so far, in whole sets.

    Raises
    ------
    DataError
        For no inputs, or values that are not finite.
    """

    def __init__(
        self,
        module: nn.Module,
        inputs: Tensor,
        *,
        batch_size: int = 200,
        seed: int = 0,
        source: SourceSample | None = None,
        prior: Tensor | None = None,
        augment: Callable[[Tensor, np.random.Generator], Tensor] | None = None,
        layers: Layers | None = None,
    ) -> None:
        if not len(inputs):
            raise DataError("there is no input to adapt to.")
        if batch_size < 1:
            raise UsageError(f"batch_size={batch_size} was given.", hint="Give a whole number from 1.")
        bad = ~torch.isfinite(inputs).flatten(1).all(1)
        if bad.any():
            raise DataError(
                f"input {int(bad.int().argmax())} holds a value that is not finite ({int(bad.sum())} such inputs), and "
                "statistics of the set would keep it.",
                hint="Leave these out.",
            )
        self.module, self.inputs, self.batch_size, self.seed = module, inputs, batch_size, seed
        self.source, self.prior, self.augment = source, prior, augment
        self.layers = layers or find_layers(module, inputs[:2])
        self.passes = 0.0
        self.remarks: list[str] = [self.layers.remark] if self.layers.remark else []
        self._kept: dict[object, Pass] = {}
        drawn = stream(seed, "order of inputs").permutation(len(inputs))
        self.order = torch.from_numpy(drawn)

    def batches(self, policy: Policy, *, augmented: bool = False, keep: bool = True) -> Pass:
        """A pass in which every batch is seen whole, in a random order, with moments; the same policy gives the pass
        that was made before."""
        key = (policy, augmented)
        if keep and key in self._kept:
            return self._kept[key]
        inputs = self.inputs
        if augmented:
            if self.augment is None:
                raise UsageError("it is not known how this network's training images were augmented.")
            inputs = self.augment(inputs, stream(self.seed, "augmentation"))
        self.passes += 1
        made = run_pass(
            self.module, self.layers, inputs, policy, batch_size=self.batch_size, order=self.order, gather=True
        )
        if keep:
            self._kept[key] = made
        return made

    def plain(self, policy: Policy, *, gather: bool = False) -> Pass:
        """A pass under statistics that do not depend on the batch."""
        key = (policy, "gathered" if gather else "")
        if key in self._kept:
            return self._kept[key]
        self.passes += 1
        made = run_pass(self.module, self.layers, self.inputs, policy, batch_size=CHUNK, gather=gather, apart=gather)
        if isinstance(policy, Source):
            self._kept[key] = made
        return made

    @property
    def own(self) -> Pass:
        """The network as it is, with moments and their spread over images and positions."""
        return self.plain(Source(), gather=True)

    @property
    def unaligned(self) -> Tensor:
        """The network's own logits, from a pass that gathered moments where there was one."""
        kept = self._kept.get((Source(), "gathered"))
        return kept.logits if kept is not None else self.plain(Source()).logits

    def observed(self, kept: frozenset[str] = frozenset(), *, augmented: bool = False) -> Pass:
        """A pass under the batches' own statistics: prediction-time BatchNorm, and the set's moments by the way."""
        return self.batches(Mix(0.0, kept), augmented=augmented)

    def need_source(self, what: str) -> SourceSample:
        """The source sample; raises UsageError that names what needs it."""
        if self.source is None:
            raise UsageError(
                f"'{what}' needs images of the source as they are, without augmentation.",
                hint="Give  source=... , some hundred training images; labels are needed by 'prior' alone.",
            )
        return self.source
