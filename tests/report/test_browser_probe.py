"""The page of a probe in a real browser: curves by layer, restarts, a transfer map and verdicts, legible and quiet."""

from __future__ import annotations

import math
import random

import pytest

from gnomon.blocks import Condition, Curve, Estimate, Matrix, Points, Scatter, Series, Verdict
from gnomon.report import ReportRun, save_figure

pytestmark = pytest.mark.browser

METHODS = ["ccs", "crc-tpc", "crc-bss", "vinc", "diff-in-means", "logistic", "zero-shot", "random direction"]
NAMES = ["embedding", *(f"layer {number}" for number in range(1, 31))]
TASKS = ["boolq", "imdb", "rte", "copa"]


def by_layer(methods=METHODS):
    """A line a method over 31 layers that rises to its own peak, with a band around it."""
    rng = random.Random(3)
    series = []
    for number, name in enumerate(methods):
        rise = 0.35 - 0.02 * number
        y = [0.5 + rise * math.exp(-(((at - 19) / 9) ** 2)) + rng.gauss(0, 0.01) for at in range(31)]
        low, high = [value - 0.03 for value in y], [value + 0.03 for value in y]
        series.append(Series(name=name, x=list(range(31)), y=y, low=low, high=high, n=[400] * 31))
    return Curve(
        title="Accuracy by layer",
        x_label="layer",
        y_label="accuracy",
        series=series,
        reference=0.5,
        reference_label="chance",
        x_names=NAMES,
        y_range=(0.4, 1),
        caption="Held-out items.",
    )


def restarts():
    rng = random.Random(1)
    loss = [0.02 * math.exp(abs(rng.gauss(0, 0.8))) for _ in range(9)]
    others = Points(name="others", x=loss, y=[0.8 - 2 * x for x in loss], labels=[f"restart {at}" for at in range(9)])
    return Scatter(
        title="Restarts",
        x_label="loss",
        y_label="accuracy",
        series=[Points(name="kept", x=[0.0195], y=[0.78], labels=["restart 9"]), others],
        reference=0.5,
        reference_label="chance",
        log_x=True,
    )


def transfer():
    values = [[0.783, 0.641, 0.552, 0.471], [0.702, 0.914, 0.588, 0.533], [0.2, 0.03, 0.694, 0.508]]
    return Matrix(
        title="Transfer",
        row_label="trained on",
        column_label="tested on",
        rows=TASKS,
        columns=TASKS,
        values=[*values, [0.489, 0.5, None, 0.731]],
        counts=[[400, 400, 277, 200]] * 4,
        centre=0.5,
    )


def verdict():
    results = [True, False, True, True, True, True, False, None, True]
    conditions = [
        Condition(
            name=f"condition {number} of some length",
            value="0.783",
            bar=f"above 0.{number}61",
            passed=passed,
            note=note,
        )
        for number, (passed, note) in enumerate(zip(results, ["", "A word drawn at random.", *[""] * 7], strict=True))
    ]
    reason = "The planted word is found with 0.964, far better than the truth with 0.783."
    required = [conditions[0].name, conditions[1].name]
    return Verdict(
        name="boolq · ccs · layer 18", identified=False, reason=reason, conditions=conditions, required=required
    )


@pytest.fixture(scope="module")
def probe():
    one = Estimate(
        name="ccs, layer 18", value=0.783, n=400, method="accuracy", baselines={"chance": 0.5}, headline=True
    )
    return ReportRun(
        id="probe-boolq",
        title="boolq · smollm2",
        status="complete",
        blocks=[one, verdict(), by_layer(), restarts(), transfer()],
    )


def assert_quiet(page):
    """No complaint in the console (a policy violation is one) and no request but the file itself."""
    assert page.complaints() == []
    assert page.requests() == {page.path.as_uri()}


def test_every_line_band_and_point_is_drawn_and_every_name_stands_on_the_axis(open_page, probe):
    page = open_page(probe)
    layers, points = page.all("[data-chart]")
    paths = "return [...arguments[0].querySelectorAll(arguments[1])].map(path => path.getAttribute('d').length)"
    assert len(page.js(paths, layers, ".mark-line.role-mark path")) == 8
    bands = page.js(paths, layers, ".mark-area.role-mark path")
    assert len(bands) == 8
    assert min(bands) > 31 * 2 * 6  # a band joins all the layers, and is no sliver a layer
    texts = [node.get_attribute("textContent") for node in layers.find_elements("css selector", "text")]
    assert {"embedding", "layer 30", "chance", *METHODS} <= set(texts)
    assert len(points.find_elements("css selector", ".mark-symbol.role-mark path")) == 10
    assert_quiet(page)


def test_a_band_runs_in_the_order_of_the_layers(open_page, probe):
    page = open_page(probe)
    layers = page.all("[data-chart]")[0]
    steps = page.js(
        """return [...arguments[0].querySelectorAll('.mark-area.role-mark path')].map(path =>
          path.getAttribute('d').match(/-?[\\d.]+,-?[\\d.]+/g).map(point => parseFloat(point)).slice(0, 31))""",
        layers,
    )
    assert all(xs == sorted(xs) and len(set(xs)) == 31 for xs in steps)


def opacities(page, place, kind):
    read = "return [...arguments[0].querySelectorAll(arguments[1])].map(path => Number(path.getAttribute('opacity')))"
    return page.js(read, place, f".mark-{kind}.role-mark path")


def test_a_click_on_a_name_keeps_its_line_and_its_band_and_fades_the_others(open_page, probe):
    from selenium.webdriver import ActionChains

    page = open_page(probe)
    place = page.all("[data-chart]")[0]
    faint = opacities(page, place, "area")
    label = place.find_elements("css selector", ".role-legend-label text")[2]
    page.js("arguments[0].scrollIntoView({block: 'center'})", label)
    ActionChains(page.driver).move_to_element(label).click().perform()
    page.until(lambda: len(set(opacities(page, place, "line"))) == 2)
    assert [value == 1 for value in opacities(page, place, "line")] == [at == 2 for at in range(8)]
    bands = opacities(page, place, "area")
    assert bands[2] > 2 * faint[2]
    assert max(bands[:2] + bands[3:]) < faint[0]
    assert_quiet(page)


@pytest.mark.parametrize("where", ["the name again", "the plot"])
def test_a_second_click_on_the_name_or_one_in_the_plot_brings_all_lines_back(open_page, probe, where):
    from selenium.webdriver import ActionChains

    page = open_page(probe)
    place = page.all("[data-chart]")[0]
    label = place.find_elements("css selector", ".role-legend-label text")[2]
    line = place.find_elements("css selector", ".mark-line.role-mark path")[0]
    page.js("arguments[0].scrollIntoView({block: 'center'})", place)
    for _ in range(2):  # and then the name can be picked again
        ActionChains(page.driver).move_to_element(label).click().perform()
        page.until(lambda: len(set(opacities(page, place, "line"))) == 2)
        ActionChains(page.driver).move_to_element(label if where == "the name again" else line).click().perform()
        page.until(lambda: set(opacities(page, place, "line")) == {1})
    assert_quiet(page)


def test_pointing_anywhere_tells_all_methods_at_the_nearest_layer_and_marks_it(open_page, probe):
    from selenium.webdriver import ActionChains

    page = open_page(probe)
    place = page.all("[data-chart]")[0]
    page.js("arguments[0].scrollIntoView({block: 'center'})", place)
    line = place.find_elements("css selector", ".mark-line.role-mark path")[0]
    ActionChains(page.driver).move_to_element(line).move_by_offset(3, 5).pause(0.1).move_by_offset(1, 0).perform()
    tip = page.one(".tip")
    page.until(tip.is_displayed)
    told = [node.text for node in page.all(".tip dt")]
    assert told == ["layer", *METHODS]
    at = NAMES.index(page.all(".tip dd")[0].text)
    ccs = by_layer().series[0]
    assert page.all(".tip dd")[1].text == f"{ccs.y[at]:.4g} [{ccs.low[at]:.4g}, {ccs.high[at]:.4g}]"
    rules = ".mark-rule.role-mark line"
    shown = "return [...arguments[0].querySelectorAll(arguments[1])].filter(e => e.getAttribute('opacity') === '1')"
    page.until(lambda: len(page.js(shown + ".map(e => 1)", place, rules)) == 1)
    assert_quiet(page)


def test_a_point_of_a_scatter_tells_its_label(open_page, probe):
    from selenium.webdriver import ActionChains

    page = open_page(probe)
    point = page.all("[data-chart]")[1].find_elements("css selector", ".mark-symbol.role-mark path")[0]
    page.js("arguments[0].scrollIntoView({block: 'center'})", point)
    ActionChains(page.driver).move_to_element(point).pause(0.1).move_by_offset(1, 0).perform()
    page.until(page.one(".tip").is_displayed)
    assert [node.text for node in page.all(".tip dd")] == ["kept", "restart 9", "0.0195", "0.78"]
    assert_quiet(page)


@pytest.mark.parametrize("count", [1, 12])
def test_one_method_and_twelve_are_drawn_too(open_page, count):
    block = by_layer([f"method {number}" for number in range(count)])
    page = open_page(ReportRun(id="r", title="t", status="complete", blocks=[block]))
    place = page.one("[data-chart]")
    assert len(place.find_elements("css selector", ".mark-line.role-mark path")) == count
    assert len(place.find_elements("css selector", ".mark-area.role-mark path")) == count
    assert len(place.find_elements("css selector", ".role-legend-label text")) == (count if count > 1 else 0)
    looks = page.js(
        "return [...arguments[0].querySelectorAll('.mark-line.role-mark path')]"
        ".map(path => path.getAttribute('stroke') + path.getAttribute('stroke-dasharray'))",
        place,
    )
    assert len(set(looks)) == count
    assert_quiet(page)


def test_the_verdict_named_first_leads_to_its_conditions(open_page, probe):
    page = open_page(probe)
    page.one(".judgements a").click()
    table = page.one(".conditions")
    page.until(lambda: page.js("return arguments[0].getBoundingClientRect().top < window.innerHeight", table))
    assert page.js("return document.querySelector(location.hash).contains(arguments[0])", table)
    assert len(table.find_elements("css selector", "tbody tr")) == 9
    assert_quiet(page)


CONTRAST = """const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgb = colour => { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); };
const light = colour => { const [r, g, b] = rgb(colour); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
return [...document.querySelectorAll(arguments[0])].map(node => {
  let under = node;
  while (getComputedStyle(under).backgroundColor === 'rgba(0, 0, 0, 0)') under = under.parentElement;
  const pair = [light(getComputedStyle(node).color), light(getComputedStyle(under).backgroundColor)];
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_stamps_results_and_both_hues_of_the_transfer_map_are_legible(open_page, chromium, probe, scheme):
    page = open_page(probe)
    chromium.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    try:
        assert page.js("return matchMedia(`(prefers-color-scheme: ${arguments[0]})`).matches", scheme)
        for selector, count in ((".stamp", 2), (".conditions tbody td:first-child", 9), (".conditions .required", 2),
                                (".matrix .shade", 16), (".matrix .shade small", 16)):  # fmt: skip
            found = page.js(CONTRAST, selector)
            assert len(found) == count
            assert min(found) >= 4.5, selector
        grounds = page.js(
            "return ['.shade-8.under', '.shade-8:not(.under)', '.shade-0'].map(name =>"
            "getComputedStyle(document.querySelector(`.ramp ${name}`)).backgroundColor)"
        )
        assert len(set(grounds)) == 3
    finally:
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_on_a_phone_nothing_sticks_out_and_the_axis_names_fewer_layers(open_page, chromium, probe):
    size = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page = open_page(probe)
        assert page.js("return document.documentElement.scrollWidth") <= 400
        place = page.all("[data-chart]")[0]
        texts = [node.get_attribute("textContent") for node in place.find_elements("css selector", "text")]
        assert sum(text in NAMES for text in texts) == 16
        assert set(METHODS) <= set(texts)
        assert_quiet(page)
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("block", [by_layer(), restarts(), transfer()], ids=["layers", "restarts", "transfer"])
def test_a_saved_figure_draws_itself_from_disk(open_page, chromium, tmp_path, block):
    page = open_page(ReportRun(id="r", title="t", status="complete"))
    path = save_figure(block, tmp_path / "figure.html")
    page.requests()
    chromium.get(path.as_uri())
    page.until(lambda: page.all("[data-chart] svg"))
    assert page.js("return document.documentElement.scrollWidth <= window.innerWidth")
    page.path = path
    assert_quiet(page)


def test_hostile_names_reasons_labels_and_places_are_inert(open_page, hostile_run):
    page = open_page(hostile_run)
    assert {node.get_attribute("data-drawn") for node in page.all("[data-chart]")} == {"yes"}
    assert "<script>window.__pwned" in page.one(".judgement .reason").text
    inside = "return [...document.querySelectorAll(arguments[0])].map(e => e.localName)"
    assert set(page.js(inside, ".conditions td *, .conditions th *, .judgement *")) == {"span", "p"}
    for label in page.all("[data-chart] .role-legend-label text")[:3]:
        page.js("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", label)
    assert page.js("return window.__pwned") is None
    assert_quiet(page)
