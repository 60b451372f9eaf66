"""compare, report, ls and doctor."""

import importlib
import json

import pytest

from gnomon.registry import Registry
from gnomon.runs import list_runs
from gnomon.tasks import registry, task_named


@pytest.fixture
def two_runs(cli, in_tmp):
    """Folders of a run of mock/uniform and one of mock/oracle."""
    for model in ("mock/uniform", "mock/oracle"):
        assert cli("eval", "facts", "-m", model, "--limit", "8", "--no-cache")[0] == 0
    return sorted((run.path for run in list_runs(in_tmp / "runs")), key=lambda path: "oracle" in path.name)


def test_compare_prints_the_difference_and_writes_a_page(cli, two_runs, in_tmp):
    status, out, err = cli("compare", *two_runs, "-o", "page.html")
    assert (status, err) == (0, "")
    assert "difference +" in out
    assert "mock/oracle 1.000" in " ".join(out.split())
    assert "Report: open page.html in a browser" in out
    assert "<html" in (in_tmp / "page.html").read_text()


def test_compare_as_json_is_one_object_on_one_line(cli, two_runs):
    status, out, err = cli("compare", *two_runs, "--json")
    assert (status, err, len(out.splitlines())) == (0, "", 1)
    found = json.loads(out)
    assert (found["a"], found["b"]) == tuple(map(str, two_runs))
    assert found["blocks"][0]["kind"] == "comparison"


def test_report_of_several_runs_is_one_page_with_all_of_them(cli, two_runs, in_tmp):
    status, out, err = cli("report", *two_runs, "-o", "x.html", "--title", "Two <models>")
    assert (status, err) == (0, "")
    assert out == "Report: open x.html in a browser\n"
    page = (in_tmp / "x.html").read_text()
    assert all(path.name in page for path in two_runs)
    assert "Two &lt;models&gt;" in page
    assert "Two <models>" not in page
    assert not [path for path in in_tmp.iterdir() if path.name.startswith(".")]


def test_ls_tasks_names_every_task_with_its_size(cli):
    status, out, _ = cli("ls", "tasks")
    assert status == 0
    for name in registry.names():
        [line] = [line for line in out.splitlines() if line.split()[:1] == [name]]
        assert task_named(name).title in line
    assert "14,042 items, 57 subsets" in out


@pytest.mark.parametrize("name", registry.names())
def test_ls_of_one_task_names_all_its_subsets_and_protocols(name, cli):
    status, out, _ = cli("ls", "tasks", name)
    task = task_named(name)
    words = out.split()
    assert status == 0
    assert set(task.subsets) <= set(words)
    assert all(f"{protocol} v{task.protocols[protocol].version}" in out for protocol in task.protocols)


def test_ls_models_names_every_provider(cli):
    from gnomon.models import providers

    assert isinstance(providers, Registry)
    status, out, _ = cli("ls", "models")
    assert status == 0
    assert all(any(line.startswith(name) for line in out.splitlines()) for name in providers.names())


@pytest.mark.parametrize(
    ("kind", "module", "attribute"),
    [
        ("probes", "gnomon.knowledge._probe", "probes"),
        ("losses", "gnomon.supervision._loss", "registry"),
        ("samplers", "gnomon.importance._sampler", "samplers"),
        ("shifts", "gnomon.shift._shift", "registry"),
        ("variants", "gnomon.shift._method", "registry"),
    ],
)
def test_every_registered_name_is_listed_with_a_sentence(kind, module, attribute, cli):
    status, out, _ = cli("ls", kind)
    assert status == 0
    lines = {line.split()[0].split("@")[0]: line.split()[1:] for line in out.splitlines() if line and line[0] != " "}
    for name in getattr(importlib.import_module(module), attribute).names():
        assert len(lines[name.replace("_", "-") if kind in ("probes", "samplers") else name]) > 3, name


def test_ls_runs_lists_paths_and_statuses(cli, in_tmp, two_runs):
    status, out, _ = cli("ls", "runs")
    assert status == 0
    assert len(out.splitlines()) == 2
    assert all(f"runs/{path.name}  complete" in out for path in two_runs)


def test_ls_runs_of_an_empty_place_says_how_to_make_one(cli, in_tmp):
    status, out, _ = cli("ls", "runs", "--runs-dir", "elsewhere")
    assert (status, out) == (0, "No runs in elsewhere. Make one:  gnomon quickstart\n")
    assert list(in_tmp.iterdir()) == []


def test_doctor_looks_and_changes_nothing(cli, in_tmp, monkeypatch, small_release):
    folder = small_release("mmlu")
    monkeypatch.setenv("GNOMON_DATA", str(folder.parent))
    status, out, _ = cli("doctor")
    assert status == 0
    assert f"ok      mmlu: {folder}" in out
    assert "ok      facts: embedded" in out
    assert "missing ethics" in out
    assert all(line.startswith(("  ok ", "  missing ")) for line in out.splitlines() if line.startswith(" "))
    assert list(in_tmp.iterdir()) == []


def test_doctor_survives_a_cache_that_is_not_there_yet(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_CACHE", str(tmp_path / "not" / "yet"))
    status, out, _ = cli("doctor")
    assert status == 0
    assert "(empty;" in out
    assert not (tmp_path / "not").exists()
