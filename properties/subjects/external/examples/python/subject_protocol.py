"""The subject protocol (docs/subject-protocol.md), the answering side: a header line, then a case a line, one answer each.

Every case that has come in is answered before more is waited for, so that step decisions get their state back.
"""

import json
import os
import sys
from typing import Callable

Decide = Callable[[dict], dict]
Bind = Callable[[dict], Decide]

STDIN, STDOUT, CHUNK_OCTETS = 0, 1, 1 << 16


def serve(decisions: dict[str, Bind]) -> int:
    """Answers the decisions that are named; returns the exit code."""
    decide: Decide | None = None
    rest = b""
    while chunk := os.read(STDIN, CHUNK_OCTETS):
        *lines, rest = (rest + chunk).split(b"\n")
        answers = []
        for line in lines:
            if decide is None:
                decide = bind_header(json.loads(line), decisions)
                if decide is None:
                    return 2
                continue
            answers.append(json.dumps(answer(json.loads(line), decide)) + "\n")
        write_whole("".join(answers).encode())
    return 0


def bind_header(header: dict, decisions: dict[str, Bind]) -> Decide | None:
    bind = decisions.get(header.get("decision"))
    if header.get("v") != 1 or bind is None:
        print(f"this adapter answers {', '.join(decisions)}, version 1", file=sys.stderr)
        return None
    return bind(header["config"])


def answer(case: dict, decide: Decide) -> dict:
    try:
        return {"id": case["id"], "output": decide(case["input"])}
    except (KeyError, TypeError, ValueError) as error:
        return {"id": case["id"], "error": {"code": "bad-case", "message": repr(error)}}


def write_whole(octets: bytes) -> None:
    while octets:
        octets = octets[os.write(STDOUT, octets) :]
