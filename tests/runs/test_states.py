"""The store of states: every bit comes back, nothing damaged is believed, nothing kept is lost or computed twice."""

import dataclasses
import os
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.asks import Failed, Reading, StateLayout, States
from gnomon.errors import ModelError, RunError, UsageError
from gnomon.runs import StateStore, represent_all

DTYPES = ("float32", "float16", "bfloat16")
SKY = Reading("Is the sky blue?", ("yes", "no"))
SEA = Reading("Is the sea dry?", ("yes", "no"))
ICE = Reading("Is ice warm?", ("yes", "no"))


def layout(dtype="float32", layers=("0", "1", "encoder 2"), width=3):
    return StateLayout(layers, width, dtype, "last token")


def text_states(text, kept):
    """(layers, width) numbers of the type `kept.dtype` that only `text` has."""
    rng = np.random.default_rng(zlib.crc32(repr(text).encode()))
    numbers = rng.normal(size=(len(kept.layers), kept.width)).astype(np.float32)
    if kept.dtype == "float16":
        return numbers.astype(np.float16).astype(np.float32)
    if kept.dtype == "bfloat16":
        return (numbers.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    return numbers


def states(reading, kept, cut=0):
    values = [text_states((reading.question, answer, reading.after), kept) for answer in reading.answers]
    shape = (0, len(kept.layers), kept.width)
    lengths = tuple(len(reading.question) + len(answer) for answer in reading.answers)
    return States(np.stack(values) if values else np.empty(shape, dtype=np.float32), lengths, cut)


def opened(root, kept=None, fingerprint="model"):
    return StateStore(root, fingerprint=fingerprint, layout=kept or layout())


def filled(root, *readings, kept=None):
    store = opened(root, kept)
    store.add([(reading, states(reading, store.layout)) for reading in readings])
    return store


def assert_right(store, readings):
    for number, name in enumerate(store.layout.layers):
        found = store.layer(readings, name)
        expected = np.stack([states(reading, store.layout).values[:, number] for reading in readings])
        assert found.dtype == np.float32
        assert (found.view(np.uint32) == expected.view(np.uint32)).all()
    assert store.tokens(readings).tolist() == [list(states(reading, store.layout).tokens) for reading in readings]


def content(store):
    return {path.name: path.read_bytes() for path in store.path.iterdir() if path.suffix == ".bin"}


class Reader:
    """A model that reads two at a time and remembers what it was shown and what it read."""

    def __init__(self, kept=None, lies=None, stop=None):
        self.layout, self.lies, self.stop = kept or layout(), lies or {}, stop
        self.shown, self.read = [], []

    def represent(self, readings, skip):
        self.shown.append(list(readings))
        for low in range(0, len(readings), 2):
            batch = []
            for index in range(low, min(low + 2, len(readings))):
                if not skip(index):
                    if self.stop is not None and len(self.read) >= self.stop:
                        raise KeyboardInterrupt
                    self.read.append(readings[index])
                    right = states(readings[index], self.layout)
                    batch.append((index, self.lies.get(readings[index], lambda one: one)(right)))
            yield batch


# bits ----------------------------------------------------------------------------------------------------------------

words = st.text(max_size=4)
readings_ = st.builds(Reading, words, st.lists(words, min_size=2, max_size=2).map(tuple), words)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(DTYPES), st.lists(readings_, min_size=1, max_size=6, unique=True), st.data())
def test_whatever_is_added_comes_back_bit_for_bit_in_any_order(tmp_path_factory, dtype, readings, data):
    root = tmp_path_factory.mktemp("states")
    kept = layout(dtype)
    cuts = data.draw(st.lists(st.integers(0, len(readings)), max_size=3).map(sorted))
    with opened(root, kept) as store:
        for low, high in zip([0, *cuts], [*cuts, len(readings)], strict=True):
            store.add([(reading, states(reading, kept)) for reading in readings[low:high]])
        assert all(reading in store for reading in readings)
    again = opened(root, kept)
    asked = data.draw(st.lists(st.sampled_from(readings), min_size=1, max_size=9))
    assert_right(again, asked)
    texts = {(one.question, answer, one.after) for one in readings for answer in one.answers}
    assert again.rows == len(texts)
    assert again.remarks == []


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(DTYPES), st.lists(st.integers(0, 2**32 - 1), min_size=6, max_size=6))
def test_all_finite_numbers_of_a_type_are_kept_zeros_signs_and_the_smallest(tmp_path_factory, dtype, bits):
    if dtype == "float16":
        values = np.array(bits, dtype=np.uint32).astype(np.uint16).view(np.float16).astype(np.float32)
    else:
        mask = 0xFFFF0000 if dtype == "bfloat16" else 0xFFFFFFFF
        values = (np.array(bits, dtype=np.uint32) & np.uint32(mask)).view(np.float32)
    values = np.where(np.isfinite(values), values, np.float32(-0.0)).reshape(1, 2, 3)
    store = opened(tmp_path_factory.mktemp("states"), layout(dtype, ("a", "b")))
    text = Reading("", ("",))
    store.add([(text, States(values, (1,)))])
    for number, name in enumerate("ab"):
        assert (store.layer([text], name).view(np.uint32) == values[:, number].view(np.uint32)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_files_hold_the_bytes_that_torch_has(tmp_path, dtype):
    torch = pytest.importorskip("torch")
    drawn = torch.randn(5, 2, 1, 8, generator=torch.Generator().manual_seed(0)).to(getattr(torch, dtype))
    store = opened(tmp_path, layout(dtype, ("only",), 8))
    asked = [Reading(f"{number}?", ("a", "b")) for number in range(5)]
    store.add([(one, States(part.float().numpy(), (1, 1))) for one, part in zip(asked, drawn, strict=True)])
    found = (store.path / "layer-000.bin").read_bytes()
    assert found == bytes(drawn.contiguous().view(torch.uint8).numpy().tobytes())
    assert len(found) == 10 * 8 * (4 if dtype == "float32" else 2)


def test_float64_is_taken_as_the_float32_that_it_is(tmp_path):
    store = opened(tmp_path)
    right = states(SKY, store.layout)
    store.add([(SKY, States(right.values.astype(np.float64), right.tokens))])
    assert_right(store, [SKY])


def test_no_readings_are_an_empty_array_of_pairs(tmp_path):
    store = filled(tmp_path, SKY)
    assert store.layer([], "0").shape == (0, 2, 3)
    assert store.tokens([]).shape == (0, 2)
    assert store.truncated([]).shape == (0,)


# what is one row -----------------------------------------------------------------------------------------------------


def test_texts_are_one_only_if_question_answer_and_ending_are():
    from gnomon.runs._states import _keys

    apart = [
        Reading("a", ("b c",)),
        Reading("a b", (" c",)),
        Reading("ab", ("c",)),
        Reading("a", ("bc",)),
        Reading("a", ("b",), "c"),
        Reading("", ("abc",)),
        Reading("abc", ("",)),
        Reading("a", ("c",), "b"),
        Reading("\ud83d\ude00", ("",)),
        Reading("\U0001f600", ("",)),
        Reading("\ud83d", ("\ude00",)),
    ]
    for kind in (0, 1):
        keys = [_keys(one)[kind][0] for one in apart]
        assert len(set(keys)) == len(apart)


def test_half_a_surrogate_pair_is_a_text_like_others(tmp_path):
    half = Reading("a\ud83d", ("\ude00", "b"), "\udfff")
    store = filled(tmp_path, half)
    assert_right(opened(tmp_path), [half])
    assert store.rows == 2


def test_readings_share_the_texts_that_they_share(tmp_path):
    store = filled(tmp_path, SKY)
    turned, alone = Reading(SKY.question, ("no", "yes")), Reading(SKY.question, ("no",))
    assert turned in store
    assert alone in store
    assert_right(store, [turned])
    more = Reading(SKY.question, ("no", "perhaps"))
    assert more not in store
    store.add([(more, states(more, store.layout))])
    assert store.rows == 3
    assert len(content(store)["layer-000.bin"]) == 3 * 3 * 4
    assert_right(store, [more, SKY])


def test_what_is_known_stays_as_it_is(tmp_path):
    store = filled(tmp_path, SKY)
    before = content(store)
    other = States(states(SKY, store.layout).values + 1, (1, 1))
    store.add([(SKY, other), (SKY, other)])
    assert content(store) == before
    assert_right(store, [SKY])


def test_a_text_whose_question_was_cut_belongs_to_its_reading_alone(tmp_path):
    store = opened(tmp_path)
    long, mixed = Reading("q" * 50, ("yes", "n" * 20)), Reading("q" * 50, ("yes", "no"))
    store.add([(long, states(long, store.layout, cut=7))])
    assert long in store
    assert mixed not in store
    assert Reading(long.question, ("yes",)) not in store
    store.add([(mixed, dataclasses.replace(states(mixed, store.layout), values=np.ones((2, 3, 3), np.float32)))])
    assert store.truncated([long, mixed, long]).tolist() == [7, 0, 7]
    assert_right(store, [long])
    assert (store.layer([mixed], "0") == 1).all()
    assert store.rows == 4


def test_two_models_and_two_layouts_share_nothing(tmp_path):
    filled(tmp_path, SKY)
    others = [layout("bfloat16"), layout(width=4), layout(layers=("0", "1", "2"))]
    others.append(dataclasses.replace(layout(), rule="first token"))
    assert SKY not in opened(tmp_path, fingerprint="model2")
    assert not any(SKY in opened(tmp_path, one) for one in others)
    assert SKY in opened(tmp_path)


# questions that cannot be answered -----------------------------------------------------------------------------------


def test_a_layer_that_is_not_there_is_named_with_its_neighbours(tmp_path):
    store = filled(tmp_path, SKY)
    with pytest.raises(UsageError, match=r"no layer 'encoder2'\. Did you mean 'encoder 2'"):
        store.layer([SKY], "encoder2")
    with pytest.raises(UsageError, match=r"no layer '77'\. There are 0 to encoder 2"):
        store.layer([SKY], "77")


def test_a_reading_that_is_not_there_and_unequal_readings_are_refused(tmp_path):
    store = filled(tmp_path, SKY, one := Reading("One?", ("1",)))
    for ask in (store.tokens, store.truncated, lambda readings: store.layer(readings, "1")):
        with pytest.raises(RunError, match="no states of the reading 'Is ice warm"):
            ask([SKY, ICE])
        with pytest.raises(ValueError, match="2 and with 1 answers"):
            ask([SKY, one])


@pytest.mark.parametrize(
    "kept", [layout("int8"), layout("auto"), layout(layers=()), layout(width=0)], ids=["int8", "auto", "none", "flat"]
)
def test_a_layout_that_cannot_be_kept_is_refused(tmp_path, kept):
    with pytest.raises(ModelError, match=r"cannot be kept\. There must be a layer"):
        opened(tmp_path, kept)
    assert list(tmp_path.iterdir()) == []


def test_opening_and_asking_write_nothing(tmp_path):
    store = opened(tmp_path / "states")
    assert SKY not in store
    assert (store.rows, store.bytes) == (0, 0)
    store.add([])
    assert not (tmp_path / "states").exists()


def test_bytes_are_those_on_disk(tmp_path):
    store = filled(tmp_path, SKY, SEA)
    assert store.bytes == sum(path.stat().st_size for path in store.path.iterdir()) > 4 * 3 * 3 * 4


def test_no_file_stays_open(tmp_path):
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else pytest.skip("no /proc")
    with filled(tmp_path, SKY, SEA) as store:
        held = store.layer([SKY], "0")
        assert len(os.listdir("/proc/self/fd")) == before
    assert held.shape == (1, 2, 3)  # a plain array, that outlives the store: no file is mapped
    with open("/proc/self/maps") as maps:
        assert str(tmp_path) not in maps.read()


def test_without_locks_the_store_works_for_one(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert_right(filled(tmp_path, SKY, SEA), [SEA, SKY])
    assert not list(tmp_path.rglob(".lock"))


# asking a model ------------------------------------------------------------------------------------------------------


def test_every_distinct_reading_is_read_once_and_never_again(tmp_path):
    store, model, seen = opened(tmp_path), Reader(), []
    found = represent_all([SKY, SEA, SKY, ICE], store, model.represent, lambda *of: seen.append(of))
    assert model.shown == [[SKY, SEA, ICE]]
    assert model.read == [SKY, SEA, ICE]
    assert (found.failures, found.computed, found.reused) == ({}, 3, 0)
    assert seen == [(0, 3), (2, 3), (3, 3)]
    again = Reader()
    found = represent_all([ICE, SKY], opened(tmp_path), again.represent)
    assert (again.shown, found.computed, found.reused) == ([], 0, 2)
    assert_right(store, [ICE, SKY, SEA, SKY])


def test_an_interrupted_reading_goes_on_where_it_was_in_the_same_batches(tmp_path):
    asked = [Reading(f"Is {number} even?", ("yes", "no")) for number in range(9)]
    first = Reader(stop=5)
    with pytest.raises(KeyboardInterrupt):
        represent_all(asked, opened(tmp_path), first.represent)
    second, store = Reader(), opened(tmp_path)
    assert store.rows == 8  # the fifth was read, but its batch was not done
    found = represent_all(asked, store, second.represent)
    assert second.shown == [asked]
    assert second.read == asked[4:]
    assert (found.computed, found.reused) == (5, 4)
    assert_right(store, asked)


def without(states_):
    return dataclasses.replace(states_, values=states_.values[:1])


def put(value):
    def change(states_):
        values = states_.values.copy()
        values[1, 2, 0] = value
        return dataclasses.replace(states_, values=values)

    return change


LIES = [
    (lambda _: None, "NoneType in place of states"),
    (lambda _: "text", "str in place of states"),
    (without, r"states of the shape \(1, 3, 3\) where \(2, 3, 3\) is due"),
    (lambda one: dataclasses.replace(one, values=one.values[:, :2]), r"states of the shape \(2, 2, 3\)"),
    (lambda one: dataclasses.replace(one, values=one.values.astype(int)), "states of the type int64"),
    (lambda one: dataclasses.replace(one, values=one.values.astype(complex)), "states of the type complex128"),
    (lambda one: dataclasses.replace(one, values=one.values.tolist()), "states of list and tuple"),
    (lambda one: dataclasses.replace(one, values=None), "states of NoneType and tuple"),
    (put(np.nan), "answer 2 at layer encoder 2 that is not finite"),
    (put(-np.inf), "answer 2 at layer encoder 2 that is not finite"),
    (
        lambda one: dataclasses.replace(one, values=one.values.astype(float) * 1e300),
        "answer 1 at layer 0 that is not finite",
    ),
    (lambda one: dataclasses.replace(one, tokens=None), "states of ndarray and NoneType"),
    (lambda one: dataclasses.replace(one, tokens=(1,)), "numbers of tokens of 1 texts for 2 answers"),
    (lambda one: dataclasses.replace(one, tokens=(1, -1)), r"\(1, -1\) as numbers of tokens"),
    (lambda one: dataclasses.replace(one, tokens=(1, 1.5)), r"\(1, 1.5\) as numbers of tokens"),
    (lambda one: dataclasses.replace(one, truncated=-1), "-1 of them cut"),
    (lambda one: dataclasses.replace(one, truncated=2**32), "4294967296 of them cut"),
]


@pytest.mark.parametrize(("lie", "said"), LIES)
def test_states_that_are_none_are_failures_in_words_and_not_kept(tmp_path, lie, said):
    store = opened(tmp_path)
    model = Reader(lies={SEA: lie})
    found = represent_all([SKY, SEA, ICE, SEA], store, model.represent)
    assert set(found.failures) == {1, 3}
    assert found.failures[1].message.startswith("the model gave ")
    with pytest.raises(ModelError, match=said) as caught:
        store.add([(ICE, states(ICE, store.layout)), (SEA, lie(states(SEA, store.layout)))])
    assert str(caught.value) == found.failures[1].message + "."
    assert (found.computed, store.rows) == (2, 4)
    assert SEA not in store
    assert_right(store, [ICE, SKY])


@pytest.mark.parametrize(("dtype", "value"), [("bfloat16", 1 + 2**-9), ("float16", 1e5), ("float16", 1 + 2**-12)])
def test_numbers_that_the_layouts_type_lacks_are_never_rounded(tmp_path, dtype, value):
    store = opened(tmp_path, layout(dtype))
    model = Reader(store.layout, lies={SEA: put(value)})
    found = represent_all([SKY, SEA], store, model.represent)
    assert f"at layer encoder 2 that is no {dtype}, as its layout says; use -M dtype=float32" in (
        found.failures[1].message
    )
    assert_right(store, [SKY])


def test_a_models_own_failure_and_silence_are_told_by_index_and_tried_again(tmp_path):
    def represent(readings, skip):
        yield [(0, Failed("no", "refused")), (0, states(SKY, layout())), (9, Failed("whose?"))]
        yield []
        yield [(2, states(ICE, layout()))]

    store = opened(tmp_path)
    found = represent_all([SKY, SEA, ICE, SKY], store, represent)
    assert found.failures == {
        0: Failed("no", "refused"),
        1: Failed("the model gave no states"),
        3: Failed("no", "refused"),
    }
    assert (found.computed, found.reused) == (1, 0)
    model = Reader()
    assert represent_all([SKY, SEA, ICE], store, model.represent).failures == {}
    assert model.read == [SKY, SEA]
