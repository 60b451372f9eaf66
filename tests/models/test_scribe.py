"""Models that are taught to write, and what else finetuning can be asked: generative first, probes, easy to hard."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from gnomon.asks import Ask, Decoding
from gnomon.errors import AbilityError, DataError, ModelError, UsageError
from gnomon.models import load_model
from gnomon.supervision import HeadRecipe, Lesson, _tuned, supervise, train_heads
from gnomon.supervision import _ladder as make
from gnomon.supervision._course import TuneRecipe
from gnomon.supervision._ladder import Ladder, ceiling, student, supervisor
from gnomon.supervision._pool import pool, written_pool
from gnomon.supervision._stages import StageStore
from gnomon.supervision._team import Team
from gnomon.tasks import Judged, judged, load_task
from gnomon.tasks._posed import Posed

PROMPTS = ["Which bone is the longest? Answer:", "Is it wrong? Say", "x =", "The following are"]
ANSWERS = [" femur\n", " yes\n", " 123\n", " multiple choice questions\n"]


def scribe(folder, method="full", **settings):
    return load_model(f"hf/{folder}").pupil(method, 0, "zero", 4, writes=True, **settings)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma2", "cohere"])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_surprise_is_the_probability_that_a_scorer_gives(kind, method, kept):
    """Families that cap or scale their logits included; in any company and order."""
    model = load_model(f"hf/{kept(kind)}")
    pupil = model.pupil(method, 0, "zero", 4, writes=True)
    pairs = pupil.pairs(PROMPTS, ANSWERS)
    with torch.no_grad():
        found = pupil.surprise([ids for ids, _ in pairs], [start for _, start in pairs]).numpy()
        alone = [float(pupil.surprise([ids], [start])[0]) for ids, start in pairs]
    asks = [Ask(prompt, (answer,)) for prompt, answer in zip(PROMPTS, ANSWERS, strict=True)]
    scored = dict(one for batch in model.score(asks, lambda index: False) for one in batch)
    assert found == pytest.approx([-scored[at].logprobs[0] for at in range(4)], abs=2e-4)
    assert found == pytest.approx(alone, abs=2e-4)


def test_a_fresh_copy_writes_as_the_model_does(kept):
    model = load_model(f"hf/{kept('llama')}")
    decoding = Decoding(max_tokens=6, stop=("\n",))
    from gnomon.asks import Prompt

    asked = [Prompt(text, decoding) for text in PROMPTS]
    wanted = dict(one for batch in model.generate(asked, lambda index: False) for one in batch)
    assert scribe(kept("llama"), "lora").write(PROMPTS, decoding) == [wanted[at].text for at in range(4)]


def test_an_output_head_that_shares_its_rows_is_trained_once(kept):
    tied, apart = scribe(kept("gpt2")), scribe(kept("llama"))
    for pupil in (tied, apart):
        own = pupil.weights()
        assert len({id(one) for one in own}) == len(own)
    assert any(one is apart._output.weight for one in apart.weights())
    assert not any(one is w for one in scribe(kept("llama"), "lora").weights() for w in [apart._output.weight])
    before = tied._output.weight.detach().clone()
    tied.surprise(*map(list, zip(*tied.pairs(PROMPTS, ANSWERS), strict=True))).sum().backward()
    torch.optim.SGD(tied.weights(), lr=0.1).step()
    assert tied._output.weight is tied._network.get_input_embeddings().weight
    assert not torch.equal(before, tied._output.weight)


def test_an_encoder_cannot_be_taught_to_write(kept):
    with pytest.raises(ModelError, match="cannot be taught to write"):
        scribe(kept("bert"))


def letter(text):
    """The first capital letter: the tiny tokenizer shows spaces as letters of its own."""
    return next((one for one in text if one in "AB"), "")


def questions(n=96):
    """Each with one of two answers, by the letter it holds; difficulty is its number."""
    return [
        Posed(
            id=str(number),
            group=f"g{number}",
            prompt=f"{number} {'yes' if number % 2 else 'no'} no true, false. Answer:",
            answer=" A" if number % 2 else " B",
            accepted=frozenset({"A" if number % 2 else "B"}),
            read=letter,
            difficulty=float(number),
        )
        for number in range(n)
    ]


def climbed(rows, folder, place, nodes, **recipe):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        models = {"m": load_model(f"hf/{folder}")}
        learner = _tuned.Tuned(
            models, place, TuneRecipe(**{"lr": 3e-3, "epochs": 6, "method": "full", "looks": 2, **recipe}), "last"
        )
        found = Ladder(rows, learner, StageStore(place / "stages"), lambda what, done, total: None)
        found.compute(nodes)
    return found


def test_answers_are_learned_and_a_student_learns_what_its_teacher_wrote(kept, tmp_path):
    rows = written_pool(questions(), learn=64, test=24, seed=0)
    assert rows.written
    assert len(rows.learn) == 64
    assert len(rows.test) == 24
    node = student("m", "m", "xent", 0)
    ladder = climbed(rows, kept("llama"), tmp_path, [ceiling("m", 0), node], lr=1e-2, epochs=30)
    right = rows.right(ladder.outcomes[ceiling("m", 0)].final, rows.test)
    assert right.mean() > 0.9
    teacher = ladder.outcomes[supervisor("m", 0)]
    learned, _ = ladder.rows(node)
    assert ladder.labels(node, learned).tolist() == [
        teacher.wanted[at] for at in np.searchsorted(ladder.wanted(supervisor("m", 0)), learned)
    ]
    again = climbed(rows, kept("llama"), tmp_path, [ceiling("m", 0), node], lr=1e-2, epochs=30)
    assert (again.computed, again.reused) == (0, 3)
    assert np.array_equal(again.outcomes[node].test, ladder.outcomes[node].test)


def test_small_pieces_teach_as_the_whole_batch_does(kept, tmp_path):
    rows = written_pool(questions(), learn=64, test=24, seed=0)
    found = []
    for place, tokens in (("a", 100_000), ("b", 40)):
        found.append(climbed(rows, kept("llama"), tmp_path / place, [ceiling("m", 0)], tokens=tokens, epochs=1))
    states = [one.outcomes[ceiling("m", 0)].test for one in found]
    assert (states[0] == states[1]).mean() > 0.9  # greedy words may fall either way where two are nearly as likely


def test_agreement_of_answers_is_that_of_their_meanings(kept):
    rows = written_pool(questions(), learn=64, test=24, seed=0)
    one = np.array(["A", " A ", "?"] + ["B"] * 21)
    odd = [replace(rows.posed[row], read=lambda text: text.strip().replace("?", "")) for row in range(len(rows.posed))]
    rows = replace(rows, posed=tuple(odd))
    same = rows.same(one, np.array(["A", "A", "?"] + ["A"] * 21), rows.test)
    assert same.tolist() == [True, True, False] + [False] * 21


def test_easy_rows_and_as_many_of_all(kept, tmp_path):
    rows = written_pool(questions(), learn=80, test=16, seed=0)
    ladder = climbed(rows, kept("llama"), tmp_path, [], epochs=1)
    learned, held = ladder.rows(make.easy("m", 40, 0))
    assert 0 < len(learned) < len(ladder.rows(ceiling("m", 0))[0])
    assert rows.difficulty[learned].max() <= 40
    assert len(held)
    others, _ = ladder.rows(make.mixed("m", 40, 0))
    assert len(others) == len(learned)
    assert rows.difficulty[others].max() > 40
    assert set(others) <= set(ladder.rows(ceiling("m", 0))[0])
    with pytest.raises(DataError, match="no row to learn from has a difficulty of at most -1; it runs from 0"):
        ladder.rows(make.easy("m", -1, 0))


@pytest.fixture
def statements():
    data = load_task("facts", {"subsets": "capitals-statements"})
    return pool(judged(data.task, data.items()), learn=96, test=24, seed=0)


def test_a_probe_reads_the_states_that_the_head_would_read(statements, kept, tmp_path):
    """Before training they are those of the model itself."""
    node = make.probe("m", None, 0)
    ladder = climbed(statements, kept("llama"), tmp_path, [node], method="lora")
    learned, _ = ladder.rows(node)
    pupil = load_model(f"hf/{kept('llama')}").pupil("lora", 0, "unembedding", 8)
    states = pupil.predict(pupil.ids(statements.texts), 10_000, "states")
    lesson = Lesson(np.arange(len(learned)), statements.labels[learned].astype(float), seed=0)
    heads = train_heads(states[learned], [lesson], HeadRecipe())
    wanted = heads.probabilities(states[statements.test])[0]
    assert ladder.outcomes[node].final == pytest.approx(wanted, abs=1e-3)


def test_what_was_learned_is_probed_after_the_last_look(statements, kept, tmp_path):
    """A student that fits the truth holds it in its states; the probe is of these, not of the untrained ones."""
    plain, probed = student("m", "m", "xent", 0), student("m", "m", "xent", 0, probed=True)
    before = make.probe("m", None, 0)
    ladder = climbed(statements, kept("llama"), tmp_path, [plain, probed, before], lr=1e-3)
    assert np.array_equal(ladder.outcomes[plain].test, ladder.outcomes[probed].test)
    assert ladder.outcomes[plain].probed.size == 0
    says = ladder.outcomes[probed].probed
    assert says.shape == (len(statements.test),)
    assert np.abs(says - ladder.outcomes[before].final).max() > 1e-3


def test_generative_finetuning_comes_first_for_students_and_ceilings_alike(statements, kept, tmp_path):
    nodes = [
        student("m", "m", "xent", 0, primed=True),
        ceiling("m", 0, primed=True),
        student("m", "m", "xent", 0),
        ceiling("m", 0),
    ]
    calls = []
    real = _tuned._write_on
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_tuned, "_write_on", lambda *given: (calls.append(1), real(*given)))
        ladder = climbed(statements, kept("llama"), tmp_path, nodes, epochs=1)
    first, second, plain, top = (ladder.outcomes[node] for node in nodes)
    assert not np.array_equal(first.test, plain.test)
    assert not np.array_equal(second.test, top.test)
    learned, _ = ladder.rows(nodes[0])
    assert len(calls) == -(-len(learned) // 32)  # both learn to write the same rows, which is done once
    again = climbed(statements, kept("llama"), tmp_path / "alone", nodes[1:2], epochs=1)
    assert np.array_equal(again.outcomes[nodes[1]].test, second.test)


def test_to_write_the_texts_makes_them_less_surprising(statements, kept, tmp_path):
    model = load_model(f"hf/{kept('llama')}")
    pupil = model.pupil("full", 0, "zero", 4, writes=True)
    ids = pupil.ids(statements.texts)
    with torch.no_grad():
        before = float(pupil.surprise(ids, [1] * len(ids)).mean())
    learner = _tuned.Tuned({"m": model}, tmp_path, TuneRecipe("full", lr=5e-3), "last")
    ladder = Ladder(statements, learner, StageStore(tmp_path), lambda what, done, total: None)
    learner._prime(statements, "m", ladder._job(ceiling("m", 0, primed=True)), pupil, ids)
    with torch.no_grad():
        after = float(pupil.surprise(ids, [1] * len(ids)).mean())
    assert after < 0.9 * before
    assert (pupil.head.weight == 0).all()


def test_pairs_of_texts_are_primed_on_both(kept, tmp_path):
    pairs = [Judged(str(n), f"g{n}", f"text {n} A", n % 2, f"other {n} B") for n in range(80)]
    rows = pool(pairs, learn=60, test=16, seed=0)
    ladder = climbed(rows, kept("llama"), tmp_path, [ceiling("m", 0, primed=True)], epochs=1)
    assert np.isfinite(ladder.outcomes[ceiling("m", 0, primed=True)].final).all()


def study(kept, tmp_path, task="facts-capitals-statements", **given):
    names = f"hf/{kept('llama')}@layers=1", f"hf/{kept('llama')}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return supervise(
            task,
            names,
            runs_dir=tmp_path,
            cache=False,
            **{"learner": "lora", "seeds": 1, "learn": 80, "test": 20, "epochs": 1, "lr": 1e-3, **given},
        )


def tables(run):
    return {block.title: block for block in run.result() if block.kind == "table"}


def test_a_study_of_all_that_finetuning_offers(kept, tmp_path):
    run = study(kept, tmp_path, saliency=True, generative_first=True, losses=["xent"])
    found = tables(run)
    (row,) = found["Saliency: is the truth easier to read after finetuning on weak labels?"].rows
    assert len(row) == 11
    assert all(0 <= value <= 1 for value in row[3:8])
    assert row[8] == pytest.approx(row[6] - row[3])
    assert [one[3] for one in found["More ways to teach"].rows] == ["xent, generative first"]
    assert (run.path / "report.html").stat().st_size > 1000


@pytest.mark.parametrize("task", ["chess", "facts-capitals-questions"])
def test_a_study_of_answers_in_writing(task, kept, tmp_path):
    (tmp_path / "data").mkdir()
    boards = [f"6k1/5ppp/8/8/{at}/8/r4PPP/1R4K1 b - - 0 1,a2a1 b1a1,{600 + 50 * n}" for n, at in enumerate(_pawns())]
    (tmp_path / "data" / "lichess_puzzles.csv").write_text("".join(f"{board}\n" for board in boards))
    own = {"task_args": {"data": str(tmp_path / "data")}, "easy": 1500} if task == "chess" else {"answers": "written"}
    run = study(kept, tmp_path / "runs", task, learn=40, test=16, **own)
    assert run.manifest.status == "complete"
    record = next(iter(run.records().values()))
    assert isinstance(record.parsed, str)
    assert isinstance(record.target, str)
    assert ("Easy to hard" in tables(run)) == (task == "chess")
    again = study(kept, tmp_path / "other", task, learn=40, test=16, **own)
    for name in ("result.json", "arrays/predictions.safetensors"):
        assert (run.path / name).read_bytes() == (again.path / name).read_bytes()


def _pawns():
    """Ranks with a black pawn and a white one: positions that are other groups."""
    ranks = []
    for black in range(8):
        for white in range(8):
            if black != white:
                squares = ["1"] * 8
                squares[black], squares[white] = "p", "P"
                ranks.append(_packed("".join(squares)))
    return ranks


def _packed(squares):
    out, run = "", 0
    for one in squares:
        if one == "1":
            run += 1
            continue
        out, run = out + (str(run) if run else "") + one, 0
    return out + (str(run) if run else "")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"answers": "written", "learner": "frozen"}, "does not teach"),
        ({"answers": "written", "losses": ["confidence"]}, "need labels of two classes"),
        ({"answers": "written", "simulate": ["random"]}, "simulated errors need labels"),
        ({"answers": "written", "saliency": True}, "need labels of two classes"),
        ({"answers": "written", "generative_first": True}, "need labels of two classes"),
        ({"answers": "spoken"}, "no way to answer is named 'spoken'"),
        ({"learner": "frozen", "saliency": True}, "--saliency needs networks that are trained"),
        ({"learner": "frozen", "generative_first": True}, "--generative-first needs networks"),
        ({"learner": "prompt", "losses": ["confidence"]}, "nothing is trained by prompting"),
        ({"start": "unembeding"}, "Did you mean 'unembedding'"),
        ({"shots": -1}, "shots=-1"),
        ({"easy": 3.0}, "knows no difficulty"),
    ],
)
def test_what_does_not_go_together_is_refused_before_any_work(given, says, kept, tmp_path):
    with pytest.raises(UsageError, match=says):
        study(kept, tmp_path, **given)
    assert not list(tmp_path.iterdir())


def test_prompts_teach_in_a_study_of_their_own(kept, tmp_path):
    run = study(kept, tmp_path, learner="prompt", shots=2)
    assert run.manifest.status == "complete"
    assert {row[3] for row in tables(run)["Supervisor, student, ceiling"].rows} == {"xent"}
    assert any("Nothing is trained" in block.text for block in run.result() if block.kind == "note")


def test_a_frozen_head_can_begin_at_the_output_rows(kept, tmp_path):
    zero = study(kept, tmp_path / "a", learner="frozen")
    rows = study(kept, tmp_path / "b", learner="frozen", start="unembedding")
    one, other = (tables(run)["Supervisor, student, ceiling"].rows for run in (zero, rows))
    assert one != other
    with pytest.raises(UsageError, match="no output rows"):
        supervise(
            "facts",
            ["mock/parrot", "mock/oracle"],
            start="unembedding",
            learn=80,
            test=20,
            runs_dir=tmp_path,
            cache=False,
        )


@pytest.mark.slow
def test_two_processes_share_the_trainings_and_write_one_run(kept, tmp_path):
    """As  accelerate launch  starts them; the numbers are those of one process."""
    folder = kept("llama")
    command = [
        *("-m", "gnomon", "supervise", "facts-capitals-statements", "--runs-dir", "runs", "--learner", "lora"),
        *("--ladder", f"hf/{folder}@layers=1,hf/{folder}", "--seeds", "1", "--learn", "80", "--test", "20"),
        *("--epochs", "1", "--lr", "1e-3"),
    ]
    found = {}
    for size in (1, 2):
        place = tmp_path / str(size)
        place.mkdir()
        own = {**os.environ, "GNOMON_CACHE": str(place / "cache"), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        launch = [sys.executable, *command]
        if size > 1:
            options = ["--cpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
            options += ["--main_process_port", "0", "--num_cpu_threads_per_process", "1"]
            launch = [sys.executable, "-m", "accelerate.commands.launch", *options, *command]
        done = subprocess.run(launch, cwd=place, env=own, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        (run,) = (place / "runs").iterdir()
        found[size] = load_file(run / "arrays" / "predictions.safetensors")
        assert "Report:" in done.stdout
        assert done.stdout.count("Report:") == 1
    assert found[1].keys() == found[2].keys()
    for name, values in found[1].items():
        assert values == pytest.approx(found[2][name], abs=1e-6)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WORLD_SIZE", "2")
        patched.setattr(Team, "here", classmethod(lambda cls: cls(0, 2)))
        with pytest.raises(UsageError, match="through the cache, which is off"):
            study(kept, tmp_path / "off")


def test_a_model_that_cannot_write_is_refused_before_any_work(kept, tmp_path):
    names = [f"hf/{kept('bert')}", f"hf/{kept('llama')}"]
    for own in ({"answers": "written"}, {"generative_first": True}):
        with pytest.raises(AbilityError, match="which 'gnomon supervise' needs"):
            supervise("facts-capitals-questions", names, learner="lora", runs_dir=tmp_path, **own)
    assert not list(tmp_path.iterdir())
