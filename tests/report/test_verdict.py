"""A verdict in the page: its stamp, its reason, each condition with its result in words, and where it comes first."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from gnomon.blocks import Condition, Estimate, Note, Verdict
from gnomon.report import ReportRun, render


class Conditions(HTMLParser):
    """The rows of every table of conditions as lists of texts, all ids, links, and whether each fold is open."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tables, self.ids, self.links, self.folds, self.cell, self.text = [], [], [], [], None, ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        self.folds += ["open" in found] if tag == "details" else []
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.cell = []

    def handle_endtag(self, tag):
        if tag in {"td", "th"}:
            self.tables[-1][-1].append(" ".join("".join(self.cell).split()))
            self.cell = None

    def handle_data(self, data):
        self.text += data
        if self.cell is not None:
            self.cell.append(data)


RESULTS = {
    "beats the random directions": True,
    "beats the <b>planted</b> word": False,
    "transfers to negations": None,
}


def verdict(**more):
    conditions = [
        Condition(name=name, value="" if passed is None else "0.61", bar="above 0.93", passed=passed, note=f"note {at}")
        for at, (name, passed) in enumerate(RESULTS.items())
    ]
    made = {"name": "boolq · ccs", "identified": False, "reason": "It finds the planted word."}
    return Verdict(**(made | {"conditions": conditions} | more))


def good(**more):
    one = Condition(name="beats chance", value="0.9", bar="above 0.5", passed=True)
    return Verdict(**({"name": "imdb", "identified": True, "reason": "All beaten.", "conditions": [one]} | more))


def report(*blocks):
    return ReportRun(id="r", title="a run", status="complete", blocks=blocks)


def page(*blocks):
    return render([report(*blocks)])


def shown(text):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", text.split("</style>")[1]))


def test_each_condition_is_a_row_with_its_result_in_words():
    (table,) = Conditions(page(verdict(required=["transfers to negations"]))).tables
    assert table == [
        ["result", "condition", "found", "bar", "note"],
        ["✓ passed", "beats the random directions", "0.61", "above 0.93", "note 0"],
        ["✗ failed", "beats the <b>planted</b> word", "0.61", "above 0.93", "note 1"],
        ["○ not measured", "transfers to negations required", "–", "above 0.93", "note 2"],
    ]


def test_without_notes_there_is_no_column_for_them_and_without_required_ones_no_remark():
    text = page(good())
    assert Conditions(text).tables[0][0] == ["result", "condition", "found", "bar"]
    assert "Without a required condition" not in text
    assert "Without a required condition" in page(verdict(required=["transfers to negations"]))


@pytest.mark.parametrize(("block", "stamp"), [(verdict(), "✗ not identified"), (good(), "✓ identified")])
def test_stamp_and_reason_stand_together_above_the_numbers_and_again_at_the_conditions(block, stamp):
    text = shown(page(Estimate(name="accuracy", value=0.25, n=4, method="mean", headline=True), block))
    told = [found.start() for found in re.finditer(re.escape(stamp), text)]
    assert len(told) == text.count(block.reason) == 2
    assert told[0] < text.index("0.250") < told[1] < text.index("The conditions: ")


@pytest.mark.parametrize(
    ("block", "tally"),
    [
        (verdict(), "The conditions: 1 of 3 conditions passed, 1 failed, 1 not measured"),
        (good(), "The conditions: 1 of 1 condition passed"),
    ],
)
def test_the_tally_counts_each_result(block, tally):
    assert tally in shown(page(block))


def test_a_verdict_named_first_leads_to_its_conditions():
    read = Conditions(page(Note(level="info", text="before"), verdict()))
    (target,) = {link[1:] for link in read.links}
    assert target in read.ids


def test_a_verdict_that_is_no_headline_is_only_a_part_that_starts_closed():
    text = page(verdict(headline=False), good())
    assert Conditions(text).folds == [False, True]
    assert text.count("It finds the planted word.") == 1
    assert text.count("All beaten.") == 2


def test_a_verdict_without_conditions_has_no_table():
    assert Conditions(page(verdict(conditions=[]))).tables == []


def test_the_overview_over_runs_counts_the_verdicts():
    runs = [report(verdict()), report(verdict(), good()), report(Note(level="info", text="n"))]
    overview = Conditions(render(runs)).tables[0]
    assert [row[2] for row in overview] == ["verdict", "✗ not identified", "1 of 2 identified", "–"]
    assert "verdict" not in Conditions(render([report(), report()])).tables[0][0]
