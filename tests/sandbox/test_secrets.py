"""What a program can find out and what it can make believe: nothing of other jobs, nothing of the harness."""

from __future__ import annotations

import secrets
import struct

SEARCH = """
import ctypes
def count(backwards):
    "How often the text that reads `backwards` from its end stands in this process's own writable memory."
    total = 0
    for line in open('/proc/self/maps').read().splitlines():
        area, rights = line.split()[:2]
        if rights.startswith('rw') and '[vvar' not in line:
            start, end = (int(part, 16) for part in area.split('-'))
            total += ctypes.string_at(start, end - start)[::-1].count(backwards)
    return total
emit(count(bytes.fromhex(WANTED)))
"""


def _search(text: bytes) -> str:
    """A program that looks for `text` and does not contain it."""
    return SEARCH.replace("WANTED", repr(text[::-1].hex()))


def test_the_search_finds_what_is_there(run):
    """The oracle of the next two tests: a text that the program itself holds is found."""
    text = secrets.token_bytes(16)
    program = f"held = bytes.fromhex({text[::-1].hex()!r})[::-1]\n" + _search(text)
    assert run(program).results[0] > 0


def test_the_nonce_is_nowhere_in_the_child(jail, program, monkeypatch):
    known = secrets.token_bytes(16)
    monkeypatch.setattr(secrets, "token_bytes", lambda count=None: known)
    outcome = jail.run(program(_search(known)))
    assert (outcome.status, outcome.results) == ("ok", [0])


def test_nothing_of_an_earlier_job_is_in_a_later_one(jail, program):
    """Payload, input, output, errors, results, messages: of all that, the next child's memory has no copy."""
    secret = secrets.token_hex(16)
    loud = f"print('{secret}'); print(input()); emit('{secret}'); emit(receive()); raise ValueError('{secret}')"
    with jail.talk(program(loud, secret.encode())) as session:
        session.send(secret)
        assert session.receive() == secret
        assert session.receive() == secret
        assert session.finish().stdout.decode().split() == [secret, secret]
    before = jail.pid
    outcome = jail.run(program(_search(secret.encode())))
    assert (outcome.status, outcome.results) == ("ok", [0])
    assert jail.pid == before


def test_a_forged_ok_is_worth_what_an_honest_one_is(run):
    """What a program can forge is what it could have said anyway: results and "ok", nothing of the harness."""
    value, end = b'"forged"', b'{"status":"ok"}'
    frames = b"v" + struct.pack("<I", len(value)) + value + b"x" + struct.pack("<I", len(end)) + end
    outcome = run(f"import os\nos.write(3, {frames!r}); os.write(1, b'printed'); os._exit(0)")
    assert (outcome.status, outcome.results, outcome.stdout) == ("ok", ["forged"], b"printed")


def test_lone_surrogates_do_not_reach_the_parent(run):
    outcome = run("emit(['\\ud800', {'\\udfff': 'x\\ud83d\\ude00'}]); raise ValueError('\\udc80')")
    assert outcome.results == [["�", {"�": "x😀"}]]
    assert outcome.message == "ValueError: �"
    repr(outcome).encode("utf-8")
