"""CUAD from contracts to numbers, on small contracts of our own: every number is worked out again from records.jsonl,
quotes that were invented count nothing, and marks lie on the text that they speak of."""

import hashlib
import json
import math
import random
from itertools import pairwise

import pytest

from gnomon import compare, evaluate
from gnomon.asks import Completion, Failed, Passage, Prompt
from gnomon.blocks import Curve, Estimate, Marked, Samples, Table, Text
from gnomon.errors import RunError
from gnomon.grading.spans import SpanQuestion, bootstrap, exact_curve, judge, official_curve, operating_point

CATEGORIES = ("Governing Law", "Parties", "License Grant", "Insurance")
"""As in ids. No contract of ours speaks of insurance."""


def contract(number):
    """A contract whose spans stand in it once each; some lack a licence, one title holds the word Parties."""
    law = f"The law of Land {number}\n  governs this agreement, without regard to conflicts"
    parties = [f"Acme {number} Limited", f"Bolt {number} (the Buyer)"]
    licence = f"Acme {number} grants\nBolt {number} a licence to use the wares, wherever they are"
    holds = number % 3 != 0
    body = (
        f"AGREEMENT\n\nbetween {parties[0]} and {parties[1]}.\n\n1. Law.  {law}.\n\n2. {licence if holds else 'No'}.\n"
    )
    questions = {
        "Governing Law": [law],
        "Parties": parties,
        "License Grant": [licence] if holds else [],
        "Insurance": [],
    }
    return (f"Contract {number}" + (" of Parties" if number == 2 else ""), body, questions)


CONTRACTS = [contract(number) for number in range(1, 9)]


def guesses(passage):
    """Spans around what could be meant, the choice and the probabilities fixed by a hash of the question."""
    digest = hashlib.sha256(f"{passage.question}|{passage.context}".encode()).digest()
    draw = random.Random(digest)
    words = [match for match in ("governs", "Acme", "Bolt", "grants", "regard", "wares") if match in passage.context]
    spans = []
    for _ in range(draw.randrange(7)):
        start = passage.context.index(draw.choice(words)) - draw.randrange(0, 30)
        start = max(0, start)
        end = min(len(passage.context), start + draw.randrange(5, 90))
        spans.append((start, end, round(draw.random(), draw.choice([1, 3, 12]))))
    return sorted(spans, key=lambda span: -span[2]), draw.random()


@pytest.fixture
def ask(tmp_path, small_cuad):
    def run(model, contracts=CONTRACTS, runs="runs", protocol=None, **more):
        given = {key: more.pop(key) for key in ("subsets", "split") if key in more}
        args = small_cuad(contracts, **given)
        return evaluate("cuad", model, task_args=args, protocol=protocol, runs_dir=tmp_path / runs, cache=False, **more)

    return run


def records(run):
    rows = {}
    for line in (run.path / "records.jsonl").read_text().splitlines():
        row = json.loads(line)
        rows[row["id"]] = row
    return rows


def estimates(run):
    return {block.name: block for block in run.result() if isinstance(block, Estimate)}


def table(run, title):
    (found,) = [block for block in run.result() if isinstance(block, Table) and block.title.startswith(title)]
    return [dict(zip([column.label for column in found.columns], row, strict=True)) for row in found.rows]


def again(run, rule, only=None, contracts=CONTRACTS):
    """Questions as the test understands them, from the contracts above and the lines of records.jsonl."""
    texts = {title: (body, questions) for title, body, questions in contracts}
    questions, homes = [], []
    for name, row in records(run).items():
        title, category = name.split("__")
        if only not in (None, category):
            continue
        body, golds = texts[title]
        found = [(body[start:end], probability) for start, end, probability in row.get("output", {}).get("spans", [])]
        if rule == "official":
            found = [(" ".join(text.split()), probability) for text, probability in found]
        lenient = "Parties" in name if rule == "official" else category == "Parties"
        questions.append(SpanQuestion(tuple(golds[category]), found, lenient))
        homes.append(title)
    return judge(questions, separator=" " if rule == "official" else None), homes


CURVES = {"official": official_curve, "exact": exact_curve}


# an extractive model -------------------------------------------------------------------------------------------------


@pytest.fixture
def guessed(ask, highlighter):
    return ask(highlighter(guesses))


@pytest.mark.parametrize("rule", ["official", "exact"])
def test_every_headline_number_is_that_of_the_records(guessed, rule):
    judged, homes = again(guessed, rule)
    curve, spread = CURVES[rule](judged), bootstrap(judged, homes, seed=0, rule=rule, recalls=(0.8, 0.9))
    found = estimates(guessed)
    aupr = found[f"AUPR ({rule})"]
    assert 0 < aupr.value < 1
    assert (aupr.value, aupr.n, aupr.groups) == (curve.aupr, 32, 8)
    assert (aupr.interval.low, aupr.interval.high) == (spread.aupr.low, spread.aupr.high)
    for recall in (0.8, 0.9):
        one = found[f"precision at {recall:.0%} recall ({rule})"]
        assert one.value == curve.precision_at(recall)
        assert one.interval.low == spread.precision_at[recall].low
    assert next(name for name, block in found.items() if block.headline) == "AUPR (official)"


def test_every_category_is_that_of_the_records(guessed):
    rows = {row["category"]: row for row in table(guessed, "Score by category")}
    assert list(rows) == ["parties", "governing-law", "license-grant", "insurance"]
    for category in CATEGORIES[:3]:
        row = rows[category.lower().replace(" ", "-")]
        for rule in ("official", "exact"):
            assert row[f"AUPR ({rule})"] == CURVES[rule](again(guessed, rule, category)[0]).aupr
        assert row["low"] <= row["AUPR (official)"] <= row["high"]
        assert row["questions"] == 8
    assert [rows[name]["with a span"] for name in rows] == [8, 8, 6, 0]
    assert [rows[name]["spans"] for name in rows] == [16, 8, 6, 0]


def test_where_no_span_is_there_is_no_recall_and_no_number(guessed, ask, highlighter):
    row = table(guessed, "Score by category")[-1]
    assert [row[label] for label in ("AUPR (official)", "low", "high", "AUPR (exact)")] == [None] * 4
    alone = ask(highlighter(lambda passage: ([(0, 9, 0.5)], 0.4)), subsets="insurance")
    assert alone.manifest.status == "complete"
    found = estimates(alone)
    assert len(found) == 6
    for one in found.values():
        assert (one.value, one.interval) == (None, None)
        assert "no question has a reference span, so there is no recall" in one.reason
    (curve,) = [block for block in alone.result() if isinstance(block, Curve)]
    assert curve.series == []


def test_the_curve_ends_at_the_recall_that_was_reached(guessed):
    (curve,) = [block for block in guessed.result() if isinstance(block, Curve)]
    assert [one.name for one in curve.series] == ["official", "exact"]
    for series in curve.series:
        expected = CURVES[series.name](again(guessed, series.name)[0])
        assert series.x[-1] == expected.recall[-1]
        assert series.y[-1] == expected.precision[-1]
        assert series.x == sorted(series.x)
        assert series.y == sorted(series.y, reverse=True)
        area = sum(
            (b - a) * (p + q) / 2 for a, b, p, q in zip(series.x, series.x[1:], series.y, series.y[1:], strict=False)
        )
        assert area == pytest.approx(expected.aupr)


def test_an_oracle_is_perfect_and_a_silent_model_is_not(ask, highlighter):
    for name, one in estimates(ask("mock/oracle")).items():
        assert one.value == pytest.approx(1), name
    silent = estimates(ask(highlighter(lambda passage: ([], 1.0))))
    assert {one.value for one in silent.values()} == {0.0}


def test_records_hold_what_was_highlighted_and_no_verdict(guessed):
    for name, row in records(guessed).items():
        assert row["status"] == "ok"
        assert "correct" not in row
        title, category = name.split("__")
        body = next(body for other, body, _ in CONTRACTS if other == title)
        question = f'Highlight what concerns "{category}". Details: about {category}?'
        spans, none = guesses(Passage(question, body))
        assert row["output"]["spans"] == [[s, e, round(p, 8)] for s, e, p in spans]
        assert row["output"]["none"] == round(none, 8)


def test_refused_questions_count_as_nothing_found_and_failed_ones_not_at_all(ask, highlighter):
    def answer(passage):
        if '"Parties"' in passage.question:
            return Failed("no", status="refused")
        if '"License Grant"' in passage.question:
            return Failed("the line is dead")
        return guesses(passage)

    run = ask(highlighter(answer))
    assert run.manifest.status == "incomplete"
    assert run.manifest.statuses == {"error": 8, "ok": 16, "refused": 8}
    found = estimates(run)["AUPR (exact)"]
    texts = {title: (body, questions) for title, body, questions in CONTRACTS}
    kept = {name: row for name, row in records(run).items() if row["status"] != "error"}
    assert found.n == len(kept) == 24
    golds = sum(len(texts[name.split("__")[0]][1][name.split("__")[1]]) for name in kept)
    assert again(run, "exact")[0].golds == golds + 6  # the six licences of questions that failed
    assert sum(row["spans"] for row in table(run, "Score by category")) == golds
    rows = {row["category"]: row for row in table(run, "Score by category")}
    assert "license-grant" not in rows
    assert (rows["parties"]["AUPR (exact)"], rows["parties"]["spans"]) == (0.0, 16)


# which contracts -----------------------------------------------------------------------------------------------------


def drawn(run):
    homes = {}
    for name in records(run):
        title, category = name.split("__")
        homes.setdefault(category, set()).add(title)
    return homes


def test_a_limit_draws_the_same_contracts_in_every_category(ask, highlighter):
    small = drawn(ask(highlighter(guesses), limit=3, runs="small"))
    assert set(small) == set(CATEGORIES)
    assert len({frozenset(titles) for titles in small.values()}) == 1
    assert {len(titles) for titles in small.values()} == {3}
    large = drawn(ask(highlighter(guesses), limit=5, runs="large"))
    assert small["Parties"] < large["Parties"]
    other = [drawn(ask(highlighter(guesses), limit=3, seed=seed, runs=f"s{seed}"))["Parties"] for seed in range(1, 6)]
    assert any(one != small["Parties"] for one in other)


def test_the_questions_about_one_contract_follow_one_another(ask, highlighter):
    model = highlighter(guesses)
    ask(model)
    order = [passage.context for passage in model.asked]
    assert sum(a != b for a, b in pairwise(order)) == len(CONTRACTS) - 1


def test_a_larger_limit_asks_only_what_is_new(ask, highlighter):
    ask(highlighter(guesses), limit=2)
    model = highlighter(guesses)
    grown = ask(model, limit=4)
    assert len(model.asked) == 2 * len(CATEGORIES)
    fresh = ask(highlighter(guesses), limit=4, runs="fresh")
    assert estimates(grown) == estimates(fresh)


# a model that writes -------------------------------------------------------------------------------------------------


def quoting(answers):
    """A model's answer by category."""

    def answer(prompt):
        for category, text in answers.items():
            if f'"{category}"' in prompt.context:
                return text(prompt) if callable(text) else text
        return "[]"

    return answer


def test_an_oracle_of_quotes_is_perfect(ask, knowing):
    for model in (knowing(), "mock/oracle"):
        run = ask(model, protocol="quote")
        assert {name: one.value for name, one in estimates(run).items()} == {"F1": 1, "precision": 1, "recall": 1}
        assert table(run, "Quotes")[0]["quotes"] == 30
        assert [row["F1"] for row in table(run, "Score by category")[:3]] == [1, 1, 1]


def test_inventions_are_counted_apart_and_give_nothing(ask, writer):
    contracts = [
        (
            "one",
            "The law of  Delaware\ngoverns. Acme and Bolt agree.",
            {"Governing Law": ["The law of  Delaware\ngoverns"]},
        ),
        ("two", "Ohio's law governs. Acme and Bolt agree.", {"Governing Law": ["Ohio's law governs"]}),
    ]
    texts = {
        "of  Delaware": '["The law of Delaware governs", "The laws of Delaware govern", "Acme and Bolt"]',
        "Ohio": 'There it is: ["the Law of Ohio", "Nothing of the kind"]. Anything else?',
    }
    run = ask(
        writer(lambda prompt: next(t for k, t in texts.items() if k in prompt.context)), contracts, protocol="quote"
    )
    rows = records(run)
    spans = [(contracts[0][1][s:e], p) for s, e, p in rows["one__Governing Law"]["output"]["spans"]]
    assert spans == [("The law of  Delaware\ngoverns", 1.0), ("Acme and Bolt", 1.0)]
    assert rows["one__Governing Law"]["output"]["missed"] == ["The laws of Delaware govern"]
    assert rows["two__Governing Law"]["output"]["missed"] == ["the Law of Ohio", "Nothing of the kind"]
    assert [(row["outcome"], row["quotes"], row["share"]) for row in table(run, "Quotes")] == [
        ("stands in the contract", 2, 0.4),
        ("invented or changed", 3, 0.6),
    ]
    # one reference is found, one span matches none, one reference is missed
    values = {name: one.value for name, one in estimates(run).items()}
    assert values == {"F1": 0.5, "precision": 0.5, "recall": 0.5}
    (samples,) = [block for block in run.result() if isinstance(block, Samples)]
    assert "not in the contract: Nothing of the kind" in samples.samples[1].answer


def test_quotes_are_judged_as_the_records_say(ask, writer):
    def some(prompt):
        draw = random.Random(hashlib.sha256(prompt.context.encode()).digest())
        body = prompt.context.split("<contract>\n")[1].split("\n</contract>")[0]
        starts = [draw.randrange(len(body) - 5) for _ in range(draw.randrange(5))]
        quotes = [body[start : start + draw.randrange(5, 80)] for start in starts]
        golds = [text for _, _, questions in CONTRACTS for c in questions for text in questions[c] if text in body]
        return json.dumps(quotes + draw.sample(golds, k=min(2, len(golds))))

    run = ask(writer(some), protocol="quote")
    point = operating_point(again(run, "exact")[0])
    found = estimates(run)
    assert (found["F1"].value, found["precision"].value, found["recall"].value) == (
        point.f1,
        point.precision,
        point.recall,
    )
    assert found["F1"].interval.low <= point.f1 <= found["F1"].interval.high
    assert found["F1"].interval.low < found["F1"].interval.high
    for category in CATEGORIES[:3]:
        (row,) = [r for r in table(run, "Score by category") if r["category"] == category.lower().replace(" ", "-")]
        alone = operating_point(again(run, "exact", category)[0])
        assert (row["F1"], row["precision"], row["recall"]) == (alone.f1, alone.precision, alone.recall)


LONG = "\n".join(f"Clause {n}: the parties agree on matter {n} and on nothing else." for n in range(600))
FIRST, LAST = "the parties agree on matter 7 and", "the parties agree on matter 599 and"


@pytest.fixture
def long():
    return [("long", LONG, {"Insurance": [FIRST, LAST]})]


def test_a_long_contract_is_asked_in_windows_and_its_quotes_come_together(ask, writer, long):
    def answer(prompt):
        return json.dumps([text for text in (FIRST, LAST, "not there") if text in prompt.context])

    model = writer(answer)
    run = ask(model, long, protocol="quote")
    assert len(model.asked) == len({prompt.context for prompt in model.asked}) == 4
    for number, prompt in enumerate(model.asked, start=1):
        assert prompt.context.startswith(f"Part {number} of 4 of a contract")
    row = records(run)["long__Insurance"]
    assert row["output"]["answers"] == [1, 0, 0, 1]
    assert [LONG[s:e] for s, e, _ in row["output"]["spans"]] == [FIRST, LAST]
    assert estimates(run)["F1"].value == 1


def test_no_character_of_a_contract_is_outside_of_the_windows(ask, writer, long):
    model = writer(lambda prompt: "[]")
    ask(model, long, protocol="quote")
    parts = [prompt.context.split("<contract>\n")[1].split("\n</contract>")[0] for prompt in model.asked]
    at = 0
    for part in parts:
        place = LONG.index(part)
        assert place <= at
        at = place + len(part)
    assert at == len(LONG)


@pytest.mark.parametrize(
    ("texts", "status", "answers"),
    [
        (["[]", "[]", "[]", "[]"], "ok", [0, 0, 0, 0]),
        (["none", "[]", "I found none.", "[]"], "ok", [None, 0, None, 0]),
        (["none", "no", "", "[1, 2]"], "unparsed", [None] * 4),
        ([Completion('["', 512, "length"), "[]", "[]", "[]"], "truncated", [None, 0, 0, 0]),
        (["[]", "[]", "[]", Completion("[]", 1, truncated=9)], "truncated", [0, 0, 0, 0]),
        ([Completion('["', 512, "length"), "no", "no", "no"], "unparsed", [None] * 4),
    ],
)
def test_windows_that_cannot_be_read_are_counted(ask, writer, long, texts, status, answers):
    left = iter(texts)
    run = ask(writer(lambda prompt: next(left)), long, protocol="quote")
    (row,) = records(run).values()
    assert (row["status"], row["output"]["answers"]) == (status, answers)
    written = dict(list(row.values())[:2] for row in table(run, "What was written"))
    assert written["no answer could be read"] == answers.count(None)
    assert written["answer read (parse rate)"] == 4 - answers.count(None)
    assert estimates(run)["recall"].value == 0
    assert estimates(run)["precision"].value is None
    assert "nothing was quoted" in estimates(run)["precision"].reason


def test_one_window_that_failed_fails_the_question(ask, writer, long):
    left = iter(["[]", Failed("lost"), "[]", "[]"])
    run = ask(writer(lambda prompt: next(left)), long, protocol="quote")
    assert run.manifest.statuses == {"error": 1}
    assert {one.value for one in estimates(run).values()} == {None}


def test_quotes_where_no_span_is_have_a_precision_and_no_recall(ask, writer):
    run = ask(writer(lambda prompt: '["AGREEMENT"]'), protocol="quote", subsets="insurance")
    found = estimates(run)
    assert (found["precision"].value, found["recall"].value, found["F1"].value) == (0, None, None)
    assert "no question has a reference span" in found["F1"].reason
    (row,) = table(run, "Score by category")
    assert (row["precision"], row["recall"], row["F1"]) == (0, None, None)


# marks ---------------------------------------------------------------------------------------------------------------


def test_marks_lie_on_the_text_that_they_speak_of(ask, highlighter):
    body = "Acme and Bolt agree. The law of Delaware governs. The law of Delaware governs all else."
    golds = {"Parties": ["Acme", "Bolt"], "Governing Law": ["The law of Delaware governs"]}

    def answer(passage):
        if '"Parties"' in passage.question:
            return [(0, 4, 0.9), (9, 19, 0.5), (0, 13, 0.05)], 0.1
        return [(21, 44, 0.8), (50, 60, 0.7)], 0.75

    run = ask(highlighter(answer), [("one", body, golds), ("two", "Nothing.", {"Parties": [], "Governing Law": []})])
    (marked,) = [block for block in run.result() if isinstance(block, Marked)]
    assert (marked.title, marked.text) == ("one", body)
    found = {(body[mark.start : mark.end], mark.kind, mark.label, mark.probability) for mark in marked.marks}
    assert found == {
        ("Acme", "both", "Parties", 0.9),  # word for word what the reference is
        ("Bolt agree", "both", "Parties", 0.5),  # half of its words, and the reference within it
        ("Bolt", "gold", "Parties", None),  # found, by a longer span
        ("The law of Delaware gov", "both", "Governing Law", 0.8),
        ("The law of Delaware governs", "gold", "Governing Law", None),
    }  # below the probability of none: Parties 0.05, Governing Law 0.7
    assert [mark.start for mark in marked.marks] == sorted(mark.start for mark in marked.marks)


def test_a_quote_is_marked_where_it_stands(ask, writer):
    body = "Acme agrees.\nThe law of\n  Delaware governs."
    contracts = [("one", body, {"Governing Law": ["The law of\n  Delaware governs"]})]
    run = ask(
        writer(lambda prompt: '["The law of Delaware governs", "Acme agrees", "invented"]'), contracts, protocol="quote"
    )
    (marked,) = [block for block in run.result() if isinstance(block, Marked)]
    assert [(body[m.start : m.end], m.kind) for m in marked.marks] == [
        ("Acme agrees", "found"),
        ("The law of\n  Delaware governs", "both"),
    ]


def test_only_a_few_contracts_are_shown_and_marks_are_cut(ask, highlighter):
    many = ["x" * n for n in range(2, 300)]
    body = " ".join(many)
    spans = [(body.index(f" {text} ") + 1, body.index(f" {text} ") + 1 + len(text), 0.9) for text in many[1:-1]]
    contracts = [(f"c{n}", f"{n} {body}", {"Insurance": many}) for n in range(5)]
    run = ask(highlighter(lambda passage: (spans * 2, 0.1)), contracts)
    shown = [block for block in run.result() if isinstance(block, Marked)]
    assert len(shown) == 3
    assert all(len(block.marks) == 400 and "The first 400 of " in block.caption for block in shown)


# faults of a model ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (([(0, 10_000, 0.5)], 0.5), "the span 0 to 10000 of a text of"),
        (([(5, 5, 0.5)], 0.5), "the span 5 to 5"),
        (([(-1, 5, 0.5)], 0.5), "the span -1 to 5"),
        (([(0, 5, 1.5)], 0.5), "1.5 as a span's probability"),
        (([(0, 5, math.nan)], 0.5), "nan as a span's probability"),
        ("text", "str as the answer to Passage"),
        (Completion("text", 1), "Completion as the answer to Passage"),
    ],
)
def test_what_is_no_highlight_is_an_error_that_names_it(ask, highlighter, answer, words):
    run = ask(highlighter(lambda passage: answer), CONTRACTS[:1], subsets="parties")
    (row,) = records(run).values()
    assert (row["status"], run.manifest.status) == ("error", "incomplete")
    assert words in row["message"]
    (one,) = [block for block in run.result() if isinstance(block, Estimate)]
    assert (one.value, one.reason) == (None, "nothing was answered")


def test_the_first_prompt_is_what_the_model_was_given(ask, highlighter, writer):
    for model, protocol in ((highlighter(guesses), None), (writer(lambda prompt: "[]"), "quote")):
        run = ask(model, CONTRACTS[:2], protocol=protocol)
        (shown,) = [block for block in run.result() if isinstance(block, Text) and "first full prompt" in block.title]
        first = model.asked[0]
        assert isinstance(first, Prompt | Passage)
        expected = first.context if isinstance(first, Prompt) else f"{first.question}\n\n{first.context}"
        assert shown.text == expected


def test_curves_are_not_compared_by_right_and_wrong(ask, highlighter, cli):
    one, two = ask(highlighter(guesses)), ask(highlighter(guesses, name="other"))
    with pytest.raises(RunError, match="not right or wrong but ranked by confidence"):
        compare(one, two)
    status, _, err = cli("compare", one.path, two.path)
    assert status == 2
    assert "gnomon report RUN_A RUN_B" in err


def test_refusals_on_the_command_line(refused, small_cuad, tmp_path):
    args = small_cuad(CONTRACTS)
    flags = [word for key, value in args.items() for word in ("-T", f"{key}={value}")]
    assert "cannot highlight spans" in refused("eval", "cuad", "-m", "mock/uniform", *flags)
    assert "cannot write text" in refused("eval", "cuad", "-m", "mock/uniform", "--protocol", "quote", *flags)
    assert "lacks 37 of 41 subsets" in refused(
        "eval", "cuad", "-m", "mock/oracle", "-T", f"data={args['data']}", "-T", "counts=any"
    ) or "no row of" in refused("eval", "cuad", "-m", "mock/oracle", "-T", f"data={args['data']}", "-T", "counts=any")
    assert "in the release" in refused(
        "eval", "cuad", "-m", "mock/oracle", "-T", f"data={args['data']}", "-T", "subsets=parties"
    )
    assert "has no split 'dev'" in refused("eval", "cuad", "-m", "mock/oracle", *flags, "-T", "split=dev")
    programs = tmp_path / "programs.jsonl"
    programs.write_text('{"task_id": "x", "completion": "y"}')
    assert "cuad grades no files of solutions" in refused("eval", "cuad", "--solutions", programs, *flags)
