"""The engine: every unit is answered once, what is known is not asked again, and what is no answer is an error."""

import math

import pytest

from gnomon.asks import Ask, Failed, Scored
from gnomon.runs import AnswerCache, Journal, Record, Unit, ask_all


def unit(number, asks=1, text="question"):
    def finish(answers, given):
        failed = next((answer for answer in answers if isinstance(answer, Failed)), None)
        output = {} if failed else {"logprobs": [list(answer.logprobs) for answer in answers]}
        status, message = (failed.status, failed.message) if failed else ("ok", "")
        return Record(
            id=f"u{number}",
            subset="s",
            split="test",
            group="g",
            input=given,
            status=status,
            output=output,
            message=message,
        )

    return Unit(f"u{number}", tuple(Ask(f"{text} {number}.{part}", (" a", " b")) for part in range(asks)), finish)


def scorer(answer=lambda ask: Scored((-1.0, -2.0), (1, 1)), batch=3, log=None):
    def score(asks, skip):
        for low in range(0, len(asks), batch):
            wanted = [index for index in range(low, min(low + batch, len(asks))) if not skip(index)]
            if log is not None:
                log.extend(asks[index].context for index in wanted)
            yield [(index, answer(asks[index])) for index in wanted]

    return score


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "records.jsonl")


def lines(journal):
    return journal.path.read_text().splitlines() if journal.path.exists() else []


def test_every_unit_gets_one_line(journal):
    ask_all([unit(n, asks=1 + n % 2) for n in range(10)], journal, scorer(), fingerprint="m")
    assert sorted(journal.records) == sorted(f"u{n}" for n in range(10))
    assert len(lines(journal)) == 10


def test_a_unit_is_written_only_when_all_its_answers_are_there(journal):
    seen = []
    units = [unit(n, asks=2) for n in range(3)]
    ask_all(
        units,
        journal,
        scorer(batch=1),
        fingerprint="m",
        progress=lambda done, total: seen.append((done, len(lines(journal)))),
    )
    assert all(done == written for done, written in seen)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (3, 3)


def test_what_is_recorded_is_not_asked_again_but_errors_and_other_inputs_are(journal):
    units = [unit(n) for n in range(6)]
    ask_all(
        units[:4],
        journal,
        scorer(lambda ask: Failed("no") if ask.context.endswith("1.0") else Scored((-1.0, -2.0), (1, 1))),
        fingerprint="m",
    )
    changed = [*units[:2], unit(2, text="another question"), *units[3:]]
    log = []
    ask_all(changed, journal, scorer(log=log), fingerprint="m")
    assert sorted(log) == sorted(["question 1.0", "another question 2.0", "question 4.0", "question 5.0"])
    assert {record.status for record in Journal(journal.path).records.values()} == {"ok"}


def test_the_model_is_shown_all_questions_even_when_most_are_known(journal):
    units = [unit(n) for n in range(6)]
    ask_all(units[:5], journal, scorer(), fingerprint="m")
    shown = []

    def score(asks, skip):
        shown.append([(ask.context, skip(index)) for index, ask in enumerate(asks)])
        yield [(5, Scored((-1.0, -1.0), (1, 1)))]

    ask_all(units, journal, score, fingerprint="m")
    assert shown == [[(f"question {n}.0", n != 5) for n in range(6)]]


def test_a_finished_journal_does_not_wake_the_model(journal):
    ask_all([unit(0)], journal, scorer(), fingerprint="m")
    ask_all([unit(0)], journal, lambda asks, skip: pytest.fail("asked"), fingerprint="m")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((math.nan, -1.0), "nan"),
        ((math.inf, -1.0), "inf"),
        ((-1.0, -math.inf), "-inf"),
        ((0.5, -1.0), "0.5"),
        ((-1.0,), "1 log-probabilities for 2"),
        ((), "0 log-probabilities for 2"),
        ((-1.0, -1.0, -1.0), "3 log-probabilities for 2"),
    ],
)
def test_what_is_no_log_probability_is_an_error_that_names_it(journal, tmp_path, values, words):
    cache = AnswerCache(tmp_path / "scores.sqlite")
    ask_all([unit(0)], journal, scorer(lambda ask: Scored(values, (1,) * len(values))), fingerprint="m", cache=cache)
    record = journal.records["u0"]
    assert record.status == "error"
    assert words in record.message
    assert cache.get([AnswerCache.key("m", Ask("question 0.0", (" a", " b")))]) == {}
    cache.close()


def test_one_failed_answer_fails_the_unit(journal):
    units = [unit(0, asks=3)]
    answers = iter([Scored((-1.0, -1.0), (1, 1)), Failed("lost"), Scored((-1.0, -1.0), (1, 1))])
    ask_all(units, journal, scorer(lambda ask: next(answers)), fingerprint="m")
    assert (journal.records["u0"].status, journal.records["u0"].message) == ("error", "lost")


def test_a_model_that_leaves_something_out_has_not_answered_it(journal):
    ask_all(
        [unit(0), unit(1)], journal, lambda asks, skip: iter([[(1, Scored((-1.0, -1.0), (1, 1)))]]), fingerprint="m"
    )
    assert journal.records["u0"].status == "error"
    assert "gave no answer" in journal.records["u0"].message
    assert journal.records["u1"].status == "ok"


def test_a_model_that_answers_twice_is_heard_once(journal):
    first, second = Scored((-1.0, -3.0), (1, 1)), Scored((-2.0, -3.0), (1, 1))
    ask_all([unit(0)], journal, lambda asks, skip: iter([[(0, first)], [(0, second)]]), fingerprint="m")
    assert journal.records["u0"].output["logprobs"] == [[-1.0, -3.0]]
    assert len(lines(journal)) == 1


def test_answers_of_a_half_done_unit_are_kept_in_the_cache(journal, tmp_path):
    def score(asks, skip):
        yield [(0, Scored((-1.0, -3.0), (1, 1)))]
        raise KeyboardInterrupt

    cache = AnswerCache(tmp_path / "scores.sqlite")
    with pytest.raises(KeyboardInterrupt):
        ask_all([unit(0, asks=2)], journal, score, fingerprint="m", cache=cache)
    assert lines(journal) == []
    log = []
    ask_all([unit(0, asks=2)], journal, scorer(log=log), fingerprint="m", cache=cache)
    assert log == ["question 0.1"]
    assert journal.records["u0"].output["logprobs"] == [[-1.0, -3.0], [-1.0, -2.0]]
    cache.close()
