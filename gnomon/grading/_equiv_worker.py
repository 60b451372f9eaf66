"""The process in which math-verify reads answers: one JSON object a line in, one out. `verify.Verifier` starts and ends
it.

Belongs here: what runs beside foreign text, with the standard library and math-verify only, so that starting it costs
no more than them. Does not belong here: the time limit, which the other side keeps by ending this process. This file is
run as a script, never imported by gnomon.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import logging
import math
import os
import sys
from typing import Any

_DELIMITERS = ("$", r"\(", r"\[", r"\boxed")


def limit_memory(limit: int) -> None:
    """Let allocations fail past `limit` bytes of address space, where the system can say so."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def limit_seconds(seconds: float) -> None:
    """End this process `seconds` of its own CPU time from now, should nobody be left to end it."""
    try:
        import resource
    except ImportError:  # Windows
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(usage.ru_utime + usage.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def delimited(answer: str) -> str:
    r"""An answer as math-verify's documentation wants LaTeX: between dollars, on one line.

    >>> delimited(r"\\frac{1}{2}"), delimited("costs $5$")
    ('$\\\\frac{1}{2}$', 'costs $5$')
    """
    if any(mark in answer.replace(r"\$", "") for mark in _DELIMITERS):
        return answer
    return f"${' '.join(answer.split())}$"


def judge(math_verify: Any, gold: str, answer: str) -> dict[str, Any]:
    """`{"equivalent": bool, "detail": str}`, or `{"error": str}` where math-verify itself failed."""
    # Its own limits use SIGALRM and turn a timeout into a plain "no"; the other side keeps the time here.
    golds = math_verify.parse(delimited(gold), parsing_timeout=None, raise_on_error=True)
    if not golds:
        return {"error": "math-verify reads nothing in the gold answer"}
    answers = math_verify.parse(delimited(answer), parsing_timeout=None, raise_on_error=True)
    if not answers:
        return {"equivalent": False, "detail": "math-verify reads nothing in the answer"}
    return {"equivalent": bool(math_verify.verify(golds, answers, timeout_seconds=None)), "detail": ""}


def main() -> None:
    """Serve until the input ends. The first line out says `ready` with the version, or `missing`."""
    seconds, memory = float(sys.argv[1]), int(sys.argv[2])
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # whatever a library prints is no reply
    logging.disable(logging.CRITICAL)
    limit_memory(memory)

    def reply(message: dict[str, Any]) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    try:
        math_verify = importlib.import_module("math_verify")
        version = importlib.metadata.version("math-verify")
    except ImportError as error:
        reply({"missing": str(error)})
        return
    reply({"ready": version})
    for line in sys.stdin:
        limit_seconds(seconds)
        question = json.loads(line)
        try:
            message = judge(math_verify, question["gold"], question["answer"])
        except Exception as error:  # whatever a parser of foreign text may raise; the reply names it
            message = {"error": f"{type(error).__name__}: {error}"[:500]}
        reply(message)


if __name__ == "__main__":
    main()
