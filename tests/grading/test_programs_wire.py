"""What crosses between a jail and its judge: values come out as they went in, and hostile text does no harm."""

import collections
import contextlib
import decimal
import fractions
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.grading._drivers.wire import Opaque, WireError, decode, encode

KEYS = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.tuples(st.integers(), st.text(max_size=2))
PLAIN = (
    KEYS
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.binary(max_size=4)
    | st.fractions()
    | st.decimals(allow_nan=False)
    | st.integers(10**4000, 10**6000)
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.lists(inner, max_size=3).map(collections.deque)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.sets(KEYS, max_size=3)
        | st.frozensets(KEYS, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_a_value_comes_out_as_it_went_in(value):
    back = decode(json.loads(json.dumps(encode(value))))
    assert (type(back), back) == (type(value), value)


class Plain(int):
    pass


class Sly(list):
    def __eq__(self, other):
        return True

    __hash__ = None


class Rude:
    def __bool__(self):
        raise ValueError

    def __repr__(self):
        raise ValueError

    __class__ = property(lambda self: 1 / 0)


@pytest.mark.parametrize(
    ("value", "back"),
    [
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (collections.OrderedDict(b=1, a=2), {"a": 2, "b": 1}),
        (collections.defaultdict(int, a=2), {"a": 2}),
        (collections.namedtuple("Pair", "x y")(1, 2), (1, 2)),
        (Plain(5), 5),
        (bytearray(b"x"), b"x"),
        (np.str_("a"), "a"),
        (np.bytes_(b"a"), b"a"),
        (-0.0, -0.0),
    ],
)
def test_what_compares_as_a_plain_value_crosses_as_one(value, back):
    found = decode(encode(value))
    assert (type(found), found) == (type(back), back)


@pytest.mark.parametrize(
    "value",
    [
        np.int64(3),
        np.float32(0.5),
        np.bool_(True),
        np.array([[1, 2]]),
        np.array([]),
        np.zeros((2, 0)),
        np.array(["a", "bc"]),
    ],
)
def test_numpys_values_stay_numpys(value):
    back = decode(json.loads(json.dumps(encode(value))))
    assert type(back) is type(value)
    assert (back.dtype, back.shape) == (value.dtype, value.shape)
    assert np.array_equal(back, value)


OTHERS = {
    "list with an equality of its own": lambda: Sly([1]),
    "nothing may be asked of it": Rude,
    "generator": lambda: (x for x in [1]),
    "function": lambda: len,
    "array of objects": lambda: np.array([object()]),
    "range": lambda: range(3),
    "signalling NaN": lambda: Sly([decimal.Decimal("sNaN")]),
}


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_anything_else_is_equal_to_nothing(make):
    value = make()
    back = decode(encode(value))
    assert isinstance(back, Opaque)
    assert back != decode(encode(value))
    assert back not in ([1], [], 1, True, None)


def test_truth_crosses_with_what_does_not():
    assert not decode(encode(range(0)))
    assert decode(encode(range(1)))
    assert decode(encode(Rude()))


def test_nan_crosses_and_lists_in_lists_without_end_do_not():
    assert math.isnan(decode(encode(float("nan"))))
    loop = []
    loop.append(loop)
    assert isinstance(decode(encode(loop)), Opaque)


TAGS = """int float complex bytes fraction decimal tuple set frozenset deque dict array scalar opaque other"""
WORDS = ["", "1", "-", "zz", "<i8", "|O8", "<U0", "nan", "1e9999"]
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(TAGS.split())), inner, max_size=2),
    max_leaves=8,
)


@given(HOSTILE)
def test_text_that_nobody_encoded_is_refused_with_one_error(data):
    with contextlib.suppress(WireError):
        json.dumps(encode(decode(data)))


@pytest.mark.parametrize(
    "data",
    [
        {"array": ["|O8", [1], "00" * 8]},
        {"array": ["<i8", [10**12], ""]},
        {"array": ["V8", [1], "00" * 8]},
        {"set": [[1]]},
        {"dict": [[[], 1]]},
        {"float": "1"},
        {"fraction": [1, 0]},
        {"opaque": ["x", 1]},
        {"tuple": [], "list": []},
        {},
    ],
)
def test_what_could_hurt_is_refused(data):
    with pytest.raises(WireError):
        decode(data)


def test_nothing_is_deeper_than_it_can_be_read():
    data = []
    for _ in range(100_000):
        data = [data]
    with pytest.raises(WireError, match="nested too deeply"):
        decode(data)
    while data:  # taken apart by hand, for the interpreter would do it recursively
        data = data[0]


def test_exact_types_of_numbers():
    assert decode(encode(decimal.Decimal("1.50"))).as_tuple() == decimal.Decimal("1.50").as_tuple()
    assert decode(encode(fractions.Fraction(2, 4))) == fractions.Fraction(1, 2)
    assert decode(encode(True)) is True


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_a_matrix_compares_as_the_array_that_it_is():
    back = decode(encode(np.matrix([[1, 2]])))
    assert type(back) is np.ndarray
    assert back.tolist() == [[1, 2]]
