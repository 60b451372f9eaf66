"""Prompts from templates: gnomon's own and those of a user's promptsource."""

import pytest

from gnomon.errors import DataError, UsageError
from gnomon.tasks import load_task
from gnomon.tasks._task import Item
from gnomon.tasks._templates import CHOICES, NUMBERED, worded

NEWS = Item("1", "all", "test", "1", {"text": "Rates {rise} 5%."}, ("sports", "business", "world"), 1)


@pytest.mark.parametrize(
    ("question", "answers", "context", "said"),
    [
        ("{text} It is about", CHOICES, "Rates {rise} 5%. It is about", (" sports", " business", " world")),
        ("About {choices}?", ("a", "b", "c"), "About sports, business or world?", (" a", " b", " c")),
        (
            "{text}\n{numbered}\nRight is",
            NUMBERED,
            "Rates {rise} 5%.\nChoice 1: sports\nChoice 2: business\nChoice 3: world\nRight is",
            (" choice 1", " choice 2", " choice 3"),
        ),
        ("{choice2} or {choice1}?", CHOICES, "business or sports?", (" sports", " business", " world")),
    ],
)
def test_a_template_words_question_and_answers(question, answers, context, said):
    (ask,) = worded(question, answers).ask(NEWS, [])
    assert (ask.context, ask.continuations) == (context, said)


def test_shots_end_in_their_own_answer():
    (ask,) = worded("{text} About", CHOICES).ask(NEWS, [NEWS])
    assert ask.context == "Rates {rise} 5%. About business\n\nRates {rise} 5%. About"


GOOD = """
dataset: sst2
templates:
  a: !Template
    answer_choices: bad ||| good
    jinja: "{{sentence}}\\nHow was it? ||| {{ answer_choices[label] }}"
    metadata: !TemplateMetadata
      choices_in_prompt: false
    name: How was it
  b: !Template
    answer_choices: null
    jinja: "Write a review that is {{label}}. ||| {{sentence}}"
    name: writes
"""


@pytest.fixture
def probed_by(tmp_path):
    """A function from the text of templates.yaml to the task that reads them."""
    (tmp_path / "sst2").mkdir()
    (tmp_path / "sst2" / "stsa.binary.dev").write_text("0 a bore\n1 a joy\n")
    place = tmp_path / "templates" / "glue" / "sst2"
    place.mkdir(parents=True)

    def load(text):
        (place / "templates.yaml").write_text(text)
        arguments = {"data": str(tmp_path / "sst2"), "counts": "any", "promptsource": str(tmp_path)}
        return load_task("sst2", arguments)

    return load


def test_a_users_templates_are_named_and_worded(probed_by):
    data = probed_by(GOOD)
    protocol = data.task.protocols["promptsource/how-was-it"]
    (ask,) = protocol.ask(data.items()[0], [])
    assert ask.context.startswith("a bore\nHow was it?")
    assert ask.continuations == (" bad", " good")
    assert "promptsource/writes" not in data.task.protocols
    assert any("1 of promptsource's templates" in note and "writes" in note for note in data.notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("templates: 7", "holds no 'templates'"),
        ("- 1\n- 2", "holds no 'templates'"),
        ("templates: {a: [}", "cannot be read as promptsource's templates"),
        ("templates: {a: !!python/object/apply:os.system ['true']}", "cannot be read as promptsource's templates"),
        (GOOD.replace("bad ||| good", "bad ||| bad"), "none of 2 templates"),
        (GOOD.replace("{{sentence}}\\n", "{{ sentence.__class__.__mro__ }}"), "none of 2 templates"),
        (GOOD.replace("{{sentence}}\\n", "{% include '/etc/passwd' %}"), "none of 2 templates"),
        (GOOD.replace("{{sentence}}\\n", "{% for i in range(10**9) %}x{% endfor %}"), "none of 2 templates"),
        (GOOD.replace("{{sentence}}\\n", "{{ 1 / 0 }}"), "none of 2 templates"),
        (GOOD.replace("{{sentence}}\\n", "{{ sentence"), "none of 2 templates"),
    ],
)
def test_hostile_or_broken_templates_are_refused_in_words(probed_by, text, words):
    with pytest.raises(DataError, match=words):
        probed_by(text)


def test_a_folder_without_templates_is_named(probed_by, tmp_path):
    (tmp_path / "empty").mkdir()
    probed_by(GOOD)
    with pytest.raises(DataError, match="holds no templates of"):
        load_task("sst2", {"data": str(tmp_path / "sst2"), "counts": "any", "promptsource": str(tmp_path / "empty")})


def test_a_task_without_promptsource_has_no_such_argument():
    with pytest.raises(UsageError, match="promptsource"):
        load_task("facts", {"promptsource": "x"})
