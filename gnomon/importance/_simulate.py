"""The paper's two simulations, with the truth known: does each test hold its rate, and how much does it find?

Belongs here: set-ups, replicates, the table beside reference figures. Does not belong here: tests (`methods/`).

`nn`: d = 25, y = sum_j |x_j|. `disc`: d = 100, pairs (j, j + 50) with weights w ~ Gamma(1, 1) + .5, and
y = sum_j w_j 1[|x_j| >= 3 and |x_{j+50}| >= 3]. Both: 100 rows, z ~ Bernoulli(.3), x ~ N(4, 1) where z, else N(0, 1),
and the counterfactual of one column is N(0, 1), its exact conditional where z = 0. In `nn` a hypothesis is false where
z is 1; in `disc` where also |partner| >= 3, since else the output cannot depend on the column. The subject is y itself;
the paper's is a network that was fitted to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.blocks import Block, Column, Note, Table
from gnomon.errors import UsageError
from gnomon.importance._outputs import Outputs
from gnomon.importance._select import Floats, Mask
from gnomon.importance._test import ImportanceTest
from gnomon.importance.methods.irt import IRT
from gnomon.importance.methods.osft import OSFT
from gnomon.stats import stream

__all__ = ["QS", "REFERENCE", "SETUPS", "Cell", "draw", "sharing_null", "simulate", "simulation_blocks"]

QS = (0.05, 0.1, 0.2)
SETUPS = ("nn", "disc")
ROWS = 100

REFERENCE: dict[tuple[str, str, str, float], tuple[tuple[float, float] | None, tuple[float, float] | None]] = {
    # set-up, test, side, q: (FDR, TPR) of the paper's code, and of the project's own earlier simulation
    ("nn", "irt", "one", 0.05): ((0.028, 0.870), (0.026, 0.877)),
    ("nn", "irt", "one", 0.1): ((0.071, 0.951), (0.066, 0.954)),
    ("nn", "irt", "one", 0.2): ((0.140, 0.979), (0.130, 0.981)),
    ("nn", "irt", "two", 0.05): ((0.030, 0.825), (0.028, 0.834)),
    ("nn", "irt", "two", 0.1): ((0.058, 0.880), (0.056, 0.889)),
    ("nn", "irt", "two", 0.2): ((0.137, 0.914), (0.131, 0.921)),
    ("nn", "osft", "one", 0.05): ((0.048, 0.862), (0.050, 0.880)),
    ("nn", "osft", "one", 0.1): ((0.102, 0.918), (0.101, 0.926)),
    ("nn", "osft", "one", 0.2): ((0.212, 0.963), (0.196, 0.961)),
    ("nn", "osft", "two", 0.05): ((0.044, 0.827), (0.043, 0.834)),
    ("nn", "osft", "two", 0.1): ((0.090, 0.874), (0.089, 0.882)),
    ("nn", "osft", "two", 0.2): ((0.190, 0.910), (0.183, 0.919)),
    ("disc", "irt", "one", 0.05): ((0.0, 0.0), (0.0, 0.0)),
    ("disc", "irt", "one", 0.1): ((0.0, 0.0), (0.0, 0.0)),
    ("disc", "irt", "one", 0.2): ((0.003, 0.394), (0.004, 0.394)),
    ("disc", "osft", "one", 0.05): ((0.007, 0.837), (0.007, 0.841)),
    ("disc", "osft", "one", 0.1): ((0.007, 0.837), (0.007, 0.841)),
    ("disc", "osft", "one", 0.2): ((0.007, 0.837), (0.007, 0.841)),
}
_EARLIER_RUNS = {"nn": 100, "disc": 20}


@dataclass(frozen=True)
class Cell:
    """One set-up, test and q over all replicates: false discoveries' share and the found share of what is true."""

    setup: str
    test: str
    side: str
    q: float
    fdr: float
    fdr_error: float
    """Standard error of the mean over replicates."""
    tpr: float
    tpr_error: float
    fdr_spread: float
    """Standard deviation over replicates."""
    tpr_spread: float
    replicates: int

    def distance(self) -> float | None:
        """The larger of both differences from the earlier simulation, in standard errors of a difference of two means
        with the spread found here; None where there is no earlier figure."""
        earlier = REFERENCE.get((self.setup, self.test, self.side, self.q), (None, None))[1]
        if earlier is None:
            return None
        runs = 1 / self.replicates + 1 / _EARLIER_RUNS[self.setup]
        found = []
        for mine, theirs, spread in ((self.fdr, earlier[0], self.fdr_spread), (self.tpr, earlier[1], self.tpr_spread)):
            error = float(np.hypot(spread * np.sqrt(runs), 0.0005 / np.sqrt(3)))  # they are given to three decimals
            found.append(abs(mine - theirs) / error)
        return max(found)


def draw(setup: str, K: int, seed: int, replicate: int) -> tuple[Outputs, Mask]:
    """Outputs of one replicate, (rows x d) hypotheses with K counterfactuals each, and which hypotheses are false.

    >>> outputs, truth = draw("nn", 3, 0, 0)
    >>> outputs.drawn.shape, round(float(truth.mean()), 1)
    ((2500, 3), 0.3)
    """
    if setup not in SETUPS:
        raise UsageError(f"no simulation is named {setup!r}.", hint=f"Use one of {', '.join(SETUPS)}.")
    random = stream(seed, f"simulation {setup} {replicate}")
    d = 25 if setup == "nn" else 100
    z = random.random((ROWS, d)) < 0.3
    x = random.normal(size=(ROWS, d)) + 4 * z
    fresh = random.normal(size=(ROWS, d, K))
    if setup == "nn":
        y = np.abs(x).sum(axis=1)
        D, truth = y[:, None, None] - np.abs(x)[:, :, None] + np.abs(fresh), z
    else:
        w = np.tile(random.gamma(1.0, 1.0, size=d // 2) + 0.5, 2)
        far = np.abs(x) >= 3
        partner = np.roll(far, d // 2, axis=1)
        # Sums of the same numbers in another order would differ in the last digit, and equal outputs would not tie.
        now, then = far & partner, (np.abs(fresh) >= 3) & partner[:, :, None]
        y = np.round((w * now).sum(axis=1) / 2, 9)
        D = np.round(y[:, None, None] + w[:, None] * (then * 1.0 - now[:, :, None]), 9)
        truth = z & partner
    inputs = np.repeat(np.arange(ROWS), d)
    return Outputs(np.repeat(y, d), D.reshape(ROWS * d, K), inputs), truth.reshape(-1)


def sharing_null(m: int, n: int, seed: int, inputs: int = 1) -> Outputs:
    """A global null: m hypotheses of `inputs` inputs, none of them false, with n standard normal draws each."""
    random = stream(seed, f"shared null {m} {n} {inputs}")
    which = np.arange(m) % inputs
    return Outputs(random.normal(size=inputs)[which], random.normal(size=(m, n)), which)


def simulate(
    replicates: int = 100,
    *,
    setups: Sequence[str] = SETUPS,
    qs: Sequence[float] = QS,
    draws: int = 100,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[Cell]:
    """Run IRT (K = `draws`) and OSFT, one- and two-sided with one drawn centre (the paper's), on every set-up.

    >>> cells = simulate(2, setups=["nn"], qs=[0.2], draws=20)
    >>> [(cell.test, cell.side) for cell in cells]
    [('irt', 'one'), ('irt', 'two'), ('osft', 'one'), ('osft', 'two')]
    """
    if replicates < 2:
        raise UsageError(f"{replicates} replicates: a standard error needs at least 2.")
    cells = []
    for setup in setups:
        found: dict[tuple[str, str, float], list[tuple[float, float]]] = {}
        for replicate in range(replicates):
            progress(f"simulating {setup}", replicate, replicates)
            outputs, truth = draw(setup, draws + 1, seed, replicate)
            for q in qs:
                for test in _tests(q, draws):
                    selected = test.fit_outputs(outputs).selected_
                    name = "irt" if isinstance(test, IRT) else "osft"
                    found.setdefault((name, test.side, q), []).append(_rates(selected, truth))
        progress(f"simulating {setup}", replicates, replicates)
        for (name, side, q), rates in found.items():
            cells.append(_cell(setup, name, side, q, np.asarray(rates)))
    order = [(setup, name, side) for setup in setups for name in ("irt", "osft") for side in ("one", "two")]
    return sorted(cells, key=lambda cell: (order.index((cell.setup, cell.test, cell.side)), cell.q))


def _tests(q: float, draws: int) -> list[ImportanceTest]:
    return [
        IRT(draws=draws, q=q, side="one"),
        IRT(draws=draws, q=q, side="two", centre="draw"),
        OSFT(q=q, side="one", allow_shared=True),  # f is additive here, so sharing an input does no harm
        OSFT(q=q, side="two"),
    ]


def _rates(selected: Mask, truth: Mask) -> tuple[float, float]:
    false = int((selected & ~truth).sum())
    return false / max(1, int(selected.sum())), int((selected & truth).sum()) / max(1, int(truth.sum()))


def _cell(setup: str, name: str, side: str, q: float, rates: Floats) -> Cell:
    n = len(rates)
    mean, spread = rates.mean(axis=0), rates.std(axis=0, ddof=1)
    error = spread / np.sqrt(n)
    fdr, tpr = (float(value) for value in mean)
    return Cell(setup, name, side, q, fdr, float(error[0]), tpr, float(error[1]), float(spread[0]), float(spread[1]), n)


def simulation_blocks(cells: Sequence[Cell]) -> list[Block]:
    """The table beside the paper's figures, and a note on whether it agrees."""
    heads = ["set-up", "test", "sides"]
    numbers = ["q", "FDR", "s.e.", "TPR", "s.e.", "FDR, paper's code", "TPR, paper's code"]
    numbers += ["FDR, earlier", "TPR, earlier", "distance in s.e."]
    columns = [Column(label=label) for label in heads] + [Column(label=label, format="fraction") for label in numbers]
    rows: list[list[str | int | float | bool | None]] = []
    for cell in cells:
        theirs, earlier = REFERENCE.get((cell.setup, cell.test, cell.side, cell.q), (None, None))
        away = cell.distance()
        row: list[str | int | float | bool | None] = [cell.setup, cell.test, cell.side, cell.q]
        row += [cell.fdr, cell.fdr_error, cell.tpr, cell.tpr_error]
        row += [None if pair is None else pair[at] for pair in (theirs, earlier) for at in (0, 1)]
        rows.append([*row, None if away is None else round(away, 2)])
    title = f"Simulations, {cells[0].replicates:,} replicates"
    away_cells = [cell for cell in cells if (cell.distance() or 0) > 3]
    known = sum(cell.distance() is not None for cell in cells)
    above = [cell for cell in cells if cell.fdr > cell.q + 3 * cell.fdr_error]
    text = f"{known - len(away_cells)} of {known} cells with an earlier figure lie within 3 standard errors of it; "
    text += f"{len(above)} of {len(cells)} have an FDR above q by more than 3 standard errors."
    caption = "FDR: mean share of false ones among discoveries. TPR: mean share of what is true that was discovered. "
    caption += (
        "Paper's code: its own table (10 runs, a fitted network). Earlier: this project's, made without this code."
    )
    table = Table(title=title, columns=columns, rows=rows, caption=caption, headline=True)
    return [table, Note(level="warning" if away_cells or above else "info", text=text)]
