"""Every console and python block of the README and docs runs, in order, in one folder per page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "bench" / "README.md"]
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8")) if page.exists() else []


def test_the_readme_has_blocks_to_run():
    assert len([kind for kind, _ in blocks(PAGES[0]) if kind == "console"]) >= 4


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name)
def test_every_block_of_the_page_runs(page, tmp_path, release, model_cache):
    (tmp_path / "path" / "to").mkdir(parents=True)
    for name in ("mmlu", "ethics", "math", "humaneval", "apps", "cuad"):
        (tmp_path / "path" / "to" / name).symlink_to(release(name))
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GNOMON_CACHE": str(model_cache),
    }
    for kind, text in blocks(page):
        commands = [[sys.executable, "-W", "error::UserWarning", "-c", text]]
        if kind == "console":
            commands = [["bash", "-c", line[2:]] for line in text.splitlines() if line.startswith("$ ")]
            assert commands, f"{page.name}: a console block without a line that starts with '$ '"
        for command in commands:
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
            assert "Traceback" not in done.stderr
