"""Hidden states against transformers' own `output_hidden_states`, one text at a time, family by family."""

import re

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

from gnomon.asks import Failed, Reading
from gnomon.errors import ModelError, UsageError
from gnomon.models import Fills, Represents, Untrained, load_model

DECODERS = ["llama", "gpt2", "gpt_neox", "opt", "bloom", "gemma", "qwen2", "mistral"]
ENCODERS = ["bert", "roberta", "deberta-v2", "electra"]
READINGS = [
    Reading("Is the longest bone the femur?", ("yes", "no")),
    Reading("Is it wrong? I told the judge that I had paid, and she believed me.", ("true", "false")),
    Reading("Which of the following is it?\n", ("A. tibia", "B")),
    Reading("", ("A bone is a bone.", "No.")),
    Reading("Is it wrong? I told the judge that I had paid.", ("true", "false")),
]


def read(model, readings=READINGS, skip=lambda index: False):
    found = {}
    for batch in model.represent(readings, skip):
        for index, states in batch:
            assert index not in found
            found[index] = states
    return found


def close(mine, theirs, rel=1e-4):
    theirs = np.asarray(theirs)
    assert mine.shape == theirs.shape
    assert np.abs(mine - theirs).max() <= rel * np.abs(theirs).max()


def plain(folder, ids, family=AutoModel):
    """All layers' states of the last token of one text, by transformers itself."""
    network = family.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        out = network(input_ids=torch.tensor([ids]), output_hidden_states=True)
    return [state[0, -1].numpy() for state in out.hidden_states]


@pytest.mark.parametrize("kind", DECODERS)
def test_a_decoders_states_are_transformers_own(kind, kept):
    folder = kept(kind)
    model = load_model(f"hf/{folder}")
    words = AutoTokenizer.from_pretrained(folder)
    assert isinstance(model, Represents)
    assert model.layout().layers == ("0", "1", "2")
    assert model.layout().width == 32
    found = read(model)
    for index, reading in enumerate(READINGS):
        for number, answer in enumerate(reading.answers):
            between = "\n" if reading.question and not reading.question[-1].isspace() else ""
            ids = words(f"{reading.question}{between}{answer}")["input_ids"]
            close(found[index].values[number], plain(folder, ids, AutoModelForCausalLM))
            assert found[index].tokens[number] == len(ids)


@pytest.mark.parametrize("kind", ENCODERS)
def test_an_encoders_states_are_those_of_its_own_pair(kind, kept):
    folder = kept(kind)
    words = AutoTokenizer.from_pretrained(folder)
    found = read(load_model(f"hf/{folder}"))
    for index, reading in enumerate(READINGS):
        for number, answer in enumerate(reading.answers):
            ids = words(reading.question, answer)["input_ids"] if reading.question else words(answer)["input_ids"]
            close(found[index].values[number], plain(folder, ids))


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_an_encoder_decoder_gives_both_stacks(kind, kept):
    folder = kept(kind)
    words = AutoTokenizer.from_pretrained(folder)
    model = load_model(f"hf/{folder}")
    assert model.layout().layers == tuple([f"encoder {k}" for k in range(3)] + [f"decoder {k}" for k in range(4)])
    found = read(model)
    network = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    for index, reading in enumerate(READINGS[:2]):
        for number, answer in enumerate(reading.answers):
            question = reading.question.replace("\n", " ")
            whole = torch.tensor([words(f"{question} {answer}")["input_ids"]])
            alone = torch.tensor([words(question)["input_ids"]])
            said = torch.tensor([[0, *words(answer, add_special_tokens=False)["input_ids"]]])
            with torch.no_grad():
                above = network.get_encoder()(input_ids=whole, output_hidden_states=True).hidden_states
                below = network(input_ids=alone, decoder_input_ids=said, output_hidden_states=True)
            states = [one[0, -1].numpy() for one in (*above, *below.decoder_hidden_states)]
            close(found[index].values[number], states)


@pytest.mark.parametrize("kind", ["llama", "bert", "t5"])
def test_company_order_and_skipping_move_no_state(kind, kept):
    model = load_model(f"hf/{kept(kind)}", {"batch_tokens": "64"})
    whole = read(model)
    backwards = read(model, READINGS[::-1])
    some = read(model, skip={0, 3}.__contains__)
    assert set(some) == {1, 2, 4}
    many = read(model, READINGS * 6)
    for index in range(len(READINGS)):
        (alone,) = read(model, [READINGS[index]]).values()
        for other in (backwards[len(READINGS) - 1 - index], alone, many[index + 20 - 20 % 5], some.get(index, alone)):
            close(other.values, whole[index].values, rel=1e-5)


@pytest.mark.parametrize("changes", [{"num_hidden_layers": 1}, {"tie_word_embeddings": True}])
def test_one_layer_and_tied_embeddings_are_read_as_they_are(changes, kept):
    folder = kept("llama", **changes)
    model = load_model(f"hf/{folder}")
    words = AutoTokenizer.from_pretrained(folder)
    assert len(model.layout().layers) == changes.get("num_hidden_layers", 2) + 1
    ids = words("Is the longest bone the femur?\nyes")["input_ids"]
    close(read(model, READINGS[:1])[0].values[0], plain(folder, ids, AutoModelForCausalLM))


def test_bfloat16_states_are_near_and_said_to_be_so(kept):
    folder = kept("llama")
    model = load_model(f"hf/{folder}", {"dtype": "bfloat16"})
    assert model.layout().dtype == "bfloat16"
    near, exact = read(model)[1].values, read(load_model(f"hf/{folder}"))[1].values
    assert near.dtype == np.float32
    close(near, exact, rel=0.1)


def test_the_first_layers_are_a_prefix(kept):
    folder = kept("gpt_neox")
    whole, part = read(load_model(f"hf/{folder}")), read(load_model(f"hf/{folder}@layers=1"))
    close(part[0].values[:, 0], whole[0].values[:, 0])
    assert part[0].values.shape == (2, 2, 32)


def test_join_and_read_are_part_of_the_rule_and_change_what_is_read(kept):
    folder = kept("llama")
    words = AutoTokenizer.from_pretrained(folder)
    ways = [{}, {"join": "space"}, {"read": "eos"}]
    models = [load_model(f"hf/{folder}", way) for way in ways]
    assert len({model.layout().rule for model in models}) == 3
    texts = ["Is the longest bone the femur?\nyes", "Is the longest bone the femur? yes", None]
    for model, text in zip(models[:2], texts[:2], strict=True):
        close(read(model, READINGS[:1])[0].values[0], plain(folder, words(text)["input_ids"], AutoModelForCausalLM))
    ids = [*words(texts[0])["input_ids"], words.eos_token_id if words.eos_token_id is not None else 0]
    if words.eos_token_id is None:
        with pytest.raises(ModelError, match="no end token"):
            read(models[2])
    else:
        close(read(models[2], READINGS[:1])[0].values[0], plain(folder, ids, AutoModelForCausalLM))


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_a_long_question_loses_its_start_and_the_answer_stays_whole(kind, kept):
    folder = kept(kind, max_position_embeddings=40)
    model = load_model(f"hf/{folder}")
    words = AutoTokenizer.from_pretrained(folder)
    long = Reading("It is so. " * 30 + "Is it wrong?", ("the judge", "no"))
    states = read(model, [long])[0]
    answer = words("the judge", add_special_tokens=False)["input_ids"]
    if kind == "gpt2":
        whole = words(f"{long.question}\nthe judge")["input_ids"]
        kept_ids = [whole[0], *whole[len(whole) - 39 :]]
    else:
        whole = words(long.question, "the judge")["input_ids"]
        over = len(whole) - 40
        kept_ids = [whole[0], *whole[1 + over :]]
        assert kept_ids[-1 - len(answer) : -1] == answer
    assert len(kept_ids) == 40
    assert states.tokens[0] == 40
    assert states.truncated == len(whole) - 40
    close(states.values[0], plain(folder, kept_ids, AutoModelForCausalLM if kind == "gpt2" else AutoModel))


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_an_answer_that_does_not_fit_is_refused_in_words(kind, kept):
    model = load_model(f"hf/{kept(kind, max_position_embeddings=40)}")
    found = read(model, [Reading("Is it?", ("no", "so it is " * 40)), READINGS[0]])
    assert isinstance(found[0], Failed)
    assert "longer than the" in found[0].message
    assert found[1].values.shape == (2, 3, 32)


def test_a_state_that_is_not_finite_names_its_layer(kept, tmp_path):
    folder = kept("llama")
    network = AutoModelForCausalLM.from_pretrained(folder)
    network.model.layers[0].mlp.down_proj.weight.data.fill_(6e4)
    network.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    found = read(load_model(f"hf/{tmp_path}", {"dtype": "float16"}))
    assert all(isinstance(one, Failed) for one in found.values())
    assert re.search(r"layer [12] is not finite \(float16\)", found[0].message)
    assert "bfloat16" in found[0].message


def test_random_weights_are_drawn_by_their_seed_alone(kept):
    folder = kept("llama")
    model = load_model(f"hf/{folder}")
    assert isinstance(model, Untrained)
    before = torch.random.get_rng_state()
    one, same, other = model.untrained(3), model.untrained(3), model.untrained(4)
    named = load_model(f"hf/{folder}", {"weights": "random:3"})
    states = [read(m, READINGS[:1])[0].values for m in (one, same, other, named, model)]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(states[0], states[1])
    assert np.array_equal(states[0], states[3])
    assert not np.allclose(states[0], states[2])
    assert not np.allclose(states[0], states[4])
    prints = [m.fingerprint() for m in (one, same, other, named, model)]
    assert prints[0] == prints[1] == prints[3]
    assert len(set(prints)) == 3
    with pytest.raises(UsageError, match="weights=zero is not possible"):
        load_model(f"hf/{folder}", {"weights": "zero"})


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_a_masked_model_fills_in_what_an_independent_computation_does(kind, kept):
    folder = kept(kind, AutoModelForMaskedLM)
    model = load_model(f"hf/{folder}")
    assert isinstance(model, Fills)
    words = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()
    reading = Reading("The longest bone is", ("the femur", "it"), after=" of all.")
    answers = {}
    for batch in model.fill([reading, READINGS[0]], lambda index: False):
        answers.update(batch)
    for number, answer in enumerate(reading.answers):
        left = words(reading.question, add_special_tokens=False)["input_ids"]
        mid = words(f" {answer}", add_special_tokens=False)["input_ids"]
        right = words(reading.after, add_special_tokens=False)["input_ids"]
        ids = [0, *left, *[words.mask_token_id] * len(mid), *right, words.sep_token_id]
        with torch.no_grad():
            spread = torch.log_softmax(network(input_ids=torch.tensor([ids])).logits[0], -1)
        total = sum(float(spread[1 + len(left) + k, token]) for k, token in enumerate(mid))
        assert answers[0].logprobs[number] == pytest.approx(total, abs=1e-4)
        assert answers[0].tokens[number] == len(mid)
    assert set(answers) == {0, 1}


def test_an_answer_in_the_middle_is_read_at_the_last_token(kept):
    folder = kept("bert")
    words = AutoTokenizer.from_pretrained(folder)
    reading = Reading("The longest bone is", ("the femur",), after=" of all.")
    states = read(load_model(f"hf/{folder}"), [reading])[0]
    close(states.values[0], plain(folder, words("The longest bone is the femur of all.")["input_ids"]))


def test_the_embedded_models_states_are_transformers_own(embedded):
    model = load_model("smollm2")
    found = read(model, READINGS[:2])
    words = AutoTokenizer.from_pretrained(embedded)
    ids = words(f"{READINGS[0].question}\nno")["input_ids"]
    close(found[0].values[1], plain(embedded, ids, AutoModelForCausalLM), rel=1e-5)
    assert model.layout().layers[-1] == "30"
