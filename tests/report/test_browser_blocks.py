"""Matrices, marked texts and long samples in a real browser: legible, quick to open, reached by links, never acting."""

from __future__ import annotations

import re

import pytest

from gnomon.blocks import Mark, Marked, Sample, Samples
from gnomon.report import ReportRun, save_figure

pytestmark = pytest.mark.browser


def report(*blocks):
    return ReportRun(id="r", title="t", status="complete", blocks=blocks)


def assert_quiet(page):
    """No complaint in the console (a policy violation is one) and no request but the file itself."""
    assert page.complaints() == []
    assert page.requests() == {page.path.as_uri()}


@pytest.fixture
def media(chromium):
    """A function that sets a media feature; the browser's own setting comes back."""
    yield lambda name, value: chromium.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": name, "value": value}]}
    )
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.fixture
def phone(chromium):
    size = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    yield
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# -- contrast ----------------------------------------------------------------------------------------------------------


def luminance(colour):
    """Relative luminance (WCAG 2) of a computed colour: `rgb(r, g, b)`, or `color(srgb r g b)` with parts in [0, 1]."""
    parts = [float(part) for part in re.findall(r"[\d.]+(?:e-?\d+)?", colour.removeprefix("color(srgb"))[:3]]
    scaled = parts if colour.startswith("color(srgb") else [part / 255 for part in parts]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in scaled]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(ink, ground):
    light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_of_contrast_knows_black_white_and_both_ways_to_write_a_colour():
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)
    assert contrast("color(srgb 0.5 0.5 0.5)", "rgb(127.5, 127.5, 127.5)") == pytest.approx(1)


COLOURS = """return [...document.querySelectorAll(arguments[0])].map(node => {
  const at = getComputedStyle(node);
  return [at.color, at.backgroundColor, node.textContent];
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_number_of_a_matrix_is_legible_on_its_shade_and_shades_grow_apart(open_page, media, scheme, matrix):
    page = open_page(report(matrix()))
    media("prefers-color-scheme", scheme)
    cells = page.js(COLOURS, ".matrix .shade")
    counts = page.js(COLOURS, ".matrix .shade small")
    assert len(cells) == len(counts) == 35
    for (ink, ground, text), (small_ink, _, _) in zip(cells, counts, strict=True):
        assert contrast(ink, ground) >= 4.5, text
        assert contrast(small_ink, ground) >= 4.5, text
    levels = [luminance(ground) for _, ground, text in cells if "–" not in text]
    assert levels == sorted(levels, reverse=scheme == "light")
    assert len(set(levels)) == 11
    empty = next(ground for _, ground, text in cells if "–" in text)
    assert luminance(empty) == levels[0]


GROUNDS = """return [...document.querySelectorAll('.marked-text mark')].map(node => {
  const at = getComputedStyle(node);
  return [at.color, `${at.backgroundColor} ${at.backgroundImage}`.match(/color\\(srgb [^)]*\\)/g)];
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marked_text_is_legible_where_one_mark_lies_over_it_and_where_several_do(open_page, media, scheme, marked):
    page = open_page(report(marked(4000, 40)))
    media("prefers-color-scheme", scheme)
    found = page.js(GROUNDS)
    assert {len(grounds) for _, grounds in found} >= {1, 2}
    assert all(contrast(ink, ground) >= 4.5 for ink, grounds in found for ground in grounds)


# -- matrices ----------------------------------------------------------------------------------------------------------


def test_a_wide_matrix_scrolls_in_its_own_box_and_its_row_heads_stay(open_page, phone, matrix):
    page = open_page(report(matrix(30, 24)))
    box = page.one(".table-box")
    assert page.js("return document.documentElement.scrollWidth") <= 400
    assert page.js("return arguments[0].scrollWidth > arguments[0].clientWidth + 500", box)
    page.js("arguments[0].scrollTo(900, 400)", box)
    left, top, width = page.js(
        """const box = arguments[0].getBoundingClientRect();
        const row = arguments[0].querySelector('tbody tr:nth-child(15) th').getBoundingClientRect();
        const head = arguments[0].querySelector('thead tr:nth-child(2) th').getBoundingClientRect();
        return [row.left - box.left, head.top - box.top, row.width]""",
        box,
    )
    assert 0 <= left < 3
    assert 0 <= top < 60
    assert width < 200
    assert_quiet(page)


@pytest.mark.parametrize("columns", [5, 40])
def test_a_saved_heat_map_draws_itself_from_disk(open_page, chromium, tmp_path, columns, matrix):
    page = open_page(report())
    path = save_figure(matrix(3, columns), tmp_path / "matrix.html")
    page.requests()
    chromium.get(path.as_uri())
    page.until(lambda: page.all("[data-chart] svg"))
    assert len(page.all(".mark-rect.role-mark path")) == 3 * columns - 1  # one cell has no value, so no shade
    assert sum(node.text == "–" for node in page.all(".mark-text text")) == 1
    assert page.js("return document.documentElement.scrollWidth <= window.innerWidth")
    page.path = path
    assert_quiet(page)


# -- marked texts ------------------------------------------------------------------------------------------------------


INSIDE = """const box = arguments[0].getBoundingClientRect(), at = arguments[1].getBoundingClientRect();
return at.top >= Math.max(0, box.top) && at.bottom <= Math.min(window.innerHeight, box.bottom)"""


def test_a_mark_in_the_list_leads_to_its_place_and_all_its_parts_stand_out(open_page, marked):
    block = marked(30_000, 60)
    page = open_page(report(block))
    box = page.one(".marked-text")
    link = page.all(".mark-list a")[57]
    place = page.js("return document.getElementById(arguments[0].hash.slice(1)).parentElement", link)
    assert not page.js(INSIDE, box, place)
    link.click()
    page.until(lambda: page.js("return arguments[0].classList.contains('on')", place))
    page.until(lambda: page.js(INSIDE, box, page.one(".at:target")))
    mark = sorted(block.marks, key=lambda mark: (mark.start, -mark.end))[57]
    lit = page.js("return [...document.querySelectorAll('mark.on')].map(node => node.textContent).join('')")
    assert lit == block.text[mark.start : mark.end]
    assert page.js("return arguments[0].closest('li').getAttribute('aria-current')", link) == "true"
    page.all(".mark-list a")[56].click()
    page.until(lambda: page.js("return !arguments[0].closest('li').hasAttribute('aria-current')", link))
    assert_quiet(page)


def test_selecting_the_text_gives_the_text_and_no_tag(open_page, marked):
    block = marked(9000, 40)
    page = open_page(report(block))
    page.js("getSelection().selectAllChildren(document.querySelector('.marked-text'))")
    assert page.js("return getSelection().toString()") == block.text
    assert page.js("return document.querySelector('.marked-text').textContent") == block.text


def test_each_kind_is_told_by_more_than_its_colour(open_page):
    marks = [
        Mark(start=3 * at, end=3 * at + 2, kind=kind, label="L") for at, kind in enumerate(["gold", "found", "both"])
    ]
    marks += [Mark(start=12, end=14, kind=kind, label="L") for kind in ("gold", "found")]
    marks += [Mark(start=15, end=17, kind=kind, label="L") for kind in ("found", "both")]
    page = open_page(report(Marked(title="t", text="one two three four", marks=marks)))
    looks = page.js(
        """return [...document.querySelectorAll('.marked-text mark')].map(node => {
          const at = getComputedStyle(node);
          return [at.textDecorationLine, at.textDecorationStyle, at.borderBottomStyle].join(' ');
        })"""
    )
    assert looks == [
        "underline solid none",
        "none solid dashed",
        "none solid double",
        "underline solid dashed",
        "underline dashed double",
    ]
    tags = page.js(
        "return [...document.querySelectorAll('.at')].map(node => getComputedStyle(node, '::before').content)"
    )
    assert [tag.strip('"').split(" ")[0] for tag in tags] == ["gold", "found", "both", "gold", "found", "found", "both"]


def test_a_screen_reader_is_told_the_box_and_the_label_and_probability_of_a_mark(open_page):
    marks = [Mark(start=4, end=7, kind="found", label="Governing Law", probability=0.8312)]
    page = open_page(report(Marked(title="Lease", text="The law of the place", marks=marks)))
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    told = [(node.get("role", {}).get("value"), node.get("name", {}).get("value", "")) for node in tree]
    assert ("region", "Text: Lease") in told
    assert ("navigation", "Marks in Lease") in told
    assert any("found · Governing Law 0.831" in name for _, name in told)
    assert page.one(".marked-text").get_attribute("tabindex") == "0"
    assert page.one(".marked-text mark").get_attribute("title") == "found: Governing Law, 0.831"


def test_filters_leave_the_list_the_tags_and_the_looks_of_what_was_chosen(open_page, marked):
    from selenium.webdriver.support.ui import Select

    block = marked(20_000, 50)
    page = open_page(report(block))
    label, kind = (Select(node) for node in page.all(".passage .controls select"))
    label.select_by_visible_text("Clause 2 (10)")
    kind.select_by_index(1)
    chosen = kind.first_selected_option.text.split(" ")[0]
    left = [mark for mark in block.marks if (mark.label, mark.kind) == ("Clause 2", chosen)]
    assert left
    assert page.one(".passage [role=status]").text == f"{len(left)} of 50 marks"
    assert sum(item.is_displayed() for item in page.all(".mark-list li")) == len(left)
    lit = page.js(
        "return ['gold', 'found', 'both'].flatMap(kind => [...document.querySelectorAll(`.marked-text mark.${kind}`)])"
        ".map(node => node.textContent).join('')"
    )
    under = {at for mark in left for at in range(mark.start, mark.end)}
    assert lit == "".join(char for at, char in enumerate(block.text) if at in under)
    label.select_by_index(0)
    kind.select_by_index(0)
    assert sum(item.is_displayed() for item in page.all(".mark-list li")) == 50
    assert_quiet(page)


def test_a_text_of_340_000_characters_with_600_marks_opens_and_is_followed_quickly(open_page, marked):
    blocks = [marked(340_000, 600, title=f"Contract {seed}", seed=seed) for seed in range(3)]
    page = open_page(report(*blocks))
    took = page.js("return performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert 0 < took < 4000
    assert [page.js("return arguments[0].open", node) for node in page.all(".fold")] == [True, False, False]
    opening = """const start = performance.now(); arguments[0].open = true;
    arguments[0].getBoundingClientRect(); return performance.now() - start"""
    assert page.js(opening, page.all(".fold")[1]) < 3000
    assert page.one("#run-1-1 .marked-text").get_attribute("textContent") == blocks[0].text
    following = """const start = performance.now(); location.hash = arguments[0];
    document.body.getBoundingClientRect(); return performance.now() - start"""
    assert page.js(following, "run-1-1-mark-599") < 2000
    page.until(lambda: page.all("#run-1-1 mark.on"))
    assert_quiet(page)


def test_a_text_of_one_endless_line_opens_too(open_page):
    block = Marked(title="t", text="x" * 340_000, marks=[Mark(start=339_000, end=339_010, kind="gold", label="L")])
    page = open_page(report(block))
    page.one(".mark-list a").click()
    page.until(lambda: page.js(INSIDE, page.one(".marked-text"), page.one(".at:target")))
    assert page.js("return document.documentElement.scrollWidth <= window.innerWidth")


def test_hostile_text_labels_and_titles_of_the_new_blocks_are_inert(open_page, hostile_run, hostile_text):
    page = open_page(hostile_run)
    text = page.one(".marked-text").get_attribute("textContent")
    hidden = {char for char in hostile_text if not char.isprintable()}
    assert text == "".join(f"‹U+{ord(char):04X}›" if char in hidden else char for char in hostile_text)
    assert set(page.js("return [...document.querySelectorAll('.marked-text *')].map(e => e.localName)")) == {
        "mark",
        "span",
    }
    assert set(page.js("return [...document.querySelectorAll('.matrix td *')].map(e => e.localName)")) == {
        "small",
        "span",
    }
    assert "<script>window.__pwned" in page.one(".matrix .corner").text
    for link in page.all(".mark-list a"):
        link.click()
    page.until(lambda: page.all(".marked-text mark.on"))
    for option in page.all(".passage .controls option"):
        option.click()
    assert page.js("return window.__pwned") is None
    assert_quiet(page)


def test_on_a_phone_the_list_stands_above_the_text_and_nothing_sticks_out(open_page, phone, marked, matrix):
    page = open_page(report(marked(20_000, 50), matrix()))
    assert page.js("return document.documentElement.scrollWidth") <= 400
    listed, text = page.one(".mark-list").rect, page.one(".marked-text").rect
    assert listed["y"] + listed["height"] <= text["y"]
    assert abs(listed["width"] - text["width"]) < 2
    assert_quiet(page)


# -- samples of programs -----------------------------------------------------------------------------------------------


PROGRAM = "def f(n):\n\tif n < 2:\n        return n\n    return f(n - 1)  +  f(n - 2)\n\n"


def program_samples():
    common = {"subset": "s", "status": "ok", "correct": True, "target": "t"}
    verdicts = {"official": "right", "corrected": "wrong", "third": "<img src=x>"}
    return Samples(
        title="Samples",
        total=3,
        samples=[
            Sample(id="long", prompt="p", answer=PROGRAM * 600, verdicts=verdicts, **common),
            Sample(id="line", prompt="q", answer="y" * 50_000, verdicts={"official": "right"}, **common),
            Sample(id="short", prompt=PROGRAM, answer=PROGRAM, **common),
        ],
    )


def opened(page, number):
    page.all(".sample summary")[number].click()
    return page.until(lambda: page.all(".sample")[number].find_elements("css selector", ".inside"))[0]


def test_a_long_program_starts_with_its_first_lines_and_opens_as_a_whole_with_its_white_space(open_page):
    page = open_page(report(program_samples()))
    body = opened(page, 0)
    answer = body.find_element("css selector", ".pair pre")
    button = body.find_element("css selector", "button.more")
    start = answer.get_attribute("textContent")
    assert (PROGRAM * 600).startswith(start + "\n")
    assert start.count("\n") == 29
    assert button.text == "Show more (3,000 lines)"
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    assert answer.get_attribute("textContent") == PROGRAM * 600
    assert answer.value_of_css_property("white-space-collapse") == "preserve"
    assert button.get_attribute("aria-expanded") == "true"
    button.click()
    assert answer.get_attribute("textContent") == start
    line = opened(page, 1)
    assert len(line.find_element("css selector", ".pair pre").get_attribute("textContent")) == 3000
    assert line.find_element("css selector", "button.more").text == "Show more (50,000 characters)"
    short = opened(page, 2)
    assert short.find_element("css selector", ".pair pre").get_attribute("textContent") == PROGRAM
    assert not short.find_elements("css selector", "button.more")
    assert_quiet(page)


def test_verdicts_are_tags_and_samples_whose_verdicts_differ_are_found(open_page):
    page = open_page(report(program_samples()))
    tags = opened(page, 0).find_elements("css selector", ".verdict")
    assert [tag.text for tag in tags] == ["official right", "corrected wrong", "third <img src=x>"]
    assert [tag.get_attribute("class") for tag in tags] == ["verdict good", "verdict bad", "verdict"]
    box = page.one(".differ")
    assert box.text == "verdicts differ (1)"
    box.click()
    assert page.one(".range").text == "1–1 of 1"
    assert page.one(".filter[data-outcome=all] .count").text == "1"
    box.click()
    assert page.one(".range").text == "1–3 of 3"
    assert_quiet(page)


def test_samples_without_verdicts_have_no_such_filter(open_page, run):
    page = open_page(run)
    assert not page.all(".differ")
