"""Reads DNS messages with dnspython: a message in hex on each line of stdin, what it reads as JSON on each of stdout."""

import json
import platform
import sys

import dns.exception
import dns.message
import dns.rdatatype
import dns.version


def labels(name):
    return [label.decode("latin-1") for label in name.labels if label != b""]


def data(rdata):
    if rdata.rdtype == dns.rdatatype.CNAME:
        return labels(rdata.target)
    if rdata.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA) and rdata.rdclass == 1:
        return rdata.to_wire().hex()
    return None


def read(wire):
    message = dns.message.from_wire(wire, one_rr_per_rrset=True)
    return {
        "questions": [
            [labels(each.name), int(each.rdtype), int(each.rdclass)]
            for each in message.question
        ],
        "answers": [
            [labels(each.name), int(each.rdtype), int(each.rdclass), each.ttl, data(rdata)]
            for each in message.answer
            for rdata in each
        ],
    }


def answer(line):
    try:
        return read(bytes.fromhex(line))
    except dns.exception.DNSException as error:
        return {"error": type(error).__name__}
    except Exception as error:  # What a library throws on octets is what it says of them.
        return {"error": "throws " + type(error).__name__}


version = "%s, Python %s" % (dns.version.version, platform.python_version())
sys.stdout.write(json.dumps({"version": version}) + "\n")
sys.stdout.flush()
for line in sys.stdin:
    sys.stdout.write(json.dumps(answer(line.strip())) + "\n")
    sys.stdout.flush()
