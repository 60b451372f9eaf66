"""What holds for the whole room: its names, its checks of arrays, and what it may import."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gnomon.stats
from gnomon.errors import UsageError

FILES = sorted(Path(gnomon.stats.__file__).parent.glob("*.py"))


def test_every_public_name_is_exported_once_and_documented():
    assert len(set(gnomon.stats.__all__)) == len(gnomon.stats.__all__)
    for name in gnomon.stats.__all__:
        assert getattr(gnomon.stats, name).__doc__.strip()
        assert f"`{name}`" in gnomon.stats.__doc__ or name[0].isupper() or name.endswith("_official")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_import_nothing_but_arrays_errors_and_intervals(path):
    allowed = {"numpy", "scipy", "gnomon.errors", "gnomon.blocks", "gnomon.stats"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else names
        for name in names:
            top = name.split(".")[0]
            known = top in sys.stdlib_module_names or top in allowed
            assert known or any(name == each or name.startswith(each + ".") for each in allowed), name


def test_the_room_opens_without_the_slow_part_of_scipy():
    code = "import sys, gnomon.stats; sys.exit('scipy.stats' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "is empty"),
        ([0.5, np.nan, np.inf], "2 of 3 values that are not finite; the first is nan at position 1"),
        ([0.5, None], "holds object values"),
        (["0.5", "0.7"], "holds <U3 values such as .*0.5"),
        ([1j, 0], "holds complex128 values"),
        ([[0.5], [0.7]], r"has shape \(2, 1\)"),
        (0.5, r"has shape \(\)"),
        ([[1], [1, 2]], "is no array"),
    ],
    ids=["empty", "nan", "none", "text", "complex", "matrix", "scalar", "ragged"],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda v: gnomon.stats.clustered_mean(v, None),
        lambda v: gnomon.stats.cluster_bootstrap(v, None, seed=0),
        lambda v: gnomon.stats.mcnemar(v, [1, 0]),
        lambda v: gnomon.stats.paired_cluster_bootstrap([1, 0], v, seed=0),
        lambda v: gnomon.stats.minimum_detectable_difference(v, [1, 0]),
        lambda v: gnomon.stats.adjust(v, "bh"),
        lambda v: gnomon.stats.rms_calibration_error(v, [1, 0]),
        lambda v: gnomon.stats.mover(v, [], [1]),
    ],
    ids=["mean", "bootstrap", "mcnemar", "paired", "power", "adjust", "calibration", "mover"],
)
def test_every_function_names_what_is_wrong_with_an_array(call, values, message):
    with pytest.raises(UsageError, match=message):
        call(values)


def test_arguments_are_not_changed():
    values, other = np.array([0.9, 0.1, 0.5]), np.array([0.2, 0.8, 0.4])
    gnomon.stats.paired_cluster_bootstrap(values, other, seed=0, draws=100)
    gnomon.stats.adjust(values, "bh")
    gnomon.stats.rms_calibration_error(values, [1, 0, 1], bin_size=1)
    assert values.tolist() == [0.9, 0.1, 0.5]
    assert other.tolist() == [0.2, 0.8, 0.4]
