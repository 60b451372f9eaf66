"""Preferences: what two dialogs share, which end is the chosen one, and two ways to compare them."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon import evaluate
from gnomon.asks import Scored
from gnomon.blocks import Estimate, Note
from gnomon.errors import DataError
from gnomon.tasks import load_task, task_named
from gnomon.tasks.hh_rlhf import parted
from gnomon.testing import check_task

H, A = "\n\nHuman: ", "\n\nAssistant: "


def pair(start, chosen, rejected):
    return {"chosen": f"{start}{chosen}", "rejected": f"{start}{rejected}"}


TEA = f"{H}Tea?{A}Yes.{H}Black?{A}"


@pytest.fixture
def data(tmp_path):
    """A function (rows) that writes a release with one subset and loads it."""

    def load(*rows, where="hh/harmless-base/test.jsonl.gz", **more):
        path = tmp_path / where
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
        root = tmp_path / where.split("/")[0]
        return load_task("hh_rlhf", {"data": str(root), "counts": "any", **more})

    return load


def test_the_dialog_is_what_both_share_and_the_answer_is_the_chosen_end(data):
    rows = [pair(TEA, f"Good {n}", f"Bad {n}") for n in range(40)]
    items = data(*rows).items()
    for number, item in enumerate(items):
        assert item.fields["dialog"] == "Human: Tea?\n\nAssistant: Yes.\n\nHuman: Black?\n\nAssistant:"
        assert item.choices[item.answer] == f"Good {number}"
        assert item.choices[1 - item.answer] == f"Bad {number}"
    assert {item.answer for item in items} == {0, 1}
    assert len({item.id for item in items}) == 40


@pytest.mark.parametrize(
    ("chosen", "rejected", "dialog", "ends"),
    [
        (f"{H}a{A}b", f"{H}a{A}c", f"{H}a{A}", ("b", "c")),
        (f"{H}a{A}the b", f"{H}a{A}the c", f"{H}a{A}", ("the b", "the c")),  # whole turns, not letters
        (f"{H}a{A}b{H}c{A}d", f"{H}a{A}x", f"{H}a{A}", (f"b{H}c{A}d", "x")),
        (f"{H}a{A}b{H}c{A}d", f"{H}a{A}b{H}x{A}y", f"{H}a{A}", (f"b{H}c{A}d", f"b{H}x{A}y")),
        (f"{H}a{A}b", f"{H}a{A}b", f"{H}a{A}", ("b", "b")),
        (f"{H}a{A}", f"{H}a{A}c", f"{H}a{A}", ("", "c")),
        (f"{H}a{A}b{A}c", f"{H}a{A}b", f"{H}a{A}", (f"b{A}c", "b")),
        (f"{H}a{A}b", f"{H}x{A}b", H, (f"a{A}b", f"x{A}b")),
        (f"{H}a{A}b Human: no{A}c", f"{H}a{A}b Human: no{A}d", f"{H}a{A}b Human: no{A}", ("c", "d")),
        ("\n\nHuman: a\n\nAssistant:b", "\n\nHuman: a\n\nAssistant: b", f"{H}a{A}", ("b", "b")),
    ],
)
def test_two_dialogs_part_at_the_last_start_of_a_reply_that_both_have(chosen, rejected, dialog, ends):
    assert parted(chosen, rejected) == (dialog.strip(), *ends)
    assert parted(rejected, chosen) == (dialog.strip(), *ends[::-1])


TURNS = st.lists(st.tuples(st.sampled_from([H, A]), st.sampled_from(["a", "b", "a b", "", "Human:"])), max_size=6)


@given(TURNS, TURNS, TURNS)
def test_what_is_parted_can_be_put_together_again(common, one, two):
    first, second = ("".join(start + text for start, text in [(H, "q"), *common, *rest]) for rest in (one, two))
    found = parted(first, second)
    assert found is not None
    dialog, *ends = found
    for whole, end in zip((first, second), ends, strict=True):
        assert whole in (f"\n\n{dialog} {end}", f"\n\n{dialog}{end}")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("{", "line 2 is no JSON"),
        ({"chosen": "x"}, "line 2: a pair needs the texts chosen and rejected"),
        ({"chosen": "x", "rejected": 3}, "line 2: a pair needs the texts"),
        (["x"], "line 2: a pair needs the texts"),
        ({"chosen": "x", "rejected": "x"}, "line 2: the two dialogs share no start of a turn"),
    ],
)
def test_a_fault_is_named_with_file_and_line(row, words, data):
    with pytest.raises(DataError, match=rf"test\.jsonl\.gz, {words}"):
        data(pair(TEA, "a", "b"), row).items()


def test_files_that_are_broken_or_missing_are_told(data, tmp_path):
    loaded = data(pair(TEA, "a", "b"))
    with pytest.raises(DataError, match=r"lacks 1 of 1 subsets of hh_rlhf: helpful-base"):
        load_task("hh_rlhf", {"data": str(tmp_path / "hh"), "subsets": "helpful-base"}).items()
    path = tmp_path / "hh" / "harmless-base" / "test.jsonl.gz"
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(DataError, match="cannot be read"):
        loaded.items()
    path.write_bytes(gzip.compress(b"\n"))
    with pytest.raises(DataError, match="is empty"):
        loaded.items()
    with pytest.raises(DataError, match="2,312"):
        data(pair(TEA, "a", "b"), pair(TEA, "c", "d"), counts="release").items()


@pytest.mark.parametrize("where", ["hh_rlhf_harmless_base/test.jsonl.gz", "harmless-base/test.jsonl"])
def test_one_subsets_own_folder_is_enough(where, data):
    assert len(data(pair(TEA, "a", "b"), where=where).items()) == 1


def test_a_folder_of_another_subset_is_not_taken_for_the_default(data):
    with pytest.raises(DataError, match="lacks 1 of 1 subsets"):
        data(pair(TEA, "a", "b"), where="helpful_base/test.jsonl").items()
    assert len(data(pair(TEA, "a", "b"), where="helpful_base/test.jsonl", subsets="helpful-base").items()) == 1


def test_pairs_about_one_request_share_a_group(data):
    one, two, other = data(
        pair(TEA, "a", "b"), pair(f"{H}Tea?{A}", "No.", "Now."), pair(f"{H}Coffee?{A}", "a", "b")
    ).items()
    assert one.group == two.group != other.group


def test_pairs_that_a_reader_must_know_of_are_counted_and_kept(data):
    rows = [pair(TEA, "same", "same"), pair(TEA, "", "b"), pair(f"{H}a{A}", f"b{H}c{A}d", "x"), pair(TEA, "a", "b")]
    loaded = data(*rows)
    offensive, *told = loaded.task.notes(loaded.items())
    assert "offensive" in offensive
    assert [text.split(" pairs ")[0] for text in told] == ["1 of 4"] * 3
    assert [word in text for word, text in zip(("the same", "empty", "several turns"), told, strict=True)] == [True] * 3


def test_both_replies_go_on_from_the_dialog(data):
    (item,) = data(pair(TEA, "Good.", "A bad reply.")).items()
    protocols = task_named("hh_rlhf").protocols
    for name in ("continue", "per-token"):
        (ask,) = protocols[name].ask(item, [])
        assert ask.context == item.fields["dialog"]
        assert ask.continuations == tuple(f" {text}" for text in item.choices)
    (ask,) = protocols["letters"].ask(item, [])
    assert ask.continuations == (" A", " B")
    assert all(text in ask.context for text in item.choices)
    (ask,) = protocols["continue"].ask(item, [item])
    assert ask.context.startswith(f"{item.fields['dialog']} Good.\n\n\nHuman:")


def test_dividing_by_tokens_can_turn_a_choice_around(data):
    (item,) = data(pair(TEA, "Good.", "A bad reply.")).items()
    protocols = task_named("hh_rlhf").protocols
    scored = [Scored((-4.0, -9.0), (2, 9))]
    assert protocols["continue"].read(item, scored).option == 0
    assert protocols["per-token"].read(item, scored).option == 1
    assert protocols["per-token"].read(item, [Scored((0.0, -1.0), (0, 1))]).option == 0
    assert "shorter" in " ".join(protocols["continue"].deviations)
    hashes = {task_named("hh_rlhf").fingerprint(protocol) for protocol in protocols.values()}
    assert len(hashes) == 3


def test_a_run_compares_and_tells(data, tmp_path):
    rows = [pair(f"{H}Question {n}?{A}", f"Good {n}", f"Bad {n}") for n in range(12)]
    loaded = data(*rows, pair(f"{H}Same?{A}", "x", "x"))
    args = {"data": str(loaded.source.path), "counts": "any"}
    for protocol in ("continue", "per-token", "letters"):
        run = evaluate("hh_rlhf", "mock/oracle", task_args=args, protocol=protocol, runs_dir=tmp_path / protocol)
        assert run.manifest.status == "complete"
        (micro,) = [one for one in run.result() if isinstance(one, Estimate) and one.headline]
        assert (micro.value, micro.n) == (1.0, 13)
        assert micro.baselines["chance"] == 0.5
        notes = " ".join(one.text for one in run.result() if isinstance(one, Note))
        assert "offensive" in notes
        assert "1 of 13 pairs have two replies that are the same" in notes


def test_the_replies_are_there_to_be_compared():
    task = task_named("hh_rlhf")
    assert task.compared
    assert task.counts["test", "harmless-base"] == 2312
    assert task.counts["train", "harmless-base"] == 42537
    assert sum(n for (split, _), n in task.counts.items() if split == "test") == 8552
    assert sum(n for (split, _), n in task.counts.items() if split == "train") == 160800


@pytest.mark.realdata
def test_the_release_of_harmless_pairs(release):
    loaded = load_task("hh_rlhf", {"data": str(release("preferences") / "hh_rlhf_harmless_base")})
    items = loaded.items()
    assert len(items) == 2312
    with gzip.open(loaded.source.path / "test.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for item, row in zip(items, rows, strict=True):
        dialog, chosen = item.fields["dialog"], item.choices[item.answer]
        assert dialog.endswith("\n\nAssistant:")
        assert f"\n\n{dialog} {chosen}" == row["chosen"]
        assert f"\n\n{dialog} {item.choices[1 - item.answer]}" == row["rejected"]
    assert sum(item.answer for item in items) == 1151
    notes = loaded.task.notes(items)
    assert [note.split()[0] for note in notes] == ["The", "4", "5"]


@pytest.mark.realdata
def test_the_task_conforms_and_is_found_under_the_data_folder(release, monkeypatch):
    monkeypatch.setenv("GNOMON_DATA", str(release("preferences").parent))
    check_task("hh_rlhf", most=100)
