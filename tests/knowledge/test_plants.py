"""Planted words, opinions, misleading prefixes and compounds; signs; controls on arrays."""

import numpy as np
import pytest

from gnomon.errors import UsageError
from gnomon.knowledge import planted_pairs
from gnomon.knowledge._controls import (
    erase_then_refit,
    label_permuted,
    random_directions,
    restart_agreement,
    restart_table,
    shuffled_pairs,
)
from gnomon.knowledge._plants import MISLEADING, WORDS, compounds, misled, with_opinion, with_word
from gnomon.knowledge._rows import Rows
from gnomon.knowledge._signs import conjunction, few_labels, oracle
from gnomon.knowledge.probes.ccs import CCS
from gnomon.knowledge.probes.logistic import Logistic
from gnomon.tasks import contrast_pair, contrast_templates, load_task


@pytest.fixture(scope="module")
def facts():
    """(rows of two templates, items by id, protocols)."""
    data = load_task("facts", {"subsets": "capitals-statements"})
    items = data.items()[:80]
    wordings = dict(list(contrast_templates(data.task).items())[:2])
    pairs = tuple(contrast_pair(item, name, protocol) for item in items for name, protocol in wordings.items())
    train = np.arange(len(pairs)) < 80
    return Rows(pairs, train), {item.id: item for item in items}, wordings, data.task.body


def of(facts, name):
    rows, items, wordings, body = facts
    return rows.of(name), items, wordings[name], body


def test_a_planted_word_ends_the_text_under_judgement_and_is_the_feature(facts):
    for name in facts[2]:
        rows, items, protocol, body = of(facts, name)
        planted = with_word(rows, items, protocol, body)
        for before, after, feature in zip(rows.pairs, planted.pairs, planted.feature, strict=True):
            word = WORDS[1 - feature]  # the feature points to the first answer where the first word stands
            assert after.question.count(word) == before.question.count(word) + 1
            assert items[before.item].fields[body] + f" {word}" in after.question
            assert (after.label, after.answers, after.item) == (before.label, before.answers, before.item)
        assert 0.25 < planted.feature.mean() < 0.75
        assert abs(np.corrcoef(planted.feature, planted.y)[0, 1]) < 0.4


def test_a_word_is_drawn_by_the_item_alone_the_same_in_every_template(facts):
    one, two = (with_word(*of(facts, name)).feature for name in facts[2])
    assert (one == two).all()


def test_an_opinion_names_the_answer_that_its_feature_points_to(facts):
    for name in facts[2]:
        rows, items, protocol, body = of(facts, name)
        planted = with_opinion(rows, items, protocol, body)
        for pair, feature in zip(planted.pairs, planted.feature, strict=True):
            assert f"Alice thinks that the right answer is: {pair.answers[1 - feature]}." in pair.question
            assert pair.ask.context == pair.question


def test_a_task_without_a_body_is_planted_in_front(facts):
    rows, items, protocol, _ = of(facts, next(iter(facts[2])))
    for pair, feature in zip(*(lambda r: (r.pairs, r.feature))(with_word(rows, items, protocol, "")), strict=True):
        assert pair.question.startswith(WORDS[1 - feature] + "\n\n")
        assert pair.ask.context.startswith(WORDS[1 - feature] + "\n\n")


def test_a_misleading_prefix_stands_before_everything_and_changes_no_label(facts):
    rows = facts[0]
    changed = misled(rows)
    assert all(
        pair.question == MISLEADING + plain.question for pair, plain in zip(changed.pairs, rows.pairs, strict=True)
    )
    assert (changed.y == rows.y).all()
    assert changed.feature is None


def test_compounds_take_no_row_twice_and_hold_the_rules_of_logic(facts):
    rows = facts[0].of(next(iter(facts[2])))
    found = compounds(rows, most=30, seed=3)
    assert len(found.rows) == 60
    assert len({*found.first.tolist(), *found.second.tolist()}) == 60
    for k, (i, j) in enumerate(zip(found.first, found.second, strict=True)):
        both, either = found.rows.pairs[2 * k : 2 * k + 2]
        assert (both.label, either.label) == (rows.y[i] & rows.y[j], rows.y[i] | rows.y[j])
        assert rows.pairs[i].question in both.question
        assert rows.pairs[j].question in either.question
        assert both.answers == either.answers == ("Yes", "No")
    assert len(compounds(rows, most=10**6, seed=0).rows) == len(rows)
    again = compounds(rows, most=30, seed=3)
    assert (again.first == found.first).all()


def test_the_oracle_takes_the_better_side_and_says_so():
    y = np.array([1, 1, 0, 0, 1])
    for sign in (1, -1):
        found = oracle(sign * (y - 0.5), y)
        assert (found.sign, found.source) == (sign, "oracle")
        assert "test labels" in found.note
    assert oracle(np.array([1.0, -1]), [1, 1]).sign == 1  # a tie keeps the sign


def test_few_labels_see_k_rows_and_no_more():
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 400)
    good = np.where(random.random(400) < 0.9, y, 1 - y) - 0.5
    assert [few_labels(side * good, y, 31, seed).sign for side in (1, -1) for seed in range(20)] == [1] * 20 + [-1] * 20
    weak = np.where(random.random(400) < 0.52, y, 1 - y) - 0.5
    assert {few_labels(weak, y, 1, seed).sign for seed in range(40)} == {1, -1}
    for k in (0, 401, -3):
        with pytest.raises(UsageError, match=f"{k} labels were asked for"):
            few_labels(good, y, k)
    for bad in (([], []), ([1.0], [1, 0])):
        with pytest.raises(UsageError, match="two equally long columns"):
            oracle(*bad)


def test_a_conjunction_finds_the_side_and_says_when_it_cannot():
    random = np.random.default_rng(0)
    noise = random.normal(size=(4, 200)) / 10
    bias = 0.2  # a probe that likes the words of "at least one" more; it cancels
    right = conjunction(0.3 + noise[0], 0.7 + bias + noise[1], 0.5 + noise[2], 0.5 + bias + noise[3])
    wrong = conjunction(0.7 + noise[0], 0.3 + bias + noise[1], 0.5 + noise[2], 0.5 + bias + noise[3])
    none = conjunction(0.5 + noise[0], 0.5 + bias + noise[1], 0.5 + noise[2], 0.5 + bias + noise[3])
    assert [one.sign for one in (right, wrong)] == [1, -1]
    assert right.margin == pytest.approx(0.4, abs=0.05)
    assert [one.source for one in (right, none)] == ["conjunction", "conjunction (unresolved)"]
    few = conjunction([0.1], [0.9], [0.5] * 9, [0.5] * 9)
    assert few.source == "conjunction (unresolved)"
    assert "1 couples on opposite sides" in few.note


def test_random_directions_are_at_chance_and_see_a_truth_that_fills_the_space():
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 500)
    found = random_directions(random.normal(size=(500, 20)), y)
    assert found.raw.mean() == pytest.approx(0.5, abs=0.01)
    assert (found.best == np.maximum(found.raw, 1 - found.raw)).all()
    everywhere = (2 * y[:, None] - 1) * np.ones(1) + random.normal(size=(500, 1)) / 10
    assert random_directions(everywhere, y).best.min() == 1.0


def test_shuffled_pairs_keep_templates_and_move_every_row():
    X = np.arange(40.0).reshape(20, 2, 1)
    templates = np.repeat(["a", "b"], [13, 7])
    mixed = shuffled_pairs(X, templates, seed=1)
    assert (mixed[:, 0] == X[:, 0]).all()
    assert (mixed[:, 1] != X[:, 1]).all()
    for name in "ab":
        assert sorted(mixed[templates == name, 1, 0]) == sorted(X[templates == name, 1, 0])


def test_permuted_labels_touch_training_rows_alone():
    y, train = np.arange(50) % 2, np.arange(50) < 30
    mixed = label_permuted(y, train)
    assert (mixed[30:] == y[30:]).all()
    assert sorted(mixed[:30]) == sorted(y[:30])
    assert (mixed[:30] != y[:30]).any()


def test_what_labels_find_is_gone_after_erasing_and_the_rest_is_not():
    pairs = planted_pairs(400, 24, truth=6.0, distractor=6.0)
    train = np.arange(400) < 240
    erased = erase_then_refit(pairs.X, pairs.y, train, pairs.templates)
    scores = []
    for target in (pairs.y, pairs.distractor):
        fitted = Logistic().fit(erased[train], target[train])
        scores.append((fitted.predict(erased[~train]) == target[~train]).mean())
    assert scores[0] < 0.65
    assert scores[1] > 0.9


def test_restarts_that_agree_and_restarts_that_do_not():
    clear = planted_pairs(300, 8, truth=8.0)
    probe = CCS(restarts=6).fit(clear.X)
    assert restart_agreement(probe, clear.X, clear.templates) > 0.8
    table = restart_table(probe, clear.X, clear.y, clear.templates)
    assert table.loss.shape == table.accuracy.shape == table.cosine.shape == (6,)
    assert table.cosine[probe.best_] == pytest.approx(1)
    nothing = planted_pairs(40, 64, truth=0.0)
    loose = CCS(restarts=10).fit(nothing.X)
    assert restart_agreement(loose, nothing.X, nothing.templates) < 0.6
