"""What holds for every task and every way of asking it, and what the types promise."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable

import pytest

from gnomon.asks import Ask, Scored
from gnomon.errors import UsageError
from gnomon.tasks import Item, Metric, Protocol, ShotLimit, Task, load_task, one_ask, registry, task_named

TASKS = {name: task_named(name) for name in ("ethics", "facts", "mmlu")}
PAIRS = [(task, protocol) for task, found in TASKS.items() for protocol in found.protocols]
every_protocol = pytest.mark.parametrize(("task", "name"), PAIRS, ids=[f"{task}-{name}" for task, name in PAIRS])
every_task = pytest.mark.parametrize("task", TASKS)
sampled_protocol = pytest.mark.parametrize(
    ("task", "name"),
    [
        pytest.param(task, name, marks=[] if task == "facts" else pytest.mark.realdata, id=f"{task}-{name}")
        for task, name in PAIRS
    ],
)

FINGERPRINTS = {  # a changed prompt needs a raised version; then write its new hash here
    ("ethics", "causal"): (1, "5c4a527186e9"),
    ("ethics", "pairwise"): (1, "92b32468ebad"),
    ("ethics", "lm-eval"): (1, "a3faa69ef565"),
    ("facts", "plain"): (1, "603b971e6194"),
    ("facts", "claim"): (1, "56ee7335aebc"),
    ("facts", "statement"): (1, "008598921535"),
    ("mmlu", "official"): (1, "c5cae4c41b1b"),
    ("mmlu", "lm-eval"): (1, "c1b6d40b5421"),
}


@pytest.fixture(scope="module")
def sample(request) -> Callable[[str], list[Item]]:
    """200 items of a task, drawn at random over subsets and splits; of the real release where gnomon carries none."""

    def draw(task: str) -> list[Item]:
        arguments = {} if task == "facts" else {"data": str(request.getfixturevalue("release")(task))}
        return random.Random(task).sample(load_task(task, arguments).items(), 200)

    return draw


def answers(item: Item, asks: tuple[Ask, ...], preferred: tuple[int, ...]) -> list[Scored]:
    """Scores of a model that gives 0.9 to the preferred continuation of each ask and shares the rest."""
    found = []
    for ask, best in zip(asks, preferred, strict=True):
        others = math.log(0.1 / (len(ask.continuations) - 1))
        logprobs = tuple(math.log(0.9) if n == best else others for n in range(len(ask.continuations)))
        found.append(Scored(logprobs, (1,) * len(logprobs)))
    return found


def check_asks(protocol: Protocol, item: Item) -> None:
    asks = protocol.ask(item, [])
    assert asks
    assert len(protocol.ideal(item)) == len(asks)
    for ask, best in zip(asks, protocol.ideal(item), strict=True):
        assert len(ask.continuations) == len(set(ask.continuations)) >= 2
        assert all(text.strip() for text in ask.continuations)
        assert 0 <= best < len(ask.continuations)
        assert ask.context.strip()
        assert ask.context == ask.context.rstrip()  # a trailing space would be a token of its own


def check_reading(protocol: Protocol, item: Item) -> None:
    asks, ideal = protocol.ask(item, []), protocol.ideal(item)
    right = protocol.read(item, answers(item, asks, ideal))
    assert right.option == item.answer
    assert right.probabilities[item.answer] == max(right.probabilities) > 0.5
    assert not right.tie
    for turn in range(1, len(asks[0].continuations)):
        turned = tuple((best + turn) % len(ask.continuations) for best, ask in zip(ideal, asks, strict=True))
        wrong = protocol.read(item, answers(item, asks, turned))
        assert wrong.option not in (None, item.answer)
        if len(item.choices) == 2:
            assert wrong.option == 1 - item.answer
            assert wrong.probabilities == pytest.approx(right.probabilities[::-1])


# --- every protocol of every task ---


@every_protocol
def test_the_tasks_own_examples_are_asked_and_their_ideal_answers_read_as_right(task, name):
    for item in TASKS[task].examples:
        check_asks(TASKS[task].protocols[name], item)
        check_reading(TASKS[task].protocols[name], item)


@sampled_protocol
def test_200_items_give_asks_of_two_or_more_distinct_continuations_with_one_ideal_each(task, name, sample):
    for item in sample(task):
        check_asks(TASKS[task].protocols[name], item)


@sampled_protocol
def test_200_items_read_ideal_answers_as_right_and_swapped_ones_as_wrong(task, name, sample):
    for item in sample(task):
        check_reading(TASKS[task].protocols[name], item)


@sampled_protocol
def test_examples_stand_before_the_question_and_change_nothing_in_it(task, name, sample):
    protocol = TASKS[task].protocols[name]
    items = sample(task)
    for item in items[:50]:
        shots = [other for other in items if other.subset == item.subset and other is not item][:2]
        bare, shown = protocol.ask(item, []), protocol.ask(item, shots)
        assert [ask.continuations for ask in bare] == [ask.continuations for ask in shown]
        for before, after in zip(bare, shown, strict=True):
            question = before.context.split(".\n\n", 1)[1] if task == "mmlu" else before.context
            assert after.context.endswith(question)
            assert (len(after.context) > len(before.context)) == bool(shots)


@every_protocol
def test_asking_leaves_the_item_as_it_is_and_gives_the_same_every_time(task, name):
    protocol = TASKS[task].protocols[name]
    for item in TASKS[task].examples:
        before = json.dumps(dataclasses.asdict(item))
        assert protocol.ask(item, [item]) == protocol.ask(item, [item])
        assert json.dumps(dataclasses.asdict(item)) == before


# --- fingerprints ---


@every_protocol
def test_a_prompt_has_changed_only_with_its_version(task, name):
    protocol = TASKS[task].protocols[name]
    assert (protocol.version, TASKS[task].fingerprint(protocol)) == FINGERPRINTS[task, name]


def test_no_two_protocols_of_a_task_share_a_fingerprint():
    assert len({TASKS[task].fingerprint(TASKS[task].protocols[name]) for task, name in PAIRS}) == len(PAIRS)


def changed_contexts(protocol: Protocol, change: Callable[[str], str]) -> Protocol:
    def ask(item, shots):
        return tuple(Ask(change(each.context), each.continuations) for each in protocol.ask(item, shots))

    return dataclasses.replace(protocol, ask=ask)


def changed_items(protocol: Protocol, change: Callable[[str], str]) -> Protocol:
    """The same questions over items whose cells went through `change`."""

    def changed(item):
        fields = {key: change(text) for key, text in item.fields.items()}
        return dataclasses.replace(item, fields=fields, choices=tuple(map(change, item.choices)))

    return dataclasses.replace(protocol, ask=lambda item, shots: protocol.ask(changed(item), list(map(changed, shots))))


@every_protocol
def test_any_changed_byte_of_a_prompt_changes_the_fingerprint(task, name):
    protocol = TASKS[task].protocols[name]
    before = TASKS[task].fingerprint(protocol)
    rng = random.Random(0)
    texts = [ask.context for item in TASKS[task].examples for ask in protocol.ask(item, [item, item])]
    for _ in range(40):
        text = rng.choice(texts)
        at = rng.randrange(len(text))
        for new in ("", "#", text[at] * 2):
            spoiled = text[:at] + new + text[at + 1 :]
            other = changed_contexts(protocol, lambda whole, old=text, new=spoiled: new if whole == old else whole)
            assert TASKS[task].fingerprint(other) != before


@every_protocol
def test_changed_continuations_shots_version_and_limit_change_the_fingerprint(task, name):
    protocol = TASKS[task].protocols[name]

    def renamed(item, shots):
        asks = protocol.ask(item, shots)
        return tuple(Ask(ask.context, (*ask.continuations[:-1], ask.continuations[-1] + ".")) for ask in asks)

    others = [
        dataclasses.replace(protocol, ask=renamed),
        dataclasses.replace(protocol, version=protocol.version + 1),
        dataclasses.replace(protocol, shots=protocol.shots + 1),
        dataclasses.replace(protocol, limit=ShotLimit(1024)),
    ]
    found = {TASKS[task].fingerprint(other) for other in [protocol, *others]}
    assert len(found) == 5


def test_what_only_a_second_example_shows_changes_the_fingerprint():
    """`pairwise` turns every second example: a protocol that does not must not share its fingerprint."""
    protocol = TASKS["ethics"].protocols["pairwise"]

    def unturned(item, shots):
        head = "".join(protocol.ask(shot, [])[0].context + " A\n\n" for shot in shots)
        return tuple(Ask(head + ask.context, ask.continuations) for ask in protocol.ask(item, []))

    other = dataclasses.replace(protocol, ask=unturned)
    (pair,) = [item for item in TASKS["ethics"].examples if item.subset == "utilitarianism"]
    assert other.ask(pair, [pair]) == protocol.ask(pair, [pair])
    assert other.fingerprint([pair]) != protocol.fingerprint([pair])


@pytest.mark.parametrize(("task", "name"), [("mmlu", "official"), ("mmlu", "lm-eval"), ("ethics", "lm-eval")])
def test_stripping_what_is_asked_as_it_stands_changes_the_fingerprint(task, name):
    protocol = TASKS[task].protocols[name]
    assert TASKS[task].fingerprint(changed_items(protocol, str.strip)) != TASKS[task].fingerprint(protocol)


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_fingerprints_are_equal_in_every_process(seed):
    code = (
        "import json; from gnomon.tasks import task_named\n"
        "tasks = [task_named(name) for name in ('ethics', 'facts', 'mmlu')]\n"
        "print(json.dumps([t.fingerprint(p) for t in tasks for p in t.protocols.values()]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [TASKS[task].fingerprint(TASKS[task].protocols[name]) for task, name in PAIRS]


# --- tasks ---


@every_task
def test_a_task_says_all_that_a_reader_needs(task):
    found = TASKS[task]
    assert found.name == task
    assert found.title
    assert found.source
    assert found.licence
    assert found.headline in ("micro", "macro")
    assert set(found.default_splits or found.splits[:1]) <= set(found.splits)
    assert set(found.metrics) <= set(found.subsets)
    assert {(split, subset) for split in found.splits for subset in found.subsets} <= set(found.counts)
    assert {item.subset.rsplit("-", 1)[0] if task == "facts" else item.subset for item in found.examples}
    for protocol in found.protocols.values():
        assert protocol.about.endswith(".")
        assert protocol.version >= 1
        assert all(text.endswith(".") for text in protocol.deviations)
        assert protocol.shots == 0 or found.shots_split is not None


def test_every_shape_of_ethics_has_an_example():
    assert {item.subset for item in TASKS["ethics"].examples} == set(TASKS["ethics"].subsets)


@sampled_protocol
def test_sampled_items_have_ids_of_their_own_and_answers_among_their_choices(task, name, sample):
    items = sample(task)
    assert len({item.id for item in items}) == len(items) == 200
    assert all(0 <= item.answer < len(item.choices) for item in items)
    assert all(item.subset in TASKS[task].subsets for item in items)


def test_the_registry_is_the_folder():
    assert [name for name in registry.names() if "/" not in name] == [
        "ag_news",
        "anli",
        "apps",
        "boolq",
        "chess",
        "cola",
        "copa",
        "cosmos_qa",
        "cuad",
        "dream",
        "ethics",
        "facts",
        "hellaswag",
        "hh_rlhf",
        "humaneval",
        "imdb",
        "math",
        "mctaco",
        "mmlu",
        "multirc",
        "openbookqa",
        "paws",
        "piqa",
        "qnli",
        "quail",
        "quartz",
        "rte",
        "sciq",
        "social_i_qa",
        "sst2",
        "true_false",
        "truthfulqa",
        "wic",
    ]
    for name in TASKS:
        assert isinstance(importlib.import_module(f"gnomon.tasks.{name}").task, Task)


def test_the_first_protocol_is_the_default_and_an_unknown_one_is_met_with_the_closest():
    assert TASKS["mmlu"].protocol(None) == ("official", TASKS["mmlu"].protocols["official"])
    assert TASKS["mmlu"].protocol("lm-eval")[1] is TASKS["mmlu"].protocols["lm-eval"]
    with pytest.raises(UsageError, match=r"mmlu has no protocol 'offical'\. Did you mean 'official'\? Known: off"):
        TASKS["mmlu"].protocol("offical")
    with pytest.raises(UsageError, match=r"facts has no protocol 'zzz'\. Known: plain, claim, statement\."):
        TASKS["facts"].protocol("zzz")


def test_a_subset_without_a_metric_of_its_own_reports_accuracy_and_chance_by_its_choices():
    assert TASKS["mmlu"].metric("anatomy") == Metric("accuracy", None, None)


def test_items_are_frozen():
    item = TASKS["mmlu"].examples[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        item.answer = 3


def test_the_common_reader_takes_the_choices_in_their_order():
    item = TASKS["mmlu"].examples[0]
    for best in range(4):
        scores = tuple(-1.0 if n == best else -2.0 for n in range(4))
        assert one_ask(item, [Scored(scores, (1,) * 4)]).option == best


def test_listing_tasks_imports_no_heavy_library():
    code = (
        "import sys; from gnomon.tasks import task_named, registry\n"
        "[task_named(name) for name in registry.names()]\n"
        "heavy = {'torch', 'transformers', 'datasets', 'scipy', 'numpy', 'tokenizers'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
