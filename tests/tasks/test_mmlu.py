"""MMLU: the release's files and prompts to the byte, against renderings made from the protocol's description alone."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import jinja2
import pytest

from gnomon.asks import Scored
from gnomon.errors import DataError
from gnomon.tasks import Item, _gpt2, load_task, task_named

TASK = task_named("mmlu")
OFFICIAL, LM_EVAL = TASK.protocols["official"], TASK.protocols["lm-eval"]

SUBCATEGORIES = {  # test rows of the 17 subcategories, and of the 4 categories
    "philosophy": 2012, "law": 1763, "health": 1640, "other": 1165, "psychology": 1157, "math": 1064, "history": 930,
    "economics": 742, "politics": 648, "physics": 640, "biology": 454, "business": 437, "computer science": 412,
    "culture": 332, "chemistry": 303, "geography": 198, "engineering": 145,
}  # fmt: skip
CATEGORIES = {"humanities": (13, 4705), "social sciences": (12, 3077), "STEM": (18, 3018), "other": (14, 3242)}


def raw(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def folder(release):
    return release("mmlu")


@pytest.fixture(scope="module")
def data(folder):
    return load_task("mmlu", {"data": str(folder)})


@pytest.fixture(scope="module")
def items(data):
    return data.items()


@pytest.fixture(scope="module")
def rows(folder):
    """Every test file's rows by subject, read without the package."""
    return {path.stem.removesuffix("_test"): raw(path) for path in sorted((folder / "test").glob("*.csv"))}


@pytest.fixture(scope="module")
def dev(folder):
    return {path.stem.removesuffix("_dev"): raw(path) for path in sorted((folder / "dev").glob("*.csv"))}


def item(question="Why?", choices=("w", "x", "y", "z"), answer=0, subset="abstract_algebra") -> Item:
    return Item("id", subset, "test", "id", {"question": question}, tuple(choices), answer)


def prompt(protocol, asked, shots=()) -> str:
    (ask,) = protocol.ask(asked, shots)
    return ask.context


# --- the official prompt ---


def sheet_prompt(subject: str, examples: list[list[str]], question: list[str]) -> str:
    """The prompt as the description has it: blocks with an empty line between them, a block being lines."""
    blocks = [f"The following are multiple choice questions (with answers) about  {subject.replace('_', ' ')}."]
    for row in [*examples, question]:
        text, *choices, letter = row
        lines = [text, *(f"{name}. {choice}" for name, choice in zip("ABCD", choices, strict=True)), "Answer:"]
        if row is not question:
            lines[-1] += f" {letter}"
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


@pytest.mark.realdata
@pytest.mark.parametrize("number", [0, 3, 5])
def test_official_prompts_of_all_57_subjects_are_the_descriptions_to_the_byte(items, rows, dev, data, number):
    asked = Counter()
    for entry in items:
        row = rows[entry.subset][asked[entry.subset]]
        asked[entry.subset] += 1
        expected = sheet_prompt(entry.subset, dev[entry.subset][:number], row)
        assert prompt(OFFICIAL, entry, data.shots(entry.subset, number)).encode() == expected.encode()
    assert len(asked) == 57
    assert asked.total() == 14042


def test_edge_1_us_foreign_policy_has_two_spaces_in_the_header():
    text = prompt(OFFICIAL, item(subset="us_foreign_policy"))
    assert text.startswith("The following are multiple choice questions (with answers) about  us foreign policy.\n\n")


def test_edge_2_the_test_item_ends_at_answer_and_the_last_shot_with_an_empty_line():
    text = prompt(OFFICIAL, item("Last?"), [item("Shot?", answer=2)])
    assert text.endswith("\nD. z\nAnswer:")
    head, _, _ = text.partition("Last?")
    assert head.endswith("\nAnswer: C\n\n")


@pytest.mark.realdata
def test_edge_3_abstract_algebra_with_five_shots_has_six_answers_and_five_letters(items, data):
    entry = next(entry for entry in items if entry.subset == "abstract_algebra")
    text = prompt(OFFICIAL, entry, data.shots("abstract_algebra", 5))
    assert text.count("\nAnswer:") == 6
    assert text.count("\nAnswer: ") == 5


def test_edge_5_the_official_prompt_keeps_white_space_around_question_and_choices():
    text = prompt(OFFICIAL, item(" Why? \n", (" w", "x ", "\ty", "")), [item("Shot? ", ("a ", "b", "c", "d"))])
    assert "\n\n Why? \n\nA.  w\nB. x \nC. \ty\nD. \nAnswer:" in text
    assert "\n\nShot? \nA. a \nB. b" in text


def test_no_shots_keep_the_header():
    assert prompt(OFFICIAL, item("Q")) == (
        "The following are multiple choice questions (with answers) about  abstract algebra.\n\n"
        "Q\nA. w\nB. x\nC. y\nD. z\nAnswer:"
    )


def test_letters_are_continuations_with_their_space_so_that_prompt_and_letter_join_as_text():
    for protocol in TASK.protocols.values():
        (ask,) = protocol.ask(item(), [])
        assert ask.continuations == (" A", " B", " C", " D")
        assert (ask.context + ask.continuations[1]).endswith("\nAnswer: B")


# --- lm-eval's prompt ---

_JINJA = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
LM_EVAL_TEMPLATE = _JINJA.from_string(
    "The following are multiple choice questions (with answers) about {{ subject.split('_') | join(' ') }}.\n\n"
    "{% for q, a, b, c, d, letter in rows %}{{ q | trim }}\nA. {{ a }}\nB. {{ b }}\nC. {{ c }}\nD. {{ d }}\nAnswer:"
    "{% if not loop.last %} {{ letter }}\n\n{% endif %}{% endfor %}"
)


@pytest.mark.realdata
@pytest.mark.parametrize("number", [0, 5])
def test_lm_eval_prompts_are_its_template_over_the_real_rows(items, rows, dev, data, number):
    asked = Counter()
    for entry in items:
        row = rows[entry.subset][asked[entry.subset]]
        asked[entry.subset] += 1
        expected = LM_EVAL_TEMPLATE.render(subject=entry.subset, rows=[*dev[entry.subset][:number], row])
        assert prompt(LM_EVAL, entry, data.shots(entry.subset, number)) == expected


@pytest.mark.realdata
def test_the_two_protocols_differ_in_every_header_and_beyond_it_only_where_questions_are_padded(items):
    padded = 0
    for entry in items:
        official, ported = prompt(OFFICIAL, entry), prompt(LM_EVAL, entry)
        assert official != ported
        same_body = official.split(".\n\n", 1)[1] == ported.split(".\n\n", 1)[1]
        assert same_body == (entry.fields["question"] == entry.fields["question"].strip())
        padded += not same_body
    assert padded == 963


# --- cells ---


def test_edge_4_none_010_and_true_stay_as_they_are(tmp_path, write_csv):
    cells = ["None", "0.10", "True", "nan"]
    write_csv(tmp_path / "test" / "anatomy_test.csv", [["NA", *cells, "C"]])
    data = load_task("mmlu", {"data": str(tmp_path), "subsets": "anatomy", "counts": "any"})
    (entry,) = data.items()
    assert (entry.fields["question"], list(entry.choices), entry.answer) == ("NA", cells, 2)
    assert "\nA. None\nB. 0.10\nC. True\nD. nan\nAnswer:" in prompt(OFFICIAL, entry)


@pytest.mark.realdata
def test_edge_4_ten_test_cells_and_two_val_cells_say_none(items, folder):
    val = load_task("mmlu", {"data": str(folder), "split": "val"}).items()
    assert [sum(entry.choices.count("None") for entry in part) for part in (items, val)] == [10, 2]
    assert sum(entry.choices.count("0.10") for entry in items) == 1


@pytest.mark.realdata
def test_edge_5_padding_survives_in_963_questions_and_41_rows_of_choices(items):
    questions = [entry.fields["question"] for entry in items]
    assert sum(question != question.strip() for question in questions) == 963
    assert sum(any(choice != choice.strip() for choice in entry.choices) for entry in items) == 41


@pytest.mark.realdata
def test_every_cell_of_every_split_is_the_files(folder):
    for split, total in (("dev", 285), ("val", 1531), ("test", 14042)):
        data = load_task("mmlu", {"data": str(folder), "split": "test" if split == "dev" else split})
        found = data.items() if split != "dev" else [row for name in TASK.subsets for row in data.shots(name, 5)]
        expected = [row for name in sorted(TASK.subsets) for row in raw(folder / split / f"{name}_{split}.csv")]
        assert len(found) == len(expected) == total
        cells = [[entry.fields["question"], *entry.choices, "ABCD"[entry.answer]] for entry in found]
        assert cells == expected


@pytest.mark.realdata
def test_duplicates_are_kept_27_within_subjects_and_105_over_all(items):
    within = Counter((entry.subset, entry.fields["question"], entry.choices) for entry in items)
    overall = Counter((entry.fields["question"], entry.choices) for entry in items)
    assert [sum(n - 1 for n in counts.values()) for counts in (within, overall)] == [27, 105]
    assert len({entry.id for entry in items}) == 14042


@pytest.mark.realdata
def test_nine_items_have_two_identical_choices_and_are_graded_by_place(items):
    twins = [entry for entry in items if len(set(entry.choices)) < 4]
    assert len(twins) == 9
    for entry in twins:
        for said in range(4):
            scores = tuple(0.0 if option == said else -5.0 for option in range(4))
            assert (OFFICIAL.read(entry, [Scored(scores, (1,) * 4)]).option == entry.answer) == (said == entry.answer)


def test_edge_14_identical_choices_a_and_c_with_gold_c_and_answer_a_is_wrong():
    entry = item(choices=("same", "x", "same", "z"), answer=2)
    choice = OFFICIAL.read(entry, [Scored((-0.1, -9.0, -2.0, -9.0), (1,) * 4)])
    assert choice.option == 0 != entry.answer


def test_edge_7_a_tie_between_b_and_c_reads_b():
    assert OFFICIAL.read(item(), [Scored((-5.0, -1.0, -1.0, -5.0), (1,) * 4)]).option == 1


# --- subjects ---


@pytest.mark.realdata
def test_categories_and_subcategories_have_the_releases_totals(items):
    category, subcategory = TASK.rollups["category"], TASK.rollups["subcategory"]
    assert Counter(map(subcategory, items)) == SUBCATEGORIES
    assert Counter(map(category, items)) == {name: rows for name, (_, rows) in CATEGORIES.items()}


def test_the_table_of_subjects_adds_up_without_any_file():
    totals = Counter()
    for (split, _), rows in TASK.counts.items():
        totals[split] += rows
    assert totals == {"dev": 285, "val": 1531, "test": 14042}
    assert list(TASK.subsets) == sorted(set(TASK.subsets))
    per_category, per_subcategory = Counter(), Counter()
    for name in TASK.subsets:
        per_category[TASK.rollups["category"](item(subset=name))] += 1
        per_subcategory[TASK.rollups["subcategory"](item(subset=name))] += TASK.counts["test", name]
    assert per_category == {name: subjects for name, (subjects, _) in CATEGORIES.items()}
    assert per_subcategory == SUBCATEGORIES


def test_edge_10_anatomy_counts_in_other_and_not_in_stem():
    entry = item(subset="anatomy")
    assert TASK.rollups["subcategory"](entry) == "health"
    assert TASK.rollups["category"](entry) == "other"


@pytest.mark.parametrize(
    ("subject", "subcategory", "category"),
    [
        ("econometrics", "economics", "social sciences"),
        ("machine_learning", "computer science", "STEM"),
        ("human_sexuality", "culture", "social sciences"),
        ("professional_psychology", "psychology", "social sciences"),
        ("moral_scenarios", "philosophy", "humanities"),
        ("professional_accounting", "other", "other"),
        ("virology", "health", "other"),
        ("marketing", "business", "other"),
        ("prehistory", "history", "humanities"),
    ],
)
def test_subjects_that_other_tools_place_elsewhere_stand_where_the_release_has_them(subject, subcategory, category):
    entry = item(subset=subject)
    assert (TASK.rollups["subcategory"](entry), TASK.rollups["category"](entry)) == (subcategory, category)


# --- faults ---


def broken(small_release, row, number=2):
    """What is said of a test file of anatomy whose record `number` is `row`."""
    path = small_release("mmlu") / "test" / "anatomy_test.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[number - 1] = row + "\n"
    path.write_text("".join(lines), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_task("mmlu", {"data": str(path.parents[1]), "subsets": "anatomy", "counts": "any"}).items()
    message = str(caught.value)
    assert str(path) in message
    assert f"record {number}" in message
    return message


@pytest.mark.parametrize("answer", ["A ", " A", "a", "", "E", "0", "AB", "answer", "\u0410"])
def test_edge_15_an_answer_that_is_no_plain_letter_is_refused_and_not_guessed(small_release, answer):
    message = broken(small_release, f"Q,1,2,3,4,{answer}")
    assert f"the answer is {answer!r}" in message
    assert "A, B, C, D" in message
    assert "Mend the file" in message


def test_edge_16_a_row_of_seven_columns_names_file_and_row(small_release):
    assert "7 cells where the release has 6" in broken(small_release, "Well, why?,1,2,3,4,A")


def test_a_header_is_no_question(small_release):
    assert "the answer is 'answer'" in broken(small_release, "question,A,B,C,D,answer", number=1)


def test_a_file_written_with_an_index_column_is_refused(small_release):
    assert "7 cells" in broken(small_release, "0,Q,1,2,3,4,A", number=1)


# --- edge 9: letters of several tokens ---


def spelled(place: str):
    """A tiny causal model whose tokenizer spells: every character is a token, so ' A' is two."""
    import torch
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = ["<unk>", *(chr(code) for code in range(32, 127)), "\n"]
    tokenizer = Tokenizer(models.WordLevel({letter: n for n, letter in enumerate(letters)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>").save_pretrained(place)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(letters), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=512, initializer_range=0.5,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    model.save_pretrained(place)
    return model, {letter: n for n, letter in enumerate(letters)}


def test_edge_9_a_letter_of_two_tokens_is_scored_by_both_and_not_by_its_last_token_id(tmp_path):
    import torch

    from gnomon.models import load_model

    model, ids = spelled(str(tmp_path))
    (ask,) = OFFICIAL.ask(item(subset="virology"), [])
    ((_, found),) = next(iter(load_model(f"hf/{tmp_path}").score([ask], lambda index: False)))
    context = [ids[letter] for letter in ask.context]
    with torch.no_grad():
        logits = model(torch.tensor([[*context, ids[" "]]])).logits[0].log_softmax(-1)
    expected = [float(logits[-2, ids[" "]] + logits[-1, ids[letter]]) for letter in "ABCD"]
    naive = [float(logits[-2, ids[letter]]) for letter in "ABCD"]
    assert found.tokens == (2, 2, 2, 2)
    assert found.logprobs == pytest.approx(expected, abs=1e-4)
    assert found.logprobs != pytest.approx(naive, abs=1e-2)


# --- edge 8: prompts of more than 2,048 tokens ---

needs_gpt2 = pytest.mark.skipif(not _gpt2.available(), reason=f"GPT-2's vocabulary is not installed: {_gpt2.INSTALL}")


@needs_gpt2
def test_edge_8_the_limit_is_2048_gpt2_tokens_of_the_whole_prompt_and_one_more_is_too_many():
    """The dropping is the evaluation room's; here: which protocol asks for it, at which count, and what is counted."""
    assert OFFICIAL.limit is not None
    assert OFFICIAL.limit.tokens == 2048
    assert LM_EVAL.limit is None
    bare = _gpt2.count([prompt(OFFICIAL, item("Q"))])[0]
    at, over = (prompt(OFFICIAL, item("Q" + " a" * (tokens - bare))) for tokens in (2048, 2049))
    assert _gpt2.count([at, over]) == [2048, 2049]


@needs_gpt2
@pytest.mark.slow
@pytest.mark.realdata
def test_edge_8_exactly_373_items_are_longer_and_keep_four_three_or_two_shots(items, data):
    shots = {name: data.shots(name, 5) for name in TASK.subsets}
    left = dict.fromkeys((entry.id for entry in items), 5)
    long, number = list(items), 5
    while long:
        counts = _gpt2.count([prompt(OFFICIAL, entry, shots[entry.subset][:number]) for entry in long])
        long = [entry for entry, tokens in zip(long, counts, strict=True) if tokens > 2048]
        number -= 1
        left.update((entry.id, number) for entry in long)
    shortened = [entry for entry in items if left[entry.id] < 5]
    assert len(shortened) == 373
    assert Counter(entry.subset for entry in shortened) == {
        "high_school_us_history": 204,
        "high_school_european_history": 165,
        "professional_law": 4,
    }
    assert Counter(left[entry.id] for entry in shortened) == {4: 207, 3: 159, 2: 7}
