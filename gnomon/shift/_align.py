"""Any torch network, aligned for the length of a `with` block.

Belongs here: the face of alignment in Python. Does not belong here: methods (`methods/`), images (`_subject.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from torch import Tensor, nn

from gnomon.errors import UsageError
from gnomon.shift._method import method_named
from gnomon.shift._norms import Norms
from gnomon.shift._target import SourceSample, Target

__all__ = ["align", "align_and_evaluate"]

_LEARN = ("tent", "sar")


@contextmanager
def align(
    module: nn.Module,
    inputs: Tensor,
    variant: str = "whole",
    *,
    source: Tensor | None = None,
    source_labels: Tensor | None = None,
    augment: Callable[[Tensor, np.random.Generator], Tensor] | None = None,
    batch_size: int = 200,
    seed: int = 0,
) -> Iterator[nn.Module]:
    """Align `module` with unlabelled `inputs`; inside the block it is the aligned network, afterwards what it was.

    Parameters
    ----------
    module : nn.Module
        Any network with BatchNorm of any kind. One without statistics to align stays as it is.
    inputs : Tensor (n, ...)
        As the network takes them.
    variant : str
        A name of `gnomon/shift/methods`, with settings as in "mix@N=256". "batch" and "mix" read every batch that
        comes inside the block; others fix statistics from `inputs`.
    source, source_labels : Tensor, optional
        Un-augmented inputs like those that the network learned from ("matched"), and their labels ("prior").
    augment : callable, optional
        (inputs, generator) -> inputs as in training ("augmented").
    batch_size, seed : int
        Of the passes that gather statistics.

    Yields
    ------
    nn.Module
        The same module, in eval mode. Buffers, parameters, flags and methods are restored bit for bit, also after an
        exception.

    Raises
    ------
    UsageError, DataError
        For unknown names, what a variant lacks, and inputs that are not finite.

    Examples
    --------
    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2)).eval()
    >>> images = 3 + 2 * torch.randn(50, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    >>> with torch.no_grad(), align(net, images, "whole") as aligned:
    ...     moved = aligned(images)
    >>> bool(torch.equal(net[1].running_mean, torch.zeros(4)))
    True
    """
    name = variant.partition("@")[0]
    if name in _LEARN:
        raise UsageError(
            f"'{name}' changes with every batch and is put back when its pass is over.",
            hint="Use  align_and_evaluate , which gives its predictions.",
        )
    target = _target(module, inputs, source, source_labels, augment, batch_size, seed)
    fit = method_named(variant)(target)
    with Norms(module, target.layers, fit.policy):
        yield module


def align_and_evaluate(
    module: nn.Module,
    inputs: Tensor,
    variant: str = "whole",
    *,
    source: Tensor | None = None,
    source_labels: Tensor | None = None,
    augment: Callable[[Tensor, np.random.Generator], Tensor] | None = None,
    batch_size: int = 200,
    seed: int = 0,
) -> Tensor:
    """Logits (n, classes) of `inputs` under a variant fitted to them; two forward passes at most, for all variants but
    those that iterate (`prior`, `sar`, `whole@passes=K`). Arguments as in `align`.

    >>> import torch
    >>> net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    >>> align_and_evaluate(net, torch.eye(3), "mix@N=16").shape
    torch.Size([3, 2])
    """
    target = _target(module, inputs, source, source_labels, augment, batch_size, seed)
    return method_named(variant)(target).evaluated(target)


def _target(
    module: nn.Module,
    inputs: Tensor,
    source: Tensor | None,
    source_labels: Tensor | None,
    augment: Callable[[Tensor, np.random.Generator], Tensor] | None,
    batch_size: int,
    seed: int,
) -> Target:
    target = Target(module, inputs, batch_size=batch_size, seed=seed, augment=augment)
    if source is not None:
        target.source = SourceSample(module, target.layers, source, source_labels)
    return target
