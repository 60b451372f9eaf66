"""What blocks refuse, and that they come back from their JSON as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gnomon.blocks import Block, Condition, Curve, Matrix, Points, Scatter, Series, Verdict

BLOCK = TypeAdapter(Block)


def curve(x=(0, 1), **more):
    series = [Series(name="s", x=list(x), y=[0.5] * len(x))]
    return Curve(title="By layer", x_label="layer", y_label="accuracy", series=series, **more)


def scatter(x, **more):
    series = [Points(name="p", x=x, y=[0.5] * len(x))]
    return Scatter(title="Restarts", x_label="loss", y_label="accuracy", series=series, **more)


def conditions(results):
    return [Condition(name=str(at), value="v", bar="b", passed=result) for at, result in enumerate(results)]


def verdict(results=(True,), **more):
    made = {"name": "boolq · ccs", "identified": False, "reason": "Because.", "conditions": conditions(results)}
    return Verdict(**(made | more))


# -- verdicts ----------------------------------------------------------------------------------------------------------

outcomes = st.lists(st.sampled_from([True, False, None]), max_size=6)


@given(outcomes, st.data())
def test_identified_is_accepted_exactly_where_the_conditions_allow_it(results, data):
    required = data.draw(st.lists(st.sampled_from(range(len(results))), unique=True)) if results else []
    allowed = True in results and False not in results and all(results[at] is True for at in required)
    names = [str(at) for at in required]
    if allowed:
        assert verdict(results, required=names, identified=True).identified
    else:
        with pytest.raises(ValidationError, match="not identified"):
            verdict(results, required=names, identified=True)
    assert not verdict(results, required=names).identified  # caution is always allowed


def test_the_refusal_names_every_condition_that_stands_against_it():
    with pytest.raises(ValidationError, match="failed or not measured: 1, 3"):
        verdict([True, False, None, None], required=["0", "3"], identified=True)
    with pytest.raises(ValidationError, match="no condition was measured"):
        verdict([None, None], identified=True)


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_verdict_needs_a_reason(reason):
    with pytest.raises(ValidationError, match="needs its reason"):
        verdict(reason=reason)


def test_what_is_required_must_be_a_condition_and_names_occur_once():
    with pytest.raises(ValidationError, match="not among the conditions: other"):
        verdict(required=["0", "other"])
    with pytest.raises(ValidationError, match="same name"):
        verdict(conditions=conditions([True]) * 2)


# -- curves and scatters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [2, -1, 0.5])
def test_with_names_every_x_is_a_position_among_them(x):
    assert curve([0, 1], x_names=["a", "b"]).x_names == ["a", "b"]
    with pytest.raises(ValidationError, match=rf"x = {x} is no position among 2 x_names"):
        curve([0, x], x_names=["a", "b"])


def test_a_range_goes_upward_and_a_diagonal_has_its_own_axes():
    assert curve(y_range=(0.4, 1)).y_range == (0.4, 1.0)
    for ends in ((1, 0), (1, 1)):
        with pytest.raises(ValidationError, match="does not go upward"):
            curve(y_range=ends)
    for more in ({"y_range": (0, 1)}, {"x_names": ["a", "b"]}):
        with pytest.raises(ValidationError, match="both axes on"):
            curve(diagonal=True, **more)


@pytest.mark.parametrize("part", [{"y": [0.5]}, {"labels": ["a"]}])
def test_points_have_parts_of_equal_length(part):
    with pytest.raises(ValidationError, match="unequal length"):
        Points(**({"name": "p", "x": [1, 2], "y": [1, 2]} | part))


@pytest.mark.parametrize("x", [0, -1])
def test_a_logarithmic_axis_has_no_place_for_zero_and_below(x):
    assert scatter([x, 1]).series[0].x == [x, 1]
    with pytest.raises(ValidationError, match=rf"x = {x} has no place on a logarithmic axis"):
        scatter([1, x], log_x=True)
    assert scatter([], log_x=True).log_x


# -- matrices ----------------------------------------------------------------------------------------------------------

MATRIX = {"title": "t", "row_label": "r", "column_label": "c", "rows": ["a"], "columns": ["b"]}


@pytest.mark.parametrize("centre", [-0.1, 1.1])
def test_the_centre_of_a_matrix_is_a_fraction(centre):
    with pytest.raises(ValidationError, match="centre"):
        Matrix(values=[[0.5]], counts=[[1]], centre=centre, **MATRIX)


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "block",
    [
        verdict([True, None], required=["0"], identified=True, caption="c", headline=False),
        curve(x_names=["a", "b"], y_range=(0, 1), reference=0.5, reference_label="chance"),
        scatter([0.1, 0.2], log_x=True, reference=0.5),
        Matrix(values=[[None]], counts=[[0]], centre=0.5, **MATRIX),
    ],
)
def test_a_block_comes_back_from_its_json_as_it_was(block):
    assert BLOCK.validate_json(block.model_dump_json()) == block


def test_results_written_before_curves_and_matrices_grew_are_still_read():
    old = {"kind": "curve", "title": "t", "x_label": "x", "y_label": "y", "series": [], "diagonal": True, "caption": ""}
    assert BLOCK.validate_python(old).reference is None
    old = {"kind": "matrix", "values": [[0.5]], "counts": [[1]], "caption": "", "headline": False, **MATRIX}
    assert BLOCK.validate_python(old).centre is None
