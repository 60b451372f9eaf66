"""`gnomon adapt` as a person types it."""

from __future__ import annotations

import json

import pytest

from gnomon.cli import main

ARGUMENTS = ["adapt", "digits", "--limit", "40", "--source", "100", "--shifts", "none,border", "--variants", "batch"]


def run(*arguments):
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return left.value.code


def test_the_terminal_says_whether_to_align_and_where_the_report_is(tmp_path, capsys):
    assert run(*ARGUMENTS, "--runs-dir", str(tmp_path)) == 0
    shown = capsys.readouterr().out
    assert "Align or not?" in shown
    assert "keep source" in shown
    assert "report.html" in shown


def test_machines_get_one_line(tmp_path, capsys):
    assert run(*ARGUMENTS, "--runs-dir", str(tmp_path), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "complete"
    assert {block["kind"] for block in found["blocks"]} >= {"estimate", "table"}


@pytest.mark.parametrize(
    "more, words",
    [
        (["--variants", "wole"], "no variant is named 'wole'. Did you mean 'whole'?"),
        (["--severities", "1,x"], "--severities 1,x: write whole numbers"),
        (["-m", "timm/resnet18"], "timm"),
    ],
)
def test_errors_are_one_sentence(tmp_path, capsys, more, words):
    assert run("adapt", "digits", "--runs-dir", str(tmp_path), *more) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Error: ")
    assert words in shown
    assert "Traceback" not in shown


def test_the_lists_name_every_shift_and_variant(capsys):
    assert run("ls", "variants") == 0
    assert run("ls", "shifts") == 0
    shown = capsys.readouterr().out
    for word in ("matched", "sar", "glass_blur", "border@size=0", "mix@N=256.0"):
        assert word in shown
