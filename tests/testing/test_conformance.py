"""The public checks, run over everything that gnomon registers, and on things that break each promise."""

from __future__ import annotations

import dataclasses
import math

import pytest

from gnomon.asks import Completion, Failed, Scored
from gnomon.models import load_model, providers
from gnomon.models.mock import Oracle, Uniform
from gnomon.tasks import load_task, registry
from gnomon.testing import ConformanceError, check_model, check_task

WORDED = {
    "ag_news": "ag_news",
    "boolq": "boolq",
    "cola": "cola",
    "copa": "copa",
    "cosmos_qa": "cosmos_qa",
    "imdb": "imdb",
    "multirc": "multirc",
    "piqa": "piqa",
    "qnli": "qnli",
    "rte": "rte",
    "sciq": "sciq",
    "social_i_qa": "social_i_qa",
    "sst2": "sst2",
    "true_false": "true_false_statements",
    "truthfulqa": "truthfulqa",
    "wic": "wic",
}
BESIDE = {"test_chess": {"chess"}, "test_hh_rlhf": {"hh_rlhf"}}  # checked in tests/tasks, beside their own rows
BESIDE["test_rows"] = {"anli", "dream", "hellaswag", "mctaco", "openbookqa", "paws", "quail", "quartz"}
SHIPPED = ["mock/uniform", "mock/oracle", "mock/parrot", "mock/flaky"]


def test_every_registered_task_is_checked_here():
    papers = {"facts", "mmlu", "ethics", "math", "apps", "humaneval", "cuad"}
    assert set(registry.names()) == papers | set(WORDED) | set().union(*BESIDE.values())


def test_facts_conform():
    check_task("facts")


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("mmlu", {}),
        ("ethics", {}),
        ("math", {}),
        ("apps", {"subsets": "interview", "counts": "any"}),
        ("humaneval", {}),
        ("cuad", {"split": "all"}),
    ],
)
def test_tasks_of_the_papers_conform(name, more, release):
    check_task(load_task(name, {"data": str(release(name)), **more}), most=40)


@pytest.mark.realdata
@pytest.mark.parametrize("name", WORDED)
def test_tasks_of_many_wordings_conform(name, release):
    check_task(load_task(name, {"data": str(release("nlp") / WORDED[name])}), most=40)


def test_every_provider_is_checked_here():
    assert set(providers.names()) == {"hf", "smollm2", "mock", "openai"}


@pytest.mark.parametrize("name", SHIPPED)
def test_mock_models_conform(name):
    check_model(name)


def test_the_garbage_mock_does_not_conform():
    with pytest.raises(ConformanceError):
        check_model("mock/garbage")


@pytest.mark.slow
def test_the_embedded_model_conforms(model_cache, monkeypatch):
    monkeypatch.setenv("GNOMON_CACHE", str(model_cache))
    check_model("smollm2", {"dtype": "float32"})


class Broken(Uniform):
    """Breaks one promise at a time."""

    def __init__(self, fault):
        super().__init__("mock/broken")
        self.fault = fault
        self.calls = 0

    def fingerprint(self):
        self.calls += 1
        return str(self.calls) if self.fault == "fingerprint" else "fixed"

    def score(self, asks, skip):
        if self.fault == "skip":
            skip = lambda index: False  # noqa: E731
        for batch in super().score(asks, skip):
            if self.fault == "missing":
                batch = batch[:-1]
            if self.fault == "twice":
                batch = [*batch, batch[0]]
            if self.fault == "positive":
                batch = [(i, Scored((0.5,) * len(a.logprobs), a.tokens)) for i, a in batch]
            if self.fault == "nan":
                batch = [(i, Scored((math.nan,) * len(a.logprobs), a.tokens)) for i, a in batch]
            if self.fault == "company":
                batch = [(i, Scored(tuple(p - len(asks) for p in a.logprobs), a.tokens)) for i, a in batch]
            if self.fault == "silent":
                batch = [(i, Failed("")) for i, _ in batch]
            yield batch


@pytest.mark.parametrize("fault", ["fingerprint", "skip", "missing", "twice", "positive", "nan", "company", "silent"])
def test_a_model_that_breaks_a_promise_is_named(fault):
    with pytest.raises(ConformanceError, match="mock/broken"):
        check_model(Broken(fault))


class Babbling(Oracle):
    """Writes a word of its prompt again and again, and breaks one promise at a time."""

    def __init__(self, fault):
        super().__init__()
        self.name, self.fault, self.calls = "mock/babbling", fault, 0

    def _write(self, index, prompt):
        self.calls += 1
        few = min(3, prompt.decoding.max_tokens)
        text = "x" * few
        match self.fault:
            case "stops":
                text = "one two"
            case "limit":
                few = prompt.decoding.max_tokens + 1
            case "negative":
                few = -1
            case "order":
                text = f"x{index}"
            case "again":
                text = f"x{self.calls}"
            case "surrogate":
                text = "\ud800"
            case "silent":
                return Failed("")
            case "type":
                return text
            case "finish":
                return Completion(text, few, "end")
        return Completion(text, few)

    def generate(self, prompts, skip):
        if self.fault == "skip":
            skip = lambda index: False  # noqa: E731
        for batch in super().generate(prompts, skip):
            if self.fault == "company":
                batch = [(i, dataclasses.replace(a, text="x" * len(prompts))) for i, a in batch]
            if self.fault == "missing":
                batch = batch[1:]
            if self.fault == "twice":
                batch = [*batch, batch[0]]
            yield batch


def test_a_model_that_writes_and_keeps_every_promise_conforms():
    check_model(Babbling("none"))


class Seen(Oracle):
    """Shows states, and breaks one promise at a time."""

    def __init__(self, fault):
        super().__init__()
        self.name, self.fault, self.calls = "mock/seen", fault, 0

    def layout(self):
        self.calls += 1
        plain = super().layout()
        changes = {"layout": {"width": self.calls}, "names": {"layers": ("0", "0", "1")}, "width": {"width": 65}}
        return dataclasses.replace(plain, **changes.get(self.fault, {}))

    def represent(self, readings, skip):
        if self.fault == "skip":
            skip = lambda index: False  # noqa: E731
        for batch in super().represent(readings, skip):
            for index, states in batch:
                match self.fault:
                    case "company":
                        states.values[...] += len(readings)
                    case "order":
                        states.values[...] += 1 / (1 + index)
                    case "nan":
                        states.values[0, 1, 2] = math.nan
                    case "again" if skip(0):
                        states.values[0, 0, 0] += 1e-6
            if self.fault == "silent":
                batch = [(index, Failed("")) for index, _ in batch]
            if self.fault == "double":
                batch = [(i, dataclasses.replace(s, values=s.values.astype("float64"))) for i, s in batch]
            if self.fault == "tokens":
                batch = [(i, dataclasses.replace(s, tokens=(1,) * 9)) for i, s in batch]
            yield batch[1:] if self.fault == "missing" else [*batch, batch[0]] if self.fault == "twice" else batch


def test_a_model_that_shows_states_and_keeps_every_promise_conforms():
    check_model(Seen("none"))


SEEN = ["layout", "names", "width", "skip", "company", "order", "nan", "again", "silent", "double", "tokens"]


@pytest.mark.parametrize("fault", [*SEEN, "missing", "twice"])
def test_a_model_that_shows_states_and_breaks_a_promise_is_named(fault):
    with pytest.raises(ConformanceError, match="mock/seen"):
        check_model(Seen(fault))


class Filling(Uniform):
    """Fills gaps, and breaks one promise at a time."""

    def __init__(self, fault):
        super().__init__("mock/filling")
        self.fault = fault

    def fill(self, readings, skip):
        given = {"positive": 0.5, "nan": math.nan}
        for index, reading in enumerate(readings):
            number = len(reading.answers) + (self.fault == "few")
            value = -float(len(readings)) if self.fault == "company" else given.get(self.fault, -1.0)
            yield [(index, Failed("") if self.fault == "silent" else Scored((value,) * number, (1,) * number))]


def test_a_model_that_fills_gaps_and_keeps_every_promise_conforms():
    check_model(Filling("none"))


@pytest.mark.parametrize("fault", ["few", "positive", "nan", "company", "silent"])
def test_a_model_that_fills_gaps_and_breaks_a_promise_is_named(fault):
    with pytest.raises(ConformanceError, match="mock/filling"):
        check_model(Filling(fault))


FAULTS = ["stops", "limit", "negative", "surrogate", "silent", "type", "finish"]  # of one completion
FAULTS += ["order", "again", "skip", "company", "missing", "twice"]  # of several


@pytest.mark.parametrize("fault", FAULTS)
def test_a_model_that_writes_and_breaks_a_promise_is_named(fault):
    with pytest.raises(ConformanceError, match="mock/babbling"):
        check_model(Babbling(fault))


def test_in_half_precision_texts_may_depend_on_company():
    check_model(Babbling("company"), tolerance=0.1)
    with pytest.raises(ConformanceError, match="mock/babbling: company changes the text after Prompt"):
        check_model(Babbling("company"))


def test_a_task_whose_reader_is_upside_down_is_named():
    data = load_task("facts", {"subsets": "capitals-statements"})
    plain = data.task.protocols["plain"]
    data.task = dataclasses.replace(
        data.task,
        protocols={"plain": dataclasses.replace(plain, ideal=lambda item: (1 - item.answer,))},
    )
    with pytest.raises(ConformanceError, match="a perfect model is read as option"):
        check_task(data, most=5)


def test_a_task_whose_ids_repeat_is_named():
    data = load_task("facts", {"subsets": "capitals-statements"})
    read = data.task.read
    data.task = dataclasses.replace(data.task, counts={}, read=lambda *key: [*read(*key), read(*key)[0]])
    with pytest.raises(ConformanceError, match="an id stands twice"):
        check_task(data)


def test_load_model_and_check_agree_on_the_name():
    assert load_model("mock/flaky", {"rate": "1"}).name == "mock/flaky"
