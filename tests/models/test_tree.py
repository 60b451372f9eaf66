"""What a plan must hold: every read once, at its place and path, within the budget, from the sequences alone."""

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.models._tree import Budget, Read, Sequence_, plan, plan_plain


def sequence(ask, ids, at=()):
    """A sequence of `ask` with one read at each position in `at`; the continuation's number tells reads apart."""
    reads = tuple(Read(position, 1000 + number, ask, number) for number, position in enumerate(at))
    return Sequence_(np.array(ids, dtype=np.int64), reads)


class Trie:
    """Names paths of tokens by number: two paths have the same number only if they are the same tokens."""

    def __init__(self):
        self._numbers = {}

    def grow(self, path, token):
        return self._numbers.setdefault((path, int(token)), len(self._numbers) + 1)

    def prefixes(self, ids):
        path, result = 0, []
        for token in ids:
            path = self.grow(path, token)
            result.append(path)
        return result


def follow(steps, wanted, trie):
    """Carry out `steps` on paths of tokens: the path of every computed token, and how often every read was delivered.

    The kept tokens are a list that a trunk cuts and extends, so a step on top of anything that is not kept fails here.
    """
    kept, paths, seen = [], [], Counter()
    for step in steps:
        assert 0 <= step.prefix <= len(kept)
        assert step.rows
        assert not step.keep or (len(step.rows) == 1 and step.rows[0].chain)
        for row in step.rows:
            assert len(row.ids) == len(row.positions) == len(row.parents) > 0
            own, depths = [], []
            for token, position, parent in zip(row.ids, row.positions, row.parents, strict=True):
                assert -1 <= parent < len(own)
                below = own[parent] if parent >= 0 else kept[step.prefix - 1] if step.prefix else 0
                own.append(trie.grow(below, token))
                depths.append(depths[parent] + 1 if parent >= 0 else step.prefix)
                assert position == depths[-1]
            paths.extend(own)
            for index, read in row.reads:
                assert row.positions[index] == read.at
                assert own[index] == wanted[read.ask][read.at]
                assert read.ask in step.asks
                seen[read] += 1
        if step.keep:
            kept = [*kept[: step.prefix], *own]
    return paths, seen


def check(steps, sequences, budget, *, padded=False):
    """All that holds for any plan of `sequences`."""
    trie = Trie()
    wanted = [trie.prefixes(one.ids) for one in sequences]
    paths, seen = follow(steps, wanted, trie)
    assert seen == Counter(read for one in sequences for read in one.reads)
    prefixes = {path for one in wanted for path in one}
    assert set(paths) == prefixes
    assert len(prefixes) <= len(paths) == sum(step.tokens for step in steps) <= sum(len(one.ids) for one in sequences)
    for step in steps:
        if len(step.rows) > 1:
            width = max(len(row.ids) for row in step.rows)
            assert (width * len(step.rows) if padded else step.tokens) <= budget.tokens
            assert sum(len(row.reads) for row in step.rows) <= budget.reads
        assert not step.keep or step.tokens <= budget.tokens
        assert all(row.chain or len(row.ids) <= budget.row for row in step.rows)
    return paths


def check_asks(steps):
    """A trunk is computed for every ask that any step on top of it helps to answer."""
    stack = []  # (end, asks) of the trunks that are in use
    for step in steps:
        while stack and stack[-1][0] > step.prefix:
            stack.pop()
        for _, asks in stack:
            assert step.asks <= asks
        if step.keep:
            stack.append((step.prefix + step.tokens, step.asks))


@st.composite
def many_sequences(draw, most=12, longest=14):
    """Sequences over few tokens, most of them grown from a prefix of an earlier one."""
    result = []
    for ask in range(draw(st.integers(1, most))):
        stem = list(result[draw(st.integers(0, ask - 1))].ids) if ask and draw(st.booleans()) else []
        stem = stem[: draw(st.integers(0, len(stem)))]
        ids = [*stem, *draw(st.lists(st.integers(0, 2), min_size=0 if stem else 1, max_size=longest))]
        result.append(sequence(ask, ids, draw(st.lists(st.integers(0, len(ids) - 1), max_size=4))))
    return result


budgets = st.builds(
    Budget, tokens=st.integers(1, 40), reads=st.integers(1, 8), row=st.integers(0, 20), worth=st.integers(1, 20)
)


@given(many_sequences(), budgets)
@settings(max_examples=400, deadline=None)
def test_every_read_is_delivered_once_on_its_own_path_within_the_budget(sequences, budget):
    steps = plan(sequences, budget)
    check(steps, sequences, budget)
    check_asks(steps)


@given(many_sequences(), budgets, st.booleans())
@settings(max_examples=200, deadline=None)
def test_the_plain_plan_delivers_the_same_reads_and_keeps_nothing(sequences, budget, alone):
    steps = plan_plain(sequences, budget, alone=alone)
    check(steps, sequences, budget, padded=True)
    assert all(step.prefix == 0 and not step.keep and all(row.chain for row in step.rows) for step in steps)
    assert not alone or all(len(step.rows) == 1 for step in steps)


@given(many_sequences(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_where_everything_is_worth_sharing_no_token_is_computed_twice(sequences, chance):
    budget = Budget(tokens=chance.randint(1, 50), reads=chance.randint(1, 50), row=chance.randint(0, 50), worth=1)
    paths = check(plan(sequences, budget), sequences, budget)
    assert len(paths) == len(set(paths))


@given(many_sequences(), budgets)
@settings(max_examples=60, deadline=None)
def test_the_plan_depends_on_the_sequences_alone(sequences, budget):
    def plain(steps):
        rows = [[(row.ids.tolist(), row.parents.tolist(), row.reads) for row in step.rows] for step in steps]
        return [(step.prefix, step.keep, step.asks, own) for step, own in zip(steps, rows, strict=True)]

    once = plain(plan(sequences, budget))
    random.seed(random.random())  # neither a global generator nor an earlier plan may show
    np.random.seed(1)  # noqa: NPY002
    assert plain(plan(sequences, budget)) == once
    copies = [Sequence_(one.ids.copy(), one.reads) for one in sequences]
    assert plain(plan(copies, budget)) == once


@pytest.mark.parametrize("make", [plan, plan_plain])
def test_nothing_asked_needs_no_step(make):
    assert make([], Budget()) == []


def test_one_sequence_is_one_chain():
    one = [sequence(0, range(10), (3, 9))]
    (step,) = plan(one, Budget())
    assert (step.prefix, step.keep, step.tokens, step.asks) == (0, False, 10, {0})
    check([step], one, Budget())


def test_equal_sequences_are_computed_once():
    same = [sequence(ask, range(50), (10, 49)) for ask in range(20)]
    for make in (plan, plan_plain):
        steps = make(same, Budget())
        check(steps, same, Budget(), padded=True)
        assert sum(step.tokens for step in steps) == 50


def test_a_prefix_of_another_costs_nothing():
    nested = [sequence(0, range(30), (29,)), sequence(1, range(80), (79,)), sequence(2, range(5), (0, 4))]
    for make in (plan, plan_plain):
        steps = make(nested, Budget())
        check(steps, nested, Budget())
        assert sum(step.tokens for step in steps) == 80


def test_sequences_of_one_token_are_packed_together():
    ones = [sequence(ask, [ask % 7], (0, 0)) for ask in range(100)]
    steps = plan(ones, Budget())
    check(steps, ones, Budget())
    assert [step.tokens for step in steps] == [7]


@pytest.mark.parametrize("tokens", [1, 7, 1024, 2999, 3000, 3001])
def test_a_trunk_longer_than_the_budget_is_kept_in_pieces(tokens):
    trunk = list(range(3000))
    sequences = [sequence(ask, [*trunk, 5000 + ask, 1, 2], (0, 1023, 1024, 2999, 3002)) for ask in range(9)]
    budget = Budget(tokens=tokens, row=64)
    steps = plan(sequences, budget)
    check(steps, sequences, budget)
    check_asks(steps)
    kept = [step for step in steps if step.keep]
    assert len(kept) == -(-3000 // tokens)
    assert sum(step.tokens for step in steps) == 3000 + 9 * 3
    assert all(step.asks == set(range(9)) for step in kept)


def test_nested_prefixes_by_the_thousand_are_one_chain():
    deep = [sequence(ask, range(ask + 1), (ask,)) for ask in range(2000)]
    for make in (plan, plan_plain):
        steps = make(deep, Budget())
        check(steps, deep, Budget())
        assert sum(step.tokens for step in steps) == 2000


def test_thousands_of_trunks_on_top_of_one_another_are_planned():
    """Every nested prompt branches off, so the tree is 2,000 stretches deep: deeper than Python's own stack."""
    deep = [sequence(ask, [*range(ask + 1), 9000 + ask], (ask + 1,)) for ask in range(2000)]
    budget = Budget(worth=1, row=8)
    steps = plan(deep, budget)
    check(steps, deep, budget)
    assert sum(step.tokens for step in steps) == 4000
    assert sum(step.keep for step in steps) > 1900
    trunk = next(step for step in steps if step.keep)
    assert trunk.asks == set(range(2000))


def test_branches_too_short_to_be_worth_a_pass_are_computed_anew():
    """Sparing 10 tokens is not worth a pass at a worth of 11, and is at 10."""
    two = [sequence(ask, [*range(10), *[100 + ask] * 60], (69,)) for ask in range(2)]
    for worth, tokens in ((11, 140), (10, 130)):
        budget = Budget(row=20, worth=worth)
        steps = plan(two, budget)
        check(steps, two, budget)
        assert sum(step.tokens for step in steps) == tokens


def test_few_shot_examples_are_computed_once_a_subject():
    shots = {subject: [subject, *range(100, 400)] for subject in range(3)}
    sequences = [sequence(n, [*shots[n % 3], 500 + n, *range(20)], (321,)) for n in range(60)]
    steps = plan(sequences, Budget())
    check(steps, sequences, Budget())
    check_asks(steps)
    assert sum(step.tokens for step in steps) == 3 * 301 + 60 * 21
