"""A marked text: whatever overlaps, every character is there once and under exactly its own marks."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.blocks import Mark, Marked
from gnomon.report import ReportRun, render
from gnomon.report._marked import marked_lead, marked_view


@st.composite
def marked_texts(draw):
    text = draw(st.text(st.sampled_from("ab<&\n\r \u202e"), min_size=1, max_size=40))
    place = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).filter(lambda pair: pair[0] != pair[1])
    marks = draw(st.lists(st.tuples(place, st.sampled_from(["gold", "found", "both"])), max_size=8))
    return Marked(
        title="t",
        text=text,
        marks=[
            Mark(start=min(pair), end=max(pair), kind=kind, label=f"L{number}")
            for number, (pair, kind) in enumerate(marks)
        ],
    )


class Marks(HTMLParser):
    """The text of the marked box, each character with the numbers of its marks; the ids in it; all links."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.inside = False
        self.over, self.text, self.ids, self.links, self.titles = "", [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "pre" and "marked-text" in attrs.get("class", ""):
            self.inside = True
        elif self.inside and tag == "mark":
            self.over = attrs["data-marks"]
            self.titles.append(attrs["title"])
        elif self.inside and tag == "span":
            self.ids.append((attrs["id"], len(self.text)))
        elif tag == "a" and "-mark-" in attrs["href"]:
            self.links.append(attrs["href"][1:])

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "pre"
        if tag == "mark":
            self.over = ""

    def handle_data(self, data):
        if self.inside:
            self.text += [(char, self.over) for char in data]

    def string(self):
        return "".join(char for char, _ in self.text)


def run(*blocks):
    return ReportRun(id="r", title="t", status="complete", blocks=blocks)


def shown(block):
    return Marks(render([run(block)]))


@given(marked_texts())
def test_every_character_is_under_exactly_the_marks_that_hold_it(block):
    view = marked_view(block, "x")
    order = sorted(block.marks, key=lambda mark: (mark.start, -mark.end))
    wanted = [
        (
            char,
            {mark.kind for mark in block.marks if mark.start <= at < mark.end},
            {mark.label for mark in block.marks if mark.start <= at < mark.end},
        )
        for at, char in enumerate(block.text)
        if block.text[at : at + 2] != "\r\n"
    ]
    found = [
        (char, set(one.kinds.split()), {order[int(number)].label for number in one.numbers.split()})
        for one in view.segments
        for char in one.text
    ]
    assert found == wanted


@given(marked_texts())
def test_every_mark_begins_once_and_in_front_of_its_first_character(block):
    view = marked_view(block, "x")
    begun = [(len("".join(s.text for s in view.segments[:at])), m.label) for at, s in enumerate(view.segments)
             for m in s.starts]  # fmt: skip
    wanted = [(len(block.text[: mark.start].replace("\r\n", "\n")), mark.label) for mark in block.marks]
    cut = [mark for mark in block.marks if block.text[mark.start - 1 : mark.start + 1] == "\r\n"]
    if not cut:  # a mark that begins between the two characters of a line's end begins at that end
        assert sorted(begun) == sorted(wanted)
    assert sorted(label for _, label in begun) == sorted(label for _, label in wanted)
    assert [mark.label for mark in view.marks] == [label for _, label in begun]


@settings(max_examples=25, deadline=None)
@given(marked_texts())
def test_the_page_shows_the_whole_text_and_a_link_to_each_mark(block):
    page = shown(block)
    plain = block.text.replace("\r\n", "\n").replace("\r", "‹U+000D›").replace("\u202e", "‹U+202E›")
    assert page.string() == "\n" + plain  # HTML drops the break behind <pre>, this parser does not
    assert page.links == [id for id, _ in page.ids]
    assert len(set(page.links)) == len(block.marks)


def test_a_part_under_several_marks_names_them_all_with_their_probabilities():
    marks = [
        Mark(start=0, end=9, kind="gold", label="Governing Law"),
        Mark(start=4, end=6, kind="found", label="Renewal", probability=0.5),
    ]
    page = shown(Marked(title="t", text="Delaware law", marks=marks))
    assert page.titles == ["gold: Governing Law", "gold: Governing Law\nfound: Renewal, 0.500", "gold: Governing Law"]


def test_a_title_names_a_dozen_marks_and_counts_the_others():
    marks = [Mark(start=0, end=3, kind="found", label=f"L{number}") for number in range(500)]
    (title,) = shown(Marked(title="t", text="abc", marks=marks)).titles
    assert title.endswith("found: L11\nand 488 more")


def test_the_lead_counts_marks_by_kind():
    marks = [Mark(start=0, end=1, kind=kind, label="L") for kind in ("gold", "found", "found")]
    assert "3 characters, 3 marks: 1 gold, 2 found, 0 both." in render(
        [run(Marked(title="t", text="abc", marks=marks))]
    )


def test_all_marked_texts_but_the_first_start_closed_even_over_several_runs():
    blocks = [Marked(title=f"t{number}", text="abc", marks=[]) for number in range(3)]
    page = render([run(*blocks), run(*blocks)])
    assert re.findall(r'<details class="fold"( open)?>', page) == [" open", "", "", "", "", ""]


def test_a_text_without_marks_is_shown_without_a_list_and_the_script_is_left_out_where_it_has_no_use():
    bare = render([run(Marked(title="t", text="no mark here", marks=[]))])
    assert "no mark here" in bare
    assert "mark-list" not in bare.split("<main>")[1].split("<script")[0]
    assert "class Passage" in bare
    assert "class Passage" not in render([run()])


def test_what_is_too_much_for_a_page_is_cut_and_told():
    marks = [Mark(start=at, end=at + 2, kind="gold", label="L") for at in range(2500)]
    marks.append(Mark(start=999_990, end=1_200_000, kind="found", label="over the end"))
    block = Marked(title="t", text="x" * 1_200_000, marks=marks)
    view = marked_view(block, "x")
    assert sum(len(one.text) for one in view.segments) == 1_000_000
    assert len(view.marks) == 2000
    assert "cut after 1,000,000 characters; the rest is in result.json" in marked_lead(block)
    assert "first 2,000 marks are shown" in marked_lead(block)
    last = marked_view(block.model_copy(update={"marks": marks[-1:]}), "x").segments[-1]
    assert (last.kinds, len(last.text)) == ("found", 10)


@pytest.mark.parametrize("text", ["\nfirst", "\n\nfirst", "  first", "\tfirst\n\n"])
def test_white_space_at_both_ends_survives(text):
    assert shown(Marked(title="t", text=text, marks=[Mark(start=0, end=1, kind="gold", label="L")])).string() == (
        "\n" + text
    )
