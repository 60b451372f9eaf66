"""A task with its data: arguments understood, counts checked, nothing averaged over what happens to be there."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

from gnomon.errors import DataError, UsageError
from gnomon.tasks import EMBEDDED, Folder, Hub, load_task
from gnomon.tasks._mmlu_subjects import SUBJECTS

SMALL = {"subsets": "anatomy,virology", "counts": "any"}


@pytest.fixture
def mmlu(small_release):
    return str(small_release("mmlu"))


@pytest.fixture
def ethics(small_release):
    return str(small_release("ethics"))


# --- names ---


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        (
            "mmul",
            {},
            r"no task is named 'mmul'\. Did you mean 'mmlu'\? Known: ag_news, anli, apps, boolq",
        ),
        ("zzz", {}, r"no task is named 'zzz'\. Known: ag_news, anli, apps, boolq"),
        ("_task", {}, "no task is named '_task'"),
        (
            "mmlu",
            {"subset": "anatomy"},
            r"'subset' is not known to mmlu\. Did you mean 'subsets'\? Known: data, subsets",
        ),
        ("mmlu", {"subsets": "anatmy"}, r"no subset 'anatmy'\. Did you mean 'anatomy'\? .*All 57: .*ls tasks mmlu"),
        ("mmlu", {"subsets": "anatomy,STEM"}, "mmlu has no subset 'STEM'"),
        ("mmlu", {"subsets": " , "}, r"no subset of mmlu was named.*gnomon ls tasks mmlu"),
        ("mmlu", {"split": "tets"}, r"mmlu has no split 'tets'\. Did you mean 'test'"),
        ("mmlu", {"split": "dev"}, "mmlu has no split 'dev'"),
        ("ethics", {"split": "train"}, "ethics has no split 'train'"),
        ("ethics", {"split": "hard"}, "ethics has no split 'hard'"),
        ("mmlu", {"counts": "all"}, r"counts=all is not possible for mmlu.*release, any"),
        ("mmlu", {"shots_split": "train"}, r"shots_split=train is not possible for mmlu.*dev, test, val"),
    ],
)
def test_what_is_not_known_is_named_with_the_closest_and_with_all(name, arguments, words):
    with pytest.raises(UsageError, match=words):
        load_task(name, arguments)


def test_names_may_hold_spaces_and_come_back_in_the_tasks_own_order_once(mmlu):
    data = load_task("mmlu", {"data": mmlu, "subsets": " virology , anatomy,virology ", "split": "val, test"})
    assert data.subsets == ("anatomy", "virology")
    assert data.splits == ("test", "val")


def test_arguments_are_judged_before_any_place_is_looked_at(tmp_path):
    with pytest.raises(UsageError, match="anatmy"):
        load_task("mmlu", {"data": str(tmp_path / "absent"), "subsets": "anatmy"})


def test_loading_reads_nothing_yet_so_that_a_list_of_names_costs_nothing(mmlu):
    data = load_task("mmlu", {"data": mmlu})  # 55 subjects are not there
    assert data.notes == []
    assert data.subsets == SUBJECTS
    assert data.splits == ("test",)


def test_the_callers_mapping_is_left_as_it_is(mmlu):
    given = {"data": mmlu, **SMALL}
    before = dict(given)
    load_task("mmlu", given).items()
    assert given == before


# --- places ---


def test_the_order_is_data_then_gnomon_data_then_the_hub(small_release, tmp_path, monkeypatch):
    named = small_release("mmlu")
    assert isinstance(load_task("mmlu").source, Hub)
    for place in (tmp_path / "root" / "shelf" / "mmlu", tmp_path / "root" / "mmlu"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(named)
        monkeypatch.setenv("GNOMON_DATA", str(tmp_path / "root"))
        assert load_task("mmlu").source == Folder(place)
    assert load_task("mmlu", {"data": str(named)}).source == Folder(named)


def test_a_folder_of_another_release_does_not_fit(ethics, mmlu):
    with pytest.raises(DataError, match=r"does not hold mmlu's release.*test/<subject>_test.csv"):
        load_task("mmlu", {"data": ethics})
    with pytest.raises(DataError, match=r"does not hold ethics's release.*justice/justice_test.csv"):
        load_task("ethics", {"data": mmlu})


def test_facts_need_no_data_ignore_gnomon_data_and_refuse_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_DATA", str(tmp_path))
    assert load_task("facts").source is EMBEDDED
    with pytest.raises(UsageError, match="facts is carried by gnomon and reads no folder"):
        load_task("facts", {"data": str(tmp_path)})


# --- what is missing or not as many ---


def test_every_missing_subset_is_named_at_once(mmlu):
    data = load_task("mmlu", {"data": mmlu, "subsets": "anatomy,astronomy,virology,marketing", "counts": "any"})
    with pytest.raises(DataError, match=r"lacks 2 of 4 subsets of mmlu: astronomy \(test\), marketing \(test\)\."):
        data.items()


def test_a_subset_that_lacks_one_of_two_splits_is_named_with_that_split(ethics):
    (Path(ethics) / "justice" / "justice_test_hard.csv").unlink()
    with pytest.raises(DataError, match=r"lacks 1 of 5 subsets of ethics: justice \(test_hard\)\."):
        load_task("ethics", {"data": ethics, "counts": "any"}).items()
    assert load_task("ethics", {"data": ethics, "counts": "any", "split": "test"}).items()


def test_a_fault_whose_text_says_is_missing_is_not_taken_for_a_missing_file(ethics, write_csv):
    path = Path(ethics) / "virtue" / "virtue_test.csv"
    write_csv(path, [["label", "scenario"], ["1", "The separator is missing."]])
    with pytest.raises(DataError, match=r"record 1: no ' \[SEP\] ' stands"):
        load_task("ethics", {"data": ethics, "counts": "any", "subsets": "virtue"}).items()


def test_another_number_of_rows_than_the_releases_names_both_and_the_way_on(mmlu):
    data = load_task("mmlu", {"data": mmlu, "subsets": "anatomy"})
    with pytest.raises(DataError, match=r"anatomy has 4 rows in test here, and 135 in the release .*-T counts=any"):
        data.items()


def test_counts_any_accepts_them_and_leaves_a_note_once(mmlu):
    data = load_task("mmlu", {"data": mmlu, **SMALL})
    assert len(data.items()) == len(data.items()) == 8
    assert data.notes == [
        "mmlu: anatomy has 4 rows in test here, and 135 in the release.",
        "mmlu: virology has 4 rows in test here, and 166 in the release.",
    ]


def test_thousands_are_readable(ethics):
    with pytest.raises(DataError, match="justice has 8 rows in test here, and 2,704 in the release"):
        load_task("ethics", {"data": ethics}).items()


def test_items_come_by_split_then_subset_then_file(mmlu):
    data = load_task("mmlu", {"data": mmlu, **SMALL, "split": "test,val"})
    expected = [
        f"{subset}/{split}/{row}"
        for split, rows in (("test", 4), ("val", 6))
        for subset in ("anatomy", "virology")
        for row in range(rows)
    ]
    assert [item.id for item in data.items()] == expected


def test_a_file_is_read_once(mmlu, monkeypatch):
    import gnomon.tasks.mmlu as module

    seen = []
    monkeypatch.setattr(module, "csv_rows", lambda *args, real=module.csv_rows: seen.append(args[0]) or real(*args))
    data = load_task("mmlu", {"data": mmlu, **SMALL})
    for _ in range(2):
        data.items()
        data.shots("anatomy", 5)
    assert sorted(path.name for path in seen) == ["anatomy_dev.csv", "anatomy_test.csv", "virology_test.csv"]


# --- few-shot examples ---


def test_mmlu_edge_18_three_shots_are_the_first_three_dev_rows_in_file_order(mmlu):
    data = load_task("mmlu", {"data": mmlu, **SMALL})
    assert [shot.id for shot in data.shots("anatomy", 3)] == [f"anatomy/dev/{n}" for n in range(3)]
    assert data.shots("anatomy", 5)[:3] == data.shots("anatomy", 3)
    assert data.shots("anatomy", 0) == []


def test_mmlu_edge_17_examples_from_val_are_refused_unless_asked_for_and_then_noted(mmlu):
    (Path(mmlu) / "dev" / "anatomy_dev.csv").unlink()
    data = load_task("mmlu", {"data": mmlu, **SMALL})
    with pytest.raises(DataError, match=r"has no dev file of anatomy, where the 5 few-shot examples .*shots_split"):
        data.shots("anatomy", 5)
    asked = load_task("mmlu", {"data": mmlu, **SMALL, "shots_split": "val"})
    assert [shot.split for shot in asked.shots("anatomy", 5)] == ["val"] * 5
    assert asked.notes[0] == "Few-shot examples come from val, and the release takes them from dev."


def test_naming_the_releases_own_split_is_no_deviation(mmlu):
    assert load_task("mmlu", {"data": mmlu, "shots_split": "dev"}).notes == []


@pytest.mark.parametrize(("task", "split"), [("mmlu", "test"), ("ethics", "test_hard"), ("facts", "test")])
def test_a_split_that_is_evaluated_gives_no_examples_since_prompts_would_hold_their_answers(task, split):
    with pytest.raises(UsageError, match=f"shots_split={split} is evaluated too, .*-T split="):
        load_task(task, {"shots_split": split})


def test_ethics_examples_may_come_from_train_which_the_release_never_does(ethics, write_csv):
    write_csv(Path(ethics) / "justice" / "justice_train.csv", [["label", "scenario"], ["1", "A."], ["0", "B."]])
    data = load_task("ethics", {"data": ethics, "counts": "any", "shots_split": "train"})
    assert [shot.fields["scenario"] for shot in data.shots("justice", 2)] == ["A.", "B."]
    assert data.notes[0] == "Few-shot examples come from train, and the release has none."


@pytest.mark.parametrize("number", [-1, -5])
def test_a_negative_number_of_examples_is_refused_and_never_counts_from_the_end(mmlu, number):
    with pytest.raises(UsageError, match=f"{number} few-shot examples"):
        load_task("mmlu", {"data": mmlu, **SMALL}).shots("anatomy", number)


def test_more_examples_than_there_are_is_refused_with_both_numbers(mmlu):
    with pytest.raises(UsageError, match="6 few-shot examples were asked for, and anatomy has 5 in dev"):
        load_task("mmlu", {"data": mmlu, **SMALL}).shots("anatomy", 6)


@pytest.mark.parametrize("task", ["ethics", "facts"])
def test_a_task_without_a_split_for_examples_says_so(task, ethics):
    data = load_task(task, {"data": ethics} if task == "ethics" else {})
    with pytest.raises(UsageError, match=f"{task} has no split to take few-shot examples from"):
        data.shots(data.subsets[0], 1)


# --- checksum ---


def checksum(folder, **more):
    data = load_task("mmlu", {"data": str(folder), **SMALL, **more})
    data.items()
    return data.checksum()


def test_equal_data_have_equal_checksums_wherever_they_lie_and_any_changed_byte_shows(small_release, tmp_path):
    folder = small_release("mmlu")
    before = checksum(folder)
    folder.rename(tmp_path / "elsewhere")
    assert checksum(tmp_path / "elsewhere") == before
    path = tmp_path / "elsewhere" / "test" / "anatomy_test.csv"
    original = path.read_text()
    for changed in (original.replace("0?", "0? "), original.replace("0a", "0A"), original.replace(",A\n", ",B\n")):
        assert changed != original
        path.write_text(changed)
        assert checksum(tmp_path / "elsewhere") != before
    path.write_text(original)
    assert checksum(tmp_path / "elsewhere") == before
    assert checksum(tmp_path / "elsewhere", subsets="anatomy") != before


def test_the_checksum_does_not_depend_on_the_order_of_reading(mmlu):
    one, two = (load_task("mmlu", {"data": mmlu, **SMALL}) for _ in range(2))
    one.items(), one.shots("anatomy", 1)
    two.shots("anatomy", 1), two.items()
    assert one.checksum() == two.checksum()


# --- the hub, without a network ---

MMLU_ROW = {"question": " What? ", "subject": "anatomy", "choices": ["None", "0.10", " True", "d"], "answer": 2}


@pytest.fixture
def hub(monkeypatch):
    """Answers of `datasets.load_dataset` by (configuration, split), and its calls; others fail as the network does."""
    answers, calls = {}, []

    def load_dataset(path, name=None, data_dir=None, *, split, revision):
        calls.append((path, name, data_dir, split, revision))
        if (name or data_dir, split) not in answers:
            raise ConnectionError(f"Couldn't reach '{path}' on the Hub")
        return datasets.Dataset.from_list(answers[name or data_dir, split])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return answers, calls


def test_mmlu_of_the_hub_gives_the_items_of_a_folder(hub, tmp_path, write_csv):
    answers, calls = hub
    answers["anatomy", "validation"] = [MMLU_ROW, {**MMLU_ROW, "answer": 0}]
    arguments = {"subsets": "anatomy", "split": "val", "counts": "any"}
    found = load_task("mmlu", arguments).items()
    assert calls == [("cais/mmlu", "anatomy", None, "validation", load_task("mmlu").source.revision)]
    rows = [[MMLU_ROW["question"], *MMLU_ROW["choices"], letter] for letter in "CA"]
    write_csv(tmp_path / "mmlu" / "val" / "anatomy_val.csv", rows)
    write_csv(tmp_path / "mmlu" / "test" / "anatomy_test.csv", rows)
    assert found == load_task("mmlu", {**arguments, "data": str(tmp_path / "mmlu")}).items()


@pytest.mark.parametrize("wrong", [{"answer": -1}, {"answer": 4}, {"choices": list("abc")}, {"choices": list("abcde")}])
def test_mmlu_of_the_hub_refuses_answers_and_choices_that_are_not_four(hub, wrong):
    hub[0]["anatomy", "test"] = [MMLU_ROW, {**MMLU_ROW, **wrong}]
    with pytest.raises(DataError, match=r"hub cais/mmlu .*\(anatomy, test\), row 2: "):
        load_task("mmlu", {"subsets": "anatomy", "counts": "any"}).items()


HUB_ETHICS = {
    "justice": [{"label": n % 2, "scenario": f"I deserve {n}. "} for n in range(8)],
    "deontology": [{"label": n % 2, "scenario": f"Do {n // 4}?", "excuse": f"But {n}. "} for n in range(8)],
    "virtue": [{"label": int(n % 5 == 2), "scenario": f"P {n // 5} acted.", "trait": f"t{n}"} for n in range(10)],
    "commonsense": [{"label": n % 2, "input": f"I did {n}.\n", "is_short": n < 2, "edited": False} for n in range(4)],
    "utilitarianism": [{"activity": f"I got {n} cakes. ", "baseline": f"I got {n} stones."} for n in range(4)],
}
FILE_ETHICS = {
    "justice": [["label", "scenario"], *([str(r["label"]), r["scenario"]] for r in HUB_ETHICS["justice"])],
    "deontology": [
        ["label", "scenario", "excuse"],
        *([str(r["label"]), r["scenario"], r["excuse"]] for r in HUB_ETHICS["deontology"]),
    ],
    "virtue": [
        ["label", "scenario"],
        *([str(r["label"]), f"{r['scenario']} [SEP] {r['trait']}"] for r in HUB_ETHICS["virtue"]),
    ],
    "commonsense": [
        ["label", "input", "is_short", "edited"],
        *([str(r["label"]), r["input"], str(r["is_short"]), "False"] for r in HUB_ETHICS["commonsense"]),
    ],
    "utilitarianism": [[r["activity"], r["baseline"]] for r in HUB_ETHICS["utilitarianism"]],
}


def test_ethics_of_the_hub_gives_the_items_of_a_folder(hub, tmp_path, write_csv):
    for subset, rows in HUB_ETHICS.items():
        hub[0][subset, "test"] = rows
        name = {"utilitarianism": "util", "commonsense": "cm"}.get(subset, subset)
        write_csv(tmp_path / "ethics" / subset / f"{name}_test.csv", FILE_ETHICS[subset])
    arguments = {"split": "test", "counts": "any"}
    found = load_task("ethics", arguments).items()
    assert len(found) == 34
    assert found == load_task("ethics", {**arguments, "data": str(tmp_path / "ethics")}).items()
    assert {call[2] for call in hub[1]} == set(HUB_ETHICS)  # its configurations are folders of the parquet branch


def test_ethics_of_the_hub_has_no_hard_test_and_says_where_to_get_it(hub):
    hub[0]["justice", "test"] = HUB_ETHICS["justice"]
    with pytest.raises(DataError, match=r"has no hard test\. .*-T data=FOLDER .*-T split=test"):
        load_task("ethics", {"subsets": "justice", "counts": "any"}).items()


def test_counts_are_checked_for_the_hub_too(hub):
    hub[0]["anatomy", "test"] = [MMLU_ROW, MMLU_ROW]
    with pytest.raises(DataError, match=r"anatomy has 2 rows in test here, and 135 in the release \(hub cais/mmlu"):
        load_task("mmlu", {"subsets": "anatomy"}).items()


def test_a_hub_that_cannot_be_reached_is_one_data_error_with_the_way_out(hub):
    with pytest.raises(DataError, match=r"hub cais/mmlu .* cannot be had: Couldn't reach .*-T data=FOLDER"):
        load_task("mmlu", {"subsets": "anatomy"}).items()


def test_a_subset_can_stand_in_the_tasks_name():
    one, other = load_task("facts-capitals-statements"), load_task("facts", {"subsets": "capitals-statements"})
    assert [item.id for item in one.items()] == [item.id for item in other.items()]
    with pytest.raises(UsageError, match="names a subset"):
        load_task("facts-capitals-statements", {"subsets": "planets-statements"})
    with pytest.raises(UsageError, match="no task is named 'facts-nowhere'"):
        load_task("facts-nowhere")
