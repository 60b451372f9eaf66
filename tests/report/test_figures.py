"""One specification serves the page and the files for a paper."""

from __future__ import annotations

import json
import re
import struct

import pytest

from gnomon.blocks import (
    Column,
    Condition,
    Curve,
    Estimate,
    IntervalChart,
    Matrix,
    Points,
    Scatter,
    Series,
    Table,
    Verdict,
)
from gnomon.errors import RunError, UsageError
from gnomon.report import figure, save_figure
from gnomon.report._figures import page_spec


def table(rows, **chart):
    columns = [Column(label=label) for label in ("name", *"vlh")]
    columns[1] = Column(label="v", format="fraction")
    return Table(title="T", columns=columns, rows=rows, chart=IntervalChart(label=0, value=1, low=2, high=3, **chart))


def curve(*names, **more):
    low, high = [0.1, 0.3], [0.3, 0.5]
    series = [Series(name=name, x=[0.3, 0.1], y=[0.2, 0.4], low=low, high=high, n=[7, 9]) for name in names]
    return Curve(title="C", x_label="x", y_label="y", series=series, **more)


def by_layer(*names, layers=31, named=True, **more):
    x = list(range(layers))
    series = [Series(name=name, x=x, y=[0.6] * layers, low=[0.5] * layers, high=[0.7] * layers) for name in names]
    more = {"x_names": [f"layer {at}" for at in x]} | more if named else more
    return Curve(title="L", x_label="layer", y_label="accuracy", series=series, **more)


def scatter(**more):
    kept = Points(name="kept", x=[0.02], y=[0.8], labels=["restart 4"])
    others = Points(name="others", x=[0.5, 0.1], y=[0.5, 0.7])
    return Scatter(title="S", x_label="loss", y_label="accuracy", series=[kept, others], **more)


def matrix(rows, columns, **more):
    shape = {"rows": list(rows), "columns": list(columns), "counts": [[1200] * len(columns)] * len(rows)} | more
    numbers = [[0.3] * len(columns)] * (len(rows) - 1) + [[None] * len(columns)]
    return Matrix(title="M", row_label="subject", column_label="level", values=numbers, **shape)


def values(spec):
    """All data rows of a specification, whichever layer they belong to."""
    found = list(spec.get("datasets", {}).values())
    found += [part.get("data", {}).get("values", []) for part in (spec, *spec["layer"])]
    return [row for rows in found for row in rows]


TWO_ROWS = [["a", 0.4, 0.3, 0.5], ["b", 0.2, 0.1, 0.3]]


BLOCKS = [table(TWO_ROWS, colour=0, reference=0.25), curve("one", "two"), matrix("ab", "xyz")]
BLOCKS += [by_layer("one", "two", reference=0.5, y_range=(0.4, 1)), scatter(log_x=True, reference=0.5)]
BLOCKS += [matrix("ab", "xyz", centre=0.5)]


@pytest.fixture(params=BLOCKS, ids=["table", "curve", "matrix", "curve by layer", "scatter", "matrix with centre"])
def block(request):
    return request.param


def test_equal_blocks_give_equal_specifications(block):
    assert figure(block).to_dict() == figure(block.model_copy(deep=True)).to_dict()


def test_rows_keep_the_order_given():
    rows = [["c", 0.1, 0.0, 0.2], ["a", 0.3, 0.2, 0.4], ["b", 0.2, 0.1, 0.3]]
    spec = figure(table(rows)).to_dict()
    domains = [layer["encoding"]["y"]["scale"]["domain"] for layer in spec["layer"]]
    assert domains == [["c", "a", "b"]] * len(domains)


def test_a_row_without_a_number_keeps_its_place_and_has_no_interval():
    spec = figure(table([["empty", None, None, None], ["full", 0.5, 0.4, 0.6]])).to_dict()
    empty = next(row for row in values(spec) if row["label"] == "empty")
    assert (empty["value"], empty["low"], empty["shown"]) == (None, None, "–")


def test_labels_that_occur_twice_and_names_that_are_cut_to_the_same_stay_apart():
    spec = figure(table([["same", 0.1, 0, 0.2], ["same", 0.2, 0, 0.3]])).to_dict()
    assert {row["label"] for row in values(spec)} == {"same", "same (2)"}
    spec = figure(curve("x" * 300 + "a", "x" * 300 + "b")).to_dict()
    assert len({row["category"] for row in values(spec) if "category" in row}) == 2


@pytest.mark.parametrize(
    ("rows", "low", "high"),
    [
        ([["a", 0.98, 0.95, 1.0]], 0.9, 1.0),
        ([["a", 0.0, 0.0, 0.05]], 0.0, 0.1),
        ([["a", -0.2, -0.3, -0.1]], -0.4, 0.0),
    ],
)
def test_the_axis_of_fractions_stays_inside_zero_and_one_where_the_numbers_do(rows, low, high):
    x = figure(table(rows)).to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert low <= x[0] <= rows[0][2]
    assert rows[0][3] <= x[1] <= high


def test_the_reference_is_a_rule_at_its_value_with_its_label():
    spec = figure(table([["a", 0.4, 0.3, 0.5]], reference=0.25, reference_label="chance")).to_dict()
    assert {"value": 0.25, "label": "chance"} in values(spec)


def test_a_diagonal_curve_has_both_axes_from_zero_to_one():
    spec = figure(curve("one", diagonal=True)).to_dict()
    for layer in spec["layer"]:
        assert layer["encoding"]["x"]["scale"]["domain"] == layer["encoding"]["y"]["scale"]["domain"] == [0, 1]


def test_the_pages_specification_names_no_address_and_takes_its_colours_from_the_page(block):
    text = json.dumps(page_spec(block))
    assert "http" not in text
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b", text)
    assert "var(--series-1)" in text


def test_text_never_becomes_part_of_a_field_or_an_expression():
    name = "a.b[0]'\"+alert(1)+\\"
    spec = json.dumps(figure(table([[name, 0.4, 0.3, 0.5]], colour=0)).to_dict())
    assert not re.findall(r'"(?:field|filter|expr|test|signal|calculate)": "[^"]*alert', spec)


def test_a_heat_map_has_a_place_and_two_numbers_a_cell_and_no_shade_where_there_is_no_value():
    spec = figure(matrix(["b", "a"], ["2", "10", "1"])).to_dict()
    found = {(row["row"], row["column"]): (row["value"], row["shown"], row["n"]) for row in values(spec)}
    assert found == {
        (row, column): (0.3, "0.300", "1,200") if row == "b" else (None, "–", "1,200")
        for row in "ba"
        for column in ("2", "10", "1")
    }
    shades, numbers, counts = spec["layer"]
    assert shades["encoding"]["x"]["scale"]["domain"] == ["2", "10", "1"]
    assert shades["encoding"]["y"]["scale"]["domain"] == ["b", "a"]
    assert shades["encoding"]["fillOpacity"]["scale"]["domain"] == [0, 0.5]
    assert (numbers["encoding"]["text"]["field"], counts["encoding"]["text"]["field"]) == ("shown", "n")


def test_heads_that_are_alike_keep_their_own_row_and_column():
    spec = figure(matrix(["same", "same"], ["x" * 300 + "a", "x" * 300 + "b"])).to_dict()
    assert len({(row["row"], row["column"]) for row in values(spec)}) == 4


def test_a_matrix_of_many_columns_is_wider_instead_of_crowded():
    few, many = (figure(matrix("ab", [str(number) for number in range(count)])).to_dict() for count in (10, 40))
    assert few["width"] == 480
    assert many["width"] / 40 >= 44
    page = page_spec(matrix("ab", [str(number) for number in range(40)]))
    assert page["width"] == many["width"]


# -- curves by layer and scatters --------------------------------------------------------------------------------------


def marks(spec):
    """The type of mark of every layer, in order of drawing."""
    return [layer["mark"]["type"] for layer in spec["layer"]]


def test_few_points_have_whiskers_and_many_have_bands_under_their_lines():
    assert marks(figure(curve("one", "two")).to_dict()) == ["line", "rule", "point"]
    dense = marks(figure(by_layer("one", "two", named=False)).to_dict())
    assert dense.index("area") < len(dense) - 1 - dense[::-1].index("line")
    assert "rule" not in dense[: dense.index("point")]


def test_positions_with_names_keep_the_order_of_the_names_and_their_empty_places():
    block = by_layer("one", "two", layers=3, x_names=["z", "a", "empty", "m", "a"])
    spec = figure(block.model_copy(update={"series": [block.series[0].model_copy(update={"x": [4, 1, 0]})]})).to_dict()
    xs = [layer["encoding"]["x"] for layer in spec["layer"] if "field" in layer["encoding"].get("x", {})]
    assert all(x["scale"]["domain"] == ["z", "a", "empty", "m", "a (2)"] for x in xs)
    assert [row["x"] for row in values(spec) if "order" in row] == ["a (2)", "a", "z"]


def test_so_many_names_stand_on_the_axis_that_none_runs_into_the_next():
    axis = figure(by_layer("one", layers=90)).to_dict()["layer"][0]["encoding"]["x"]["axis"]
    assert axis["values"][0] == "layer 0"
    assert 480 / len(axis["values"]) >= 14


def test_the_level_of_a_reference_goes_across_with_its_label():
    for block in (
        by_layer("one", reference=0.5, reference_label="chance"),
        scatter(reference=0.5, reference_label="chance"),
    ):
        spec = figure(block).to_dict()
        assert {"value": 0.5, "label": "chance"} in values(spec)
        rule = next(layer for layer in spec["layer"] if layer["mark"].get("style") == "reference")
        assert "x" not in rule["encoding"]


def test_a_range_is_the_axis_and_nothing_is_drawn_outside_it():
    spec = figure(by_layer("one", "two", y_range=(0.55, 0.65))).to_dict()
    drawn = [layer for layer in spec["layer"] if "y" in layer["encoding"]]
    assert len(drawn) == 3
    assert all(layer["encoding"]["y"]["scale"]["domain"] == [0.55, 0.65] for layer in drawn)
    assert all(layer["mark"]["clip"] for layer in drawn)


def test_the_nearest_layer_tells_every_series_and_a_dash_where_one_was_not_measured():
    block = by_layer("one", "two", layers=14)
    short = block.series[1].model_copy(
        update={part: getattr(block.series[1], part)[:13] for part in ("x", "y", "low", "high")}
    )
    spec = figure(block.model_copy(update={"series": [block.series[0], short]})).to_dict()
    last = next(row for row in values(spec) if row["x"] == "layer 13" and "series_0" in row)
    assert (last["series_0"], last["series_1"]) == ("0.6 [0.5, 0.7]", "–")
    titles = [[line["title"] for line in layer["encoding"].get("tooltip", [])] for layer in spec["layer"]]
    assert ["layer", "one", "two"] in titles


def test_lines_that_were_not_taken_at_the_same_places_tell_each_point_alone():
    series = [Series(name=str(at), x=[at / 7 + k / 100 for k in range(20)], y=[0.5] * 20) for at in range(2)]
    spec = figure(Curve(title="C", x_label="recall", y_label="precision", series=series)).to_dict()
    assert not any("series_0" in row for row in values(spec))
    (dots,) = [layer for layer in spec["layer"] if layer["mark"]["type"] == "point"]
    assert [line["title"] for line in dots["encoding"]["tooltip"]] == ["series", "recall", "precision"]


def test_series_that_share_a_colour_differ_by_dashes():
    spec = figure(by_layer(*(f"method {at}" for at in range(12)))).to_dict()
    line = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "line")["encoding"]
    dashes = line["strokeDash"]["scale"]["range"]
    looks = {(at % 8, tuple(dash)) for at, dash in enumerate(dashes)}
    assert len(dashes) == len(looks) == 12
    few = figure(by_layer(*"abcdefgh")).to_dict()
    assert all("strokeDash" not in layer["encoding"] for layer in few["layer"])


def test_the_numbers_of_a_curve_are_stored_once():
    spec = figure(by_layer(*"abcdefgh", reference=0.5)).to_dict()
    assert sum("order" in row for row in values(spec)) == 8 * 31


def test_the_groups_of_a_scatter_differ_by_colour_and_by_shape_and_each_point_has_its_label():
    spec = figure(scatter(log_x=True)).to_dict()
    (points,) = spec["layer"]
    assert points["encoding"]["x"]["scale"]["type"] == "log"
    assert len(set(points["encoding"]["shape"]["scale"]["range"])) == 2
    assert [(row["category"], row["label"], row["x"]) for row in values(spec)] == [
        ("kept", "restart 4", 0.02),
        ("others", "–", 0.5),
        ("others", "–", 0.1),
    ]


def test_a_heat_map_with_a_centre_has_one_hue_for_each_side():
    block = matrix("ab", "xy", centre=0.5).model_copy(update={"values": [[0.4, 0.7], [0.5, None]]})
    spec = figure(block).to_dict()
    found = [(row["strength"] and round(row["strength"], 9), row["below"]) for row in values(spec)]
    assert found == [(0.1, True), (0.2, False), (0, False), (None, False)]
    styles = [layer["mark"]["style"] for layer in spec["layer"]]
    assert styles == ["heat", "heat-low", "heat-label", "heat-count"]
    assert spec["layer"][0]["encoding"]["fillOpacity"]["scale"]["domain"] == [0, 0.2]


def test_a_block_without_a_figure_is_refused_with_its_name():
    with pytest.raises(UsageError, match=r"'accuracy' \(estimate\) has no figure"):
        figure(Estimate(name="accuracy", value=0.5, n=2, method="mean"))
    with pytest.raises(UsageError, match="tables that declare a chart"):
        figure(Table(title="bare", columns=[Column(label="a")], rows=[]))
    one = Condition(name="c", value="", bar="", passed=None)
    with pytest.raises(UsageError, match=r"'ccs' \(verdict\) has no figure"):
        figure(Verdict(name="ccs", identified=False, reason="r", conditions=[one]))


def test_an_unknown_suffix_is_refused_with_the_allowed_ones(block, tmp_path):
    with pytest.raises(UsageError, match=r"\.gif.*Allowed: \.html, \.json, \.pdf, \.png, \.svg"):
        save_figure(block, tmp_path / "figure.gif")
    assert not list(tmp_path.iterdir())


def test_each_suffix_gives_a_file_of_that_format(block, tmp_path):
    folder = tmp_path / "new"
    saved = {suffix: save_figure(block, folder / f"f.{suffix}").read_bytes() for suffix in ("svg", "png", "pdf")}
    assert saved["svg"].startswith(b"<svg")
    assert re.search(rb'aria-roledescription="(point|rect mark)"', saved["svg"])
    assert saved["png"].startswith(b"\x89PNG")
    assert struct.unpack(">I", saved["png"][16:20])[0] > 900
    assert saved["pdf"].startswith(b"%PDF")
    spec = json.loads(save_figure(block, tmp_path / "f.json").read_text("utf-8"))
    assert spec == figure(block).to_dict()


def test_saved_html_stands_under_the_reports_policy(block, tmp_path):
    page = save_figure(block, tmp_path / "f.HTML").read_text("utf-8")
    assert re.search(r"default-src &#39;none&#39;; script-src &#39;sha256-", page)
    assert "unsafe" not in page.split("<style>")[0]


def test_a_place_that_cannot_be_written_is_said_in_a_sentence(block, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        save_figure(block, tmp_path / "file" / "f.json")
