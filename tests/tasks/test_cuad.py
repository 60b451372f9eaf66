"""CUAD: questions are those of the file, contexts are shared, windows cover every contract, faults are named."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.errors import DataError
from gnomon.grading.quotes import read_quotes
from gnomon.tasks import load_task
from gnomon.tasks._cuad_categories import CATEGORIES
from gnomon.tasks.cuad import subset_of, windows

TEXT = "THE AGREEMENT\nis governed by the laws of Delaware. It ends in 2030."


def contract(title, text=TEXT, spans=((17, 49),), category="Governing Law"):
    qas = []
    for name in CATEGORIES:
        own = spans if name == category else ()
        answers = [{"text": text[start:end], "answer_start": start} for start, end in own]
        question = {"id": f"{title}__{name.title()}", "question": f"About {name}?", "answers": answers}
        qas.append({**question, "is_impossible": not answers})
    return {"title": title, "paragraphs": [{"context": text, "qas": qas}]}


def save(folder, contracts, name="test.json"):
    (folder / name).write_text(json.dumps({"version": "own", "data": contracts}), encoding="utf-8")


def load(folder, **more):
    return load_task("cuad", {"data": str(folder), "counts": "any", **more})


def test_every_category_is_a_subset_with_one_question_a_contract(tmp_path):
    save(tmp_path, [contract("a"), contract("b")])
    items = load(tmp_path).items()
    assert len(items) == 82
    (one,) = [item for item in items if item.subset == "governing-law" and item.group == "a"]
    assert one.key == {"spans": [[17, 49]], "category": "Governing Law"}
    assert one.fields["contract"][17:49] == "governed by the laws of Delaware"


def test_the_questions_of_a_contract_share_one_text(tmp_path):
    save(tmp_path, [contract("a")])
    assert len({id(item.fields["contract"]) for item in load(tmp_path).items()}) == 1


def test_names_of_subsets_are_distinct():
    assert len({subset_of(name) for name in CATEGORIES}) == 41


@given(st.integers(0, 100_000))
def test_windows_cover_a_contract_and_overlap(size):
    found = windows("x" * size)
    assert found[0][0] == 0
    assert found[-1][1] == size
    for (_, end), (start, _) in itertools.pairwise(found):
        assert end - start == 1000


def test_the_ideal_quotes_are_in_their_window(tmp_path):
    text = "x " * 8000 + TEXT
    save(tmp_path, [contract("a", text, [(16_017, 16_049)])])
    data = load(tmp_path, subsets="governing-law")
    (item,) = data.items()
    protocol = data.task.protocol("quote")[1]
    prompts, ideal = protocol.ask(item, []), protocol.ideal(item)
    assert len(prompts) == len(ideal) == 2
    for prompt, text in zip(prompts, ideal, strict=True):
        for quote in read_quotes(text):
            assert quote in prompt.context
    assert sum(len(read_quotes(text)) for text in ideal) == 1


def test_a_folder_with_the_whole_only_says_how_to_ask_for_it(tmp_path):
    save(tmp_path, [contract("a")], "CUADv1.json")
    with pytest.raises(DataError, match=r"has no test.json.*-T split=all"):
        load(tmp_path).items()
    assert len(load(tmp_path, split="all").items()) == 41


def test_a_wrong_offset_is_named(tmp_path):
    broken = contract("a")
    broken["paragraphs"][0]["qas"][7]["answers"][0]["answer_start"] = 3
    save(tmp_path, [broken])
    with pytest.raises(DataError, match="answer_start") as caught:
        load(tmp_path).items()
    assert "a__Governing Law" in str(caught.value)
    assert "test.json" in str(caught.value)


def test_a_contract_without_paragraphs_is_named(tmp_path):
    save(tmp_path, [contract("a"), {"title": "b", "paragraphs": []}])
    with pytest.raises(DataError, match="'b'"):
        load(tmp_path).items()


@pytest.mark.realdata
def test_the_rebuilt_release_has_the_official_counts(release):
    items = load_task("cuad", {"data": str(release("cuad")), "split": "all"}).items()
    assert len(items) == 20_910
    assert sum(bool(item.key["spans"]) for item in items) == 6_702
    assert sum(len(item.key["spans"]) for item in items) == 13_823
