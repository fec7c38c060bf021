"""A naive pin filter behind the subject protocol, with nothing but the standard library: pins what ipaddress calls global.

Replace `decide` by your own filter. Run: pnpm check decision pin-address -- python3 <this file>
"""

import ipaddress
import json
import sys


def decide(text: str) -> dict:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return {"verdict": "refuse", "rule": "no address"}
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        address = mapped
    if not address.is_global or address.is_multicast:
        return {"verdict": "refuse", "rule": "not global"}
    return {"verdict": "pin", "pinnedAs": str(address), "rule": "global"}


def main() -> int:
    header = json.loads(sys.stdin.readline())
    if header.get("v") != 1 or header.get("decision") != "pin-address":
        print("this adapter answers pin-address, version 1", file=sys.stderr)
        return 2
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps({"id": case["id"], "output": decide(case["input"]["address"])}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
