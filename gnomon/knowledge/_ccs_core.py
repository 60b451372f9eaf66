"""CCS as one batched program: problems (layers, templates, draws) x restarts, loss and gradient in closed form.

Belongs here: tensors. Does not belong here: normalisation, selection of restarts, the estimator (`probes/ccs.py`).

`X` has the shape (B, 2n, d + 1): x+ of all pairs, then x- of all pairs, and a last column of ones. `theta` is
(B, d + 1, R), the bias last.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import hardshrink

__all__ = ["Objective", "adamw", "lbfgs"]

_ARMIJO = 1e-4
_NOTHING = 1e-30
"""Slopes below this are taken as 0: where sigmoids are saturated, products of numbers too small for a processor's fast
path made a pass ten times as slow."""
_HISTORY = 10
_PATIENCE, _STALLED = 10, (2e-5, 0.02)


@dataclass
class Objective:
    """The CCS loss of B problems (Burns et al. 2022, eqs. 1 to 3), with `l2` / 2 |w|^2 added (the bias is free).

    `weight` (B, n) sums to 1 in each problem.
    """

    X: Tensor
    weight: Tensor
    l2: float = 0.0

    def parts(self, theta: Tensor) -> Tensor:
        """Consistency and confidence loss, without penalty: (B, R, 2)."""
        plus, minus = torch.sigmoid(torch.bmm(self.X, theta)).chunk(2, dim=1)
        weight = self.weight[:, :, None]
        consistency = (weight * (plus + minus - 1).square()).sum(1)
        confidence = (weight * torch.minimum(plus, minus).square()).sum(1)
        return torch.stack([consistency, confidence], dim=2)

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Penalised loss (B, R) and its gradient (B, d + 1, R)."""
        p, gap, least = self._sides(theta)
        loss = (self.weight[:, :, None] * (gap.square() + least.square())).sum(1)
        if self.l2:
            loss = loss + self.l2 / 2 * theta[:, :-1].square().sum(1)
        return loss, self._slope(theta, p, gap, least)

    def gradient(self, theta: Tensor) -> Tensor:
        """Of the penalised loss: (B, d + 1, R)."""
        return self._slope(theta, *self._sides(theta))

    def _sides(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """p of x+ and x- (B, 2n, R); p+ + p- - 1 and the lower of both (B, n, R)."""
        p = torch.sigmoid(torch.bmm(self.X, theta))
        plus, minus = p.chunk(2, dim=1)
        return p, (plus + minus).sub_(1), torch.minimum(plus, minus)

    def _slope(self, theta: Tensor, p: Tensor, gap: Tensor, least: Tensor) -> Tensor:
        """The gradient; where p+ = p- each side takes half of min's slope. Changes `least`."""
        plus, minus = p.chunk(2, dim=1)
        share = torch.heaviside(minus - plus, torch.tensor(0.5, dtype=p.dtype)).mul_(least)  # x+ where it is the lower
        slope = torch.cat([gap + share, least.sub_(share).add_(gap)], dim=1)
        slope *= torch.addcmul(p, p, p, value=-1)
        slope *= 2 * torch.cat([self.weight, self.weight], dim=1)[:, :, None]
        slope = hardshrink(slope, _NOTHING)
        gradient = torch.bmm(self.X.transpose(1, 2), slope)
        if self.l2:
            gradient[:, :-1] += self.l2 * theta[:, :-1]
        return gradient

    def of(self, index: Tensor) -> Objective:
        """The problems of `index` alone."""
        return Objective(self.X[index], self.weight[index], self.l2)


def adamw(objective: Objective, theta: Tensor, *, epochs: int, learning_rate: float, weight_decay: float) -> Tensor:
    """AdamW on the full batch (betas .9, .999, eps 1e-8); weight decay is decoupled and takes in the bias, as PyTorch's
    optimiser does with the parameters of one linear layer."""
    theta = theta.clone()
    first, second = torch.zeros_like(theta), torch.zeros_like(theta)
    for step in range(1, epochs + 1):
        gradient = objective.gradient(theta)
        theta.mul_(1 - learning_rate * weight_decay)
        first.mul_(0.9).add_(gradient, alpha=0.1)
        second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        size = second.sqrt().div_((1 - 0.999**step) ** 0.5).add_(1e-8)
        theta.addcdiv_(first, size, value=-learning_rate / (1 - 0.9**step))
    return theta


def lbfgs(objective: Objective, theta: Tensor, *, iterations: int, tolerance: float) -> Tensor:
    """Limited-memory BFGS with backtracking, every problem and restart at its own pace.

    A restart is done when its gradient's largest entry is below `tolerance`, when no step lowers its loss, or when ten
    iterations together lowered it by less than 0.00002 and two hundredths; problems whose restarts are all done
    drop out of the batch.
    """
    result = theta.clone()
    alive = torch.arange(len(theta))
    state = _State.start(objective, theta)
    for number in range(iterations):
        state.step()
        state.active &= state.gradient.abs().amax(1) > tolerance
        if number % _PATIENCE == _PATIENCE - 1:
            state.active &= state.before - state.loss > _STALLED[0] + _STALLED[1] * state.loss
            state.before = state.loss.clone()
        open_ = state.active.any(1)
        if not open_.any():
            break
        if int(open_.sum()) <= 0.75 * len(open_):
            result[alive] = state.theta
            keep = open_.nonzero()[:, 0]
            state, alive = state.of(keep), alive[keep]
    result[alive] = state.theta
    return result


@dataclass
class _State:
    """Where all restarts of the open problems stand."""

    objective: Objective
    theta: Tensor
    loss: Tensor
    gradient: Tensor
    active: Tensor
    before: Tensor
    steps: list[Tensor]
    turns: list[Tensor]

    @classmethod
    def start(cls, objective: Objective, theta: Tensor) -> _State:
        loss, gradient = objective(theta)
        return cls(objective, theta.clone(), loss, gradient, torch.isfinite(loss), loss.clone(), [], [])

    def of(self, index: Tensor) -> _State:
        return _State(
            self.objective.of(index),
            self.theta[index],
            self.loss[index],
            self.gradient[index],
            self.active[index],
            self.before[index],
            [one[index] for one in self.steps],
            [one[index] for one in self.turns],
        )

    def step(self) -> None:
        direction = self._direction()
        slope = (direction * self.gradient).sum(1)
        uphill = slope >= 0
        direction = torch.where(uphill[:, None], -self.gradient, direction)
        slope = torch.where(uphill, -self.gradient.square().sum(1), slope)
        if not self.steps:  # no curvature is known: the first step is one of length 1 at most
            direction = direction / direction.norm(dim=1, keepdim=True).clamp_min(1.0)
            slope = (direction * self.gradient).sum(1)
        theta, loss, gradient, moved = self._search(direction, slope)
        self.steps.append(torch.where(moved[:, None], theta - self.theta, 0.0))
        self.turns.append(torch.where(moved[:, None], gradient - self.gradient, 0.0))
        del self.steps[:-_HISTORY], self.turns[:-_HISTORY]
        self.theta, self.loss, self.gradient = theta, loss, gradient
        self.active &= moved

    def _direction(self) -> Tensor:
        """The two-loop recursion; a step with no positive curvature is passed over."""
        q = self.gradient.clone()
        curvature = [(step * turn).sum(1) for step, turn in zip(self.steps, self.turns, strict=True)]
        good = [one > 1e-10 * turn.square().sum(1) for one, turn in zip(curvature, self.turns, strict=True)]
        inverse = [torch.where(ok, 1 / torch.where(ok, one, 1.0), 0.0) for ok, one in zip(good, curvature, strict=True)]
        shares = []
        for step, turn, rho in reversed(list(zip(self.steps, self.turns, inverse, strict=True))):
            share = rho * (step * q).sum(1)
            q -= share[:, None] * turn
            shares.append(share)
        scale = torch.ones_like(self.loss)
        for one, turn, ok in zip(curvature, self.turns, good, strict=True):
            scale = torch.where(ok, one / turn.square().sum(1).clamp_min(1e-30), scale)
        q *= scale[:, None]
        for step, turn, rho, share in zip(self.steps, self.turns, inverse, reversed(shares), strict=True):
            q += step * (share - rho * (turn * q).sum(1))[:, None]
        return -q

    def _search(self, direction: Tensor, slope: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Halve (or interpolate) steps until each restart's loss falls enough; restarts that never do stay."""
        length = torch.ones_like(self.loss)
        theta, loss, gradient = self.theta.clone(), self.loss.clone(), self.gradient.clone()
        moved = torch.zeros_like(self.active)
        waiting = self.active.clone()
        for _ in range(20):
            index = waiting.any(1).nonzero()[:, 0]
            if not len(index):
                break
            some = self.objective if len(index) == len(waiting) else self.objective.of(index)
            trial = self.theta[index] + length[index][:, None] * direction[index]
            value, slope_there = some(trial)
            goal = self.loss[index] + _ARMIJO * length[index] * slope[index]
            # A fall below what float32 can show is no progress: such a restart has arrived.
            taken = waiting[index] & (value <= goal) & (value < self.loss[index])
            theta[index] = torch.where(taken[:, None], trial, theta[index])
            loss[index] = torch.where(taken, value, loss[index])
            gradient[index] = torch.where(taken[:, None], slope_there, gradient[index])
            moved[index] |= taken
            waiting[index] &= ~taken
            length[index] = torch.where(
                waiting[index], _shorter(length[index], value, self.loss[index], slope[index]), length[index]
            )
        return theta, loss, gradient, moved


def _shorter(length: Tensor, value: Tensor, before: Tensor, slope: Tensor) -> Tensor:
    """Where the parabola through both losses and the first slope is lowest, between a tenth and a half of the step."""
    rise = value - before - slope * length
    best = -slope * length.square() / (2 * rise)
    best = torch.where(torch.isfinite(best), best, length / 2)
    return torch.maximum(torch.minimum(best, length / 2), length / 10)
