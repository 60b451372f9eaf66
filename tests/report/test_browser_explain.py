"""Explanations in a real browser: discovered words say their p on hover, regions of pictures theirs; nothing acts."""

from __future__ import annotations

import pytest

from gnomon.blocks import Mark, Marked, Picture, PictureRegion
from gnomon.report import ReportRun

pytestmark = pytest.mark.browser


def run():
    hostile = "a fine <script>window.__pwned = 1</script> film"
    mark = Mark(start=2, end=6, kind="found", label='p = 0.01, output +1.2 "><b>')
    corner = PictureRegion(label="row 1: p = 0.01", runs=[(0, 0, 2), (1, 0, 2)], selected=True)
    rest = PictureRegion(label="row 2: p = 0.9 </title>", runs=[(2, 0, 4), (3, 0, 4)], selected=False)
    return ReportRun(
        id="r",
        title="explain",
        status="complete",
        blocks=[
            Marked(title="a review", text=hostile, marks=[mark], legend={"found": "discovered"}),
            Picture(title="a picture", width=4, height=4, pixels="ff0000" * 8 + "0000ff" * 8, regions=[corner, rest]),
        ],
    )


def test_words_and_regions_are_marked_and_say_what_they_are(open_page):
    page = open_page(run())
    (mark,) = page.all("mark")
    assert mark.text == "fine"
    assert mark.get_attribute("title").strip() == 'p = 0.01, output +1.2 "><b>'
    (text,) = page.all(".marked-text")
    assert text.text == "a fine <script>window.__pwned = 1</script> film"
    assert page.js("return window.__pwned") is None
    assert page.one(".lead").text == "1 discovered."
    svg = page.one("svg.picture")
    assert svg.size["width"] == svg.size["height"] > 100
    assert page.js("return [...document.querySelectorAll('.region title')].map(t => t.textContent)") == [
        "row 2: p = 0.9 </title>",
        "row 1: p = 0.01",
    ]
    edge = "return getComputedStyle(document.querySelector('.region.selected .edge')).stroke"
    assert page.js(edge) == "rgb(255, 212, 0)"
    assert svg.get_attribute("aria-label") == "a picture: 1 of 2 regions discovered"
    assert page.complaints() == []
    assert page.requests() == {page.path.as_uri()}
