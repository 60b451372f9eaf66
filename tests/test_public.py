"""The public names: each resolves, none is missing, none is there by accident."""

import importlib

import pytest

import gnomon


@pytest.mark.parametrize("name", gnomon.__all__)
def test_every_public_name_resolves_and_has_a_docstring(name):
    found = getattr(gnomon, name)
    assert found.__name__ == name
    assert found.__doc__


def test_dir_is_the_list_of_public_names():
    assert dir(gnomon) == sorted([*gnomon.__all__, "__version__"])
    assert len(set(gnomon.__all__)) == len(gnomon.__all__)
    assert list(gnomon.__all__) == sorted(gnomon.__all__)


def test_every_error_is_public_and_one_of_ours():
    errors = importlib.import_module("gnomon.errors")
    for name in errors.__all__:
        assert getattr(gnomon, name) is getattr(errors, name)
        assert issubclass(getattr(errors, name), gnomon.GnomonError)


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'evalute'"):
        _ = gnomon.evalute
    assert not hasattr(gnomon, "_HOME")


@pytest.mark.parametrize(
    "room", ["evaluation", "importance", "runs", "models", "tasks", "stats", "grading", "report", "shift", "streaming"]
)
def test_every_name_that_a_room_exports_is_there(room):
    module = importlib.import_module(f"gnomon.{room}")
    for name in getattr(module, "__all__", []):
        assert hasattr(module, name), name
