"""SAR (Niu et al. 2023, ICLR, arXiv:2302.12400): TENT on reliable inputs only, towards flat minima, with a way back."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gnomon.shift._method import Fit
from gnomon.shift._policy import Mix
from gnomon.shift._target import Target
from gnomon.shift._tuning import Tuned, entropy, tuning


def method(target: Target, *, lr: float = 0.00025, rho: float = 0.05, margin: float = 0.4, reset: float = 0.2) -> Fit:
    """Entropy of inputs below margin x ln(classes), sharpness-aware SGD on scales and offsets, reset on collapse."""
    with tuning(target) as tuned:
        if not tuned.parameters:
            return Fit(Mix(), target.unaligned)
        state = _Sar(target, tuned, lr, rho, margin, reset)
        logits = tuned.over_batches(state.learn)
        return Fit(Mix(), logits, {"resets": float(state.resets)})


class _Sar:
    """One run of SAR; `learn` takes a batch and gives the logits before its step."""

    def __init__(self, target: Target, tuned: Tuned, lr: float, rho: float, margin: float, reset: float) -> None:
        self._target, self._tuned, self._rho, self._margin, self._reset = target, tuned, rho, margin, reset
        self._lr = lr
        self._sgd = torch.optim.SGD(tuned.parameters, lr=lr, momentum=0.9)
        self._average: float | None = None
        self.resets = 0

    def learn(self, batch: Tensor) -> Tensor:
        logits: Tensor = self._target.module(batch)
        bar = self._margin * math.log(logits.shape[1])
        each = entropy(logits)
        reliable = each < bar
        if not reliable.any():
            return logits
        self._sgd.zero_grad()
        each[reliable].mean().backward()  # type: ignore[no-untyped-call]
        steps = self._climb()
        again = entropy(self._target.module(batch))[reliable]
        still = again[again < bar]
        self._sgd.zero_grad()
        if len(still):
            still.mean().backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for part, step in steps:
                part.sub_(step)
        if len(still):
            self._sgd.step()
            value = float(still.detach().mean())
            self._average = value if self._average is None else 0.9 * self._average + 0.1 * value
            if self._average < self._reset:
                self._tuned.restore()
                self._sgd = torch.optim.SGD(self._tuned.parameters, lr=self._lr, momentum=0.9)
                self._average, self.resets = None, self.resets + 1
        return logits

    def _climb(self) -> list[tuple[Tensor, Tensor]]:
        """To the worst point within rho; gives the steps that were taken."""
        gradients = [(part, part.grad) for part in self._tuned.parameters if part.grad is not None]
        norm = torch.stack([one.norm() for _, one in gradients]).norm()
        steps: list[tuple[Tensor, Tensor]] = [(part, one * (self._rho / (norm + 1e-12))) for part, one in gradients]
        with torch.no_grad():
            for part, step in steps:
                part.add_(step)
        return steps
