"""Questions that are answered in writing: what is to be written, and how an answer is read."""

from __future__ import annotations

import pytest

from gnomon.errors import UsageError
from gnomon.tasks import judged, load_task, posed, task_named, written_only

MATE = "6k1/5ppp/8/8/8/7P/6P1/RR4K1 b - - 0 1"
"""Black moves g8h8 into a position where two rooks mate."""
PROMOTION = "8/8/8/8/8/k1K5/3p4/7N w - - 0 1,h1f2 d2d1n,2002"


@pytest.fixture
def puzzles(tmp_path):
    """A function (rows, options) that poses puzzles."""

    def make(*rows, **options):
        (tmp_path / "lichess_puzzles.csv").write_text("".join(f"{row}\n" for row in rows))
        data = load_task("chess", {"data": str(tmp_path), **options})
        return posed(data.task, data.items(), data.options)

    return make


def test_a_move_is_what_it_means_and_not_how_it_is_written(puzzles):
    (one,) = puzzles(PROMOTION)
    assert one.answer == " d2d1n"
    assert one.right(" d2d1n")
    assert one.right("I think D2D1N, of course".lower())
    assert not one.right(" d2d1q")
    assert one.read("d2d1") == one.read("no move") == one.read("a1a8") == ""
    assert one.difficulty == 2002.0


def test_another_mate_counts_where_that_is_asked_for(puzzles):
    row = f"{MATE},g8h8 a1a8,600"
    (official,) = puzzles(row)
    assert official.right(" a1a8")
    assert not official.right(" b1b8")
    (any_mate,) = puzzles(row, grader="any-mate")
    assert any_mate.right(" a1a8")
    assert any_mate.right(" b1b8")
    assert not any_mate.right(" h3h4")


def test_a_right_choice_is_written_in_any_case_with_or_without_a_full_stop():
    data = load_task("facts", {"subsets": "capitals-questions"})
    item, one = data.items()[0], posed(data.task, data.items())[0]
    right = item.choices[item.answer]
    assert one.answer.strip() == right
    assert one.right(f"  {right.upper()}.")
    assert not any(one.right(text) for text in item.choices if text != right)
    assert not one.right("")


def test_a_task_without_moves_or_choices_is_refused():
    task = task_named("math")
    with pytest.raises(UsageError, match="must be a move or a choice"):
        posed(task, task.examples)
    assert written_only(task_named("chess"))
    assert not written_only(task_named("boolq"))


@pytest.mark.realdata
def test_the_puzzles_at_hand_have_other_mates_as_the_sheet_says(release):
    """37 of 1,136 one-move puzzles have another mating move."""
    data = load_task("chess", {"data": str(release("chess") / "lichess_10k"), "grader": "any-mate"})
    found = posed(data.task, data.items(), data.options)
    several = [one for one in found if len(one.accepted) > 1]
    assert len(several) >= 37
    assert all(one.right(one.answer) for one in found[:500])


def test_each_subset_is_judged_by_its_own_choices():
    """Of a task that mixes statements and questions, statements stay as they are: true or false is their label."""
    data = load_task("facts", {"subsets": "capitals-statements,capitals-questions"})
    found = judged(data.task, data.items())
    by_item = {item.id: item for item in data.items()}
    statements = [one for one in found if by_item[one.id.partition("#")[0]].subset == "capitals-statements"]
    questions = [one for one in found if one not in statements]
    assert len(statements) == sum(item.subset == "capitals-statements" for item in data.items())
    assert all(one.text.endswith("Answer:") and "#" not in one.id for one in statements)
    assert {one.label for one in statements} == {0, 1}
    assert all("#" in one.id and not one.text.endswith("Answer:") for one in questions)
