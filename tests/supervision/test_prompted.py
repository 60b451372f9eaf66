"""Examples in the prompt: whose labels they carry, what they are computed with, and what is never cut."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from gnomon.asks import Scored
from gnomon.errors import ModelError, UsageError
from gnomon.models import load_model
from gnomon.models.mock import Uniform
from gnomon.supervision._heads import Lesson
from gnomon.supervision._ladder import Ladder, ceiling, student, supervisor
from gnomon.supervision._pool import pool
from gnomon.supervision._prompted import Prompted, examples
from gnomon.supervision._stages import Job, StageStore
from gnomon.tasks import Judged, judged, load_task

YES, NO = "right, yes or no?\nAnswer: yes\n\n", "right, yes or no?\nAnswer: no\n\n"


class Counting(Uniform):
    """Finds a text the more right, the higher its number, is biased towards yes, and keeps what it was asked."""

    def __init__(self, bias=5.0, limit=None):
        super().__init__("mock/counting")
        self.bias, self.context_length, self.asked = bias, limit, []

    def _answer(self, index, ask):
        self.asked.append(ask)
        number = float(ask.context.rpartition("text ")[2].split()[0])
        odds = (number - 50) / 25 + self.bias
        return Scored((-np.log1p(np.exp(odds)), -np.log1p(np.exp(-odds))), (1, 1))


def texts(count=100, words=1):
    rows = [Judged(str(n), f"g{n}", f"text {n} {'word ' * words}".strip(), int(n >= count // 2)) for n in range(count)]
    return pool(rows, learn=70, test=30, seed=0)


def job(rows, seed=0, model="mock/counting", targets=None, size=30):
    learn = rows.learn[:size] if targets is None else rows.learn[: len(targets)]
    told = rows.labels[learn].astype(float) if targets is None else targets
    held = rows.learn[size : size + 10]
    lesson = Lesson(learn, told, "xent", seed)
    return Job(model, lesson, held, rows.labels[held].astype(float), rows.learn[size + 10 :], rows.test)


def learned(learner, rows, jobs, name="mock/counting", skip=lambda number: False):
    return dict(learner.learn(rows, name, jobs, skip))


def prompted(model, **more):
    return Prompted({model.name: model}, **more)


def right(outcome, rows):
    return float(((outcome.final > 0.5) == rows.labels[rows.test]).mean())


@pytest.fixture(scope="module")
def facts():
    data = load_task("facts")
    return pool(judged(data.task, data.items()), learn=240, test=80, seed=0)


@pytest.mark.parametrize("shots", [0, 5])
@pytest.mark.parametrize("calibrated", [True, False])
def test_a_model_that_knows_is_right_whatever_it_is_shown(facts, shots, calibrated):
    learner = prompted(load_model("mock/oracle"), shots=shots, calibrated=calibrated)
    jobs = [job(facts, seed, "mock/oracle", size=100) for seed in (0, 1, 2)]
    for one in learned(learner, facts, jobs, "mock/oracle").values():
        assert right(one, facts) == 1
        assert one.test.shape == (1, len(facts.test))
        assert (one.chosen, one.held.tolist()) == (0, [1.0])


def test_a_model_that_does_not_know_gives_a_half(facts):
    learner = prompted(load_model("mock/uniform"))
    found = learned(learner, facts, [job(facts, model="mock/uniform")], "mock/uniform")[0]
    assert set(found.final) == {0.5}


@pytest.mark.parametrize("shots", [1, 4, 5, 8])
def test_examples_are_balanced_over_the_labels_and_shuffled(shots):
    targets = np.where(np.arange(40) < 30, 0.9, 0.1)
    drawn = [examples(Lesson(np.arange(40), targets, seed=seed), shots) for seed in range(20)]
    for one in drawn:
        ones = int((targets[one] > 0.5).sum())
        assert len(set(one.tolist())) == shots
        assert ones in (shots // 2, -(-shots // 2))
    assert len({tuple(targets[one]) for one in drawn}) > 1
    assert len({tuple(one) for one in drawn}) > 10


def test_a_label_that_is_rare_is_filled_up_from_the_other():
    lesson = Lesson(np.arange(10), np.array([0.9] + [0.1] * 9))
    drawn = examples(lesson, 6)
    assert (len(drawn), int((lesson.targets[drawn] > 0.5).sum())) == (6, 1)
    assert len(examples(lesson, 20)) == 10


def test_examples_carry_the_labels_of_the_lesson_and_flip_with_them():
    rows = texts()
    learner = prompted(Counting(), shots=5)
    told = np.random.default_rng(0).random(30)  # a teacher's, not the truth
    prompt = learner.prompt(rows, "mock/counting", job(rows, targets=told), int(rows.test[0]))
    flipped = learner.prompt(rows, "mock/counting", job(rows, targets=1 - told), int(rows.test[0]))
    assert prompt.count("Answer: yes\n") + prompt.count("Answer: no\n") == 5
    swapped = prompt.replace("Answer: yes\n", "Answer: ?\n").replace("Answer: no\n", "Answer: yes\n")
    assert swapped.replace("Answer: ?\n", "Answer: no\n") == flipped
    for place, row in enumerate(rows.learn[:30]):
        if f"{rows.texts[row]}\n" in prompt:
            assert f"{rows.texts[row]}\nIs this {YES if told[place] > 0.5 else NO}" in prompt
    assert prompt.endswith(f"{rows.texts[rows.test[0]]}\nIs this right, yes or no?\nAnswer:")


def test_the_prompt_depends_on_the_seed_and_the_lesson_alone():
    rows = texts()
    row = int(rows.test[0])
    prompts = [prompted(Counting()).prompt(rows, "mock/counting", job(rows, seed), row) for seed in (0, 0, 1)]
    assert prompts[0] == prompts[1] != prompts[2]
    longer = dataclasses.replace(job(rows, 0), wanted=rows.learn)
    assert prompted(Counting()).prompt(rows, "mock/counting", longer, row) == prompts[0]


def test_the_model_is_asked_behind_the_very_prompt():
    rows, model = texts(), Counting()
    learner, one = prompted(model), job(rows)
    learned(learner, rows, [one])
    asked = {ask.context for ask in model.asked}
    assert all(learner.prompt(rows, "mock/counting", one, int(row)) in asked for row in one.test)
    assert {ask.continuations for ask in model.asked} == {(" no", " yes")}


def test_calibration_takes_the_bias_of_a_prompt_away():
    rows = texts()
    raw = learned(prompted(Counting(bias=5), calibrated=False), rows, [job(rows, size=50)])[0]
    even = learned(prompted(Counting(bias=5)), rows, [job(rows, size=50)])[0]
    assert (raw.final > 0.5).mean() == 1
    assert 0.3 < (even.final > 0.5).mean() < 0.7
    assert right(even, rows) > 0.8
    assert np.array_equal(np.argsort(raw.final), np.argsort(even.final))
    unbiased = learned(prompted(Counting(bias=0)), rows, [job(rows, size=50)])[0]
    assert even.final == pytest.approx(unbiased.final)


def test_calibration_never_looks_at_labels():
    rows = texts()
    targets = np.where(np.arange(30) % 2, 0.9, 0.1)
    one, other = (
        learned(prompted(Counting(), shots=0), rows, [job(rows, targets=told)])[0] for told in (targets, 1 - targets)
    )
    assert np.array_equal(one.final, other.final)


def test_many_jobs_are_as_one_by_one_and_alike_prompts_are_asked_once():
    rows = texts()
    jobs = [job(rows, seed) for seed in (0, 1, 0)]
    model = Counting()
    together = learned(prompted(model), rows, jobs)
    assert len(model.asked) == len({ask.context for ask in model.asked})
    for number, one in enumerate(jobs):
        alone = learned(prompted(Counting()), rows, [one])[0]
        assert np.array_equal(alone.final, together[number].final)
        assert np.array_equal(alone.wanted, together[number].wanted)
    some = learned(prompted(Counting()), rows, jobs, skip=lambda number: number != 1)
    assert list(some) == [1]
    assert np.array_equal(some[1].final, together[1].final)


def test_without_examples_a_row_is_asked_once_for_all_jobs():
    rows, model = texts(), Counting()
    found = learned(prompted(model, shots=0, calibrated=False), rows, [job(rows, seed) for seed in range(4)])
    assert len(model.asked) == len({ask.context for ask in model.asked}) <= len(rows.texts)
    assert all(np.array_equal(found[0].final, one.final) for one in found.values())


def test_the_longest_examples_are_left_out_where_a_prompt_is_too_long_and_the_text_never():
    rows = texts(words=6)
    full, short = Counting(), Counting(limit=70)
    long_prompt = prompted(full).prompt(rows, "mock/counting", job(rows), int(rows.test[0]))
    assert full.count_tokens([long_prompt])[0] > 70
    learner = prompted(short)
    learned(learner, rows, [job(rows)])
    assert max(short.count_tokens([ask.context for ask in short.asked])) < 70
    shown = [ask.context.count("Answer: ") for ask in short.asked]
    assert set(shown) == {shown[0]}
    assert 0 < shown[0] < 5
    assert learner.remarks == [
        f"mock/counting: {5 - shown[0]} of 5 examples were left out, the longest ones of prompts that were longer than "
        "the model reads."
    ]
    assert prompted(full).remarks == []


def test_of_the_examples_the_longest_goes_first():
    given = [Judged(str(n), f"g{n}", f"text {n} {'word ' * (40 if n % 7 == 0 else 2)}", n % 2) for n in range(100)]
    rows = pool(given, learn=70, test=30, seed=0)
    long = np.array([text.count("word") == 40 for text in rows.texts])
    learn = np.concatenate([rows.learn[~long[rows.learn]][:8], rows.learn[long[rows.learn]][:2]])
    test = rows.test[~long[rows.test]]
    cut = 0
    for seed in range(6):
        lesson = Lesson(learn, rows.labels[learn].astype(float), seed=seed)
        one = Job("mock/counting", lesson, test, rows.labels[test].astype(float), test[:0], test)
        before, after = (
            prompted(Counting(limit=limit), calibrated=False).prompt(rows, "mock/counting", one, int(test[0]))
            for limit in (None, 75)
        )
        short = [part for part in before.split("\n\n") if part.count("word") < 40]
        assert after.split("\n\n") == short
        cut += before != after
    assert cut


def test_a_text_that_fits_nowhere_is_refused_in_one_sentence():
    rows = texts(words=60)
    for shots in (0, 5):
        with pytest.raises(ModelError, match=r"takes \d+ tokens without any example; model 'mock/counting' reads 40\."):
            learned(prompted(Counting(limit=40), shots=shots), rows, [job(rows)])


class Placed(Uniform):
    """Prefers the longer of two texts, and whatever stands in place A."""

    def _answer(self, index, ask):
        first, second = ask.context.rpartition("A: ")[2].split("\n\nWhich")[0].split("\n\nB: ")
        odds = (len(first) - len(second)) / 4 + 3
        return Scored((-np.log1p(np.exp(odds)), -np.log1p(np.exp(-odds))), (1, 1))


def pairs(turned=False):
    rng = np.random.default_rng(0)
    given = []
    for n in range(100):
        long, short, label = f"better {n} {'x' * rng.integers(4, 9)}", f"worse {n}", int(rng.integers(2))
        first, second = (long, short) if label else (short, long)
        given.append(Judged(str(n), f"g{n}", first, label, second))
    rows = pool(given, learn=70, test=30, seed=0)
    return dataclasses.replace(rows, texts=rows.against, against=rows.texts, labels=1 - rows.labels) if turned else rows


def test_two_texts_are_asked_in_both_orders_so_that_the_place_does_not_decide():
    rows = pairs()
    placed = prompted(Placed("mock/placed"))
    fair = learned(placed, rows, [job(rows, model="mock/placed")], "mock/placed")[0]
    assert right(fair, rows) == 1
    raw = learned(prompted(Placed("mock/placed"), calibrated=False), rows, [job(rows)], "mock/placed")[0]
    assert (raw.final > 0.5).mean() > 0.9
    prompt = placed.prompt(rows, "mock/placed", job(rows), int(rows.test[0]))
    assert prompt.endswith(
        f"A: {rows.texts[rows.test[0]]}\n\nB: {rows.against[rows.test[0]]}\n\nWhich of the two is "
        "better, A or B?\nAnswer:"
    )
    assert prompt.count("Answer: A\n\n") in (2, 3)
    turned = pairs(turned=True)
    other = learned(prompted(Placed("mock/placed")), turned, [job(turned)], "mock/placed")[0]
    assert other.final == pytest.approx(1 - fair.final)


def test_a_model_that_was_told_is_right_about_two_texts():
    rows = pairs()
    for calibrated in (True, False):
        learner = prompted(load_model("mock/oracle"), calibrated=calibrated)
        assert right(learned(learner, rows, [job(rows)], "mock/oracle")[0], rows) == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [("mock/garbage", "as log-probabilities of two answers|no answer"), ("mock/flaky", "failed on purpose")],
)
def test_an_answer_that_is_none_stops_the_lesson(name, says):
    rows = texts()
    model = load_model(name, {"seed": "0"} if name == "mock/flaky" else {})
    with pytest.raises(ModelError, match=says):
        learned(Prompted({name: model}), rows, [job(rows)], name)


def test_a_model_that_stops_early_is_refused():
    class Silent(Counting):
        def score(self, asks, skip):
            yield from list(super().score(asks, skip))[:0]

    rows = texts()
    with pytest.raises(ModelError, match="without an answer"):
        learned(prompted(Silent()), rows, [job(rows)])


def test_a_number_of_examples_below_0_is_refused():
    with pytest.raises(UsageError, match="shots=-1"):
        Prompted({}, shots=-1)


def test_what_is_learned_changes_with_the_settings_and_the_kind_of_rows():
    specs = [prompted(Counting(), shots=shots, calibrated=c).spec(texts()) for shots in (0, 5) for c in (True, False)]
    specs.append(prompted(Counting(), shots=5).spec(pairs()))
    assert all(one != other for place, one in enumerate(specs) for other in specs[:place])


def test_a_ladder_of_prompted_models_teaches(facts, tmp_path):
    names = ["mock/parrot", "mock/oracle"]
    learner = Prompted({name: load_model(name) for name in names})
    wanted = [student("mock/oracle", "mock/parrot", "xent", 0), ceiling("mock/oracle", 0)]
    for number in (3, 0):  # the second time nothing is computed
        ladder = Ladder(facts, learner, StageStore(tmp_path), lambda what, done, total: None)
        ladder.compute(wanted)
        assert ladder.computed == number
    assert right(ladder.outcomes[wanted[1]], facts) == 1
    assert set(ladder.outcomes[supervisor("mock/parrot", 0)].final) == {0.5}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A llama of two layers with random weights that reads bytes, and its folder."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={"<s>": 0, **{c: n + 1 for n, c in enumerate(alphabet)}}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    folder = tmp_path_factory.mktemp("llama")
    sizes = {"vocab_size": 257, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    more = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512}
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **sizes, **more, **ids)).eval()
        for parameter in network.parameters():
            if parameter.dim() >= 2:
                parameter.data.mul_(5)
    network.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>").save_pretrained(folder)
    return folder


def test_a_network_says_what_its_own_log_probabilities_say_and_reads_the_examples_once(tiny):
    rows = texts(words=0)
    name = f"hf/{tiny}"
    model = load_model(name)
    learner, one = Prompted({name: model}, calibrated=False), job(rows, model=name)
    found = learned(learner, rows, [one], name)[0]
    prompts = [learner.prompt(rows, name, one, int(row)) for row in one.test]
    network = AutoModelForCausalLM.from_pretrained(tiny).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny)
    for prompt, says in list(zip(prompts, found.final, strict=True))[:5]:
        sums = []
        for answer in (" no", " yes"):
            ids = torch.tensor([[0, *tokenizer(prompt + answer, add_special_tokens=False)["input_ids"]]])
            with torch.no_grad():
                each = network(ids).logits[0].log_softmax(-1)
            length = len(answer)
            sums.append(sum(float(each[at - 1, ids[0, at]]) for at in range(ids.shape[1] - length, ids.shape[1])))
        assert says == pytest.approx(1 / (1 + np.exp(sums[0] - sums[1])), abs=1e-4)
    asked = len(one.test) + len(one.held) + len(one.wanted)
    assert model.tokens_computed < asked * max(model.count_tokens(prompts)) / 3
    again = learned(Prompted({name: load_model(name)}, calibrated=False), rows, [job(rows, 1, name), one], name)
    assert again[1].final == pytest.approx(found.final, abs=1e-5)


def test_a_network_that_reads_little_gets_fewer_examples(tiny):
    rows = texts(words=12)
    name = f"hf/{tiny}"
    learner = Prompted({name: load_model(name)})
    found = learned(learner, rows, [job(rows, model=name)], name)[0]
    assert np.isfinite(found.final).all()
    assert "of 5 examples were left out" in learner.remarks[0]
