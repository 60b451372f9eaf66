"""The page in a real browser, opened from disk: it draws, filters, sorts, copies, asks for nothing; no text acts."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from gnomon.blocks import Samples
from gnomon.report import ReportRun, save_figure
from gnomon.report._samples import outcome

pytestmark = pytest.mark.browser


def samples_of(run):
    return next(block for block in run.blocks if isinstance(block, Samples)).samples


def assert_quiet(page):
    """No complaint in the console (a policy violation is one) and no request but the file itself."""
    assert page.complaints() == []
    assert page.requests() == {page.path.as_uri()}


def texts(elements):
    return [element.get_attribute("textContent").strip() for element in elements]


def test_the_log_that_these_tests_trust_does_see_violations_and_requests(open_page):
    page = open_page(ReportRun(id="r", title="t", status="complete"))
    page.js("const i = document.createElement('img'); i.src = 'file:///nothing.png'; document.body.append(i);")
    page.js("document.body.setAttribute('onclick', 'window.__pwned = 1'); document.body.click();")
    page.until(lambda: any("Content Security Policy" in line for line in page.complaints()))
    assert page.js("return window.__pwned") is None


def test_charts_are_drawn_at_the_width_of_their_place(open_page, run):
    page = open_page(run)
    places = page.all("[data-chart]")
    assert len(places) == 2
    for place in places:
        (svg,) = place.find_elements("css selector", "svg")
        assert svg.size["height"] > 200
        assert 0.9 * place.size["width"] < svg.size["width"] <= place.size["width"] + 1
    dots = places[0].find_elements("css selector", ".mark-symbol.role-mark path")
    assert len(dots) == 57
    labels = set(texts(places[0].find_elements("css selector", "text")))
    assert {"machine learning", "virology", "STEM", "humanities", "social sciences", "other", "chance"} <= labels
    assert_quiet(page)


def test_a_dot_tells_its_numbers_and_the_legend_fades_the_other_categories(open_page, run):
    from selenium.webdriver import ActionChains

    page = open_page(run)
    place = page.all("[data-chart]")[0]
    place.location_once_scrolled_into_view  # noqa: B018  (reading it scrolls)
    dots = place.find_elements("css selector", ".mark-symbol.role-mark path")
    page.js("arguments[0].scrollIntoView({block: 'center'})", dots[3])
    ActionChains(page.driver).move_to_element(dots[3]).pause(0.1).move_by_offset(1, 0).perform()
    tip = page.one(".tip")
    page.until(tip.is_displayed)
    assert "[" in tip.text
    assert "accuracy" in tip.text
    legend = place.find_elements("css selector", ".role-legend-label text")
    page.js("arguments[0].scrollIntoView({block: 'center'})", legend[0])
    ActionChains(page.driver).move_to_element(legend[0]).click().perform()
    read = (
        "return [...arguments[0].querySelectorAll('.mark-symbol.role-mark path')].map(p => p.getAttribute('opacity'))"
    )
    page.until(lambda: len(set(page.js(read, place))) == 2)
    assert_quiet(page)


def test_the_filters_counts_are_the_outcomes_and_each_filter_shows_only_its_own(open_page, run):
    page = open_page(run)
    expected = Counter(outcome(one) for one in samples_of(run))
    buttons = {button.get_attribute("data-outcome"): button for button in page.all(".filter")}
    assert list(buttons) == ["all", "right", "wrong", "unparsed", "refused"]
    assert page.one(".filter[data-outcome=all] .count").text == "800"
    assert sum(expected.values()) == 800
    for name, button in buttons.items():
        button.click()
        count = 800 if name == "all" else expected[name]
        assert button.find_element("css selector", ".count").text == str(count)
        assert page.one(".range").text == f"1–{min(25, count)} of {count}"
        assert texts(page.all(".filter[aria-pressed=true] span:first-child")) == [name]
        badges = texts(page.all(".sample .badge"))
        assert len(badges) == min(25, count)
        assert name == "all" or set(badges) == {name}
    assert_quiet(page)


def test_pages_part_the_samples(open_page, run):
    page = open_page(run)
    back, forth = page.all(".pager button")
    assert not back.is_enabled()
    lines = "return [...document.querySelectorAll('.sample .line')].map(line => line.textContent)"
    seen = page.js(lines)
    while forth.is_enabled():
        forth.click()
        seen += page.js(lines)
    assert len(seen) == len(set(seen)) == 800
    assert page.one(".range").text == "776–800 of 800"
    back.click()
    assert page.one(".range").text == "751–775 of 800"


def test_subset_and_search_narrow_the_list_and_the_counts(open_page, run):
    from selenium.webdriver.support.ui import Select

    page = open_page(run)
    Select(page.one(".controls select")).select_by_visible_text("virology (14)")
    wanted = [one for one in samples_of(run) if one.subset == "virology"]
    assert page.one(".filter[data-outcome=all] .count").text == str(len(wanted)) == "14"
    assert page.one(".filter[data-outcome=right] .count").text == str(sum(outcome(one) == "right" for one in wanted))
    assert set(texts(page.all(".sample .subset"))) == {"virology"}
    Select(page.one(".controls select")).select_by_index(0)
    page.one(".search input").send_keys("DEPENDS on")
    unparsed = sum(one.status == "unparsed" for one in samples_of(run))
    page.until(lambda: page.one(".range").text == f"1–25 of {unparsed}")
    page.one(".search input").send_keys(" nothing that is there")
    page.until(lambda: page.one(".range").text == "0 of 0")
    assert page.one(".sample-list .empty").text == "No sample matches."
    assert_quiet(page)


def test_a_sample_opens_by_keyboard_and_shows_prompt_answer_target_and_scores(open_page, run):
    from selenium.webdriver.common.keys import Keys

    page = open_page(run)
    page.all(".sample summary")[0].send_keys(Keys.ENTER)
    body = page.until(lambda: page.all(".sample .inside"))[0]
    one = samples_of(run)[0]
    assert texts(body.find_elements("css selector", "pre")) == [one.prompt, one.answer, one.target]
    rows = body.find_elements("css selector", ".scores tr")
    assert {row.find_element("css selector", "th").text for row in rows} == set("ABCD")
    best = max(one.scores, key=lambda letter: one.scores[letter])
    assert body.find_element("css selector", ".scores .best th").text == best
    assert float(body.find_element("css selector", ".scores .best .num").text) == one.scores[best]
    widths = [row.find_element("css selector", ".bar-fill").rect["width"] for row in rows]
    assert max(widths) == widths["ABCD".index(best)] > min(widths)
    assert "exp(score" in body.text
    assert one.id in body.text
    assert_quiet(page)


def test_a_click_on_a_head_sorts_up_then_down_then_as_given(open_page, run):
    page = open_page(run)
    (table,) = [t for t in page.all("table.sortable") if "p against chance" in t.text]
    heads = table.find_elements("css selector", "thead button")

    def column(index):
        return texts(table.find_elements("css selector", f"tbody td:nth-child({index + 1})"))

    given = column(0)
    heads[2].click()
    numbers = [int(text) for text in column(2)]
    assert numbers == sorted(numbers) != [int(text) for text in given if text.isdigit()]
    heads[2].click()
    assert [int(text) for text in column(2)] == sorted(numbers, reverse=True)
    assert table.find_element("css selector", "th[aria-sort=descending]").text.startswith("n")
    heads[2].click()
    assert column(0) == given
    heads[6].click()
    assert column(6)[0] == "<0.001"
    heads[0].click()
    assert column(0) == sorted(given)


def test_the_command_is_copied_or_at_least_selected(open_page, run):
    page = open_page(run)
    box = page.one(".reproduce .copyable")
    button = box.find_element("css selector", "button")
    page.js("Object.defineProperty(navigator, 'clipboard', {value: undefined}); document.execCommand = () => false;")
    button.click()
    page.until(lambda: button.text == "Selected: press Ctrl+C")
    assert page.js("return String(window.getSelection())") == run.reproduce
    page.js("document.execCommand = () => true;")
    button.click()
    page.until(lambda: button.text == "Copied")


def test_hostile_text_is_inert_and_visible(open_page, hostile_run, hostile_text):
    page = open_page(hostile_run)
    page.js("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.until(lambda: len(page.all(".sample .inside")) == 2)
    page.one(".search input").send_keys("<script>")
    page.until(lambda: page.one(".range").text == "1–1 of 1" or page.one(".range").text == "1–2 of 2")
    assert page.js("return window.__pwned") is None
    tags = set(page.js("return [...document.querySelectorAll('body *')].map(e => e.localName)"))
    assert tags.isdisjoint({"img", "iframe", "object", "embed", "base", "link"})
    assert page.js("return document.querySelectorAll('script:not([type])').length") == 0
    assert page.js("return document.querySelectorAll('[onload], [onerror], [src]').length") == 0
    assert page.js("return [...document.querySelectorAll('a')].every(a => a.getAttribute('href').startsWith('#'))")
    assert hostile_text[:60] in page.driver.title
    shown = page.one(".part:not(.reproduce) > .copyable pre").get_attribute("textContent")
    hidden = {char for char in hostile_text if not char.isprintable()}
    assert len(hidden) == 11
    assert shown == "".join(f"‹U+{ord(char):04X}›" if char in hidden else char for char in hostile_text)
    assert_quiet(page)


def test_hostile_labels_in_a_tooltip_are_text(open_page, hostile_run):
    from selenium.webdriver import ActionChains

    page = open_page(hostile_run)
    dot = page.all(".mark-symbol.role-mark path")[0]
    page.js("arguments[0].scrollIntoView({block: 'center'})", dot)
    ActionChains(page.driver).move_to_element(dot).pause(0.1).move_by_offset(1, 0).perform()
    tip = page.one(".tip")
    page.until(tip.is_displayed)
    assert "<script>window.__pwned" in tip.text
    assert set(page.js("return [...arguments[0].querySelectorAll('*')].map(e => e.localName)", tip)) == {
        "dl",
        "dt",
        "dd",
    }
    assert_quiet(page)


def test_a_megabyte_answer_is_cut_in_the_page(open_page, hostile_run):
    page = open_page(hostile_run)
    page.all(".sample summary")[1].click()
    answer = page.until(lambda: page.all(".sample .inside .pair pre"))[0]
    page.one(".pair button.more").click()
    assert answer.get_attribute("textContent").endswith("x… 1,048,576 characters in all; the rest is in records.jsonl")


@pytest.mark.parametrize("which", ["run", "hostile_run"])
def test_at_400_pixels_nothing_sticks_out_sideways(open_page, request, which):
    page = open_page(request.getfixturevalue(which))
    size = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        fits = "return [...document.querySelectorAll('[data-chart]')].every(p => p.scrollWidth <= p.clientWidth + 1)"
        page.until(lambda: page.js(fits))
        assert page.js("return document.documentElement.scrollWidth") <= 400
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert_quiet(page)


def test_a_drawn_chart_follows_a_switch_to_dark(open_page, run):
    page = open_page(run)
    fill = "return getComputedStyle(document.querySelector('[data-chart] .role-axis-label text')).fill"
    colours = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        colours.append(page.js(fill))
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    light, dark = (sum(int(part) for part in colour[4:-1].split(",")) for colour in colours)
    assert light < 200 < 600 < dark


def test_scripts_leave_no_globals(open_page, run):
    before = open_page(ReportRun(id="r", title="t", status="complete"))
    names = "return Object.getOwnPropertyNames(window)"
    bare = set(before.driver.execute_script(names))
    page = open_page(run)
    added = {name for name in set(page.js(names)) - bare if not name.isdigit()}
    assert {name for name in added if not name.startswith(("cdc_", "ret_nodes"))} <= {"event"}


def test_several_runs_are_reached_from_the_overview(open_page, run):
    page = open_page(run, ReportRun(id="other", title="ethics · smollm2", status="incomplete", reproduce="gnomon eval"))
    page.one(".overview a[href='#run-2']").click()
    section = page.one("#run-2")
    page.until(lambda: page.js("return arguments[0].getBoundingClientRect().top", section) < 900)
    assert "This run is incomplete." in section.text
    assert_quiet(page)


def test_a_saved_figure_draws_itself_from_disk(open_page, chromium, run, tmp_path):
    page = open_page(ReportRun(id="r", title="t", status="complete"))
    path = save_figure(next(block for block in run.blocks if block.kind == "curve"), tmp_path / "curve.html")
    page.requests()
    chromium.get(path.as_uri())
    page.until(lambda: page.all("[data-chart] svg"))
    page.path = path
    assert_quiet(page)


def test_the_data_in_the_page_is_the_data_of_the_run(open_page, run):
    page = open_page(run)
    data = json.loads(page.one("script[type='application/json'][id$=samples-data]").get_attribute("textContent"))
    assert [one["answer"] for one in data] == [one.answer for one in samples_of(run)]
    assert [one["subset"] for one in data] == [one.subset for one in samples_of(run)]
