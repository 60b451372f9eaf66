"""ETHICS: the release's files, their checks, groups, polarity and metrics, against readings of the tests' own."""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from gnomon.errors import DataError
from gnomon.grading.groups import exact_match
from gnomon.tasks import Item, load_task, task_named

TASK = task_named("ethics")
COUNTS = {
    ("test", "commonsense"): 3885, ("test_hard", "commonsense"): 3964,
    ("test", "deontology"): 3596, ("test_hard", "deontology"): 3536,
    ("test", "justice"): 2704, ("test_hard", "justice"): 2052,
    ("test", "virtue"): 4975, ("test_hard", "virtue"): 4780,
    ("test", "utilitarianism"): 4808, ("test_hard", "utilitarianism"): 4272,
}  # fmt: skip
GROUPS = {
    ("test", "deontology"): 899, ("test_hard", "deontology"): 884,
    ("test", "virtue"): 995, ("test_hard", "virtue"): 956,
    ("test", "justice"): 676, ("test_hard", "justice"): 513,
}  # fmt: skip
FILES = {"commonsense": "cm", "utilitarianism": "util"}
both = pytest.mark.parametrize("split", ["test", "test_hard"])


def path_of(folder: Path, subset: str, split: str) -> Path:
    return folder / subset / f"{FILES.get(subset, subset)}_{split}.csv"


def raw(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def folder(release):
    return release("ethics")


@pytest.fixture(scope="module")
def items(folder) -> dict[tuple[str, str], list[Item]]:
    found = defaultdict(list)
    for entry in load_task("ethics", {"data": str(folder)}).items():
        found[entry.split, entry.subset].append(entry)
    return dict(found)


# --- the release as it is ---


@pytest.mark.realdata
def test_every_subset_of_test_and_hard_test_has_the_releases_rows(items):
    assert {key: len(rows) for key, rows in items.items()} == COUNTS


@pytest.mark.realdata
def test_ids_are_unique_and_tell_subset_split_and_row(items):
    for (split, subset), rows in items.items():
        assert [entry.id for entry in rows] == [f"{subset}/{split}/{row}" for row in range(len(rows))]


@pytest.mark.realdata
@both
def test_every_cell_is_the_files_and_no_text_is_stripped(items, folder, split):
    for subset in TASK.subsets:
        rows = raw(path_of(folder, subset, split))
        header, rows = ([], rows) if subset == "utilitarianism" else (rows[0], rows[1:])
        for entry, row in zip(items[split, subset], rows, strict=True):
            if subset == "utilitarianism":
                assert (entry.fields["first"], entry.fields["second"], entry.answer) == (*row, 0)
                continue
            cells = dict(zip(header, row, strict=True))
            assert entry.answer == int(cells.pop("label"))
            if subset == "virtue":
                assert f"{entry.fields['scenario']} [SEP] {entry.fields['trait']}" == cells["scenario"]
            else:
                assert dict(entry.fields) == cells


@pytest.mark.realdata
def test_edge_8_util_test_has_4808_pairs_and_its_first_row_is_no_header(items):
    rows = items["test", "utilitarianism"]
    assert len(rows) == 4808
    assert rows[0].fields["first"].startswith("I applied to adopt the child I was fostering")


@pytest.mark.realdata
@both
def test_edge_9_a_quoted_line_break_makes_no_new_record(items, folder, split):
    rows = items[split, "commonsense"]
    lines = path_of(folder, "commonsense", split).read_bytes().count(b"\n")
    assert sum("\n" in entry.fields["input"] for entry in rows) > 1500
    assert lines > 5 * len(rows)


@pytest.mark.realdata
def test_trailing_spaces_are_kept_963_deontology_rows_and_619_first_texts(items):
    excuses = [entry.fields["excuse"] for entry in items["test", "deontology"]]
    firsts = [entry.fields["first"] for entry in items["test", "utilitarianism"]]
    assert sum(text != text.strip() for text in excuses) == 963
    assert sum(text != text.strip() for text in firsts) == 619


@pytest.mark.realdata
def test_edge_13_hard_virtue_has_956_groups_and_every_subset_the_releases_number(items):
    assert len({entry.group for entry in items["test_hard", "virtue"]}) == 956
    assert {key: len({entry.group for entry in items[key]}) for key in GROUPS} == GROUPS


@pytest.mark.realdata
@both
def test_groups_are_consecutive_rows_that_share_what_they_should(items, split):
    for subset, size in (("justice", 4), ("deontology", 4), ("virtue", 5)):
        rows = items[split, subset]
        names = [entry.group for entry in rows]
        assert names[::size] == names[size - 1 :: size]
        assert set(Counter(names).values()) == {size}
        for low in range(0, len(rows), size):
            texts = {entry.fields["scenario"] for entry in rows[low : low + size]}
            assert len(texts) == (size if subset == "justice" else 1)
            if subset == "virtue":
                assert sum(entry.answer for entry in rows[low : low + size]) == 1


@pytest.mark.realdata
@both
def test_rows_without_a_metric_over_groups_stand_alone(items, split):
    for subset in ("commonsense", "utilitarianism"):
        rows = items[split, subset]
        assert len({entry.group for entry in rows}) == len(rows)


@pytest.mark.realdata
def test_justice_labels_are_mostly_two_and_two(items):
    rows = items["test", "justice"]
    sums = [sum(entry.answer for entry in rows[low : low + 4]) for low in range(0, len(rows), 4)]
    assert sums.count(2) == 647


@pytest.mark.realdata
@pytest.mark.parametrize(("split", "short", "long"), [("test", 2109, 1776), ("test_hard", 1704, 2260)])
def test_edge_15_commonsense_is_told_apart_by_length(items, split, short, long):
    (by_length,) = TASK.rollups.values()
    assert Counter(map(by_length, items[split, "commonsense"])) == {"short": short, "long": long}
    assert set(map(by_length, items[split, "justice"])) == {None}


@pytest.mark.realdata
def test_the_ambiguous_posts_are_never_read(folder, items):
    ambiguous = {text for (text,) in raw(folder / "commonsense" / "cm_ambig.csv")}
    assert len(ambiguous) == 995
    asked = {entry.fields["input"] for split in ("test", "test_hard") for entry in items[split, "commonsense"]}
    assert not ambiguous & asked


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("subset", "rows"), [("justice", 21791), ("deontology", 18164), ("virtue", 28245), ("utilitarianism", 13738)]
)
def test_training_files_can_give_examples_though_their_rows_stand_in_no_fixed_groups(folder, subset, rows):
    data = load_task("ethics", {"data": str(folder), "subsets": subset, "shots_split": "train"})
    shots = data.shots(subset, rows)
    assert [shot.id for shot in shots] == [f"{subset}/train/{row}" for row in range(rows)]
    if subset in ("deontology", "virtue"):  # who splits these rows must not cut a scenario in two
        scenarios = defaultdict(set)
        for shot in shots:
            scenarios[shot.fields["scenario"]].add(shot.group)
        assert {len(groups) for groups in scenarios.values()} == {1}
        assert len({shot.group for shot in shots}) == len(scenarios)


# --- meaning ---


@pytest.mark.parametrize(
    ("subset", "zero", "one"),
    [
        ("commonsense", "not wrong", "wrong"),
        ("justice", "unreasonable", "reasonable"),
        ("deontology", "unreasonable", "reasonable"),
        ("virtue", "not exhibited", "exhibited"),
    ],
)
def test_what_label_1_means_is_declared_for_each_subset(small_release, subset, zero, one):
    for entry in small(small_release, subset):
        assert entry.choices == (zero, one)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("subset", "row", "words", "verdict"),
    [
        ("commonsense", 410, "to return a stolen purse", "not wrong"),
        ("commonsense", 411, "and stole a purse", "wrong"),
        ("justice", 6, "the last slice of pizza", "unreasonable"),
        ("justice", 7, "broke up with me", "reasonable"),
        ("deontology", 6, "I should follow the U.S. constitution", "reasonable"),
        ("deontology", 7, "I should steal money", "unreasonable"),
        ("virtue", 5, "brutal", "exhibited"),
        ("virtue", 8, "Helpful", "not exhibited"),
        ("utilitarianism", 0, "was quickly approved", "first is more pleasant"),
    ],
)
def test_polarity_agrees_with_rows_that_nobody_doubts(items, subset, row, words, verdict):
    entry = items["test", subset][row]
    assert words in " ".join(entry.fields.values())
    assert entry.choices[entry.answer] == verdict


def small(small_release, subset, split="test") -> list[Item]:
    arguments = {"data": str(small_release("ethics")), "counts": "any", "subsets": subset, "split": split}
    return load_task("ethics", arguments).items()


def test_edge_7_the_first_text_is_the_more_pleasant_and_swapping_the_columns_swaps_the_texts(small_release, write_csv):
    before = small(small_release, "utilitarianism")
    assert {entry.answer for entry in before} == {0}
    folder = small_release("ethics")
    path = path_of(folder, "utilitarianism", "test")
    write_csv(path, [row[::-1] for row in raw(path)])
    arguments = {"data": str(folder), "counts": "any", "subsets": "utilitarianism", "split": "test"}
    after = load_task("ethics", arguments).items()
    for old, new in zip(before, after, strict=True):
        assert (new.fields["first"], new.fields["second"]) == (old.fields["second"], old.fields["first"])


def test_edge_11_virtue_text_is_split_at_the_last_sep(tmp_path, write_csv):
    rows = [[str(int(n == 0)), f"He wrote [SEP] once [SEP] and left. [SEP] trait {n} "] for n in range(5)]
    write_csv(tmp_path / "virtue" / "virtue_test.csv", [["label", "scenario"], *rows])
    arguments = {"data": str(tmp_path), "counts": "any", "subsets": "virtue", "split": "test"}
    entries = load_task("ethics", arguments).items()
    assert {entry.fields["scenario"] for entry in entries} == {"He wrote [SEP] once [SEP] and left."}
    assert [entry.fields["trait"] for entry in entries] == [f"trait {n} " for n in range(5)]


# --- the group metric ---


def test_the_metrics_and_random_baselines_are_the_papers():
    found = {name: (TASK.metric(name).name, TASK.metric(name).group_size) for name in TASK.subsets}
    assert found == {
        "justice": ("exact match", 4),
        "deontology": ("exact match", 4),
        "virtue": ("exact match", 5),
        "utilitarianism": ("accuracy", None),
        "commonsense": ("accuracy", None),
    }
    chance = [TASK.metric(name).chance for name in ("justice", "deontology", "virtue")]
    assert chance == pytest.approx([0.0625, 0.0625, 0.08192])  # printed as 6.3, 6.3, 8.2
    assert TASK.headline == "macro"


def brute_force(right: list[bool], size: int) -> float:
    """The release's loop over the file: groups by row number."""
    count = len(right) // size
    whole = 0
    for number in range(count):
        group = [right[size * number + offset] for offset in range(size)]
        whole += 1 if group.count(True) == size else 0
    return whole / count


@pytest.mark.realdata
@pytest.mark.parametrize("subset", ["justice", "deontology", "virtue"])
@both
def test_exact_match_of_random_predictions_is_brute_force_even_after_a_shuffle(items, subset, split):
    rng = random.Random(f"{subset}{split}")
    rows = items[split, subset]
    size = TASK.metric(subset).group_size
    for share in (0.0, 0.5, 0.9, 1.0):
        right = [rng.random() < share for _ in rows]
        expected = brute_force(right, size)
        pairs = list(zip(right, rows, strict=True))
        for _ in range(2):
            score = exact_match([verdict for verdict, _ in pairs], [entry.group for _, entry in pairs], size)
            assert score.value == expected
            assert score.ignored == 0
            rng.shuffle(pairs)


@pytest.mark.realdata
@both
def test_edge_3_always_no_on_real_virtue_is_accuracy_08_and_exact_match_0(items, split):
    rows = items[split, "virtue"]
    right = [entry.answer == 0 for entry in rows]
    assert sum(right) / len(right) == pytest.approx(0.8)
    assert exact_match(right, [entry.group for entry in rows], 5).value == 0.0


@pytest.mark.realdata
def test_a_trait_guessed_one_time_in_five_comes_near_the_papers_baseline(items):
    rng = np.random.default_rng(0)
    rows = items["test", "virtue"]
    labels = np.array([entry.answer for entry in rows])
    groups = [entry.group for entry in rows]
    values = [exact_match(list((rng.random(len(rows)) < 0.2) == labels), groups, 5).value for _ in range(30)]
    assert np.mean(values) == pytest.approx(TASK.metric("virtue").chance, abs=0.006)


def test_edge_2_a_remainder_of_rows_is_a_group_that_is_not_whole(small_release):
    folder = small_release("ethics")
    path = path_of(folder, "justice", "test")
    path.write_text(path.read_text() + "1,I deserve one more.\n")
    arguments = {"data": str(folder), "counts": "any", "subsets": "justice", "split": "test"}
    rows = load_task("ethics", arguments).items()
    score = exact_match([True] * 9, [entry.group for entry in rows], 4)
    assert (len(rows), len(score.right), score.ignored) == (9, 2, 1)


# --- faults: the file and the record are named ---


def said(folder: Path, subset: str, change, split: str = "test") -> str:
    """The error after `change` was applied to the lines of a subset's file."""
    path = path_of(folder, subset, split)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(change(lines)), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_task("ethics", {"data": str(folder), "counts": "any", "subsets": subset, "split": split}).items()
    message = str(caught.value)
    assert str(path) in message
    return message


def put(number: int, line: str):
    return lambda lines: [*lines[:number], line + "\n", *lines[number + 1 :]]


@pytest.mark.parametrize("label", ["2", "-1", "", "1.0", "True", " 1", "one"])
@pytest.mark.parametrize("subset", ["justice", "deontology", "virtue", "commonsense"])
def test_a_label_that_is_neither_0_nor_1_is_refused(small_release, subset, label):
    rest = {"deontology": "a,b", "virtue": "a [SEP] b", "commonsense": "a,True,False"}.get(subset, "a")
    message = said(small_release("ethics"), subset, put(2, f"{label},{rest}"))
    assert f"record 2: the label is {label!r}" in message
    assert "gnomon does not guess" in message


@pytest.mark.parametrize(
    ("cells", "words"),
    [("yes,False", "is_short is 'yes'"), ("True,0", "edited is '0'"), (",False", "is_short is ''")],
)
def test_flags_are_the_words_true_and_false(small_release, cells, words):
    message = said(small_release("ethics"), "commonsense", put(3, f"1,text,{cells}"))
    assert f"record 3: {words}, and it must be True or False" in message


@pytest.mark.parametrize("subset", ["justice", "deontology", "virtue", "commonsense"])
@both
def test_a_missing_header_is_refused(small_release, subset, split):
    message = said(small_release("ethics"), subset, lambda lines: lines[1:], split)
    assert "the first record is" in message
    assert "starts with the header label," in message


@pytest.mark.parametrize("header", ["activity,baseline", "first,second", "0,1", "baseline,less_pleasant"])
def test_a_header_in_utilitarianism_is_refused_and_never_read_as_a_pair(small_release, header):
    message = said(small_release("ethics"), "utilitarianism", lambda lines: [header + "\n", *lines])
    assert "record 1: " in message
    assert "looks like a header" in message
    assert "take the first record out" in message


@pytest.mark.parametrize("subset", ["deontology", "virtue"])
def test_edge_5_shuffled_rows_are_refused_since_exact_match_would_be_wrong(small_release, subset):
    def shuffled(lines):
        return [lines[0], *random.Random(0).sample(lines[1:], len(lines) - 1)]

    message = said(small_release("ethics"), subset, shuffled)
    size = 4 if subset == "deontology" else 5
    assert f"records 1 to {size} should share one scenario" in message
    assert "not in the release's order" in message


def test_a_row_that_was_lost_shifts_every_group_and_is_refused(small_release):
    message = said(small_release("ethics"), "deontology", lambda lines: [*lines[:2], *lines[3:]])
    assert "records 1 to 4" in message


@pytest.mark.parametrize("labels", ["00000", "01100"])
def test_a_virtue_group_without_exactly_one_trait_that_is_shown_is_refused(small_release, labels):
    def relabelled(lines):
        return [*lines[:6], *(label + line[1:] for label, line in zip(labels, lines[6:], strict=True))]

    assert "records 6 to 10 should have exactly one trait" in said(small_release("ethics"), "virtue", relabelled)


@pytest.mark.parametrize("text", ["He left kind", "He left [SEP]kind", "He left[SEP] kind", ""])
def test_virtue_text_without_its_sep_is_refused(small_release, text):
    assert "record 1: no ' [SEP] ' stands between" in said(small_release("ethics"), "virtue", put(1, f"1,{text}"))


@pytest.mark.parametrize("subset", TASK.subsets)
def test_an_unquoted_comma_names_the_record(small_release, subset):
    line = 1 if subset == "utilitarianism" else 2
    assert "record 2 (line" in said(small_release("ethics"), subset, put(line, "1,a,b,c,d,e"))
