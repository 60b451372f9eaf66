"""What every study does with a run, whatever its question: naming it by what defines it, and showing it in a report.

Belongs here: what two questions would otherwise write twice. Does not belong here: any question.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gnomon.blocks import Text
from gnomon.report import ReportRun
from gnomon.runs import Manifest, Run

__all__ = ["report_run", "run_id"]


def run_id(spec: Mapping[str, Any], *words: str) -> str:
    """A folder's name: `words` as far as a path can hold them, then a hash of what defines the run.

    >>> run_id({"task": "facts"}, "facts", "hf/gpt2", "plain")
    'facts-hf-gpt2-plain-2af3b2ae'
    """
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:8]
    kept = [re.sub(r"[^A-Za-z0-9.@=-]+", "-", word).strip("-")[-60:] for word in words]
    return "-".join([*kept, digest])


def report_run(run: Run, manifest: Manifest | None = None, blocks: Sequence[Any] | None = None) -> ReportRun:
    """A run as its report shows it."""
    manifest = manifest or run.manifest
    blocks = run.result() if blocks is None else blocks
    protocol, data = manifest.protocol, manifest.data
    facts = {
        "model": manifest.model.get("name", ""),
        **{f"model {key}": value for key, value in manifest.model.items() if key != "name"},
        "protocol": f"{protocol['name']} v{protocol['version']} (hash {protocol['hash']}), {protocol['shots']} shots",
        "asked as": protocol["about"],
        "data": f"{data['task']}, {data['paper']}, {data['source']}, licence {data['licence']}",
        "data checksum": str(data["checksum"])[:16],
        "limits and seeds": ", ".join(
            f"{'all items' if r['limit'] is None else 'limit ' + str(r['limit'])}, seed {r['seed']}"
            for r in manifest.plan["requests"]
        ),
        "finished": manifest.finished or "",
        "time": f"{manifest.seconds:,.0f} s on {manifest.host.get('cores', '?')} cores, "
        f"{manifest.tokens_computed:,} tokens computed",
        "versions": ", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
    }
    return ReportRun(
        id=manifest.id,
        title=manifest.title,
        status=manifest.status,
        facts=facts,
        blocks=[block for block in blocks if not (isinstance(block, Text) and not block.text)],
        reproduce=manifest.command or "(made from Python: gnomon.evaluate)",
    )
