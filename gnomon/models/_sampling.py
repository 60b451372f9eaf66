"""One token from a row of logits: the likeliest, or one drawn by temperature and top-p.

Belongs here: choosing among the numbers of one position. Does not belong here: where the logits come from
(`_writer.py`) and when a text ends (`_writer_text.py`).

A draw must not depend on its company in a batch. So every prompt has a generator of its own, one uniform number is
taken a token, and the token is found on the cumulative sum of float64 probabilities in the order of the vocabulary: a
sum that is rounded otherwise moves a boundary by its last digits only, and no two tokens ever change places.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gnomon.asks import Decoding
from gnomon.errors import UsageError

__all__ = ["Draws", "check_decoding", "choose", "nucleus"]

_TOP = 1024  # tokens that are sorted at first; the nucleus of a trained model is nearly always among them
_ROUNDING = 1e-9  # so that ten times 0.1 reaches 1


class Draws:
    """Uniform numbers in [0, 1) of one prompt: a Philox generator by its seed (any whole number, taken mod 2**64).

    >>> Draws(7).next() == Draws(7).next()
    True
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.Philox(seed % (1 << 64)))

    def next(self) -> float:
        """The next number."""
        return float(self._generator.random())


def check_decoding(decoding: Decoding) -> None:
    """Refuse a decoding that has no meaning, with UsageError.

    >>> check_decoding(Decoding(max_tokens=0))
    Traceback (most recent call last):
    gnomon.errors.UsageError: max_tokens=0: a text has at least one token. Give 1 or more.
    """
    if decoding.max_tokens < 1:
        raise UsageError(f"max_tokens={decoding.max_tokens}: a text has at least one token.", hint="Give 1 or more.")
    if not 0 <= decoding.temperature < float("inf"):
        raise UsageError(
            f"temperature={decoding.temperature}: give a number of 0 or more.",
            hint="0 takes the likeliest token.",
        )
    if not 0 < decoding.top_p <= 1:
        raise UsageError(
            f"top_p={decoding.top_p}: give a probability above 0, at most 1.", hint="1 draws from all tokens."
        )
    if "" in decoding.stop:
        raise UsageError("a stop string is empty, so every text would end before it begins.", hint="Leave it out.")


def choose(logits: Tensor, decodings: Sequence[Decoding], draws: Sequence[Draws]) -> list[int]:
    """One token a row.

    Parameters
    ----------
    logits : Tensor of shape (rows, vocabulary)
        Any floating type; no NaN.
    decodings : sequence of Decoding
        One a row. At temperature 0 the largest logit wins, the first of equals; nothing is drawn.
    draws : sequence of Draws
        One a row; one number is taken where the temperature is above 0.

    Returns
    -------
    list of int
        Token ids.

    Examples
    --------
    >>> choose(torch.tensor([[0.0, 2.0, 1.0]]), [Decoding(max_tokens=1)], [Draws(0)])
    [1]
    """
    tokens = logits.argmax(dim=-1)
    drawn = [row for row, decoding in enumerate(decodings) if decoding.temperature > 0]
    if drawn:
        rows = torch.tensor(drawn, device=logits.device)
        tokens[rows] = _sample(
            logits[rows],
            [decodings[row].temperature for row in drawn],
            [decodings[row].top_p for row in drawn],
            [draws[row].next() for row in drawn],
        )
    return [int(token) for token in tokens.tolist()]


def _sample(
    logits: Tensor, temperatures: Sequence[float], top_ps: Sequence[float], uniforms: Sequence[float]
) -> Tensor:
    """The tokens (rows,) at which the cumulative probability first passes each uniform number."""
    home = logits.device
    exact = logits.cpu() if home.type == "mps" else logits  # which knows no float64
    exact = exact.double()
    heat = torch.tensor(temperatures, dtype=torch.float64, device=exact.device)[:, None]
    shares = torch.softmax((exact - exact.amax(dim=-1, keepdim=True)) / heat, dim=-1)
    if any(top_p < 1 for top_p in top_ps):
        shares = shares * nucleus(shares, torch.tensor(top_ps, dtype=torch.float64, device=exact.device))
    sums = shares.cumsum(dim=-1)
    total = sums[:, -1:]
    places = torch.tensor(uniforms, dtype=torch.float64, device=exact.device)[:, None] * total
    places = torch.minimum(places, torch.nextafter(total, torch.zeros_like(total)))  # a product may be rounded up
    return torch.searchsorted(sums, places, right=True)[:, 0].to(home)


def nucleus(shares: Tensor, top_p: Tensor) -> Tensor:
    """The smallest set of tokens whose probability reaches `top_p` (Holtzman et al., arXiv:1904.09751, section 3.1).

    Parameters
    ----------
    shares : Tensor of shape (rows, vocabulary)
        Probabilities in float64; every row sums to 1.
    top_p : Tensor of shape (rows,)
        In (0, 1]; at 1 every token stays.

    Returns
    -------
    Tensor of shape (rows, vocabulary)
        True for a token of the set. Of tokens that are equally likely the first ones are taken.

    Examples
    --------
    >>> nucleus(torch.tensor([[0.5, 0.125, 0.25, 0.125]]).double(), torch.tensor([0.8]).double()).tolist()
    [[True, True, True, False]]
    """
    size = shares.shape[-1]
    goal = (top_p - _ROUNDING)[:, None]
    top = shares.topk(min(size, _TOP), dim=-1).values
    least, count = _last(top, goal)
    wide = (top.sum(dim=-1) < goal[:, 0]) & (top_p < 1)
    if top.shape[-1] < size and bool(wide.any()):
        least[wide], count[wide] = _last(shares[wide].sort(dim=-1, descending=True).values, goal[wide])
    above, equal = shares > least, shares == least
    kept = above | (equal & (equal.cumsum(dim=-1) <= count - above.sum(dim=-1, keepdim=True)))
    return kept | (top_p >= 1)[:, None]


def _last(falling: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
    """Of probabilities that fall along a row: the least that `goal` needs, and how many it needs; (rows, 1) each."""
    before = falling.cumsum(dim=-1) - falling
    count = (before < goal).sum(dim=-1, keepdim=True)
    return falling.gather(-1, count - 1), count
