"""Reading contracts: SQuAD 2 files with every fault named, and the same structure made from the table of clauses."""

from __future__ import annotations

import copy
import csv
import json
import shutil
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.errors import DataError
from gnomon.tasks._cuad_categories import CATEGORIES, CONTRACTS, FROM_ID, LABELLED, QUESTIONS, SPANS
from gnomon.tasks._squad import Span, _pieces, read_squad, rebuild_squad

TEXT = "SUPPLY AGREEMENT\n\nThis Supply  Agreement is between Acme “Seller” and Birch. Acme pays for İt."


def qa(category, *texts, title="acme", start=None):
    answers = [{"text": text, "answer_start": TEXT.index(text) if start is None else start} for text in texts]
    return {
        "id": f"{title}__{category}",
        "question": f"About {category}?",
        "answers": answers,
        "is_impossible": not answers,
    }


def file_with(*contracts):
    data = [{"title": title, "paragraphs": [{"context": TEXT, "qas": qas}]} for title, *qas in contracts]
    return {"version": "any", "data": data}


@pytest.fixture
def small():
    return file_with(
        ("acme", qa("Parties", "Acme", "Birch"), qa("Ip Ownership Assignment")),
        ("birch", qa("Rofr/Rofo/Rofn", "pays for İt.", title="birch")),
    )


@pytest.fixture
def read(tmp_path):
    def write_and_read(content):
        path = tmp_path / "some.json"
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        path.write_text(text, encoding="utf-8")
        return read_squad(path)

    return write_and_read


def test_contracts_questions_and_spans_come_in_the_order_of_the_file(small, read):
    acme, birch = read(small)
    assert (acme.title, birch.title) == ("acme", "birch")
    parties, ownership = acme.questions
    assert [span.text for span in parties.answers] == ["Acme", "Birch"]
    assert all(acme.context[span.start : span.end] == span.text for span in parties.answers)
    assert not parties.is_impossible
    assert ownership.is_impossible
    assert birch.questions[0].answers == (Span(TEXT.index("pays"), len(TEXT), "pays for İt."),)


def test_ids_in_title_case_are_mapped_to_the_names_of_the_categories(small, read):
    categories = [question.category for contract in read(small) for question in contract.questions]
    assert categories == ["Parties", "IP Ownership Assignment", "Rofr/Rofo/Rofn"]


def test_a_title_may_hold_two_underscores(read):
    (contract,) = read(file_with(("a__b", qa("Parties", "Acme", title="a__Insurance__b"))))
    assert contract.questions[0].category == "Parties"


def test_equal_question_texts_are_one_object(small, read):
    small["data"][1]["paragraphs"][0]["qas"][0]["question"] = "About Parties?"
    acme, birch = read(small)
    assert acme.questions[0].question is birch.questions[0].question


def test_a_byte_order_mark_is_no_part_of_the_json(small, read):
    assert read("\ufeff" + json.dumps(small)) == read(small)


def at(small, *path):
    for key in path:
        small = small[key]
    return small


QAS = ("data", 0, "paragraphs", 0, "qas")
FAULTS = {
    "no data": (lambda f: f.pop("data"), r"some.json lacks 'data'; it has 'version'"),
    "data no list": (lambda f: f.update(data={}), r"some.json: 'data' is dict '\{\}', not list"),
    "contract no object": (lambda f: f["data"].insert(1, "x"), r"contract 1: str .* stands where an object"),
    "no title": (lambda f: f["data"][1].pop("title"), r"contract 1 lacks 'title'"),
    "no paragraphs": (lambda f: f["data"][0].update(paragraphs=[]), r"contract 0 \('acme'\) has 0 paragraphs, not one"),
    "two paragraphs": (
        lambda f: f["data"][1]["paragraphs"].append({}),
        r"contract 1 \('birch'\) has 2 paragraphs.*add the length of what stands before",
    ),
    "no context": (lambda f: at(f, *QAS[:-1]).pop("context"), r"contract 0 \('acme'\) lacks 'context'"),
    "no qas": (lambda f: at(f, *QAS[:-1]).pop("qas"), r"contract 0 \('acme'\) lacks 'qas'"),
    "no id": (lambda f: at(f, *QAS, 1).pop("id"), r"'acme'\), question 1 lacks 'id'"),
    "no question": (lambda f: at(f, *QAS, 1).pop("question"), r"question 'acme__Ip Own.*lacks 'question'"),
    "no answers": (lambda f: at(f, *QAS, 0).pop("answers"), r"question 'acme__Parties' lacks 'answers'"),
    "no text": (lambda f: at(f, *QAS, 0, "answers", 1).pop("text"), r"question 'acme__Parties' lacks 'text'"),
    "no flag": (lambda f: at(f, *QAS, 0).pop("is_impossible"), r"'acme__Parties' lacks 'is_impossible'"),
    "id of another type": (lambda f: at(f, *QAS, 0).update(id=3), r"question 0: 'id' is int '3', not str"),
    "id twice in a contract": (
        lambda f: at(f, *QAS).append(at(f, *QAS, 0)),
        r"contract 0 \('acme'\), question 'acme__Parties': this id occurs already in .*contract 0 \('acme'\)",
    ),
    "id twice in the file": (
        lambda f: f["data"].append(f["data"][0]),
        r"contract 2 \('acme'\), question 'acme__Parties': this id occurs already in .*contract 0",
    ),
    "impossible with answers": (
        lambda f: at(f, *QAS, 0).update(is_impossible=True),
        r"'acme__Parties': is_impossible is True with 2 answers",
    ),
    "possible without": (
        lambda f: at(f, *QAS, 1).update(is_impossible=False),
        r"Assignment': is_impossible is False with 0 answers",
    ),
    "flag as number": (lambda f: at(f, *QAS, 1).update(is_impossible=1), r"'is_impossible' is int '1', not bool"),
    "unknown category": (
        lambda f: at(f, *QAS, 0).update(id="acme__Partys"),
        r"'Partys' is none of CUAD's categories.*such as __Ip Ownership Assignment",
    ),
    "category not in title case": (
        lambda f: at(f, *QAS, 1).update(id="acme__IP Ownership Assignment"),
        r"'IP Ownership Assignment' is none",
    ),
    "no category": (lambda f: at(f, *QAS, 0).update(id="Parties"), r"'Parties' is none of"),
    "a question split by spans": (
        lambda f: at(f, *QAS, 0).update(id="acme__Parties_1"),
        r"looks like train_separate_questions.json.*read CUADv1.json",
    ),
    "offset one off": (
        lambda f: at(f, *QAS, 0, "answers", 0).update(answer_start=TEXT.index("Acme") + 1),
        rf"'acme__Parties': at answer_start {TEXT.index('Acme') + 1} .* holds 'cme ', not 'Acme'. "
        rf"That text stands at {TEXT.index('Acme')} first",
    ),
    "offset negative": (
        lambda f: at(f, *QAS, 0, "answers", 0).update(answer_start=-len(TEXT) + TEXT.index("Acme")),
        r"at answer_start -\d+ the context",
    ),
    "offset past the end": (
        lambda f: at(f, *QAS, 0, "answers", 0).update(answer_start=10**6),
        r"at answer_start 1000000 the context of \d+ characters holds '', not 'Acme'",
    ),
    "offset true": (
        lambda f: at(f, *QAS, 0, "answers", 0).update(answer_start=True),
        r"'answer_start' is bool 'True', not int",
    ),
    "text not in the context": (
        lambda f: at(f, *QAS, 0, "answers", 1).update(text="Cedar"),
        r"not 'Cedar'. The context does not hold that text anywhere",
    ),
    "empty text": (lambda f: at(f, *QAS, 0, "answers", 1).update(text=""), r"an answer at \d+ has an empty text"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_file_contract_and_question(fault, small, read):
    spoil, message = FAULTS[fault]
    spoil(small)
    with pytest.raises(DataError, match=rf"(?s)some\.json.*{message}" if "some.json" not in message else message):
        read(small)


@pytest.mark.parametrize(
    "text, message",
    [
        ('{"data": [\n  {"title": "a",\n  }\n]}', r"some.json, line 3, column 3: no valid JSON"),
        ("", r"line 1, column 1: no valid JSON"),
        ("[]", r"the outermost value is list '\[\]', not an object"),
        ("[" * 100_000, r"nested too deeply|no valid JSON"),
    ],
)
def test_what_is_no_json_object_is_refused_with_its_line(text, message, read):
    with pytest.raises(DataError, match=message):
        read(text)


def test_a_file_cut_short_anywhere_is_refused(small, read):
    text = json.dumps(small)
    for end in range(0, len(text) - 1, 7):
        with pytest.raises(DataError, match="no valid JSON"):
            read(text[:end])


def test_files_that_are_missing_or_no_utf8_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.json cannot be read: No such file"):
        read_squad(tmp_path / "none.json")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_squad(tmp_path)
    (tmp_path / "latin.json").write_bytes('{"data": "é"}'.encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.json: byte 10 is not UTF-8"):
        read_squad(tmp_path / "latin.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "title", "paragraphs", "context", "qas", "id"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


SMALL = file_with(("acme", qa("Parties", "Acme", "Birch"), qa("Insurance")))


@given(st.sampled_from([path for path in places(SMALL) if path]), json_values)
def test_any_value_in_any_place_is_read_or_refused_in_one_sentence(tmp_path_factory, path, value):
    spoiled = copy.deepcopy(SMALL)
    at(spoiled, *path[:-1])[path[-1]] = value
    target = tmp_path_factory.getbasetemp() / "spoiled.json"
    target.write_text(json.dumps(spoiled), encoding="utf-8")
    try:
        contracts = read_squad(target)
    except DataError as error:
        contracts, said = [], str(error)
    else:
        said = str(target)
    assert str(target) in said
    for contract in contracts:
        for question in contract.questions:
            assert all(contract.context[s.start : s.end] == s.text for s in question.answers)


def test_there_are_41_categories_and_ids_tell_them_apart():
    assert len(CATEGORIES) == len(FROM_ID) == 41
    assert FROM_ID["Cap On Liability"] == "Cap on Liability"
    assert (QUESTIONS["all"], QUESTIONS["test"]) == (20_910, 4_182)
    assert CONTRACTS["train"] + CONTRACTS["test"] == CONTRACTS["all"]


# The table of clauses.


def description(name):
    return f"what  {name} means "


@pytest.fixture
def table(tmp_path):
    """Writes a small release and reads it: rows are (file name, {category: cell}); texts are {file name: text}."""

    def write_and_read(rows, texts, place="full_contract_txt", categories=CATEGORIES):
        columns = [column for name in sorted(CATEGORIES) for column in (name.title(), f"{name.title()}-Answer")]
        (tmp_path / place).mkdir(exist_ok=True)
        for name, text in texts.items():
            (tmp_path / place / name).write_text(text, encoding="utf-8", newline="")
        with (tmp_path / "master_clauses.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["Filename", *columns])
            for name, cells in rows:
                writer.writerow([name, *(cells.get(column, "[]") for column in columns)])
        with (tmp_path / "category_descriptions.csv").open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["Category (incl. context and answer)", "Description", "Answer Format", "Group"])
            for name in categories:
                writer.writerow([f"Category: {name}", f"Description: {description(name)}", "", ""])
        return rebuild_squad(tmp_path)

    return write_and_read


def test_a_row_becomes_a_contract_with_41_questions_in_the_order_of_the_descriptions(table):
    (contract,) = table([("acme.pdf", {"Parties": "['Acme', 'Birch']"})], {"acme.txt": TEXT})
    assert [question.category for question in contract.questions] == list(CATEGORIES)
    parties = contract.questions[CATEGORIES.index("Parties")]
    assert [span.text for span in parties.answers] == ["Acme", "Birch"]
    assert contract.questions[23].id == "acme__Ip Ownership Assignment"
    assert contract.questions[23].question.endswith(
        'related to "Ip Ownership Assignment" that should be reviewed by a lawyer. '
        "Details: what  IP Ownership Assignment means "
    )


def test_cuad_edge_18_a_clause_with_omitted_is_several_spans(table):
    cell = "['SUPPLY AGREEMENT<omitted>Supply  Agreement', 'Acme', 'Acme<omitted>']"
    (contract,) = table([("acme.pdf", {"Document Name": cell})], {"acme.txt": TEXT})
    assert [span.text for span in contract.questions[0].answers] == ["SUPPLY AGREEMENT", "Supply  Agreement", "Acme"]


def test_cuad_edge_19_composed_and_decomposed_names_join(table):
    """And so do other signs and cases: `A&B.PDF'` is `a_b .txt`."""
    composed, decomposed = "LECLANCHÉ S.A.", unicodedata.normalize("NFD", "LECLANCHÉ S.A.")
    assert composed != decomposed
    rows = [(f"{decomposed}.pdf", {}), ("A&B.PDF'", {"Parties": "['Acme']"})]
    first, second = table(rows, {f"{composed}.txt": "one", "a_b .txt": TEXT})
    assert (first.context, second.context) == ("one", TEXT)
    assert second.questions[0].id == "a_b __Document Name"


@pytest.mark.parametrize("place", ["txt", "."])
def test_texts_may_lie_elsewhere_beside_others_and_have_other_line_ends(table, place):
    texts = {"acme.txt": "one\r\ntwo", "CUAD_v1_README.txt": "about"}
    (contract,) = table([("acme.pdf", {"Parties": "['one\\ntwo']"})], texts, place=place)
    assert contract.questions[1].answers == (Span(0, 7, "one\ntwo"),)


@pytest.mark.parametrize(
    "rows, texts, message",
    [
        ([("acme.pdf", {})], {"birch.txt": TEXT}, r"master_clauses.csv, record 1 \('acme.pdf'\) fits no text"),
        ([("acme.pdf", {})], {"a-cme.txt": "", "acme.txt": ""}, r"fits a-cme.txt, acme.txt.*one \.txt"),
        ([("acme.pdf", {}), ("ACME.pdf", {})], {"acme.txt": TEXT}, r"record 2 .*belongs already to .*record 1"),
        ([("acme.pdf", {"Parties": "['Cedar']"})], {"acme.txt": TEXT}, r"\('acme.pdf'\), Parties: acme.txt does not"),
        ([("acme.pdf", {"Parties": "Acme"})], {"acme.txt": TEXT}, r"Parties: 'Acme' is no list of texts"),
        ([("acme.pdf", {"Parties": "['Acme'"})], {"acme.txt": TEXT}, r"is no list of texts"),
        ([("acme.pdf", {"Parties": "[1]"})], {"acme.txt": TEXT}, r"A missing clause is \[\]"),
        ([("acme.pdf", {"Parties": "__import__('os').getcwd()"})], {"acme.txt": TEXT}, r"is no list of texts"),
        ([("acme.pdf", {})], {}, r"holds no contract texts.*full_contract_txt"),
    ],
)
def test_rows_that_cannot_be_joined_are_refused_by_number_and_name(table, rows, texts, message):
    with pytest.raises(DataError, match=message):
        table(rows, texts)


def test_descriptions_of_other_categories_or_in_another_order_are_refused(table):
    for categories, message in (
        (CATEGORIES[:-1], "differ from CUAD's 41 in Third Party Beneficiary"),
        (CATEGORIES[::-1], "another order"),
    ):
        with pytest.raises(DataError, match=message):
            table([("acme.pdf", {})], {"acme.txt": TEXT}, categories=categories)


def test_a_table_without_a_column_or_with_a_short_row_is_refused(table, tmp_path):
    table([("acme.pdf", {})], {"acme.txt": TEXT})
    path = tmp_path / "master_clauses.csv"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace("Parties,", "Partys,", 1), encoding="utf-8")
    with pytest.raises(DataError, match="the header lacks Parties"):
        rebuild_squad(tmp_path)
    path.write_text(whole + "birch.pdf,[]\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"record 2: 2 cells where the header has 83"):
        rebuild_squad(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match=r"master_clauses.csv cannot be read"):
        rebuild_squad(tmp_path)


@given(st.lists(st.text(alphabet="ab'\"\\\n<>", max_size=6), max_size=4))
def test_cells_are_lists_as_python_writes_them(clauses):
    expected = dict.fromkeys(clause for clause in clauses if clause.strip())
    assert _pieces(repr(clauses), "here") == list(expected)


def test_a_backslash_that_escapes_nothing_is_kept_without_a_warning():
    assert _pieces(r"['a\d']", "here") == [r"a\d"]


# The release.


@pytest.mark.realdata
def test_the_whole_release_is_read_with_every_span_in_its_place(release):
    contracts = read_squad(release("cuad") / "cuad_v1_rebuilt.json")
    questions = [question for contract in contracts for question in contract.questions]
    assert len(contracts) == CONTRACTS["all"]
    assert len(questions) == QUESTIONS["all"]
    assert sum(len(question.answers) for question in questions) == SPANS
    assert sum(not question.is_impossible for question in questions) == LABELLED
    assert len({id(question.question) for question in questions}) == 41
    assert all(tuple(q.category for q in contract.questions) == CATEGORIES for contract in contracts)
    lengths = [len(contract.context) for contract in contracts]
    assert (min(lengths), max(lengths)) == (645, 338_211)


@pytest.mark.realdata
def test_the_table_of_clauses_rebuilds_the_release_whole(release, tmp_path):
    folder = release("cuad")
    contracts = read_squad(folder / "cuad_v1_rebuilt.json")
    for name in ("master_clauses.csv", "category_descriptions.csv"):
        shutil.copy(folder / name, tmp_path / name)
    texts = tmp_path / "full_contract_txt"
    texts.mkdir()
    for contract in contracts:
        (texts / f"{contract.title}.txt").write_text(contract.context, encoding="utf-8", newline="")
    assert rebuild_squad(tmp_path) == contracts
