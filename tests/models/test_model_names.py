"""How `-m` names are taken apart, how providers are found, and how arguments and abilities are checked."""

import subprocess
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gnomon.models
from gnomon.errors import AbilityError, UsageError
from gnomon.models import Arguments, ModelName, abilities, load_model, providers, require

word = st.text("abcdefgh-._0123456789", min_size=1, max_size=8)


@given(word, st.lists(word, max_size=3), st.dictionaries(word, word, max_size=3))
def test_a_name_is_provider_rest_and_settings(provider, rest, settings):
    text = "/".join([provider, *rest])
    tail = "@" + ",".join(f"{key}={value}" for key, value in settings.items()) if settings else ""
    assert ModelName.parse(text + tail) == ModelName(provider, "/".join(rest), settings)


@pytest.mark.parametrize("text", ["hf/x@layers", "hf/x@layers=", "hf/x@layers=1,head", "hf/x@a=1,b="])
def test_a_setting_without_a_value_is_refused(text):
    with pytest.raises(UsageError, match=rf"'(layers|layers=|head|b=)' in the model name '{text}' is no setting"):
        ModelName.parse(text)


def test_a_value_may_hold_an_equals_sign_and_a_name_may_end_in_an_at_sign():
    assert ModelName.parse("hf/x@a=b=c").settings == {"a": "b=c"}
    assert ModelName.parse("hf/x@") == ModelName("hf", "x", {})


@pytest.mark.parametrize(
    "name, words",
    [
        ("mok", "no model provider is named 'mok'. Did you mean 'mock'? Known: hf, mock, openai, smollm2."),
        ("smolm2", "Did you mean 'smollm2'?"),
        ("", "no model provider is named ''. Known:"),
        ("EleutherAI/pythia-160m", "write  -m hf/EleutherAI/pythia-160m ."),
        ("./model", "write  -m hf/./model ."),
        ("_model/x", "no model provider is named '_model'."),
        ("HF/x", "no model provider is named 'HF'."),
    ],
)
def test_an_unknown_provider_is_refused_with_the_closest_one(name, words):
    with pytest.raises(UsageError) as error:
        load_model(name)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_the_files_of_the_room_are_the_providers():
    assert providers.names() == ["hf", "mock", "openai", "smollm2"]


@pytest.fixture
def foreign(monkeypatch):
    """An installed package `other-package` that brings a provider `echo`, which gives back what it is given."""

    class Point:
        name = "echo"
        dist = SimpleNamespace(name="other-package")

        def load(self):
            return lambda parsed, arguments: (parsed, arguments)

    monkeypatch.setattr(metadata, "entry_points", lambda group: [Point()] if group == "gnomon.models" else [])


def test_another_packages_provider_is_called_by_package_and_name(foreign):
    assert providers.names() == ["hf", "mock", "openai", "smollm2", "other-package/echo"]
    parsed, arguments = load_model("other-package/echo/some/model@size=2", {"a": "b"})
    assert parsed == ModelName("other-package/echo", "some/model", {"size": "2"})
    assert arguments == {"a": "b"}


@pytest.mark.parametrize("tail", ["", "@size=2"])
def test_another_packages_provider_may_have_but_one_model(tail, foreign):
    parsed, _ = load_model(f"other-package/echo{tail}")
    assert parsed == ModelName("other-package/echo", "", {"size": "2"} if tail else {})


class Silent:
    """A model that can do nothing."""

    name = "none/silent"

    def fingerprint(self):
        return "silent"

    def facts(self):
        return {}


def test_a_model_without_an_ability_is_refused_in_one_sentence():
    assert abilities(Silent()) == []
    with pytest.raises(AbilityError) as error:
        require(Silent(), "score", "gnomon eval")
    assert str(error.value) == (
        "model 'none/silent' cannot give log-probabilities of continuations, which 'gnomon eval' needs. "
        "It can: nothing that gnomon asks for. "
        "Use a causal language model, for example  -m hf/<hub id or folder>  or  -m smollm2 ."
    )
    require(load_model("mock/uniform"), "score", "gnomon eval")


def test_arguments_are_text_numbers_and_whole_numbers():
    given = Arguments({"kind": "b", "rate": "1e-1", "count": "1e3"}, ("kind", "rate", "count", "other"), "x")
    assert given.text("kind", "a", ("a", "b")) == "b"
    assert given.text("other", "a", ("a", "b")) == "a"
    assert given.number("rate", 0.5, 0, 1) == 0.1
    assert given.number("other", 0.5, 0, 1) == 0.5
    assert given.whole("count", 1, 0, 1000) == 1000
    assert isinstance(given.whole("count", 1, 0, 1000), int)


@pytest.mark.parametrize("value", ["", "x", "nan", "inf", "-inf", "-0.1", "1.1"])
def test_a_number_outside_of_its_range_is_refused_with_both_ends(value):
    with pytest.raises(UsageError, match=rf"^model argument rate={value}: give a number from 0 to 1\.$"):
        Arguments({"rate": value}, ("rate",), "x").number("rate", 0.5, 0, 1)


def test_importing_the_room_and_listing_its_providers_loads_no_torch():
    code = (
        "import sys, gnomon.models as m; m.providers.names(); m.load_model('mock/uniform');"
        "print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_once():
    assert len(set(gnomon.models.__all__)) == len(gnomon.models.__all__)
    assert all(hasattr(gnomon.models, name) for name in gnomon.models.__all__)
