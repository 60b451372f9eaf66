"""Every bad input is one sentence on standard error and exit status 2, and nothing is written."""

import json

import pytest


@pytest.fixture
def refused(cli, in_tmp):
    """A function that checks a refusal and returns its message."""

    def check(*args):
        before = sorted(in_tmp.rglob("*"))
        status, out, err = cli(*args)
        assert status == 2, err
        assert out == ""
        assert err.startswith("Error: ")
        assert err.endswith("\n")
        assert len(err.strip().splitlines()) == 1
        assert "Traceback" not in err
        assert sorted(in_tmp.rglob("*")) == before
        return err

    return check


U = ("-m", "mock/uniform")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("evl", "facts"), "no command 'evl'. Did you mean 'eval'?"),
        (("frobnicate",), "no command 'frobnicate'. Known: quickstart, eval"),
        (("eval", "fact", *U), "no task is named 'fact'. Did you mean 'facts'?"),
        (("eval", "zzz", *U), "no task is named 'zzz'. Known:"),
        (("eval", ",", *U), "no task was named"),
        (("eval", "facts"), "no model was named to answer facts. Give  -m smollm2"),
        (("eval", "-m", "mock/uniform"), "Missing argument 'TASKS'"),
        (("eval", "facts", *U, "-T", "subsets=capitols-questions"), "Did you mean 'capitals-questions'?"),
        (("eval", "facts", *U, "-T", "subsets=,"), "no subset of facts was named"),
        (("eval", "facts", *U, "-T", "split=train"), "facts has no split 'train'"),
        (("eval", "facts", *U, "-T", "subset=a"), "'subset' is not known to facts. Did you mean 'subsets'?"),
        (("eval", "facts", *U, "-T", "subsets"), "-T subsets: write  -T key=value"),
        (("eval", "facts", *U, "-T", "subsets="), "write  -T key=value"),
        (("eval", "facts", *U, "-T", "=x"), "write  -T key=value"),
        (("eval", "facts", *U, "-T", "counts=any", "-T", "counts=any"), "was given twice"),
        (("eval", "facts", *U, "-T", "counts=some"), "counts=some is not possible for facts"),
        (("eval", "facts", *U, "-T", "data=."), "facts is carried by gnomon"),
        (("eval", "facts", "-m", "mok/uniform"), "no model provider is named 'mok'. Did you mean 'mock'?"),
        (("eval", "facts", "-m", "gpt2"), "no model provider is named 'gpt2'"),
        (("eval", "facts", "-m", "org/gpt2"), "-m hf/org/gpt2"),
        (("eval", "facts", "-m", ""), "no model provider is named ''"),
        (("eval", "facts", "-m", "mock/unform"), "Did you mean 'uniform'?"),
        (("eval", "facts", "-m", "mock/"), "no mock model is named ''"),
        (("eval", "facts", "-m", "hf/"), "needs a hub id or a folder"),
        (("eval", "facts", "-m", "mock/uniform@layers"), "is no setting"),
        (("eval", "facts", *U, "-M", "rate=1"), "model argument 'rate' is not known to mock/uniform"),
        (("eval", "facts", "-m", "mock/flaky", "-M", "rat=1"), "Did you mean 'rate'?"),
        (("eval", "facts", "-m", "mock/flaky", "-M", "rate=2"), "rate=2: give a number from 0 to 1"),
        (("eval", "facts", "-m", "mock/flaky", "-M", "rate=nan"), "rate=nan: give a number"),
        (("eval", "facts", "-m", "mock/flaky", "-M", "rate=x"), "rate=x: give a number"),
        (("eval", "facts", "-m", "mock/flaky", "-M", "seed=1.5"), "seed=1.5: give a whole number"),
        (("eval", "facts", *U, "--limit", "0"), "'--limit': 0 is not in the range"),
        (("eval", "facts", *U, "--limit", "x"), "'--limit': 'x' is not a valid integer"),
        (("eval", "facts", *U, "--seed", "-1"), "'--seed'"),
        (("eval", "facts", *U, "--shots", "-1"), "'--shots'"),
        (("eval", "facts", *U, "--shots", "3"), "no split to take few-shot examples from"),
        (("eval", "facts", *U, "--frobnicate"), "No such option"),
        (("eval", "facts", *U, "--protocol", "plan"), "facts has no protocol 'plan'. Did you mean 'plain'?"),
        (("eval", "facts,mmul", *U), "no task is named 'mmul'"),
        (("eval", "mmlu", *U), "cannot be had"),
        (("report", "nothing"), "nothing is no run: there is no such folder"),
        (("report",), "Missing argument 'RUNS...'"),
        (("report", "."), "is no run: it has no manifest.json"),
        (("compare", "one"), "Missing argument 'B'"),
        (("compare", "one", "two"), "one is no run"),
        (("compare", "one", "two", "--method", "bonferroni"), "'--method'"),
        (("ls", "modles"), "Did you mean 'models'?"),
        (("ls", "tasks", "mmul"), "no task is named 'mmul'"),
        (("ls",), "Missing argument 'KIND'"),
        (("quickstart", "--limit", "0"), "'--limit'"),
    ],
)
def test_a_slip_is_named_with_what_to_do(args, words, refused):
    assert words in refused(*args)


@pytest.mark.parametrize(
    ("task", "args", "words"),
    [
        ("mmlu", ("--shots", "9"), "9 few-shot examples were asked for, and anatomy has 5 in dev"),
        ("mmlu", ("--protocol", "offical"), "mmlu has no protocol 'offical'. Did you mean 'official'?"),
        ("mmlu", ("-T", "subsets=anatmy"), "mmlu has no subset 'anatmy'. Did you mean 'anatomy'?"),
        ("mmlu", ("-T", "shots_split=test"), "prompts would hold their own answers"),
        ("ethics", ("-T", "split=hard"), "ethics has no split 'hard'"),
        ("ethics", ("--shots", "1"), "no split to take few-shot examples from"),
    ],
)
def test_what_a_release_does_not_have_is_named(task, args, words, refused, small_release):
    extra = (
        () if "-T" in args and args[args.index("-T") + 1].startswith("subsets") else ("-T", "subsets=anatomy,virology")
    )
    extra = extra if task == "mmlu" else ()
    folder = small_release(task)
    assert words in refused("eval", task, *U, "-T", f"data={folder}", "-T", "counts=any", *extra, *args)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a question, with a comma,1,2,3,4,A", "7 cells where the release has 6"),
        ("question,1,2,3,4", "5 cells where the release has 6"),
        ("question,1,2,3,4,A ", "the answer is 'A '"),
        ("question,1,2,3,4,a", "the answer is 'a'"),
        ("question,1,2,3,4,E", "the answer is 'E'"),
        ('question,"1,2,3,4,A', "anatomy_test.csv, record"),
        ("question,\0,2,3,4,A", "NUL"),
    ],
)
def test_a_broken_row_names_its_file_and_record(row, words, refused, small_release):
    file = small_release("mmlu") / "test" / "anatomy_test.csv"
    file.write_text(file.read_text() + row + "\n")
    data = ("-T", f"data={file.parent.parent}", "-T", "counts=any", "-T", "subsets=anatomy")
    message = refused("eval", "mmlu", *U, *data)
    assert words in message
    assert f"{file}, record 5" in message


def test_missing_subjects_are_named_and_not_averaged_over(refused, small_release):
    message = refused("eval", "mmlu", *U, "-T", f"data={small_release('mmlu')}", "-T", "counts=any")
    assert "55 of 57 subsets" in message


def test_other_counts_than_the_releases_are_refused(refused, small_release):
    message = refused("eval", "mmlu", *U, "-T", f"data={small_release('mmlu')}", "-T", "subsets=anatomy")
    assert "anatomy has 4 rows in test here, and 135 in the release" in message


def test_a_folder_without_the_files_is_refused(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "does not hold mmlu's release. Expected:" in refused("eval", "mmlu", *U, "-T", f"data={tmp_path / 'empty'}")
    assert "is no folder" in refused("eval", "mmlu", *U, "-T", f"data={tmp_path / 'none'}")


@pytest.fixture
def model_folder(tmp_path):
    """A folder with a configuration, and nothing else."""
    folder = tmp_path / "model"
    folder.mkdir()
    sizes = {
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "vocab_size": 9,
    }
    settings = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **sizes}
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


def test_a_model_that_is_not_there_is_refused(refused, tmp_path):
    assert "is no folder here, and cannot be had from the hub" in refused("eval", "facts", "-m", f"hf/{tmp_path}/none")
    assert "cannot be had from the hub" in refused("eval", "facts", "-m", "hf/gnomon-nobody/nothing")
    (tmp_path / "bare").mkdir()
    assert "holds no config.json" in refused("eval", "facts", "-m", f"hf/{tmp_path}/bare")


def test_a_model_without_tokenizer_is_refused_before_anything_is_written(refused, model_folder):
    assert "has no tokenizer that can be read" in refused("eval", "facts", "-m", f"hf/{model_folder}")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("dtype=float17", "dtype=float17: use one of auto, float32"),
        ("devise=cpu", "Did you mean 'device'?"),
        ("batch_tokens=0", "batch_tokens=0: give a number from 16"),
        ("batch_tokens=many", "batch_tokens=many"),
        ("bos=maybe", "bos=maybe: use one of"),
        ("prefix_sharing=1", "prefix_sharing=1: use one of"),
    ],
)
def test_bad_model_arguments_are_refused(argument, words, refused, model_folder):
    assert words in refused("eval", "facts", "-m", f"hf/{model_folder}", "-M", argument)


@pytest.mark.parametrize("value", ["0", "3", "x", "-1", "1.5"])
def test_layers_that_a_model_lacks_are_refused(value, refused, model_folder):
    assert "give a whole number from 1 to 2" in refused("eval", "facts", "-m", f"hf/{model_folder}@layers={value}")


def test_a_runs_folder_that_is_a_file_or_below_one_is_refused(refused, in_tmp):
    (in_tmp / "file").write_text("")
    assert "'--runs-dir'" in refused("eval", "facts", *U, "--limit", "1", "--runs-dir", "file")
    assert "a file, not a folder" in refused("eval", "facts", *U, "--limit", "1", "--runs-dir", "file/below")


def test_a_data_root_that_is_no_folder_is_named(refused, monkeypatch):
    monkeypatch.setenv("GNOMON_DATA", "/nowhere/at/all")
    assert "GNOMON_DATA=/nowhere/at/all is no folder" in refused("eval", "mmlu", *U)


def test_report_refuses_what_is_no_run_and_where_it_cannot_write(cli, refused, in_tmp):
    cli("eval", "facts", *U, "--limit", "1", "--no-cache")
    [run] = (in_tmp / "runs").iterdir()
    assert "a file, not a folder" in refused("report", run / "result.json")
    assert "cannot be written" in refused("report", run, "-o", run / "log.txt" / "x.html")
    (run / "result.json").unlink()
    assert "has no result yet. Go on with the run:  gnomon eval facts" in refused("report", run)


def test_compare_says_which_run_is_missing(cli, refused, in_tmp):
    cli("eval", "facts", *U, "--limit", "1", "--no-cache")
    [run] = (in_tmp / "runs").iterdir()
    message = refused("compare", run, in_tmp / "runs" / "nothing")
    assert "nothing is no run" in message
    assert run.name in message
    assert "given twice" in refused("compare", run, run)
    assert "--q 7" in refused("compare", run, run, "--q", "7")
