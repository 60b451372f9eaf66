"""Tasks in the hub's columns: a folder and the hub give the same items, groups hold together, faults are told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon import evaluate
from gnomon.blocks import Estimate
from gnomon.errors import DataError
from gnomon.tasks import Hub, judged, load_task, task_named
from gnomon.tasks._rows import joined, keyed, place, texts
from gnomon.testing import check_task

HELLASWAG = {
    "activity_label": "Tea",
    "ctx": "Kim boils water. Kim",
    "source_id": "wikihow~1",
    "endings": ["makes tea.", "eats it.", "paints it.", "sells it."],
    "label": "0",
}
ANLI = {"premise": "A cat sleeps.", "hypothesis": "A dog sleeps.", "label": 1, "reason": ""}
OPENBOOKQA = {
    "id": "7-1",
    "question_stem": "The sun gives",
    "choices": {"text": ["light", "sand", "salt", "snow"], "label": ["A", "B", "C", "D"]},
    "answerKey": "A",
    "fact1": "the sun is a source of light",
}
PAWS = {"id": 1, "sentence1": "A saw B.", "sentence2": "B saw A.", "label": 0}
DREAM = {
    "dialogue": ["W: Tea?", "M: Yes."],
    "question": "What does the man take?",
    "choice": ["Tea.", "Milk.", "Wine."],
    "answer": "Tea.",
}
MCTACO = {"sentence": "Kim slept.", "question": "How long?", "answer": "8 hours", "label": 1, "category": 0}
QUAIL = {
    "context": "Kim slept.",
    "question": "Who slept?",
    "question_type": "Factual",
    "domain": "fiction",
    "answers": ["Kim", "Robin", "the cat", "not enough information"],
    "correct_answer_id": 0,
}
QUARTZ = {
    "question": "Is a bigger stone lighter or heavier?",
    "para": "Size adds to weight.",
    "choices": {"text": ["lighter", "heavier"], "label": ["A", "B"]},
    "answerKey": "B",
}

CASES = {  # task: a row, what makes another row of another group, the answer, configuration and split of the hub
    "hellaswag": (HELLASWAG, {"source_id": "wikihow~2", "ctx": "Robin"}, 0, "default", "validation"),
    "anli": (ANLI, {"premise": "A dog sleeps."}, 1, "plain_text", "dev_r2"),
    "openbookqa": (OPENBOOKQA, {"question_stem": "Ice is", "fact1": "ice is cold"}, 0, "additional", "test"),
    "paws": (PAWS, {"sentence1": "C saw D.", "sentence2": "D saw C."}, 0, "labeled_final", "test"),
    "dream": (DREAM, {"dialogue": ["W: Tea?", "M: No."]}, 0, "plain_text", "test"),
    "mctaco": (MCTACO, {"sentence": "Robin slept."}, 1, "plain_text", "test"),
    "quail": (QUAIL, {"context": "Robin slept."}, 0, "quail", "validation"),
    "quartz": (QUARTZ, {"para": "Heat melts ice."}, 1, "default", "test"),
}
every = pytest.mark.parametrize("name", CASES)


@pytest.fixture
def data(tmp_path):
    """A function (task, rows) that writes a folder of JSON lines and loads it."""

    def load(name, *rows, file="", **more):
        path = tmp_path / name / f"{file or CASES[name][4]}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return load_task(name, {"data": str(tmp_path / name), "counts": "any", **more})

    return load


@pytest.fixture
def hub(monkeypatch):
    """Stands for the hub: a list of rows to fill, and the calls that were made."""
    import datasets

    class Fake:
        def __init__(self):
            self.rows, self.calls = [], []

        def __call__(self, path, **more):
            self.calls.append((path, more))
            return datasets.Dataset.from_list(self.rows)

    fake = Fake()
    monkeypatch.setattr(datasets, "load_dataset", fake)
    return fake


def other(name):
    return CASES[name][0] | CASES[name][1]


@every
def test_a_folder_and_the_hub_give_the_same_items(name, data, hub):
    row, _, answer, config, split = CASES[name]
    here = data(name, row, row | {"unknown": 1}, other(name)).items()
    hub.rows = [row, row, other(name)]
    there = load_task(name, {"counts": "any"}).items()
    assert here == there
    assert [item.answer for item in here] == [answer] * 3
    assert here[0].group == here[1].group != here[2].group
    pinned = task_named(name).finder.hub
    assert isinstance(pinned, Hub)
    which = {"data_dir": config} if pinned.by_folder else {"name": config}
    assert hub.calls == [(pinned.id, {**which, "split": split, "revision": pinned.revision})]


@every
def test_a_small_release_conforms_and_a_perfect_model_is_always_right(name, data, tmp_path):
    loaded = data(name, *(other(name) if n % 2 else CASES[name][0] for n in range(8)))
    check_task(loaded)
    for protocol in loaded.task.protocols:
        asked = {"data": str(tmp_path / name), "counts": "any"}
        run = evaluate(name, "mock/oracle", protocol=protocol, task_args=asked, runs_dir=tmp_path / protocol)
        found = [one for one in run.result() if isinstance(one, Estimate) and "calibration" not in one.name]
        assert {one.value for one in found} == {1.0}


@every
def test_a_column_that_is_missing_is_named(name, data, hub):
    row = CASES[name][0]
    optional = {"id", "reason", "category", "fact1", "question_type", "domain"}
    for column in row.keys() - optional:
        less = {key: value for key, value in row.items() if key != column}
        with pytest.raises(DataError, match=rf"jsonl, line 2 lacks '{column}'"):
            data(name, row, less).items()
        hub.rows = [less]
        with pytest.raises(DataError, match=f"lacks the column {column}"):
            load_task(name, {"counts": "any"}).items()
    assert data(name, {key: value for key, value in row.items() if key not in optional}).items()


@every
def test_an_empty_file_another_number_of_rows_and_no_json_are_told(name, data, tmp_path):
    loaded = data(name)
    with pytest.raises(DataError, match=r"jsonl is empty"):
        loaded.items()
    with pytest.raises(DataError, match=r"has 1 rows in \w+ here, and [\d,]+ in the release"):
        data(name, CASES[name][0], counts="release").items()
    with pytest.raises(DataError, match="line 1 is no JSON"):
        data(name, "{").items()
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match=f"does not hold {name}'s release"):
        load_task(name, {"data": str(tmp_path / "nothing")})


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("hellaswag", {"label": "4"}, "label is '4', and it must be a number from 0 to 3"),
        ("hellaswag", {"label": ""}, "label is ''"),
        ("hellaswag", {"label": True}, "label is True"),
        ("hellaswag", {"label": 1.0}, "label is 1.0"),
        ("hellaswag", {"endings": ["a", "b", "c"]}, "endings holds 3 texts where the release has 4"),
        ("hellaswag", {"endings": "abcd"}, "endings is 'abcd', not a list of texts"),
        ("anli", {"label": -1}, "label is -1, and it must be a number from 0 to 2"),
        ("anli", {"label": "e"}, "label is 'e'"),
        ("openbookqa", {"answerKey": "E"}, "answerKey is 'E', and it must be one of A, B, C, D"),
        ("openbookqa", {"choices": ["a", "b", "c", "d"]}, "choices is .*it must hold the lists text and label"),
        ("openbookqa", {"choices": {"text": ["a"] * 4, "label": ["A"] * 4}}, "answerKey is 'A'"),
        ("paws", {"label": 2}, "label is 2"),
        ("dream", {"answer": "Beer."}, "the answer 'Beer.' is none of the choices Tea., Milk., Wine."),
        ("dream", {"dialogue": "W: Tea?"}, "dialogue is 'W: Tea\\?', not a list of texts"),
        ("dream", {"choice": ["Tea.", "Milk."]}, "choice holds 2 texts where the release has 3"),
        ("mctaco", {"label": 2}, "label is 2"),
        ("quail", {"correct_answer_id": 4}, "correct_answer_id is 4, and it must be a number from 0 to 3"),
        ("quail", {"answers": [1, 2, 3, 4]}, "answers is .*, not a list of texts"),
        ("quartz", {"answerKey": "C"}, "answerKey is 'C'"),
        ("quartz", {"choices": {"text": ["a", "b", "c"], "label": ["A", "B", "C"]}}, "choices.text holds 3 texts"),
    ],
)
def test_a_cell_that_cannot_be_is_named_with_its_line(name, change, words, data):
    with pytest.raises(DataError, match=rf"\.jsonl, line 2: {words}") as caught:
        data(name, CASES[name][0], CASES[name][0] | change).items()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "split", "file", "more"),
    [
        ("anli", "validation", "dev_r1", {"subsets": "r1"}),
        ("anli", "train", "train_r3", {"subsets": "r3"}),
        ("quail", "challenge", "challenge", {}),
        ("mctaco", "validation", "validation", {}),
        ("dream", "train", "train", {}),
    ],
)
def test_every_split_is_read_under_the_hubs_own_name(name, split, file, more, data, hub):
    arguments = {"split": split, **more}
    (item,) = data(name, CASES[name][0], file=file, **arguments).items()
    assert item.split == split
    hub.rows = [CASES[name][0]]
    assert load_task(name, {"counts": "any", **arguments}).items() == [item]
    assert hub.calls[0][1]["split"] == file


# --- what a row becomes ---


def test_marks_of_articles_are_no_part_of_the_text(data):
    row = HELLASWAG | {
        "ctx": "[header] How to dry a cat [title] Take a towel. [step] Be kind.",
        "endings": ["[substeps] Rub it. [step] Stop.", "Say [sic].", "Sing.", "Run."],
    }
    (item,) = data("hellaswag", row).items()
    assert item.fields["ctx"] == "How to dry a cat Take a towel. Be kind."
    assert item.choices[:2] == ("Rub it. Stop.", "Say [sic].")


@pytest.mark.parametrize(
    ("name", "context", "said"),
    [
        ("hellaswag", "Kim boils water. Kim", " makes tea."),
        ("anli", "A cat sleeps.\nDoes it follow that A dog sleeps.\nYes, perhaps or no?", " perhaps"),
        ("openbookqa", "The sun gives", " light"),
        ("paws", "A saw B.\nB saw A.\nDo both sentences mean the same?\nAnswer:", " no"),
        ("dream", "W: Tea?\nM: Yes.\n\nQuestion: What does the man take?\nAnswer:", " Tea."),
        ("mctaco", "Kim slept.\nQuestion: How long?\nAnswer: 8 hours\nIs this plausible?", " yes"),
        ("quail", "Kim slept.\n\nQuestion: Who slept?\nAnswer:", " Kim"),
        ("quartz", "Size adds to weight.\nQuestion: Is a bigger stone lighter or heavier?\nAnswer:", " heavier"),
    ],
)
def test_the_first_wording_and_its_right_answer(name, context, said, data):
    loaded = data(name, CASES[name][0])
    (item,) = loaded.items()
    (ask,) = loaded.task.protocol(None)[1].ask(item, [])
    assert ask.context == context
    assert ask.continuations[item.answer] == said


def test_entailment_alone_is_right_in_anli(data):
    loaded = data("anli", *(ANLI | {"premise": f"Cat {label}.", "label": label} for label in range(3)))
    found = judged(loaded.task, loaded.items())
    assert [one.label for one in found] == [1, 0, 0]
    assert found[0].text == "Cat 0.\nDoes it follow that A dog sleeps."


@pytest.mark.parametrize("name", ["paws", "mctaco"])
def test_two_natural_classes_keep_their_label(name, data):
    row = CASES[name][0]
    loaded = data(name, row | {"label": 0}, row | {"label": 1})
    found = judged(loaded.task, loaded.items())
    assert [one.label for one in found] == [0, 1]
    assert len({one.group for one in found}) == 1


@pytest.mark.parametrize("name", ["hellaswag", "openbookqa", "dream", "quail", "quartz"])
def test_a_question_gives_as_many_wrong_texts_as_right_ones(name, data):
    loaded = data(name, CASES[name][0], other(name))
    found = judged(loaded.task, loaded.items())
    assert sorted(one.label for one in found) == [0, 0, 1, 1]
    items = {item.id: item for item in loaded.items()}
    for one in found:
        item = items[one.id.split("#")[0]]
        assert one.text.endswith(item.choices[item.answer]) == bool(one.label)


def test_an_option_that_equals_the_right_one_is_never_the_wrong_one(data):
    rows = [
        HELLASWAG | {"source_id": str(n), "ctx": f"{n}", "endings": ["Tea.", "tea. ", "TEA.", "Sand."]}
        for n in range(30)
    ]
    loaded = data("hellaswag", *rows)
    wrong = [one for one in judged(loaded.task, loaded.items()) if one.label == 0]
    assert len(wrong) == 30
    assert all(one.text.endswith("Sand.") for one in wrong)


# --- groups ---


def test_sentences_join_pairs_through_others(data):
    pairs = [("a", "b"), ("c", "d"), ("d ", "a"), ("e", "f"), ("f", "f")]
    groups = [item.group for item in data("paws", *(PAWS | {"sentence1": s, "sentence2": t} for s, t in pairs)).items()]
    assert groups[0] == groups[1] == groups[2]
    assert groups[3] == groups[4] != groups[0]


def test_questions_from_one_fact_or_with_one_stem_share_a_group(data):
    stems = [("s1", "f1"), ("s2", "f1"), ("s2", "f2"), ("s3", "f3"), ("f3", None)]
    rows = [OPENBOOKQA | {"question_stem": stem, "fact1": fact} for stem, fact in stems]
    groups = [item.group for item in data("openbookqa", *rows).items()]
    assert groups[0] == groups[1] == groups[2]
    assert len(set(groups)) == 3


LETTERS = st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3), max_size=12)


@given(LETTERS, st.randoms())
def test_rows_are_in_one_group_if_and_only_if_a_chain_of_keys_joins_them(rows, chance):
    names = joined(rows)
    for start, name in enumerate(names):
        reached = set(rows[start])
        for _ in rows:
            reached |= {key for row in rows if reached & set(row) for key in row}
        assert [bool(reached & set(row)) for row in rows] == [one == name for one in names]
    order = list(range(len(rows)))
    chance.shuffle(order)
    assert joined([rows[n] for n in order]) == [names[n] for n in order]


def test_cells_are_taken_as_they_are_meant():
    assert [place(value, 3, "here") for value in (0, 2, "1")] == [0, 2, 1]
    assert place("3", 3, "here", first=1) == 2
    for value in (3, -1, "x", "", "²", None, 0.0, True, [0]):
        with pytest.raises(DataError, match="here: label is"):
            place(value, 3, "here")
    assert texts([" a ", "b"], 2, "here", "cell") == ("a", "b")
    assert keyed({"choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"}, 2, "here") == (("x", "y"), 1)
