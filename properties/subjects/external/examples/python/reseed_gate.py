"""A reseed gate behind the subject protocol, with nothing but the standard library: written from docs/schemas and the
finding's definition of the proof, and right.

Run: pnpm check decision reseed-gate -- python3 <this file>
"""

import hashlib
import json
import re
import sys

from subject_protocol import serve

LABEL = b"mitos.run/reseed-proof/v1\0"
HEX_64 = re.compile(r"[0-9a-f]{64}")
MAX_LINE = 4096
MAX_GENERATION = 2**53 - 1
MAX_CLOCK_STEP = 2**63
FIELDS = {"ok", "reseeded_rng", "generation", "sample", "proof", "applied_clock_step_nanos"}


class Refused(Exception):
    """The rule that refuses the fork."""


def require(condition: bool, rule: str) -> None:
    if not condition:
        raise Refused(rule)


def is_digest(value: object) -> bool:
    return isinstance(value, str) and HEX_64.fullmatch(value) is not None


def whole(value: object) -> int | None:
    """A JSON number without a fraction: 7 and 7.0 are one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if value == value and abs(value) != float("inf") and value == int(value) else None


def is_generation(value: object) -> bool:
    number = whole(value)
    return number is not None and 1 <= number <= MAX_GENERATION


def once_each(pairs: list) -> dict:
    fields = dict(pairs)
    require(len(fields) == len(pairs), "a field occurs twice")
    return fields


def no_constant(name: str) -> None:
    raise Refused(f"{name} is not JSON")


def read_line(line: str) -> dict:
    require(len(line) <= MAX_LINE, "line is too long")
    try:
        fields = json.loads(line, object_pairs_hook=once_each, parse_constant=no_constant)
    except (ValueError, RecursionError):
        raise Refused("not JSON") from None
    require(isinstance(fields, dict), "not a JSON object")
    require(fields.get("ok") is True and fields.get("reseeded_rng") is True, "not reseeded")
    require(set(fields) <= FIELDS, "unknown field")
    require("generation" not in fields or is_generation(fields["generation"]), "no generation")
    require(is_digest(fields.get("sample")) and is_digest(fields.get("proof")), "no sample or no proof")
    if "applied_clock_step_nanos" in fields:
        step = whole(fields["applied_clock_step_nanos"])
        require(step is not None and abs(step) <= MAX_CLOCK_STEP, "no clock step")
    return fields


def proof_of(sample: str, generation: int, nonce: str) -> str:
    message = LABEL + bytes.fromhex(sample) + generation.to_bytes(8, "big") + bytes.fromhex(nonce)
    return hashlib.sha256(message).hexdigest()


def keys_of(config: dict, case: dict) -> list[str]:
    """What the store must hold nowhere yet. Judges everything but the store."""
    request, witness = case["request"], case["witness"]
    require(is_generation(request["generation"]) and is_digest(request["nonce"]), "no request")
    require(case["response"] is not None, "no response")
    require(case["elapsedMs"] <= config["deadlineMs"], "late")
    fields = read_line(case["response"])
    generation = int(request["generation"])
    require(fields.get("generation", generation) == generation, "of another generation")
    proof = proof_of(fields["sample"], generation, request["nonce"])
    require(fields["proof"] == proof, "proof does not match")
    keys = [f"sample:{fields['sample']}"]
    require(witness is not None or not config["requireWitness"], "no host-side witness")
    if witness is not None:
        require(witness["changed"] is True and is_digest(witness["digest"]), "generator unchanged")
        keys.append(f"witness:{witness['digest']}")
    return keys


def bind(config: dict):
    def decide(case: dict) -> dict:
        try:
            keys = keys_of(config, case)
        except Refused as refused:
            return {"verdict": "refuse", "rule": str(refused)}
        if case["insertion"] is None:
            insert = {"snapshot": case["request"]["snapshot"], "keys": keys}
            return {"verdict": "insert", "insert": insert, "rule": "insert if absent"}
        inserted = case["insertion"] == "inserted"
        return {"verdict": "admit" if inserted else "refuse", "rule": f"the store: {case['insertion']}"}

    return decide


if __name__ == "__main__":
    sys.exit(serve({"reseed-gate": bind}))
