"""Models whose answers are easy to predict, small releases of our own, and the command line in this process.

`Hashed` scores by a hash of what it is asked: no two prompts alike, always the same, in small batches. `Writer` and
`Highlighter` give what a function says, and count what they were asked.
"""

import gzip
import hashlib
import json
import math
import sys

import pytest

from gnomon.asks import Completion, Highlighted, Scored, Span
from gnomon.grading.verify import Verdict
from gnomon.tasks.cuad import subset_of


class Hashed:
    context_length = None

    def __init__(self, name="hashed", batch=7):
        self.name, self.batch, self.asked = name, batch, []

    def fingerprint(self):
        return f"{self.name} v1"

    def facts(self):
        return {"provider": "test"}

    def count_tokens(self, texts):
        return [len(text.split()) for text in texts]

    def score(self, asks, skip):
        for low in range(0, len(asks), self.batch):
            part = []
            for index in range(low, min(low + self.batch, len(asks))):
                if not skip(index):
                    self.asked.append(asks[index])
                    part.append((index, self.answer(asks[index])))
            yield part

    def answer(self, ask):
        numbers = [
            hashlib.sha256(f"{self.name}|{ask.context}|{text}".encode()).digest()[0] for text in ask.continuations
        ]
        weights = [number + 1 for number in numbers]
        return Scored(tuple(math.log(weight / sum(weights)) for weight in weights), (1,) * len(weights))


class _Asked:
    """What both have in common: `answer` gives the answer to one ask, `asked` lists what was asked."""

    context_length = None

    def __init__(self, answer, name, batch=3):
        self.answer, self.name, self.batch, self.asked = answer, name, batch, []

    def fingerprint(self):
        return f"{self.name} v1"

    def facts(self):
        return {"provider": "test"}

    def _each(self, asks, skip):
        for low in range(0, len(asks), self.batch):
            part = []
            for index in range(low, min(low + self.batch, len(asks))):
                if not skip(index):
                    self.asked.append(asks[index])
                    part.append((index, self._one(asks[index])))
            yield part


class Writer(_Asked):
    """Writes what `answer(prompt)` says: a text, or a whole answer."""

    def __init__(self, answer, name="writer", batch=3):
        super().__init__(answer, name, batch)

    def count_tokens(self, texts):
        return [len(text.split()) for text in texts]

    def generate(self, prompts, skip):
        return self._each(prompts, skip)

    def _one(self, prompt):
        found = self.answer(prompt)
        return Completion(found, len(found.split())) if isinstance(found, str) else found


class Knowing(Writer):
    """Is told what a perfect model writes and writes it, stop strings included as a model would; `wrong(text)` may
    change it."""

    def __init__(self, wrong=lambda text: text, name="knowing", batch=3):
        super().__init__(None, name, batch)
        self._wrong, self._best = wrong, {}

    def tell(self, asks, best):
        assert len(asks) == len(best)
        self._best = dict(zip(asks, best, strict=True))

    def _one(self, prompt):
        text = self._wrong(self._best[prompt])
        for stop in prompt.decoding.stop:
            text = text.partition(stop)[0]
        return Completion(text, len(text.split()))


class Highlighter(_Asked):
    """Highlights what `answer(passage)` says: a list of (start, end, probability) and the probability of none."""

    def __init__(self, answer, name="highlighter", batch=3):
        super().__init__(answer, name, batch)

    def highlight(self, passages, skip):
        return self._each(passages, skip)

    def _one(self, passage):
        found = self.answer(passage)
        if not isinstance(found, tuple):
            return found
        spans, none = found
        return Highlighted(tuple(Span(*span) for span in spans), none)


@pytest.fixture
def writer():
    return Writer


@pytest.fixture
def knowing():
    return Knowing


@pytest.fixture
def highlighter():
    return Highlighter


@pytest.fixture
def cli(capsys, monkeypatch):
    """A function from arguments to (exit status, standard output, standard error)."""
    from gnomon.cli import main

    def run(*args):
        words = [str(arg) for arg in args]
        monkeypatch.setattr(sys, "argv", ["gnomon", *words])
        with pytest.raises(SystemExit) as left:
            main(words)
        found = capsys.readouterr()
        return left.value.code, found.out, found.err

    return run


@pytest.fixture
def refused(cli, tmp_path):
    """A function that checks a refusal on the command line (status 2, one sentence and its hint, no run) and gives the
    message."""

    def check(*args):
        runs = tmp_path / "no-runs"
        status, out, err = cli(*args, "--runs-dir", runs)
        assert status == 2, (out, err)
        assert out == ""
        assert err.startswith("Error: ")
        assert len(err.strip().splitlines()) <= 2
        assert "Traceback" not in err
        assert not runs.exists()
        return err

    return check


class QuickVerifier:
    """In math-verify's place where its verdict is no matter: texts are equal or not. Starts no process."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def equivalent(self, gold, answer):
        return Verdict(gold == answer)


@pytest.fixture
def quick_verifier(monkeypatch):
    monkeypatch.setattr("gnomon.evaluation._mathematics.Verifier", QuickVerifier)


# small releases, written for these tests ----------------------------------------------------------------------------

MATH = [
    ("algebra", 3, "Level 1", "What is $1 + 1$?", "2"),
    ("algebra", 7, "Level 1", "What is half of one?", r"\frac{1}{2}"),
    ("algebra", 12, "Level 4", "Expand $(x + 1)^2 - 2x$.", "x^2+1"),
    ("geometry", 1, "Level 2", "A square has sides of 3. How long is its diagonal?", r"3\sqrt{2}"),
    ("geometry", 2, "Level 2", "How many degrees has a right angle?", "90"),
    ("number_theory", 5, "Level 3", "Which number comes after 999?", "1000"),
    ("number_theory", 6, "Level 3", "Name the point right of the origin.", "(1,0)"),
    ("number_theory", 9, "Level 5", "Which are the solutions of $n^2 = 4$?", r"\{-2,2\}"),
]
"""Subject, number, level, problem, answer."""

MATH_SUBJECTS = "algebra,geometry,number_theory"


def write_math(root, problems=MATH, split="test"):
    for subject, number, level, problem, answer in problems:
        folder = root / split / subject
        folder.mkdir(parents=True, exist_ok=True)
        solution = f"First we try $\\boxed{{0}}$, which is no good. So the answer is $\\boxed{{{answer}}}$."
        row = {"problem": problem, "level": level, "type": subject.title(), "solution": solution}
        (folder / f"{number}.json").write_text(json.dumps(row), encoding="utf-8")
    return root


@pytest.fixture
def small_math(tmp_path):
    """Task arguments for a folder in MATH's layout; `problems` as in `MATH`."""

    def make(problems=MATH, **more):
        root = write_math(tmp_path / "math", problems)
        return {"data": str(root), "counts": "any", "subsets": ",".join(dict.fromkeys(p[0] for p in problems)), **more}

    return make


def write_cuad(path, contracts):
    """A file like test.json. A contract: (title, context, {category as in ids: [texts to be found in it]})."""
    data = []
    for title, context, questions in contracts:
        qas = []
        for category, texts in questions.items():
            answers = [{"text": text, "answer_start": context.index(text)} for text in texts]
            question = f'Highlight what concerns "{category}". Details: about {category}?'
            qas.append(
                {
                    "id": f"{title}__{category}",
                    "question": question,
                    "answers": answers,
                    "is_impossible": not answers,
                }
            )
        data.append({"title": title, "paragraphs": [{"context": context, "qas": qas}]})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": "ours", "data": data}), encoding="utf-8")
    return path


@pytest.fixture
def small_cuad(tmp_path):
    """Task arguments for a folder in CUAD's layout, from contracts as in `write_cuad`."""

    def make(contracts, **more):
        path = write_cuad(tmp_path / "cuad" / "test.json", contracts)
        names = dict.fromkeys(subset_of(name) for _, _, questions in contracts for name in questions)
        return {"data": str(path.parent), "counts": "any", "subsets": ",".join(names), **more}

    return make


def write_apps(root, problems, split="test"):
    """Problems by number: (difficulty, inputs, outputs, function name or None); without inputs there are no cases."""
    for number, (difficulty, inputs, outputs, fn_name) in problems.items():
        folder = root / split / f"{number:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "question.txt").write_text(f"Solve problem {number}.\n", encoding="utf-8")
        (folder / "metadata.json").write_text(json.dumps({"difficulty": difficulty, "url": "ours"}), encoding="utf-8")
        if inputs:
            cases = {**({"fn_name": fn_name} if fn_name else {}), "inputs": inputs, "outputs": outputs}
            (folder / "input_output.json").write_text(json.dumps(cases), encoding="utf-8")
        if fn_name:
            (folder / "starter_code.py").write_text(f"def {fn_name}(a, b):\n", encoding="utf-8")
    return root


@pytest.fixture
def small_apps(tmp_path):
    """Task arguments for a folder in APPS' layout, from problems as in `write_apps`."""

    def make(problems, **more):
        root = write_apps(tmp_path / "apps", problems)
        subsets = ",".join(dict.fromkeys(problem[0] for problem in problems.values()))
        return {"data": str(root), "counts": "any", "subsets": subsets, **more}

    return make


FUNCTIONS = [
    ("ours/0", "double", "    return 2 * x\n", ["candidate(2) == 4", "candidate(-1) == -2"]),
    ("ours/1", "is_even", "    return x % 2 == 0\n", ["candidate(2) is True", "candidate(3) is False"]),
    ("ours/2", "digits", "    return len(str(abs(x)))\n", ["candidate(-10) == 2", "candidate(7) == 1"]),
]
"""Item, name of the function, its body, what must hold."""


def write_humaneval(folder, functions=FUNCTIONS, zipped=False):
    rows = []
    for name, function, body, claims in functions:
        checks = "".join(f"    assert {claim}\n" for claim in claims)
        rows.append(
            {
                "task_id": name,
                "prompt": f'def {function}(x):\n    """What {function} says."""\n',
                "entry_point": function,
                "canonical_solution": body,
                "test": f"def check(candidate):\n{checks}",
            }
        )
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ("HumanEval.jsonl.gz" if zipped else "HumanEval.jsonl")).write_bytes(
        gzip.compress(data) if zipped else data
    )
    return folder


@pytest.fixture
def small_humaneval(tmp_path):
    """Task arguments for a folder in HumanEval's layout."""

    def make(functions=FUNCTIONS, **more):
        return {"data": str(write_humaneval(tmp_path / "humaneval", functions)), "counts": "any", **more}

    return make


@pytest.fixture
def hashed():
    return Hashed
