"""`gnomon probe` as a user types it."""

import json
import re

import pytest

FACTS = ("-T", "subsets=capitals-statements", "--limit", "80", "--methods", "ccs,crc-tpc,logistic", "--restarts", "3")


def test_the_verdict_the_table_and_the_way_to_the_report_are_printed(cli, in_tmp):
    status, out, err = cli("probe", "facts", "-m", "mock/oracle", *FACTS)
    text = " ".join(out.split())
    assert (status, err) == (0, "")
    assert "probe facts · mock/oracle" in text
    assert re.search(r"facts · ccs · layer [12]: (NOT )?IDENTIFIED", text)
    assert "What is found when something is planted" in text
    assert "Report: open runs/probe-facts-mock-oracle-" in text
    (report,) = (in_tmp / "runs").glob("*/report.html")
    assert "<svg" in report.read_text() or "vega" in report.read_text()


def test_a_parrot_is_not_identified_in_the_first_lines(cli, in_tmp):
    status, out, _ = cli("probe", "facts", "-m", "mock/parrot", *FACTS)
    text = " ".join(out.split())
    assert status == 0
    assert "not given: not identified" in text
    assert "NOT IDENTIFIED" in text


def test_as_json_it_is_one_object_with_the_verdict(cli, in_tmp):
    status, out, err = cli("probe", "facts", "-m", "mock/oracle", *FACTS, "--no-diagnostics", "--json")
    assert (status, err, len(out.splitlines())) == (0, "", 1)
    found = json.loads(out)
    verdicts = [block for block in found["blocks"] if block["kind"] == "verdict"]
    assert [one["identified"] for one in verdicts] == [False]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("probe", "facts", "-m", "mock/uniform"), "cannot give hidden states"),
        (("probe", "fatcs", "-m", "mock/oracle"), "Did you mean 'facts'"),
        (("probe", ",", "-m", "mock/oracle"), "no task was named"),
        (("probe", "facts", "-m", "mock/oracle", "--methods", "css"), "Did you mean 'ccs'"),
        (("probe", "facts", "-m", "mock/oracle", "--sign", "magic"), "few-labels, conjunction, oracle"),
        (("probe", "facts", "-m", "mock/oracle", "--limit", "2"), "2"),
        (("probe", "facts", "-m", "mock/oracle", "--prior", "1.5"), "prior=1.5"),
        (("probe", "facts", "-m", "mock/oracle", "--layers", "0-999999999"), "no layer '999999999'"),
        (("probe", "facts"), "--model"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_left_behind(args, words, cli, in_tmp):
    status, out, err = cli(*args)
    assert status == 2
    assert out == ""
    assert words in " ".join(err.split())
    assert "Traceback" not in err
    assert not list(in_tmp.iterdir())


def test_a_run_is_found_again_and_its_command_is_in_it(cli, in_tmp):
    command = ("probe", "facts", "-m", "mock/oracle", *FACTS, "--no-diagnostics")
    assert cli(*command)[0] == 0
    (first,) = (in_tmp / "runs").iterdir()
    assert cli(*command)[0] == 0
    assert [path.name for path in (in_tmp / "runs").iterdir()] == [first.name]
    assert json.loads((first / "manifest.json").read_text())["command"].startswith("gnomon probe facts -m mock/oracle")
