"""The page as text: what it says, in which order, and that nothing in it can act."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.blocks import Comparison, Estimate, Interval, Note, Sample, Samples, Selected, Selection, Table, Text
from gnomon.errors import RunError
from gnomon.report import ReportRun, render, write
from gnomon.report._json import script_json
from gnomon.report._samples import outcome, samples_data, text_limit


class Tree(HTMLParser):
    """All elements of a page with their attributes, and the text outside scripts and styles."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self.scripts, self.raw = [], [], [], None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.raw = [] if tag in {"script", "style"} else None

    def handle_data(self, data):
        (self.text if self.raw is None else self.raw).append(data)

    def handle_endtag(self, tag):
        if self.raw is not None:
            self.scripts.append((self.elements[-1], "".join(self.raw)))
            self.raw = None

    def shown(self):
        return re.sub(r"\s+", " ", "".join(self.text))


def report(*blocks, status="complete", **more):
    return ReportRun(id="r1", title="a run", status=status, blocks=blocks, reproduce="gnomon eval mmlu", **more)


def shown(*blocks, **more):
    return Tree(render([report(*blocks, **more)])).shown()


@pytest.fixture(scope="module")
def page(run):
    return render([run])


@pytest.fixture(scope="module")
def hostile_page(hostile_run):
    return render([hostile_run])


# -- the policy --------------------------------------------------------------------------------------------------------


def policy(tree):
    (content,) = [a["content"] for tag, a in tree.elements if a.get("http-equiv") == "Content-Security-Policy"]
    return dict(part.strip().split(" ", 1) for part in content.split(";"))


def test_the_policy_holds_the_digest_of_every_script_and_style_and_nothing_looser(page):
    tree = Tree(page)
    rules = policy(tree)
    assert rules.keys() == {"default-src", "script-src", "style-src", "base-uri", "form-action"}
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for kind, rule in (("script", "script-src"), ("style", "style-src")):
        contents = [
            text for (tag, attrs), text in tree.scripts if tag == kind and attrs.get("type") != "application/json"
        ]
        digests = {f"'sha256-{base64.b64encode(hashlib.sha256(t.encode()).digest()).decode()}'" for t in contents}
        assert contents
        assert set(rules[rule].split()) == digests


def test_the_policy_stands_before_anything_that_it_governs(page):
    tags = [tag for tag, _ in Tree(page).elements]
    assert tags.index("meta") < min(tags.index("style"), tags.index("script"))
    assert page.index("Content-Security-Policy") < 1024


def test_nothing_in_the_page_points_outside_it(page, hostile_page):
    for text in (page, hostile_page):
        for tag, attrs in Tree(text).elements:
            assert tag not in {"link", "iframe", "object", "embed", "img", "base", "form", "audio", "video", "source"}
            for name, value in attrs.items():
                assert not name.startswith("on"), (tag, name)
                assert name not in {"src", "srcset", "style", "action", "data", "poster", "background", "ping"}
                assert name != "href" or value.startswith("#")


def test_styles_load_nothing_and_the_only_addresses_in_scripts_are_names(page):
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/2000/xmlns/", "http://www.w3.org/1999/xlink"}
    names |= {"https://vega.github.io/schema/vega/v6.json", "https://vega.github.io/editor/"}
    for (tag, _), text in Tree(page).scripts:
        if tag == "style":
            assert not re.search(r"url\(|@import|https?:", text)
        found = set(re.findall(r"https?://[^\s\"'`)<>]+", text))
        assert {url for url in found if not url.startswith("https://github.com/vega/")} <= names


def test_scripts_are_modules_so_they_leave_no_globals(page):
    kinds = {attrs["type"] for tag, attrs in Tree(page).elements if tag == "script"}
    assert kinds == {"module", "application/json"}


# -- hostile text ------------------------------------------------------------------------------------------------------


def test_hostile_text_adds_no_element_and_stands_in_the_page_only_escaped(hostile_page):
    # Our own scripts hold such strings; the policy test above covers them.
    written = re.sub(r'(<script type="module">).*?</script>', "", hostile_page, flags=re.DOTALL)
    for raw in ("<script>window", "<img", "<svg onload", "<iframe", "<!-- -->", '<a href="javascript', "<style>*"):
        assert raw not in written
    assert {tag for tag, _ in Tree(hostile_page).elements}.isdisjoint({"img", "iframe", "object"})
    for char in "\u202e\u200b\x00\x07\x1b\u2066\u2069\u2028\ufeff\U000e0041":
        assert char not in hostile_page
        assert f"‹U+{ord(char):04X}›" in hostile_page
    hostile_page.encode("utf-8")


def test_a_given_title_is_as_hostile_as_any_text(hostile_text):
    page = render([report()], title=hostile_text)
    assert "<script>window" not in page
    assert "right‹U+202E›left" in page
    assert not set("\u202e\x00\ud800") & set(page)


def test_templates_do_not_read_templates_in_the_data(hostile_page):
    assert "{{ 7 * 7 }}" in Tree(hostile_page).shown()


def test_a_megabyte_answer_is_cut_and_its_length_told(hostile_page):
    assert "1,048,576 characters in all; the rest is in records.jsonl" in hostile_page
    assert "x" * 100_001 not in hostile_page
    assert "x" * 100_000 in hostile_page


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_script_json_holds_no_character_that_html_reads_as_markup(data):
    text = script_json(data)
    assert not set("<>&\u2028\u2029") & set(text)
    json.loads(text)


@given(st.text("<>&/!-scriptSCRIPT\u2028\\\"' ", max_size=60))
def test_script_json_gives_back_what_is_visible(text):
    assert json.loads(script_json([text])) == [text.replace("\u2028", "‹U+2028›")]


FILLERS = "\u115f\u1160\u3164\uffa0"  # letters by category, but blank


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters=FILLERS) | st.sampled_from(" \n\t")))
def test_a_text_is_shown_character_by_character(text):
    assert "\n" + text + "\n" in "".join(Tree(render([report(Text(title="t", text=text + "\n"))])).text)


def test_a_texts_first_line_break_survives_the_one_that_html_drops():
    assert '<pre dir="auto" tabindex="0">\n\nfirst</pre>' in render([report(Text(title="t", text="\nfirst"))])


# -- what it says ------------------------------------------------------------------------------------------------------


def test_order_is_title_status_headlines_deviations_then_blocks(page):
    text = Tree(page).shown()
    marks = ["mmlu · smollm2", "complete", "0.315", "The prompt names", "could not be parsed", "protocol hash"]
    marks += ["Wilson intervals at 95%", "Ten bins of equal width", "Subjects above chance 2 of 4"]
    marks += ["smollm2 is 0.065 higher", "Scores are sums", "800 of 14,042 units", "Byte for byte", "gnomon eval mmlu"]
    body = text[text.index("gnomon report") :]
    places = [body.index(mark) for mark in marks]
    assert places == sorted(places)


def test_a_headline_shows_value_interval_n_groups_method_and_baselines(page):
    text = Tree(page).shown()
    parts = "accuracy (micro) 0.315 | 95% interval [0.307, 0.322], Wilson | n = 14,042 · micro mean | chance 0.250"
    places = [text.index(part) for part in parts.split(" | ")]
    assert places == sorted(places)
    assert "n = 14,042 in 57 groups · mean over subjects" in text


def test_a_quantity_without_a_number_says_why(page):
    assert "ceiling not given not identified: the two systems have the same accuracy" in Tree(page).shown()


@pytest.mark.parametrize(
    ("status", "told"),
    [("incomplete", "This run is incomplete."), ("failed", "Status: failed."), ("complete", None)],
)
def test_a_run_that_is_not_complete_says_so_plainly(status, told):
    page = render([report(status=status)])
    assert ('role="status"' in page) == (told is not None)
    assert told is None or told in page


def test_neighbouring_estimates_share_a_table_and_an_interruption_parts_them():
    one = Estimate(name="first", value=1234.5, n=3, method="m", interval=Interval(low=1, high=2, method="Wilson"))
    two = Estimate(name="second", value=None, n=0, method="m", reason="no item was answered", groups=2)
    note = Note(level="info", text="between")
    tables = [render([report(*blocks)]).count("<table") for blocks in ((one, two), (one, note, two))]
    assert tables == [1, 2]
    assert "not given: no item was answered" in shown(one, two)


@pytest.mark.parametrize(
    ("difference", "low", "high", "p", "told"),
    [
        (0.1, 0.05, 0.15, 0.0001, "b is 0.100 higher than a. The 95% interval of the difference, [0.050, 0.150]"),
        (-0.1, -0.25, 0.05, 0.2, "b is 0.100 lower than a."),
        (0.0, -0.05, 0.05, 1.0, "b is the same as a."),
    ],
)
def test_a_comparison_is_a_sentence_that_says_where_zero_lies(difference, low, high, p, told):
    interval = Interval(low=low, high=high, method="paired bootstrap")
    text = shown(
        Comparison(
            name="accuracy",
            a="a",
            b="b",
            value_a=0.5,
            value_b=0.5 + difference,
            difference=difference,
            interval=interval,
            p_value=p,
            test="exact McNemar",
            n=1240,
            groups=7,
            detectable=0.031,
        )
    )
    assert told in text
    assert ("excludes 0" in text) == (low > 0)
    assert ("p < 0.001 (exact McNemar)" if p < 0.001 else f"p = {p:.3f} (exact McNemar)") in text
    assert "n = 1,240 in 7 groups" in text
    assert "true difference of 0.031 or more with 80% power" in text


def test_a_selection_marks_what_was_selected_and_shows_q():
    hypotheses = [
        Selected(name=n, effect=1, p_value=0.01, q_value=0.02, n=9, selected=n == "in") for n in ("in", "out")
    ]
    block = Selection(title="S", method="BH", q=0.1, effect_label="gain", hypotheses=hypotheses)
    page = render([report(block)])
    assert page.count('class="marked"') == 1
    assert "1 of 2 selected by BH, with the false-discovery rate held at q = 0.1." in Tree(page).shown()
    assert "✓in" in Tree(page).shown().replace(" ", "")


def test_several_runs_get_an_overview_with_links_and_a_section_each(run):
    other = ReportRun(id="other", title="ethics · smollm2", status="incomplete")
    tree = Tree(render([run, other]))
    links = [a["href"] for tag, a in tree.elements if tag == "a"]
    ids = [a["id"] for _, a in tree.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {"#run-1", "#run-2"} <= set(links)
    assert {link[1:] for link in links} <= set(ids)
    assert "2 runs" in tree.shown()
    assert "0.315 [0.307, 0.322]" in tree.shown()


def test_a_given_title_stands_above_the_runs_own():
    text = Tree(render([report()], title="My paper")).shown()
    assert text.index("My paper") < text.index("a run")


def test_a_report_without_charts_or_samples_stays_small():
    assert len(render([report(Table(title="t", columns=[], rows=[]))])) < 44_000


def test_no_runs_give_a_page_all_the_same():
    assert "<h1" in render([])


def test_equal_runs_give_equal_pages(run, page):
    assert render([run]) == page


# -- samples -----------------------------------------------------------------------------------------------------------


def sample(**more):
    values = {"id": "1", "subset": "s", "status": "ok", "correct": True, "prompt": "p", "answer": "a", "target": "t"}
    return Sample(**(values | more))


def test_outcomes_part_the_units_so_that_their_counts_add_up():
    assert outcome(sample()) == "right"
    assert outcome(sample(correct=False)) == "wrong"
    assert outcome(sample(correct=None)) == "ungraded"
    for status in ("unparsed", "refused", "truncated", "error", "timeout"):
        assert {outcome(sample(status=status, correct=graded)) for graded in (True, False, None)} == {status}


def test_texts_are_cut_shorter_when_there_are_many_so_that_the_file_stays_small():
    few = Samples(title="t", total=1, samples=[sample(answer="x" * 10_000)])
    many = Samples(title="t", total=3000, samples=[sample(id=str(i), answer="x" * 10_000) for i in range(3000)])
    assert text_limit([few]) == 100_000
    assert text_limit([many]) == 500
    assert all(len(one["answer"]) < 600 for one in samples_data(many, text_limit([many])))


def test_many_scores_are_cut_and_counted():
    (data,) = samples_data(
        Samples(title="t", total=1, samples=[sample(scores={str(i): i / 7 for i in range(100)})]), 10
    )
    assert len(data["scores"]) + data["omitted"] == 100
    assert data["scores"][1] == ["1", 0.142857]


def test_verdicts_are_kept_by_name_and_a_sample_whose_verdicts_differ_is_found():
    def data(verdicts):
        return samples_data(Samples(title="t", total=1, samples=[sample(verdicts=verdicts)]), 10)[0]

    assert data({"official": "right", "corrected": "wrong"})["differ"]
    assert not data({"official": "right", "corrected": "right"})["differ"]
    assert data({"official": "right"})["verdicts"] == [["official", "right"]]
    assert "verdicts" not in data({})
    many = data({str(number): "pass" if number < 99 else "fail" for number in range(100)})
    assert len(many["verdicts"]) + many["unsaid"] == 100
    assert many["differ"]


def test_a_line_may_end_in_a_carriage_return_and_any_other_one_is_named():
    (data,) = samples_data(Samples(title="t", total=1, samples=[sample(answer="a\r\nb\rc")]), 100)
    assert data["answer"] == "a\nb‹U+000D›c"


def test_two_thousand_samples_are_rendered_in_a_second_and_take_less_than_four_megabytes(big_run):
    render([big_run])  # the chart runtime is bundled once a process
    start = time.perf_counter()
    size = len(render([big_run]).encode())
    assert time.perf_counter() - start < 1
    assert size < 4_000_000


# -- writing -----------------------------------------------------------------------------------------------------------


def test_write_makes_parents_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "a" / "b" / "report.html"
    assert write([report()], path) == path
    assert path.read_text("utf-8") == render([report()])
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.ENOSPC, "No space left on device.*Make room and give the same command again"),
        (errno.EACCES, "Permission denied.*Give a folder that you may write to"),
        (errno.EROFS, "Read-only file system.*Give a folder that you may write to"),
    ],
)
def test_a_failed_write_is_told_and_leaves_the_old_report_whole(tmp_path, monkeypatch, code, told):
    path = tmp_path / "report.html"
    path.write_text("old")

    def fails(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(RunError, match=rf"report\.html cannot be written: {told}"):
        write([report()], path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(("path", "told"), [("file/report.html", "is a file"), (".", "folder: give a file name")])
def test_a_path_that_cannot_hold_a_file_is_told(tmp_path, path, told):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=told):
        write([report()], tmp_path / path)
