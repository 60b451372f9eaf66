"""What a user sets beyond the protocol: ranges, what makes another run, and seeds of samples."""

import json
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon import evaluate
from gnomon.asks import Decoding, Prompt
from gnomon.blocks import Note
from gnomon.errors import UsageError
from gnomon.evaluation._kinds import Settings, read_settings
from gnomon.evaluation._mathematics import Mathematics
from gnomon.tasks import Item, load_task


class Programs:
    """A kind of which several samples make sense; what it does with them is no matter here."""

    graders = ("official", "corrected")
    several = True


def read(kind=Programs, seed=0, **given):
    return read_settings(given, kind(), "apps", seed, False)


# values --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "values", "words"),
    [
        ("samples", ["0", "-1", "1.5", "many", "", "nan", "inf", "10001", "1e9"], "a whole number from 1 to 10,000"),
        ("temperature", ["-0.1", "10.1", "hot", "nan", "inf", "-inf"], "a number from 0 to 10"),
        ("top_p", ["0", "-1", "1.01", "nan", "all"], "a number from 0.0001 to 1"),
        ("max_tokens", ["0", "-5", "2.5", "nan", "inf", "1000001"], "a whole number from 1 to 1,000,000"),
    ],
)
def test_a_value_out_of_range_is_refused_with_value_and_range(key, values, words):
    for value in values:
        with pytest.raises(UsageError) as caught:
            read(**{key: value})
        assert f"task argument {key}={value}: give {words}." in str(caught.value)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("temperature", ["0", "10", "0.7", " 1 "]),
        ("top_p", ["0.0001", "1"]),
        ("max_tokens", ["1", "1000000"]),
        ("samples", ["1"]),
    ],
)
def test_the_ends_of_a_range_are_in_it(key, values):
    for value in values:
        assert getattr(read(**{key: value}), key) == float(value)


@pytest.mark.parametrize("more", [{}, {"temperature": "0"}, {"temperature": "0.0"}, {"top_p": "0.5"}])
def test_several_samples_need_a_temperature(more):
    with pytest.raises(UsageError, match=r"samples=3 at temperature 0 would be one text 3 times\. .*temperature=0\.8"):
        read(samples="3", **more)


def test_several_samples_are_refused_where_one_is_judged():
    with pytest.raises(UsageError, match="takes one sample an item; got samples=2"):
        read(Mathematics, samples="2", temperature="1")
    assert read(Mathematics, samples="1").samples == 1


def test_an_unknown_grader_is_refused_with_the_nearest_and_all():
    with pytest.raises(
        UsageError, match=r"no grader 'correct'\. Did you mean 'corrected'\? Known: official, corrected\."
    ):
        read(grader="correct")
    assert read().grader == "official"
    assert read(Mathematics, grader="math-verify").grader == "math-verify"


# seeds ---------------------------------------------------------------------------------------------------------------


def item(name):
    return Item(name, "s", "test", name, {})


WARM = Settings(samples=5, temperature=0.5)
PROMPT = Prompt("Go on", Decoding(max_tokens=20, stop=("\n",)))


def test_every_sample_of_every_item_has_a_seed_of_its_own():
    seeds = [one.seed for name in ("a", "b", "a/1", "1") for one in WARM.prompts(item(name), PROMPT)]
    assert len(set(seeds)) == len(seeds) == 20
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_seeds_depend_on_run_seed_item_and_number_alone():
    few, other = Settings(samples=2, temperature=0.5), Settings(samples=5, temperature=0.5, seed=1)
    elsewhere = Prompt("Something else", Decoding(max_tokens=7))
    seeds = [one.seed for one in WARM.prompts(item("a"), PROMPT)]
    assert [one.seed for one in few.prompts(item("a"), PROMPT)] == seeds[:2]
    assert [one.seed for one in WARM.prompts(item("a"), elsewhere)] == seeds
    assert not set(seeds) & {one.seed for one in other.prompts(item("a"), PROMPT)}


def test_at_temperature_0_seeds_are_0_whatever_the_run_seed():
    for run_seed in (0, 7):
        assert [one.seed for one in Settings(seed=run_seed).prompts(item("a"), PROMPT)] == [0]


def test_what_is_not_set_is_the_protocols():
    (one,) = Settings(max_tokens=3).prompts(item("a"), PROMPT)
    assert (one.context, one.decoding) == ("Go on", Decoding(max_tokens=3, stop=("\n",)))
    warm = Settings(temperature=0.5, top_p=0.9).prompts(item("a"), PROMPT)[0].decoding
    assert warm == Decoding(max_tokens=20, temperature=0.5, top_p=0.9, stop=("\n",))


decodings = st.builds(Decoding, st.integers(1, 5), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.5, 0.9, 1.0]))
ours = st.builds(
    Settings,
    temperature=st.sampled_from([None, 0.0, 0.5, 1.0]),
    top_p=st.sampled_from([None, 0.5, 0.9, 1.0]),
    max_tokens=st.none() | st.integers(1, 5),
)


@given(decodings, ours, ours)
@settings(max_examples=300)
def test_settings_are_the_same_run_exactly_when_they_write_in_the_same_way(usual, one, two):
    same = one.decoding(usual) == two.decoding(usual)
    specs = [settings.beyond(usual).spec() for settings in (one, two)]
    assert (specs[0] == specs[1]) == same
    assert one.beyond(usual).decoding(usual) == one.decoding(usual)


# what is another run -------------------------------------------------------------------------------------------------


PROBLEMS = [
    ("algebra", 3, "Level 1", "What is $1 + 1$?", "2"),
    ("algebra", 4, "Level 2", "What is $2 + 2$?", "4"),
    ("geometry", 1, "Level 1", "How many corners has a square?", "4"),
]


@pytest.fixture
def run(writer, small_math, tmp_path, quick_verifier):
    """A run of MATH by a model that always writes the same, by default with nothing set; and what was asked."""

    def start(seed=0, limit=None, protocol=None, **given):
        model = writer(lambda prompt: r"\boxed{2}$")
        found = evaluate(
            "math",
            model,
            task_args=small_math(PROBLEMS, **given),
            protocol=protocol,
            seed=seed,
            limit=limit,
            runs_dir=tmp_path / "runs",
            cache=False,
        )
        return found, model.asked

    return start


def deviations(run):
    return [block.text for block in run.result() if isinstance(block, Note) and block.level == "deviation"]


def test_the_same_command_resumes_and_asks_nothing(run):
    given = {"temperature": "0.5", "top_p": "0.9", "max_tokens": "30", "grader": "corrected"}
    first, asked = run(**given)
    again, nothing = run(**given)
    assert first.path == again.path
    assert len(asked) == len(first.records()) > 0
    assert nothing == []


def test_whatever_changes_what_is_written_or_judged_is_another_run(run):
    paths = [
        run(**given)[0].path
        for given in (
            {},
            {"temperature": "0.5"},
            {"temperature": "0.6"},
            {"temperature": "0.5", "top_p": "0.9"},
            {"temperature": "0.5", "seed": 1},
            {"max_tokens": "21"},
            {"grader": "corrected"},
            {"grader": "math-verify"},
            {"protocol": "boxed"},
        )
    ]
    assert all(one != two for one, two in combinations(paths, 2))


@pytest.mark.parametrize(
    "given",
    [
        {"samples": "1"},
        {"temperature": "0"},
        {"temperature": "0.0"},
        {"top_p": "1"},
        {"max_tokens": "20"},
        {"grader": "official"},
        {"temperature": "0", "top_p": "1.0", "max_tokens": "20", "samples": "1", "grader": "official"},
    ],
)
def test_a_default_that_is_given_in_words_is_the_same_run(run, given):
    plain, _ = run()
    same, asked = run(**given)
    assert same.path == plain.path
    assert asked == []


def test_what_is_usual_depends_on_the_protocol(run):
    short = run(max_tokens="20", protocol="boxed")[0]
    usual, asked = run(max_tokens="1024", protocol="boxed")
    assert short.path != usual.path
    assert usual.path == run(protocol="boxed")[0].path
    assert {prompt.decoding.max_tokens for prompt in asked} == {1024}


def test_at_temperature_0_another_seed_extends_the_run(run):
    first, _ = run(limit=1)
    second, _ = run(limit=1, seed=3)
    assert first.path == second.path
    assert run()[0].path == first.path


def test_at_a_temperature_the_model_is_given_the_seeds_of_this_run_and_no_other(run):
    asked = {seed: run(temperature="1", seed=seed)[1] for seed in (0, 1)}
    contexts = {seed: [prompt.context for prompt in prompts] for seed, prompts in asked.items()}
    seeds = {seed: {prompt.seed for prompt in prompts} for seed, prompts in asked.items()}
    assert contexts[0] == contexts[1]
    assert len(seeds[0] | seeds[1]) == len(contexts[0]) * 2


def test_a_limit_changes_no_seed(run, tmp_path, writer, small_math):
    few = {prompt.context: prompt.seed for prompt in run(temperature="1", limit=1)[1]}
    model = writer(lambda prompt: "2$")
    evaluate("math", model, task_args=small_math(PROBLEMS, temperature="1"), runs_dir=tmp_path / "all", cache=False)
    every = {prompt.context: prompt.seed for prompt in model.asked}
    assert few.items() < every.items()


def test_what_differs_from_the_protocol_is_told_and_kept(run):
    warm, _ = run(temperature="0.5", max_tokens="30")
    told = " ".join(deviations(warm))
    assert "Text was written with temperature=0.5; the protocol 'official' has 0." in told
    assert "Text was written with max_tokens=30; the protocol 'official' has 20." in told
    stored = json.loads((warm.path / "manifest.json").read_text())
    assert (stored["protocol"]["temperature"], stored["protocol"]["max_tokens"]) == (0.5, 30)
    assert stored["spec"]["sampling_seed"] == 0
    assert any(name.startswith("sampling/") for name in stored["streams"])
    plain, _ = run()
    assert not any("Text was written with" in text for text in deviations(plain))
    assert "sampling_seed" not in json.loads((plain.path / "manifest.json").read_text())["spec"]


# refusals on the command line ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("samples=0",), "task argument samples=0: give a whole number"),
        (("samples=2", "temperature=1"), "math takes one sample an item"),
        (("temperature=hot",), "task argument temperature=hot"),
        (("temperature=11",), "give a number from 0 to 10"),
        (("top_p=0",), "task argument top_p=0"),
        (("max_tokens=0",), "task argument max_tokens=0"),
        (("max_tokens=1.5",), "task argument max_tokens=1.5"),
        (("grader=oficial",), "math has no grader 'oficial'. Did you mean 'official'?"),
        (("grader=",), "write  -T key=value"),
        (("temprature=1",), "task argument 'temprature' is not known to math. Did you mean 'temperature'?"),
    ],
)
def test_the_command_line_refuses(refused, small_math, given, words):
    args = [f"{key}={value}" for key, value in small_math().items()]
    flags = [word for one in (*args, *given) for word in ("-T", one)]
    assert words in refused("eval", "math", "-m", "mock/oracle", *flags)


def test_what_sets_writing_is_refused_where_nothing_is_written(refused, small_cuad):
    data = small_cuad([("one", "Delaware law governs.", {"Governing Law": ["Delaware law governs."]})])
    flags = [word for key, value in data.items() for word in ("-T", f"{key}={value}")]
    for key in ("temperature=0.5", "max_tokens=5", "top_p=0.5", "samples=1"):
        told = refused("eval", "cuad", "-m", "mock/oracle", *flags, "-T", key)
        assert f"task argument {key} says how a model writes, and none writes here." in told


def test_choices_know_no_writing():
    with pytest.raises(UsageError, match="task argument 'temperature' is not known to facts"):
        load_task("facts", {"temperature": "1"})
