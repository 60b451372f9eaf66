"""What the report's tests share: runs to show, and a headless Chromium that reports what it logs and requests."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gnomon.blocks import (
    Column,
    Comparison,
    Condition,
    Curve,
    Estimate,
    Interval,
    IntervalChart,
    Mark,
    Marked,
    Matrix,
    Note,
    Points,
    Sample,
    Samples,
    Scatter,
    Selected,
    Selection,
    Series,
    Table,
    Text,
    Verdict,
)
from gnomon.report import ReportRun, write

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
SUBJECTS = {
    "STEM": "abstract algebra,anatomy,astronomy,college biology,college chemistry,college computer science,"
    "college mathematics,college physics,computer security,conceptual physics,"
    "electrical engineering,elementary mathematics,high school biology,high school chemistry,"
    "high school computer science,high school mathematics,high school physics,"
    "high school statistics,machine learning",
    "humanities": "formal logic,high school european history,high school us history,high school world history,"
    "international law,jurisprudence,logical fallacies,moral disputes,moral scenarios,philosophy,"
    "prehistory,professional law,world religions",
    "social sciences": "econometrics,high school geography,high school government and politics,"
    "high school macroeconomics,high school microeconomics,high school psychology,human sexuality,"
    "professional psychology,public relations,security studies,sociology,us foreign policy",
    "other": "business ethics,clinical knowledge,college medicine,global facts,human aging,management,"
    "marketing,medical genetics,miscellaneous,nutrition,professional accounting,"
    "professional medicine,virology",
}
QUESTION = (
    "Which of the following best describes case {i} in {subject}, when the two conditions of the text hold at once?\n"
    "A. Neither of them\nB. Only the first\nC. Only the second\nD. Both of them\nAnswer:"
)
HOSTILE = (
    '<script>window.__pwned = 1</script></script><img src=x onerror="window.__pwned = 2">'
    "<svg onload='window.__pwned = 3'>"
    "<a href=\"javascript:alert(1)\">link</a>{{ 7 * 7 }}<!-- --><iframe src='https://example.org'></iframe>"
    "</pre></td></title></style><style>*{display:none}</style>&lt;b&gt; right\u202eleft zero\u200bwidth"
    " null\x00 bell\x07 esc\x1b[31m \u2066isolate\u2069 line\u2028sep"
    " \ufeffbom \ud800 tag\U000e0041 \"quote' `tick` ${alert(1)}"
)


def wilson(right: int, n: int) -> tuple[float, float]:
    """The ends of Wilson's 95% interval."""
    z, p = 1.959964, right / n
    middle, half = (
        (p + z * z / (2 * n)) / (1 + z * z / n),
        z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n),
    )
    return max(0.0, middle - half), min(1.0, middle + half)


def make_samples(count: int, seed: int = 0) -> list[Sample]:
    """`count` four-way questions over all subjects: about a third right, some unparsed, a few refused."""
    rng = random.Random(seed)
    subjects = [name for names in SUBJECTS.values() for name in names.split(",")]
    made = []
    for i in range(count):
        scores = {letter: round(-rng.expovariate(0.4), 4) for letter in "ABCD"}
        target, best = rng.choice("ABCD"), max(scores, key=lambda letter: scores[letter])
        status = "refused" if i % 97 == 50 else "unparsed" if i % 23 == 11 else "ok"
        made.append(
            Sample(
                id=f"{subjects[i % 57].replace(' ', '_')}/{i // 57}",
                subset=subjects[i % 57],
                status=status,
                correct=status == "ok" and best == target,
                prompt=QUESTION.format(i=i, subject=subjects[i % 57]),
                answer={
                    "ok": best,
                    "unparsed": "Well, it depends on what one means.",
                    "refused": "I cannot help with that.",
                }[status],
                target=target,
                scores=scores if status == "ok" else {},
            )
        )
    return made


def subject_table() -> Table:
    rng = random.Random(1)
    rows: list[list[Any]] = []
    for category, names in SUBJECTS.items():
        for name in names.split(","):
            n = rng.randint(100, 400)
            right = sum(rng.random() < 0.24 + 0.2 * rng.random() for _ in range(n))
            rows.append([name, category, n, right / n, *wilson(right, n), rng.choice([0.0002, 0.04, 0.5])])
    rows.sort(key=lambda row: -row[3])
    labels = [
        ("subject", "text"),
        ("category", "text"),
        ("n", "integer"),
        ("accuracy", "fraction"),
        ("low", "fraction"),
    ]
    labels += [("high", "fraction"), ("p against chance", "p-value")]
    return Table(
        title="Accuracy by subject",
        columns=[Column(label=label, format=style) for label, style in labels],  # type: ignore[arg-type]
        rows=rows,
        caption="Wilson intervals at 95%. Subjects are sorted by accuracy.",
        chart=IntervalChart(label=0, value=3, low=4, high=5, colour=1, reference=0.25, reference_label="chance"),
    )


def reliability_curve() -> Curve:
    series = []
    for name, gain, shift in (("answer letters", 0.62, 0.1), ("answer texts", 0.9, 0.03)):
        x = [0.05 + 0.1 * i for i in range(10)]
        y = [min(1.0, gain * v + shift) for v in x]
        n = [40 + 23 * i for i in range(10)]
        ends = [wilson(round(v * k), k) for v, k in zip(y, n, strict=True)]
        series.append(Series(name=name, x=x, y=y, low=[e[0] for e in ends], high=[e[1] for e in ends], n=n))
    caption = "Ten bins of equal width. On the dashed line, confidence is the share of right answers."
    return Curve(
        title="Reliability", x_label="confidence", y_label="accuracy", series=series, diagonal=True, caption=caption
    )


def few_shot_prompt() -> str:
    head = "The following are multiple choice questions (with answers) about abstract algebra.\n\n"
    return head + "\n\n".join(
        QUESTION.format(i=i, subject="abstract algebra") + (" B" if i < 5 else "") for i in range(6)
    )


def make_run(count: int = 800, *, status: str = "complete", id: str = "mmlu-smollm2-8f3a91") -> ReportRun:
    estimates = [
        Estimate(
            name="accuracy (micro)",
            value=0.3146,
            interval=Interval(low=0.3070, high=0.3223, method="Wilson"),
            n=14042,
            method="micro mean",
            baselines={"chance": 0.25, "majority class": 0.2689},
            headline=True,
        ),
        Estimate(
            name="accuracy (macro)",
            value=0.3212,
            interval=Interval(low=0.3098, high=0.3329, method="cluster bootstrap"),
            n=14042,
            groups=57,
            method="mean over subjects",
            baselines={"chance": 0.25},
            headline=True,
        ),
        Estimate(name="expected calibration error", value=0.0871, n=14042, method="10 equal-width bins", headline=True),
        Estimate(
            name="ceiling",
            value=None,
            n=0,
            method="ratio of gaps",
            reason="not identified: the two systems have the same accuracy",
            headline=True,
        ),
    ]
    selection = Selection(
        title="Subjects above chance",
        method="Benjamini–Hochberg",
        q=0.1,
        effect_label="accuracy minus chance",
        hypotheses=[
            Selected(
                name=name,
                effect=0.12 - 0.03 * i,
                p_value=0.0004 * 9**i,
                q_value=min(1, 0.002 * 8**i),
                n=200,
                selected=i < 2,
            )
            for i, name in enumerate(["marketing", "sociology", "anatomy", "virology"])
        ],
    )
    comparison = Comparison(
        name="accuracy",
        a="pythia-160m",
        b="smollm2",
        value_a=0.25,
        value_b=0.3146,
        difference=0.3146 - 0.25,
        interval=Interval(low=0.0541, high=0.0749, method="paired bootstrap"),
        p_value=0.00001,
        test="exact McNemar",
        n=14042,
        detectable=0.0112,
    )
    blocks = [
        *estimates,
        Note(
            level="deviation", text="The prompt names 'college_biology' with an underscore, as the release's code does."
        ),
        Note(level="warning", text="35 of 800 answers could not be parsed; they count as wrong and are counted apart."),
        subject_table(),
        reliability_curve(),
        Estimate(
            name="unparsed share",
            value=0.0437,
            n=800,
            method="share",
            interval=Interval(low=0.0316, high=0.0601, method="Wilson"),
        ),
        Estimate(name="mean confidence", value=0.412, n=800, method="mean"),
        selection,
        comparison,
        Note(level="info", text="Scores are sums of token log-probabilities, in nats."),
        Samples(title="Samples", total=14042, samples=make_samples(count)),
        Text(title="First full prompt", text=few_shot_prompt(), caption="Byte for byte what the model was given."),
    ]
    facts = {
        "model": "smollm2 (SmolLM2-135M-Instruct)",
        "weights": "sha256:5f1c0b7e9a",
        "task": "mmlu, test split",
        "protocol": "official v1",
        "protocol hash": "c0ffee12",
        "data checksum": "sha256:91b2e4d07c",
        "shots": "5",
        "seed": "0",
        "date": "2026-01-02 10:30 UTC",
        "gnomon": "0.1.0",
    }
    command = "gnomon eval mmlu -m smollm2 --protocol official --shots 5 --seed 0"
    return ReportRun(id=id, title="mmlu · smollm2", status=status, facts=facts, blocks=blocks, reproduce=command)


def make_hostile_run() -> ReportRun:
    """Every text field of every block holds the hostile string; one answer is a megabyte long."""
    h = HOSTILE
    series = [Series(name=h + name, x=[0.1, 0.9], y=[0.2, 0.8]) for name in "ab"]
    chart = IntervalChart(label=0, value=1, low=2, high=3, colour=0, reference=0.5, reference_label=h)
    columns = [Column(label=h), *(Column(label=h + label, format="fraction") for label in "vlh")]
    interval = Interval(low=0.1, high=0.3, method=h)
    sample = Sample(
        id=h, subset=h, status="ok", correct=True, prompt=h, answer=h, target=h, scores={h: 0.5}, verdicts={h: h}
    )
    blocks = [
        Estimate(name=h, value=0.2, interval=interval, n=10, method=h, baselines={h: 0.1}, headline=True),
        Estimate(name=h, value=None, n=0, method=h, reason=h),
        Note(level="warning", text=h),
        Note(level="info", text=h),
        Table(title=h, columns=columns, rows=[[h, 0.2, 0.1, 0.3], [h, 0.4, 0.3, 0.5]], chart=chart, caption=h),
        Curve(title=h, x_label=h, y_label=h, series=series, caption=h),
        Comparison(name=h, a=h, b=h, value_a=0, value_b=0, difference=0, interval=interval, p_value=1, test=h, n=1),
        Selection(
            title=h, method=h, q=0.1, effect_label=h, caption=h,
            hypotheses=[Selected(name=h, effect=0, p_value=0.5, q_value=0.5, n=1, selected=True)],
        ),
        Samples(title=h, total=2, caption=h, samples=[
            sample, sample.model_copy(update={"id": "long", "subset": "long", "answer": "x" * 2**20, "correct": False}),
        ]),
        Text(title=h, text=h, caption=h),
        Matrix(
            title=h, row_label=h, column_label=h, rows=[h, h], columns=[h, h], caption=h,
            values=[[0.1, None], [1, 0]], counts=[[1, 0], [2, 3]],
        ),
        Curve(
            title=h, x_label=h, y_label=h, reference=0.5, reference_label=h, x_names=[h, h], caption=h,
            series=[Series(name=h, x=[0, 1], y=[0.2, 0.8], low=[0.1, 0.7], high=[0.3, 0.9]) for _ in range(9)],
        ),
        Scatter(
            title=h, x_label=h, y_label=h, reference=0.5, reference_label=h, log_x=True, caption=h,
            series=[Points(name=h, x=[0.1, 0.9], y=[0.2, 0.8], labels=[h, h]) for _ in range(2)],
        ),
        Verdict(
            name=h, identified=False, reason=h, required=[h], caption=h,
            conditions=[
                Condition(name=name, value=h, bar=h, passed=passed, note=h)
                for name, passed in ((h, None), (h + "2", True), (h + "3", False))
            ],
        ),
        Marked(title=h, text=h, caption=h, marks=[
            Mark(start=at, end=at + 40, kind=kind, label=h, probability=0.5)
            for kind, at in (("gold", 3), ("found", 3), ("both", 25), ("gold", len(h) - 40))
        ]),
    ]  # fmt: skip
    return ReportRun(id=h, title=h, status=h, facts={h: h}, blocks=blocks, reproduce=h)


SENTENCES = [
    "This agreement is made between the supplier and the buyer, and binds whoever takes their place. ",
    "It is governed by the law of the place where the buyer has its seat.\n\n",
    "Either party may end it by sixty days' notice in writing.\n",
    '   1.1  Neither party may pass it on without the other\'s consent; "consent" means consent in writing. ',
    "What one party owes the other under it, for whatever reason, is at most what was paid in the last year.\n",
]


def make_marked(size: int, count: int, *, title: str = "Supply agreement", seed: int = 0) -> Marked:
    """`size` characters, and `count` marks of all kinds, five labels and uneven lengths, many of them overlapping."""
    rng = random.Random(seed)
    text = "".join(rng.choice(SENTENCES) for _ in range(size // 50))[:size]
    marks = []
    for number in range(count):
        start = rng.randrange(size - 300)
        kind = rng.choice(["gold", "found", "both"])
        marks.append(
            Mark(
                start=start,
                end=start + rng.choice([5, 60, 290]),
                kind=kind,
                label=f"Clause {number % 5}",
                probability=None if kind == "gold" else round(rng.random(), 3),
            )
        )
    return Marked(title=title, text=text, marks=marks, caption="Marks of two kinds, and of both at once.")


def make_matrix(rows: int = 7, columns: int = 5, top: float = 1.0) -> Matrix:
    """Values from 0 to `top` in equal steps, and one cell without a value."""
    last = rows * columns - 1
    values: list[list[float | None]] = [
        [top * (row * columns + column) / last for column in range(columns)] for row in range(rows)
    ]
    counts = [[11 * (row + 1) + 1000 * column for column in range(columns)] for row in range(rows)]
    values[1][1], counts[1][1] = None, 0
    return Matrix(
        title="Accuracy by subject and level",
        row_label="subject",
        column_label="level",
        rows=[f"a subject of some length {row + 1}" for row in range(rows)],
        columns=[f"level {column + 1}" for column in range(columns)],
        values=values,
        counts=counts,
        caption="The fraction of problems that were answered right.",
    )


@pytest.fixture(scope="session")
def marked() -> Callable[..., Marked]:
    """`make_marked`, for tests that need texts of several sizes."""
    return make_marked


@pytest.fixture(scope="session")
def matrix() -> Callable[..., Matrix]:
    """`make_matrix`, for tests that need matrices of several sizes."""
    return make_matrix


@pytest.fixture(scope="session")
def run() -> ReportRun:
    return make_run()


@pytest.fixture(scope="session")
def hostile_run() -> ReportRun:
    return make_hostile_run()


@pytest.fixture(scope="session")
def big_run() -> ReportRun:
    """2,000 samples, as many as a report usually carries."""
    return make_run(2000)


@pytest.fixture(scope="session")
def hostile_text() -> str:
    return HOSTILE


class Page:
    """One opened report: the driver, and what the browser logged and requested since the page was opened."""

    def __init__(self, driver: Any, path: Path) -> None:
        self.driver = driver
        self.path = path

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        found = self.all(selector)
        assert len(found) == 1, f"{len(found)} elements match {selector}"
        return found[0]

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def until(self, condition: Callable[[], Any]) -> Any:
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, 15, poll_frequency=0.05).until(lambda _: condition())

    def complaints(self) -> list[str]:
        """What the browser's console holds, content security violations included, since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> set[str]:
        """The addresses requested since the log was last read, data: ones left out."""
        urls = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.add(message["params"]["request"]["url"])
        return {url for url in urls if not url.startswith("data:")}


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.skip("apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    flags = "headless=new no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    flags += " disable-component-update disable-sync disable-dev-shm-usage window-size=1280,900"
    for flag in [*flags.split(), f"user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture
def open_page(chromium: Any, tmp_path: Path) -> Callable[..., Page]:
    """Write runs to a file and open it from disk; every chart is drawn when this returns."""

    def opened(*runs: ReportRun) -> Page:
        path = write(runs, tmp_path / "report.html")
        chromium.get("about:blank")
        page = Page(chromium, path)
        page.complaints()
        page.requests()
        chromium.get(path.as_uri())
        page.until(lambda: all(place.get_attribute("data-drawn") for place in page.all("[data-chart]")))
        return page

    return opened
