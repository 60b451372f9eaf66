"""Starting is quick because nothing heavy is imported before it is needed."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "scipy", "sklearn", "transformers", "datasets", "altair", "pydantic", "rich")
CHECK = "; import sys; print([name for name in {heavy} if name in sys.modules])"


def loaded(code, heavy=HEAVY):
    done = subprocess.run(
        [sys.executable, "-c", code + CHECK.format(heavy=heavy)], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()[-1]


def test_importing_gnomon_imports_nothing_heavy():
    assert loaded("import gnomon; dir(gnomon); gnomon.__version__; gnomon.UsageError") == "[]"


def test_help_imports_nothing_heavy():
    code = """
from gnomon.cli import main
try:
    main(["--help"])
except SystemExit as left:
    assert left.code == 0
pass"""
    assert loaded(code) == "[]"


@pytest.mark.parametrize("verb", ["eval", "compare", "report", "ls", "doctor", "quickstart"])
def test_a_verbs_help_needs_no_library_of_numbers(verb):
    code = f"""
from gnomon.cli import main
try:
    main([{verb!r}, "--help"])
except SystemExit as left:
    assert left.code == 0
pass"""
    assert loaded(code, HEAVY[:6]) == "[]"


def test_a_model_by_name_needs_no_torch():
    assert (
        loaded("import gnomon; gnomon.load_model('mock/uniform'); gnomon.load_task('facts')", ("torch", "transformers"))
        == "[]"
    )


def test_help_names_every_verb_and_its_page(program):
    from gnomon.cli import _VERBS

    text = program("--help").stdout
    for verb, words in _VERBS.items():
        assert verb in text
        assert words.split(":")[0] in " ".join(text.split())


def test_no_arguments_show_the_help(program):
    done = program()
    assert "Usage: gnomon" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_version_is_the_packages(program):
    import gnomon

    assert program("--version").stdout.strip().endswith(gnomon.__version__)
