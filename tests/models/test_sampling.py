"""A token is drawn with the probability that temperature and top-p give it, and by its own generator alone."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from gnomon.asks import Decoding
from gnomon.errors import UsageError
from gnomon.models import _sampling
from gnomon.models._sampling import Draws, check_decoding, choose, nucleus

LOGITS = [1.5, -0.5, 0.0, 3.0, 1.5, -8.0]


def softmax(logits, temperature=1.0):
    """In plain arithmetic."""
    weights = [math.exp((one - max(logits)) / temperature) for one in logits]
    return [weight / sum(weights) for weight in weights]


def smallest_set(shares, top_p):
    """By trying every set: the smallest that reaches `top_p`, of those the most probable, of those the first."""
    for size in range(1, len(shares) + 1):
        sets = [set(one) for one in itertools.combinations(range(len(shares)), size)]
        reaching = [one for one in sets if math.fsum(shares[token] for token in one) >= top_p - 1e-9]
        if reaching:
            most = max(math.fsum(shares[token] for token in one) for one in reaching)
            return next(one for one in reaching if math.fsum(shares[token] for token in one) >= most - 1e-15)
    raise AssertionError("no set reaches it")


def kept(shares, top_p):
    exact = {"dtype": torch.float64}
    (row,) = nucleus(torch.tensor([shares], **exact), torch.tensor([top_p], **exact)).tolist()
    return {token for token, stays in enumerate(row) if stays}


@pytest.mark.parametrize(
    "temperature, top_p", [(1.0, 1.0), (0.5, 1.0), (3.0, 1.0), (1.0, 0.8), (2.0, 0.6), (1.0, 0.01)]
)
def test_tokens_are_drawn_with_their_probabilities(temperature, top_p):
    """Chi-square of 5,000 draws with fixed seeds; a test at this level fails once in a thousand choices of seeds."""
    number = 5000
    tokens = choose(
        torch.tensor([LOGITS] * number),
        [Decoding(1, temperature, top_p)] * number,
        [Draws(seed) for seed in range(number)],
    )
    counts = np.bincount(tokens, minlength=len(LOGITS))
    shares = softmax(LOGITS, temperature)
    inside = smallest_set(shares, top_p)
    total = sum(shares[token] for token in inside)
    assert all(counts[token] == 0 for token in range(len(LOGITS)) if token not in inside)
    likely = [token for token in inside if number * shares[token] / total >= 5]
    wanted = [number * shares[token] / total for token in likely]
    rest = number - sum(wanted)
    got, wanted = [*counts[likely], number - counts[likely].sum()], [*wanted, rest]
    if rest < 1e-6:
        got, wanted = got[:-1], wanted[:-1]
    assert len(got) == 1 or chisquare(got, wanted).pvalue > 0.001


def test_draws_of_one_prompt_follow_one_another_independently():
    draws = Draws(3)
    values = [draws.next() for _ in range(4000)]
    assert all(0 <= value < 1 for value in values)
    pairs = np.histogram2d(values[::2], values[1::2], bins=4, range=[[0, 1], [0, 1]])[0].ravel()
    assert chisquare(pairs).pvalue > 0.001


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63, 2**200])
def test_a_seed_is_any_whole_number_and_fixes_the_draws(seed):
    one, two, other = Draws(seed), Draws(seed), Draws(seed + 1)
    values = [one.next() for _ in range(3)]
    assert [two.next() for _ in range(3)] == values
    assert [other.next() for _ in range(3)] != values


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.floats(0.001, 1.0))
def test_the_nucleus_is_the_smallest_set_by_brute_force(weights, top_p):
    shares = [weight / sum(weights) for weight in weights]
    assert kept(shares, top_p) == smallest_set(shares, top_p)


def test_a_probability_that_is_just_reached_is_reached():
    assert kept([0.1] * 10, 0.8) == set(range(8))
    assert kept([0.25] * 4, 0.75) == {0, 1, 2}
    assert kept([0.2, 0.5, 0.3], 0.8) == {1, 2}


def test_at_one_every_token_stays():
    assert kept([1.0, 0.0, 0.0], 1.0) == {0, 1, 2}


@pytest.mark.parametrize("first", [1, 2, 3])
def test_the_nucleus_does_not_depend_on_how_many_tokens_are_sorted_at_first(first, monkeypatch):
    shares = softmax(LOGITS, 2.0)
    wanted = [kept(shares, top_p) for top_p in (0.1, 0.5, 0.9, 0.999)]
    monkeypatch.setattr(_sampling, "_TOP", first)
    assert [kept(shares, top_p) for top_p in (0.1, 0.5, 0.9, 0.999)] == wanted


def test_greedy_takes_the_first_of_the_likeliest_and_draws_nothing():
    draws = Draws(0)
    assert choose(torch.tensor([[0.0, 2.0, 2.0, 1.0]]), [Decoding(1)], [draws]) == [1]
    assert draws.next() == Draws(0).next()


@pytest.mark.parametrize("temperature", [1e-30, 1e-3])
def test_a_temperature_near_zero_is_greedy(temperature):
    tokens = choose(torch.tensor([LOGITS] * 50), [Decoding(1, temperature)] * 50, [Draws(seed) for seed in range(50)])
    assert set(tokens) == {3}


def test_a_row_does_not_depend_on_the_others():
    """Greedy, drawn, and drawn from a nucleus, side by side and alone."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(60, 2000, generator=generator)
    decodings = [Decoding(1, (0, 1.0, 0.7)[row % 3], (1.0, 0.9)[row % 2]) for row in range(60)]
    together = choose(logits, decodings, [Draws(row) for row in range(60)])
    alone = [choose(logits[row : row + 1], [decodings[row]], [Draws(row)])[0] for row in range(60)]
    assert together == alone
    assert len(set(together)) > 30


def test_the_rounding_of_logits_changes_next_to_no_draw():
    """Inverse CDF in the order of the vocabulary: a boundary moves by its last digits, no two tokens change places."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2000, 100, generator=generator)
    noise = 1e-6 * torch.randn(2000, 100, generator=generator)
    for top_p in (1.0, 0.9):
        rows = [Decoding(1, 1.0, top_p)] * 2000
        one, two = (choose(some, rows, [Draws(row) for row in range(2000)]) for some in (logits, logits + noise))
        assert sum(a != b for a, b in zip(one, two, strict=True)) <= 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2**-53])
def test_a_token_without_probability_is_never_drawn(dtype, uniform):
    class Fixed(Draws):
        def next(self):
            return uniform

    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]], dtype=dtype)
    (token,) = choose(logits, [Decoding(1, 1.0)], [Fixed(0)])
    assert token == (1 if uniform == 0 else 3)


@pytest.mark.parametrize(
    "decoding, words",
    [
        (Decoding(0), "max_tokens=0: a text has at least one token."),
        (Decoding(1, temperature=-0.1), "temperature=-0.1: give a number of 0 or more."),
        (Decoding(1, temperature=math.nan), "temperature=nan"),
        (Decoding(1, temperature=math.inf), "temperature=inf"),
        (Decoding(1, top_p=0.0), "top_p=0.0: give a probability above 0, at most 1."),
        (Decoding(1, top_p=1.1), "top_p=1.1"),
        (Decoding(1, top_p=math.nan), "top_p=nan"),
        (Decoding(1, stop=("\n", "")), "a stop string is empty"),
    ],
)
def test_a_decoding_without_meaning_is_refused(decoding, words):
    with pytest.raises(UsageError) as error:
        check_decoding(decoding)
    assert words in str(error.value)
