"""Networks that are taught: what the head reads, gradients, and whole studies with tiny models of several families."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from gnomon.errors import AbilityError, DataError, UsageError
from gnomon.models import load_model, require
from gnomon.models._pupil import batches
from gnomon.supervision import _tuned, supervise
from gnomon.supervision._ladder import Ladder, ceiling, student
from gnomon.supervision._pool import pool
from gnomon.supervision._stages import StageStore
from gnomon.tasks import Judged, judged, load_task

TEXTS = ["It is wet!", "!!! wow !!! yes!", "x", "Paris is the capital of France, and it rains there."]


@pytest.fixture
def teach(tmp_path, monkeypatch):
    """A whole study over two models, with few rows."""
    monkeypatch.setenv("GNOMON_CACHE", str(tmp_path / "cache"))

    def run(*names, folder="runs", **given):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return supervise(
                "facts-capitals-statements",
                names,
                runs_dir=tmp_path / folder,
                **{"learner": "lora", "seeds": 1, "learn": 80, "test": 20, "epochs": 1, "lr": 1e-3, **given},
            )

    return run


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bert"])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_text_is_read_alike_alone_and_in_any_company(kind, method, kept):
    """Texts that hold the padding token's own text included; company and padding move logits by rounding alone."""
    pupil = load_model(f"hf/{kept(kind)}").pupil(method, 0, "zero", 4)
    torch.nn.init.normal_(pupil.head.weight, generator=torch.Generator().manual_seed(0))
    ids = pupil.ids(TEXTS)
    alone = np.concatenate([pupil.predict([one], 10_000) for one in ids])
    together = pupil.predict(ids, 10_000)
    reversed_ = pupil.predict(ids[::-1], 20)[::-1]
    assert alone == pytest.approx(together, abs=2e-5)
    assert alone == pytest.approx(reversed_, abs=2e-5)
    assert len(np.unique(alone[:, 0].round(5))) == len(TEXTS)


def test_the_head_begins_with_the_output_rows_of_nought_and_one(kept):
    model = load_model(f"hf/{kept('llama')}")
    pupil = model.pupil("full", 0, "unembedding", 4)
    rows = [model._encoder.whole([text])[0][-1] for text in ("0", "1")]
    network = model._network
    ids = pupil.ids(TEXTS[:1])
    wanted = network(torch.tensor(ids)).logits[0, -1, rows].detach().numpy()
    assert pupil.predict(ids, 100)[0] == pytest.approx(wanted, abs=1e-5)
    assert (model.pupil("full", 0, "zero", 4).predict(ids, 100) == 0).all()


def test_teaching_a_copy_leaves_the_model_as_it_was(kept):
    model = load_model(f"hf/{kept('llama')}")
    before = {name: one.clone() for name, one in model._network.state_dict().items()}
    pupil = model.pupil("full", 0, "unembedding", 4)
    optimiser = torch.optim.AdamW(pupil.weights(), lr=0.1)
    pupil.logits(pupil.ids(TEXTS)).square().sum().backward()
    optimiser.step()
    assert all(torch.equal(one, before[name]) for name, one in model._network.state_dict().items())


def test_adapters_begin_as_the_model_itself_and_are_few(kept):
    model = load_model(f"hf/{kept('llama')}")
    lora, full = model.pupil("lora", 0, "unembedding", 2), model.pupil("full", 0, "unembedding", 2)
    ids = lora.ids(TEXTS)
    assert lora.predict(ids, 999) == pytest.approx(full.predict(ids, 999), abs=1e-6)
    assert sum(one.numel() for one in lora.weights()) < 0.5 * sum(one.numel() for one in full.weights())


def test_an_encoder_decoder_is_refused(kept):
    with pytest.raises(AbilityError, match="cannot be finetuned"):
        require(load_model(f"hf/{kept('t5')}"), "learn", "gnomon supervise")


def test_long_and_empty_texts_are_refused(kept):
    pupil = load_model(f"hf/{kept('gpt2')}").pupil("full", 0, "zero", 2)
    with pytest.raises(UsageError, match="the model reads"):
        pupil.ids(["word " * 5000])


def test_batches_hold_every_row_once_within_their_places():
    lengths = [int(n) for n in np.random.default_rng(0).integers(1, 60, 300)]
    found = list(batches(lengths, 128))
    assert sorted(row for rows in found for row in rows) == list(range(300))
    assert all(len(rows) == 1 or len(rows) * max(lengths[row] for row in rows) <= 128 for rows in found)


@pytest.fixture
def rows():
    data = load_task("facts", {"subsets": "capitals-statements"})
    return pool(judged(data.task, data.items()), learn=120, test=30, seed=0)


def taught(rows, folder, place, nodes, select="last", **recipe):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        models = {"m": load_model(f"hf/{folder}")}
        learner = _tuned.Tuned(models, place, _tuned.TuneRecipe(**{"lr": 1e-3, "epochs": 1, **recipe}), select)
        found = Ladder(rows, learner, StageStore(place / "stages"), lambda what, done, total: None)
        found.compute(nodes)
    return found.outcomes


@pytest.mark.parametrize("loss", ["xent", "confidence@warmup=0"])
def test_small_pieces_give_the_gradient_of_the_whole_batch(loss, rows, kept, tmp_path):
    node = student("m", "m", loss, 0)
    one = taught(rows, kept("llama"), tmp_path / "a", [node], method="full", tokens=100_000)[node]
    other = taught(rows, kept("llama"), tmp_path / "b", [node], method="full", tokens=60)[node]
    assert one.test == pytest.approx(other.test, abs=1e-4)


def test_alpha_zero_trains_as_naive_does_bit_for_bit(rows, kept, tmp_path):
    plain, mixed = student("m", "m", "xent", 0), student("m", "m", "confidence@alpha=0", 0)
    found = taught(rows, kept("llama"), tmp_path, [plain, mixed])
    assert np.array_equal(found[plain].test, found[mixed].test)


@pytest.mark.parametrize("select", ["last", "held"])
def test_an_interrupted_training_goes_on_at_its_look_with_the_same_bits(select, rows, kept, tmp_path, monkeypatch):
    node = ceiling("m", 0)
    whole = taught(rows, kept("llama"), tmp_path / "whole", [node], select, epochs=3)[node]
    steps = []
    with monkeypatch.context() as patched:
        real = _tuned._Judging.backward

        def stopping(self, places, step):
            steps.append(1)
            if len(steps) == 5:
                raise KeyboardInterrupt
            real(self, places, step)

        patched.setattr(_tuned._Judging, "backward", stopping)
        with pytest.raises(KeyboardInterrupt):
            taught(rows, kept("llama"), tmp_path / "cut", [node], select, epochs=3)
    assert list((tmp_path / "cut").glob("*.work"))
    counted = []
    with monkeypatch.context() as patched:
        patched.setattr(
            _tuned._Judging, "backward", lambda self, places, step: (counted.append(1), real(self, places, step))
        )
        again = taught(rows, kept("llama"), tmp_path / "cut", [node], select, epochs=3)[node]
    assert len(counted) < 6
    assert np.array_equal(whole.test, again.test)
    assert whole.chosen == again.chosen
    assert not list((tmp_path / "cut").glob("*.work"))


def test_a_damaged_checkpoint_counts_as_none(rows, kept, tmp_path):
    node = ceiling("m", 0)
    one = taught(rows, kept("llama"), tmp_path / "a", [node])[node]
    learner = _tuned.Tuned(
        {"m": load_model(f"hf/{kept('llama')}")}, tmp_path, _tuned.TuneRecipe(lr=1e-3, epochs=1), "last"
    )
    found = Ladder(rows, learner, StageStore(tmp_path / "none"), lambda what, done, total: None)
    key = _tuned.key_of(rows, found._job(node), learner.fingerprint("m"), learner.spec(rows))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / f"{key}.work").write_bytes(b"not a checkpoint")
    assert np.array_equal(taught(rows, kept("llama"), tmp_path / "b", [node])[node].test, one.test)


@pytest.mark.parametrize("learner", ["lora", "full"])
def test_a_ladder_of_two_families_is_climbed(learner, kept, teach):
    run = teach(f"hf/{kept('bert')}", f"hf/{kept('llama')}", learner=learner)
    assert run.manifest.status == "complete"
    held = load_file(run.path / "arrays" / "predictions.safetensors")
    assert all(np.isfinite(values).all() for values in held.values())


def test_two_trainings_with_one_seed_are_the_same_bytes(kept, teach):
    names = f"hf/{kept('llama')}@layers=1", f"hf/{kept('llama')}"
    one, other = teach(*names, folder="a", cache=False), teach(*names, folder="b", cache=False)
    for name in ("result.json", "arrays/predictions.safetensors"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes()


def test_texts_too_long_for_one_model_are_left_out_for_all(kept, teach):
    names = f"hf/{kept('gpt2')}", f"hf/{kept('llama')}"
    texts = [one.text for one in judged(load_task("facts").task, load_task("facts-capitals-statements").items())]
    most = int(np.median(np.max([load_model(name).count_tokens(texts) for name in names], axis=0)))
    with pytest.raises(DataError, match="none is left"):
        teach(*names, max_tokens=2)
    run = teach(*names, max_tokens=most)
    notes = [block.text for block in run.result() if block.kind == "note"]
    assert any("longer than a model reads" in text for text in notes)


def test_a_smaller_strong_model_is_warned_of(kept, teach):
    run = teach(f"hf/{kept('llama')}", f"hf/{kept('llama')}@layers=1")
    assert any("is smaller" in block.text for block in run.result() if block.kind == "note")
    layers = run.manifest.model["layers"].split(", ")
    assert layers[1] == "1"
    assert int(layers[0]) > 1
    assert run.manifest.model["device"] == "cpu"


def test_swapping_a_pair_negates_its_logit_in_a_network_too(kept):
    pupil = load_model(f"hf/{kept('llama')}").pupil("full", 0, "unembedding", 2)
    ids = pupil.ids([*TEXTS, *TEXTS[::-1]])
    texts = _tuned._Texts(ids, 4)
    rows = np.arange(4)
    odds = texts.joined(torch.from_numpy(pupil.predict(texts.of(rows), 999)))[:, 1]
    assert odds.numpy() == pytest.approx(-odds.numpy()[::-1], abs=1e-5)
    same = _tuned._Texts([*ids[:4], *ids[:4]], 4)
    assert same.joined(torch.from_numpy(pupil.predict(same.of(rows), 999)))[:, 1].numpy() == pytest.approx(0, abs=1e-6)


@pytest.fixture
def compared():
    """Pairs of statements of which the true one is better."""
    data = load_task("facts", {"subsets": "capitals-statements"})
    items = judged(data.task, data.items())
    right, wrong = ([one for one in items if one.label == label] for label in (1, 0))
    pairs = []
    for number, (yes, no) in enumerate(zip(right, wrong, strict=False)):
        first, second = (yes, no) if number % 2 else (no, yes)
        pairs.append(Judged(str(number), f"g{number}", first.text, number % 2, second.text))
    return pool(pairs, learn=60, test=20, seed=0)


@pytest.mark.parametrize("tokens", [30, 100_000])
def test_pairs_are_learned_whole_or_in_pieces(tokens, compared, kept, tmp_path):
    node = student("m", "m", "confidence@warmup=0", 0)
    one = taught(compared, kept("llama"), tmp_path / "a", [node], method="full", tokens=100_000)[node]
    other = taught(compared, kept("llama"), tmp_path / "b", [node], method="full", tokens=tokens)[node]
    assert one.test == pytest.approx(other.test, abs=1e-4)
    assert len(compared.against) == len(compared.texts)
