"""Scores against counting by hand: the papers' edge cases, exact match, baselines, averages."""

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.evaluation._metrics import Verdict, macro, pooled, score
from gnomon.stats import wilson
from gnomon.tasks import Item, Metric, task_named


def verdict(correct, group="", subset="s", answer=0, options=2, number=[0]):  # noqa: B006
    number[0] += 1
    name = f"{subset}/{number[0]}"
    return Verdict(Item(name, subset, "test", group or name, {}, ("x",) * options, answer), correct)


def rows(pattern, size, **more):
    """Verdicts from a string of 1 and 0, in groups of `size`."""
    return [verdict(char == "1", f"{more.get('subset', 's')}-{at // size}", **more) for at, char in enumerate(pattern)]


JUSTICE, VIRTUE = Metric("exact match", 4, 0.5**4), Metric("exact match", 5, 0.2 * 0.8**4)


def test_eight_justice_rows_with_seven_right_are_0875_and_exact_match_05():
    found = rows("11110111", 4)
    assert pooled(found).value == 0.875
    assert (score(JUSTICE, found).value, score(JUSTICE, found).n, score(JUSTICE, found).unit) == (0.5, 2, "groups of 4")


def test_nine_rows_make_two_groups_and_one_row_is_counted_as_ignored():
    found = score(JUSTICE, rows("111111110", 4))
    assert (found.value, found.n, found.ignored) == (1.0, 2, 1)


def test_virtue_all_zeros_is_08_and_exact_match_0():
    items = [verdict(at % 5 != 2, f"g{at // 5}", answer=int(at % 5 == 2)) for at in range(25)]
    assert pooled(items).value == pytest.approx(0.8)
    assert score(VIRTUE, items).value == 0
    assert pooled(items).majority == pytest.approx(0.8)
    assert score(VIRTUE, items).majority == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=6), st.randoms())
def test_order_plays_no_part_as_long_as_groups_are_kept(groups, shuffler):
    items = [verdict(right, f"g{number}") for number, group in enumerate(groups) for right in group]
    expected = Fraction(sum(all(group) for group in groups), len(groups))
    shuffler.shuffle(items)
    assert score(VIRTUE, items).value == pytest.approx(float(expected))


def test_no_whole_group_gives_no_score():
    assert score(JUSTICE, rows("111", 4)) is None
    assert score(JUSTICE, []) is None
    assert pooled([]) is None


def test_sizes_100_at_05_and_300_at_09_are_micro_08_and_macro_07():
    one = [verdict(at < 50, subset="a") for at in range(100)]
    two = [verdict(at < 270, subset="b") for at in range(300)]
    assert pooled(one + two).value == pytest.approx(0.8)
    value, interval = macro([(pooled(one), one), (pooled(two), two)])
    assert value == pytest.approx(0.7)
    assert interval.method == "MOVER (Wilson)"
    assert interval.low < 0.7 < interval.high


def test_the_average_row_is_the_plain_mean_of_five_metrics():
    shares = (599, 641, 641, 819, 851)
    parts = []
    for number, right in enumerate(shares):
        items = [verdict(at < right, subset=str(number)) for at in range(1000)]
        parts.append((pooled(items), items))
    assert round(100 * macro(parts)[0], 1) == 71.0


@pytest.mark.parametrize(("subset", "size"), [("justice", 4), ("deontology", 4), ("virtue", 5)])
def test_exact_match_on_the_releases_groups_equals_cutting_the_file(subset, size, small_release):
    from gnomon.tasks import load_task

    data = load_task(
        "ethics", {"data": str(small_release("ethics")), "counts": "any", "subsets": subset, "split": "test"}
    )
    items = data.items()
    chance = random.Random(3)
    for _ in range(20):
        verdicts = [Verdict(item, chance.random() < 0.85) for item in items]
        whole = [all(v.correct for v in verdicts[low : low + size]) for low in range(0, len(items) - size + 1, size)]
        found = score(task_named("ethics").metric(subset), verdicts)
        assert (found.value, found.n) == (sum(whole) / len(whole), len(whole))
        constants = [[item.answer == option for item in items] for option in (0, 1)]
        best = max(
            sum(all(c[low : low + size]) for low in range(0, len(items) - size + 1, size)) / len(whole)
            for c in constants
        )
        assert found.majority == best


@pytest.mark.realdata
def test_exact_match_of_the_real_hard_virtue_test_has_956_groups(release):
    from gnomon.tasks import load_task

    items = load_task("ethics", {"data": str(release("ethics")), "subsets": "virtue", "split": "test_hard"}).items()
    right = [random.Random(number).random() < 0.9 for number in range(len(items))]
    found = score(VIRTUE, [Verdict(item, one) for item, one in zip(items, right, strict=True)])
    assert found.n == 956
    assert found.value == sum(all(right[low : low + 5]) for low in range(0, 4780, 5)) / 956


def test_chance_and_majority_are_counted_apart_by_subset_and_number_of_choices():
    items = (
        [verdict(True, subset="a", answer=n % 2, options=2) for n in range(5)]
        + [verdict(True, subset="a", answer=n % 3, options=4) for n in range(7)]
        + [verdict(True, subset="b", answer=1, options=4) for _ in range(3)]
    )
    found = pooled(items)
    assert found.chance == pytest.approx((5 / 2 + 7 / 4 + 3 / 4) / 15)
    assert found.majority == pytest.approx((3 + 3 + 3) / 15)


def test_duplicated_rows_widen_the_interval_and_the_methods_are_named():
    single = [verdict(at % 3 != 0) for at in range(60)]
    double = [verdict(at % 3 != 0, f"group {at}") for at in range(60) for _ in range(4)]
    one, four = pooled(single).interval, pooled(double).interval
    assert (one.method, four.method) == ("Wilson", "clustered t")
    naive = wilson(160, 240)
    assert four.high - four.low > 1.8 * (naive.high - naive.low)
    assert four.high - four.low == pytest.approx(one.high - one.low, rel=0.1)


@pytest.mark.parametrize("right", [True, False])
def test_groups_that_do_not_differ_still_have_an_interval_with_width(right):
    found = pooled([verdict(right, f"g{at // 4}") for at in range(20)])
    assert found.interval.method == "Wilson over groups"
    assert (found.interval.low, found.interval.high) == (wilson(5 * right, 5).low, wilson(5 * right, 5).high)


@pytest.mark.parametrize("each", [1, 2, 5])
@pytest.mark.parametrize("right", [lambda n, s: True, lambda n, s: False, lambda n, s: s == "a"])
def test_a_macro_over_subsets_that_share_groups_has_an_interval_with_width(each, right):
    parts = []
    for subset in "ab":
        items = [verdict(right(n, subset), f"shared {n}", subset=subset) for n in range(each)]
        parts.append((pooled(items), items))
    value, interval = macro(parts)
    assert interval.low <= value <= interval.high
    assert interval.high - interval.low > 0.1


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.sampled_from("abc")), min_size=1, max_size=40),
    st.booleans(),
)
def test_every_interval_holds_its_score_and_stays_in_range(cells, shared):
    items = [verdict(right, f"{'' if shared else subset}{group}", subset=subset) for right, group, subset in cells]
    found = pooled(items)
    assert 0 <= found.interval.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.interval.high <= 1
    parts = [[v for v in items if v.item.subset == name] for name in "abc"]
    parts = [(pooled(part), part) for part in parts if part]
    value, interval = macro(parts)
    assert value == pytest.approx(sum(p.value for p, _ in parts) / len(parts))
    assert interval.low <= value + 1e-12 <= interval.high + 2e-12
    assert interval.high > interval.low
