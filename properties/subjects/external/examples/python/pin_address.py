"""A naive pin filter behind the subject protocol, with nothing but the standard library: pins what ipaddress calls global.

Replace `decide` by your own filter. Run: pnpm check decision pin-address -- python3 <this file>
"""

import ipaddress
import sys

from subject_protocol import serve


def bind(_config: dict):
    """The policy (denyCIDRs, nat64Prefixes, pinPrivateCIDRs) is there for a filter that knows one; this one does not."""
    return lambda case: decide(case["address"])


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


if __name__ == "__main__":
    sys.exit(serve({"pin-address": bind}))
