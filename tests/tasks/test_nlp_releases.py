"""Six sets of texts in their releases' own layouts: what a good row becomes, faults with their place, real files."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter

import numpy as np
import pytest

from gnomon.errors import DataError
from gnomon.supervision._pool import pool
from gnomon.tasks import Item, judged, load_task, task_named
from gnomon.tasks.cosmos_qa import NONE_OF_THEM

NAMES = ("cola", "cosmos_qa", "multirc", "sciq", "social_i_qa", "wic")
DEV, OTHER = "cola/in_domain_dev.tsv", "cola/out_of_domain_dev.tsv"
COSMOS = "id,context,question,answer0,answer1,answer2,answer3,label\n"
ANSWERS = [{"text": "The dog", "label": 1}, {"text": "The cow", "label": 0}]
MULTIRC = {"passage": {"text": "Dogs sleep.", "questions": [{"question": "Who sleeps?", "answers": ANSWERS}]}}
SCIQ = {
    "question": "What is ice?",
    "correct_answer": "water",
    "distractor1": "sand",
    "distractor2": "salt",
    "distractor3": "iron",
    "support": "Ice is water.",
}
SOCIAL = {"context": "Kim fell.", "question": "Why?", "answerA": "ice", "answerB": "fun", "answerC": "snow"}
WIC = {"word": "bank", "sentence1": "A bank.", "sentence2": "The bank.", "label": True}
TABLE = "index\tword\tsentence1\tsentence2\tstart1\tstart2\tend1\tend2\tlabel\n"


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def items(tmp_path):
    """A function (files) that writes them, in a folder named after a task, and reads that task."""

    def read(files, **more):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        task = next(iter(files)).split("/")[0]
        return load_task(task, {"data": str(tmp_path / task), "counts": "any", **more}).items()

    return read


@pytest.mark.parametrize(
    ("files", "answers"),
    [
        ({DEV: "gj04\t1\t\tA cat.\ngj04\t0\t*\tCat a.\n", OTHER: "x\t1\t\tA dog.\n"}, [1, 0, 1]),
        ({"cosmos_qa/valid.csv": f"{COSMOS}1,c,q,a,b,c,d,3\n2,c,q,a,b,c,d,0\n"}, [3, 0]),
        ({"multirc/val.jsonl": lines(MULTIRC, MULTIRC)}, [1, 0, 1, 0]),
        ({"social_i_qa/dev.jsonl": lines(SOCIAL, SOCIAL), "social_i_qa/dev-labels.lst": "3\n1\n"}, [2, 0]),
        ({"wic/val.jsonl": lines(WIC, WIC | {"label": False})}, [1, 0]),
        ({"wic/validation.tsv": f'{TABLE}0\tbank\t"A ""bank""."\tb\t0\t0\t1\t1\t1\n'}, [1]),
    ],
)
def test_good_rows_are_read_in_order(files, answers, items):
    found = items(files)
    assert [item.answer for item in found] == answers
    assert len({item.id for item in found}) == len(found)


def test_both_development_files_of_cola_are_one_split_and_say_which(items):
    found = items({DEV: "a\t1\t\tA cat.\n", OTHER: "b\t0\t*\tA cat.\nb\t1\t\tA dog.\n"})
    assert [item.id for item in found] == ["validation-1", "validation-2", "validation-3"]
    domain = task_named("cola").rollups["domain"]
    assert [domain(item) for item in found] == ["in domain", "out of domain", "out of domain"]
    assert found[0].group == found[1].group != found[2].group
    with pytest.raises(DataError, match="lacks 1 of 1 subsets"):
        items({"cola/in_domain_dev.tsv": "a\t1\t\tA cat.\n"}, split="train")


def test_a_question_of_multirc_with_two_right_answers_gives_two_right_rows(items):
    answers = [{"text": text, "label": int(text != "c")} for text in "abc"]
    row = {"passage": {"text": " T. ", "questions": [{"question": "Q?", "answers": answers}]}}
    found = items({"multirc/val.jsonl": lines(row, MULTIRC)})
    assert [item.fields["answer"] for item in found] == ["a", "b", "c", "The dog", "The cow"]
    assert [item.answer for item in found] == [1, 1, 0, 1, 0]
    assert [item.group == found[0].group for item in found] == [True, True, True, False, False]


def test_the_right_answer_of_sciq_stands_anywhere(items):
    rows = [SCIQ | {"question": f"What is {n}?", "support": ""} for n in range(40)]
    found = items({"sciq/test.json": json.dumps(rows)})
    assert {item.choices[item.answer] for item in found} == {"water"}
    assert {tuple(sorted(item.choices)) for item in found} == {("iron", "salt", "sand", "water")}
    assert {item.answer for item in found} == {0, 1, 2, 3}
    assert len({item.group for item in found}) == 40
    assert [item.choices for item in items({"sciq/test.json": json.dumps(rows[5:])})] == [i.choices for i in found[5:]]


def test_questions_of_sciq_with_one_text_or_one_wording_share_a_group(items):
    pairs = [("a", "s"), ("b", "s"), ("b", ""), ("c", ""), ("d", "t"), ("s", "")]
    rows = [SCIQ | {"question": question, "support": support} for question, support in pairs]
    groups = [item.group for item in items({"sciq/test.json": json.dumps(rows)})]
    assert groups[0] == groups[1] == groups[2]
    assert len(set(groups)) == 4


def test_a_text_that_supports_stands_before_the_question_where_there_is_one(items):
    with_text, without = items({"sciq/test.json": json.dumps([SCIQ, SCIQ | {"question": "Why?", "support": " "}])})
    ask = task_named("sciq").protocols["with-support"].ask
    assert ask(with_text, [])[0].context == "Ice is water.\n\nQuestion: What is ice?\nAnswer:"
    assert ask(without, [])[0].context == "Question: Why?\nAnswer:"


def test_rows_about_one_word_share_a_group_in_every_split_and_layout(items):
    val = items({"wic/val.jsonl": lines(WIC, WIC | {"word": "Bank"}, WIC | {"word": "tree"})})
    assert val[0].group == val[1].group != val[2].group
    quoted = f'{TABLE}0\tbank\t"A ""bank"", he said."\tx "y" z\t0\t0\t1\t1\t0\n'
    (train,) = items({"wic/train.tsv": quoted}, split="train")
    assert train.group == val[0].group
    assert train.fields == {"word": "bank", "sentence1": 'A "bank", he said.', "sentence2": 'x "y" z'}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({DEV: "a\t1\tA cat.\n", OTHER: "a\t1\t\tx\n"}, r"in_domain_dev\.tsv, line 1: 3 cells"),
        ({DEV: "a\t2\t\tA cat.\n", OTHER: "a\t1\t\tx\n"}, "line 1: 4 cells, label '2'"),
        ({DEV: "cat\n", OTHER: "a\t1\t\tx\n"}, "line 1: 1 cells, label 'cat'"),
        ({DEV: "", OTHER: "a\t1\t\tx\n"}, r"in_domain_dev\.tsv is empty"),
        ({"cosmos_qa/valid.csv": "id,context\n"}, "the first record is"),
        ({"cosmos_qa/valid.csv": f"{COSMOS}1,c,q,a,b,c,3\n"}, "record 1 .*: 7 cells where the release has 8"),
        ({"cosmos_qa/valid.csv": f"{COSMOS}1,c,q,a,b,c,d,4\n"}, "record 1: label is '4', .* from 0 to 3"),
        ({"cosmos_qa/valid.csv": f"{COSMOS}1,c,q,a,b,c,d,-1\n"}, "record 1: label is '-1'"),
        ({"multirc/val.jsonl": lines({"idx": 1})}, "line 1 lacks 'passage'"),
        ({"multirc/val.jsonl": lines({"passage": "x"})}, "line 1: 'text' is None, not a text"),
        ({"multirc/val.jsonl": lines({"passage": {"text": "x"}})}, "line 1: 'questions' is None, not a list"),
        (
            {"multirc/val.jsonl": lines({"passage": {"text": "x", "questions": [{"question": "q"}]}})},
            "line 1: 'answers' is None, not a list",
        ),
        ({"multirc/val.jsonl": lines(MULTIRC).replace(', "label": 0', "")}, "lacks 'label'; the test file has none"),
        ({"multirc/val.jsonl": lines(MULTIRC).replace('"label": 0', '"label": 2')}, "line 1: label is 2"),
        ({"sciq/test.json": "[{]"}, "cannot be read as JSON"),
        ({"sciq/test.json": b'["\xff"]'}, "cannot be read as JSON"),
        ({"sciq/test.json": "[]"}, "holds no rows"),
        ({"sciq/test.json": "{}"}, "holds no rows"),
        ({"sciq/test.json": json.dumps([SCIQ, {"question": "q"}])}, "row 2: 'correct_answer' is None, not a text"),
        ({"sciq/test.json": json.dumps([7])}, "row 1: 'question' is None"),
        ({"sciq/valid.json": json.dumps([SCIQ])}, "lacks 1 of 1 subsets"),
        (
            {"social_i_qa/dev.jsonl": lines(SOCIAL, SOCIAL), "social_i_qa/dev-labels.lst": "1\n"},
            "has 1 labels of dev.jsonl's 2 rows",
        ),
        (
            {"social_i_qa/dev.jsonl": lines(SOCIAL), "social_i_qa/dev-labels.lst": "0\n"},
            r"dev-labels\.lst, line 1: label is '0', .* from 1 to 3",
        ),
        (
            {"social_i_qa/dev.jsonl": lines({"context": "x"}), "social_i_qa/dev-labels.lst": "1\n"},
            "line 1 lacks 'question'",
        ),
        ({"wic/val.jsonl": lines(WIC | {"label": 1})}, "line 1: label 1 is neither true nor false"),
        ({"wic/val.jsonl": lines(WIC | {"word": None})}, "line 1 lacks 'word'"),
        ({"wic/validation.tsv": "word\tlabel\n"}, "the first line is"),
        ({"wic/validation.tsv": f"{TABLE}0\tbank\ta\tb\t1\n"}, "line 2: 5 cells where the header has 9"),
        ({"wic/validation.tsv": f"{TABLE}0\tbank\ta\tb\t0\t0\t0\t0\t2\n"}, "line 2: label is '2'"),
        ({"wic/validation.tsv": f'{TABLE}0\tbank\t"a\tb\t0\t0\t0\t0\t1\n'}, "line 2: unexpected end of data"),
    ],
)
def test_a_fault_is_named_with_its_place(files, words, items):
    with pytest.raises(DataError, match=words) as caught:
        items(files)
    assert "\n" not in str(caught.value)


HUB = {
    "cola": ({"sentence": "A cat.", "label": 1}, 1, {"name": "cola"}, "validation"),
    "cosmos_qa": (
        {"context": "c", "question": "q", **{f"answer{n}": str(n) for n in range(4)}, "label": 2},
        2,
        {"data_dir": "default"},
        "validation",
    ),
    "multirc": (
        {"paragraph": "p", "question": "q", "answer": "a", "label": 1},
        1,
        {"data_dir": "multirc"},
        "validation",
    ),
    "sciq": (SCIQ, None, {"name": "default"}, "test"),
    "social_i_qa": (SOCIAL | {"label": "3"}, 2, {"data_dir": "default"}, "validation"),
    "wic": (WIC | {"label": 1}, 1, {"data_dir": "wic"}, "validation"),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_hub_is_asked_where_there_is_no_folder(name, monkeypatch):
    import datasets

    row, answer, which, split = HUB[name]
    calls, given = [], [row]

    def load(path, **more):
        calls.append((path, more))
        return datasets.Dataset.from_list(given)

    monkeypatch.setattr(datasets, "load_dataset", load)
    (item,) = load_task(name, {"counts": "any"}).items()
    pinned = task_named(name).finder.hub
    assert calls == [(pinned.id, {**which, "split": split, "revision": pinned.revision})]
    assert answer is None or item.answer == answer
    assert name != "sciq" or item.choices[item.answer] == "water"
    for column in row:
        given[0] = {key: value for key, value in row.items() if key != column}
        with pytest.raises(DataError, match=f"lacks the column {column}"):
            load_task(name, {"counts": "any"}).items()
    if "label" in row:
        given[0] = row | {"label": "9" if isinstance(row["label"], str) else 9}
        with pytest.raises(DataError, match="row 1: label is"):
            load_task(name, {"counts": "any"}).items()


# --- texts that are right or wrong ---


def test_none_of_them_gives_a_wrong_text_alone_and_is_never_shown():
    judge = task_named("cosmos_qa").judge
    for number in range(40):
        fields = {"context": "c", "question": "q"}
        right = Item(f"r{number}", "all", "validation", "g", fields, ("a", NONE_OF_THEM, "b", "c"), 1)
        found = judge(right)
        assert [one.label for one in found] == [0]
        assert NONE_OF_THEM not in found[0].text
        wrong = Item(f"w{number}", "all", "validation", "g", fields, ("a", NONE_OF_THEM, "A ", " a"), 0)
        assert [(one.text, one.label) for one in judge(wrong)] == [("c\nQuestion: q\nAnswer: a", 1)]


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_judged_and_two_classes_keep_their_label(name):
    task = task_named(name)
    found = judged(task, task.examples)
    assert all(one.text.strip() for one in found)
    if len(task.examples[0].choices) == 2:
        assert [one.label for one in found] == [item.answer for item in task.examples]
    elif name != "cosmos_qa":
        assert sum(one.label for one in found) * 2 == len(found)


# --- the real files ---


@pytest.fixture
def real(release):
    """A function (name) that loads a real release."""
    return lambda name, **more: load_task(name, {"data": str(release("nlp") / name), **more})


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "groups", "answers"),
    [
        ("cola", 1039, {0: 324, 1: 719}),
        ("cosmos_qa", 2445, {0: 744, 1: 729, 2: 761, 3: 751}),
        ("multirc", 83, {0: 2773, 1: 2075}),
        ("sciq", 1000, {0: 268, 1: 272, 2: 228, 3: 232}),
        ("social_i_qa", 1930, {0: 643, 1: 654, 2: 657}),
        ("wic", 599, {0: 319, 1: 319}),
    ],
)
def test_the_release_is_whole(name, groups, answers, real):
    data = real(name)
    items = data.items()
    assert data.notes == []
    assert len({item.group for item in items}) == groups
    assert Counter(item.answer for item in items) == answers


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "context", "said"),
    [
        (
            "cola",
            "Sentence: The sailors rode the breeze clear of the rocks.\nIs this sentence grammatical?\nAnswer:",
            (" no", " yes"),
        ),
        (
            "wic",
            "An emerging professional class.\nApologizing for losing your temper, even though you were badly provoked, "
            'showed real class.\nDoes "class" mean the same thing in both sentences?\nAnswer:',
            (" no", " yes"),
        ),
        (
            "social_i_qa",
            "Tracy didn't go home that evening and resisted Riley's attacks.\n"
            "Question: What does Tracy need to do before this?\nAnswer:",
            (" make a new plan", " Go home and see Riley", " Find somewhere to go"),
        ),
        (
            "sciq",
            "Question: Compounds that are capable of accepting electrons, such as o 2 or f2, are called what?\nAnswer:",
            {" oxidants", " residues", " antioxidants", " Oxygen"},
        ),
    ],
)
def test_the_first_prompt(name, context, said, real):
    data = real(name)
    (ask,) = data.task.protocol(None)[1].ask(data.items()[0], [])
    assert ask.context == context
    assert (set(ask.continuations) if isinstance(said, set) else ask.continuations) == said


@pytest.mark.realdata
def test_the_first_prompts_of_long_texts(real, release):
    data = real("multirc")
    (ask,) = data.task.protocol(None)[1].ask(data.items()[0], [])
    first = json.loads((release("nlp") / "multirc" / "val.jsonl").read_text().split("\n")[0])["passage"]
    asked = first["questions"][0]
    assert ask.context == (
        f"{first['text'].strip()}\nQuestion: {asked['question']}\nProposed answer: {asked['answers'][0]['text']}\n"
        "Is the proposed answer right?"
    )
    data = real("cosmos_qa")
    (ask,) = data.task.protocol(None)[1].ask(data.items()[0], [])
    assert ask.context.startswith("Do i need to go for a legal divorce ?")
    assert ask.context.endswith("\nQuestion: Why is this person asking about divorce ?\nAnswer:")
    assert ask.continuations[1] == " He wants to get married to a different person ."


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "field"),
    [("cola", "sentence"), ("cosmos_qa", "context"), ("multirc", "paragraph"), ("social_i_qa", "context")],
)
def test_rows_that_share_a_text_share_a_group_and_others_do_not(name, field, real):
    pairs = {(item.fields[field], item.group) for item in real(name).items()}
    assert len(pairs) == len({text for text, _ in pairs}) == len({group for _, group in pairs})


@pytest.mark.realdata
def test_words_and_questions_keep_to_one_group_across_splits(real):
    by_word: dict[str, set[str]] = {}
    rows = [*real("wic").items(), *real("wic", split="train").items()]
    assert len(rows) == 638 + 5428
    for item in rows:
        by_word.setdefault(item.fields["word"], set()).add(item.group)
    assert all(len(groups) == 1 for groups in by_word.values())
    assert len(set().union(*by_word.values())) == len(by_word)
    train = real("sciq", split="train", counts="any").items()
    assert (len(train), len({item.group for item in train})) == (8000, 7962)
    for field in ("question", "support"):
        pairs = {(item.fields[field], item.group) for item in train if item.fields[field]}
        assert len(pairs) == len({text for text, _ in pairs})


@pytest.mark.realdata
def test_the_table_of_wic_and_the_lines_are_the_same(real, release, tmp_path):
    (tmp_path / "wic").mkdir()
    (tmp_path / "wic" / "validation.tsv").symlink_to(release("nlp") / "wic" / "validation.tsv")
    assert load_task("wic", {"data": str(tmp_path / "wic")}).items() == real("wic").items()


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "rows"), [("sciq", "11,679"), ("multirc", "27,243")])
def test_a_split_that_is_cut_is_not_taken_for_the_release(name, rows, real):
    with pytest.raises(DataError, match=f"and {rows} in the release"):
        real(name, split="train").items()
    data = real(name, split="train", counts="any")
    assert data.items()
    assert rows in data.notes[0]


@pytest.mark.realdata
def test_edge_case_15_on_the_real_cosmos_qa(real, release):
    data = real("cosmos_qa")
    items = data.items()
    found = judged(data.task, items)
    with (release("nlp") / "cosmos_qa" / "valid.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    none = {f"validation-{n}" for n, row in enumerate(table, 1) if row[f"answer{row['label']}"] == NONE_OF_THEM}
    spelled = {row[f"answer{n}"] for row in table for n in range(4) if "none of the" in row[f"answer{n}"].lower()}
    spelled = {text for text in spelled if re.match(r"none of the (above|choices|answers|options)", text.lower())}
    assert spelled == {NONE_OF_THEM}
    assert len(none) == 259
    by_item: dict[str, list[int]] = {}
    for one in found:
        by_item.setdefault(one.id.split("#")[0], []).append(one.label)
        assert NONE_OF_THEM not in one.text
    assert {name for name, labels in by_item.items() if labels == [0]} == none
    assert all(sorted(labels) == [0, 1] for name, labels in by_item.items() if name not in none)
    assert Counter(one.label for one in found) == {1: 2985 - 259, 0: 2985}
    rows = pool(found, learn=4000, test=1000, seed=0)
    assert float(np.mean(rows.labels[rows.test])) == 0.5
    assert 0.45 <= float(np.mean(rows.labels[rows.learn])) <= 0.55
    assert not {rows.groups[n] for n in rows.learn} & {rows.groups[n] for n in rows.test}


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["cosmos_qa", "sciq", "social_i_qa"])
def test_edge_case_16_a_wrong_option_never_equals_the_right_one(name, real):
    more = {"split": "train", "counts": "any"} if name == "sciq" else {}
    data = real(name, **more)
    items = {item.id: item for item in data.items()}
    plain = {id: [" ".join(text.split()).casefold() for text in item.choices] for id, item in items.items()}
    labels = Counter()
    for one in judged(data.task, list(items.values())):
        id, _, number = one.id.partition("#")
        assert (plain[id][int(number)] == plain[id][items[id].answer]) == bool(one.label)
        labels[one.label] += 1
    same = sum(plain[id].count(plain[id][item.answer]) > 1 for id, item in items.items())
    assert same == {"cosmos_qa": 0, "sciq": 11, "social_i_qa": 1}[name]
    assert name == "cosmos_qa" or labels[0] == labels[1] == len(items)
