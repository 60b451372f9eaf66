"""The engine: every unit is answered once, what is known is not asked again, and what is no answer is an error."""

import dataclasses
import math
from itertools import combinations

import pytest

from gnomon.asks import Ask, Completion, Decoding, Failed, Highlighted, Passage, Prompt, Reading, Scored, Span
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


# text and spans ------------------------------------------------------------------------------------------------------

PROMPT = Prompt("Once", Decoding(max_tokens=5, temperature=0.5, top_p=0.9, stop=(".",)), seed=3)
PASSAGE = Passage("Which law?", "Delaware law governs.")
BLANK = Reading("The sky is", ("blue", "green"), ".")
FILLED = Scored((-0.5, -2.5), (1, 2), 3)
WRITTEN = Completion("upon a time", 3, "length", 1)
MARKED = Highlighted((Span(0, 12, 0.75),), 0.125, 2)


def unit_of(*asks, name="u"):
    """A unit that records the answers themselves."""

    def finish(answers, given):
        failed = next((answer for answer in answers if isinstance(answer, Failed)), None)
        output = {} if failed else {"answers": [repr(answer) for answer in answers]}
        status, message = (failed.status, failed.message) if failed else ("ok", "")
        return Record(
            id=name, subset="s", split="test", group="g", input=given, status=status, output=output, message=message
        )

    return Unit(name, asks, finish)


def answering(*answers, log=None):
    """An ability that gives these answers, in order."""
    left = iter(answers)

    def respond(asks, skip):
        for index, ask in enumerate(asks):
            if not skip(index):
                if log is not None:
                    log.append(ask)
                yield [(index, next(left))]

    return respond


@pytest.mark.parametrize(("ask", "answer"), [(PROMPT, WRITTEN), (PASSAGE, MARKED), (BLANK, FILLED)])
def test_text_and_spans_are_recorded_and_taken_from_the_cache_as_they_are(journal, tmp_path, ask, answer):
    cache = AnswerCache(tmp_path / "scores.sqlite")
    ask_all([unit_of(ask)], journal, answering(answer), fingerprint="m", cache=cache)
    other = Journal(tmp_path / "other.jsonl")
    log = []
    ask_all([unit_of(ask)], other, answering(log=log), fingerprint="m", cache=cache)
    cache.close()
    assert log == []
    assert journal.records["u"].output == other.records["u"].output == {"answers": [repr(answer)]}


def test_a_unit_may_ask_several_prompts_and_is_written_when_all_are_there(journal):
    asks = [dataclasses.replace(PROMPT, seed=seed) for seed in range(4)]
    seen = []
    ask_all(
        [unit_of(*asks)],
        journal,
        answering(*(Completion(str(n), 1) for n in range(4))),
        fingerprint="m",
        progress=lambda done, total: seen.append((done, total, len(lines(journal)))),
    )
    assert seen[-1] == (1, 1, 1)
    assert {(done, written) for done, _, written in seen} == {(0, 0), (1, 1)}
    assert journal.records["u"].output["answers"] == [repr(Completion(str(n), 1)) for n in range(4)]


KINDS = [(Ask("a", (" b",)), Scored((-1.0,), (1,))), (PROMPT, WRITTEN), (PASSAGE, MARKED)]


@pytest.mark.parametrize("ask", [ask for ask, _ in KINDS])
@pytest.mark.parametrize("answer", [*(answer for _, answer in KINDS), None, "text", 7, Ask("a", ()), []])
def test_an_answer_of_another_kind_is_an_error_that_names_both(journal, tmp_path, ask, answer):
    fits = (ask, answer) in KINDS
    cache = AnswerCache(tmp_path / "scores.sqlite")
    ask_all([unit_of(ask)], journal, answering(answer), fingerprint="m", cache=cache)
    record = journal.records["u"]
    assert record.status == ("ok" if fits else "error")
    if not fits:
        assert f"the model gave {type(answer).__name__} as the answer to {type(ask).__name__}" in record.message
    assert len(cache.get([AnswerCache.key("m", ask)])) == fits
    cache.close()


FAULTS = [
    (PROMPT, Completion(None, 1), "NoneType in place of text"),
    (PROMPT, Completion(b"bytes", 1), "bytes in place of text"),
    (PASSAGE, Highlighted((Span(0, 22, 0.5),), 0.5), "the span 0 to 22 of a text of 21 characters"),
    (PASSAGE, Highlighted((Span(-1, 3, 0.5),), 0.5), "the span -1 to 3"),
    (PASSAGE, Highlighted((Span(4, 4, 0.5),), 0.5), "the span 4 to 4"),
    (PASSAGE, Highlighted((Span(9, 4, 0.5),), 0.5), "the span 9 to 4"),
    (PASSAGE, Highlighted((Span(0, 4, 0.5), Span(0, 4, 1.5)), 0.5), "1.5 as a span's probability"),
    (PASSAGE, Highlighted((Span(0, 4, -0.5),), 0.5), "-0.5 as a span's probability"),
    (PASSAGE, Highlighted((Span(0, 4, math.nan),), 0.5), "nan as a span's probability"),
    (PASSAGE, Highlighted((), math.nan), "nan as the probability that there is no span"),
    (PASSAGE, Highlighted((), 1.5), "1.5 as the probability that there is no span"),
    (PASSAGE, Highlighted((), -0.1), "-0.1 as the probability that there is no span"),
    (PROMPT, Completion("x", -1), "-1 tokens"),
    (PROMPT, Completion("x", None), "None tokens"),
    (PROMPT, Completion("x", 1, "eos"), "'eos' as the way that the text ended"),
    (BLANK, Scored((-1.0,), (1,)), "1 log-probabilities for 2"),
    (BLANK, Scored((-1.0, math.nan), (1, 1)), "nan as a log-probability"),
    (BLANK, Scored((-1.0, 0.5), (1, 1)), "0.5 as a log-probability, which is above 0"),
    (BLANK, WRITTEN, "Completion as the answer to Reading"),
    (BLANK, MARKED, "Highlighted as the answer to Reading"),
]


@pytest.mark.parametrize(("ask", "answer", "words"), FAULTS)
def test_what_cannot_be_is_an_error_that_names_it_and_is_not_kept(journal, tmp_path, ask, answer, words):
    cache = AnswerCache(tmp_path / "scores.sqlite")
    ask_all([unit_of(ask)], journal, answering(answer), fingerprint="m", cache=cache)
    assert journal.records["u"].status == "error"
    assert words in journal.records["u"].message
    assert cache.get([AnswerCache.key("m", ask)]) == {}
    cache.close()


def test_the_ends_of_a_passage_and_of_probability_are_in_it(journal):
    whole = Highlighted((Span(0, 21, 1.0), Span(20, 21, 0.0)), 0.0)
    ask_all([unit_of(PASSAGE)], journal, answering(whole), fingerprint="m")
    assert journal.records["u"].status == "ok"


def test_a_refused_prompt_is_kept_and_an_error_is_asked_again(journal):
    units = [unit_of(dataclasses.replace(PROMPT, context=name), name=name) for name in ("one", "two")]
    ask_all(units, journal, answering(Failed("no", "refused"), Failed("lost")), fingerprint="m")
    assert {name: record.status for name, record in journal.records.items()} == {"one": "refused", "two": "error"}
    log = []
    ask_all(units, journal, answering(WRITTEN, log=log), fingerprint="m")
    assert [prompt.context for prompt in log] == ["two"]
    assert journal.records["two"].status == "ok"


def test_all_that_a_model_is_given_is_in_a_units_input():
    how = PROMPT.decoding
    asks = [
        (PROMPT,),
        (dataclasses.replace(PROMPT, context="Twice"),),
        (dataclasses.replace(PROMPT, seed=4),),
        *((dataclasses.replace(PROMPT, decoding=dataclasses.replace(how, **change)),) for change in CHANGES),
        (PROMPT, PROMPT),
        (PASSAGE,),
        (Passage("Which Law?", PASSAGE.context),),
        (Passage(PASSAGE.question, PASSAGE.context + " "),),
        (Passage(PASSAGE.question + PASSAGE.context, ""),),
        (Ask("Once", ()),),
        (BLANK,),
        (dataclasses.replace(BLANK, question="The sea is"),),
        (dataclasses.replace(BLANK, answers=("green", "blue")),),
        (dataclasses.replace(BLANK, answers=("bluegreen",)),),
        (dataclasses.replace(BLANK, after=""),),
        (Ask(BLANK.question, (*BLANK.answers, BLANK.after)),),
    ]
    inputs = [unit_of(*one).input for one in asks]
    assert all(one != two for one, two in combinations(inputs, 2))
    assert unit_of(*asks[0]).input == inputs[0]


CHANGES = (
    {"max_tokens": 6},
    {"temperature": 0.6},
    {"top_p": 0.8},
    {"stop": ()},
    {"stop": (".", "!")},
    {"stop": ("!",)},
)
