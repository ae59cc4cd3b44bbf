"""What the clients written in Python share: films, and the ledger of what has arrived."""

import hashlib
import json
import os

MIB = 1 << 20


def film(size, seed):
    """Begins like an mp4; the rest is noise, another for each seed."""
    head = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2mp41"
    return (head + hashlib.shake_128(bytes([seed])).digest(size))[:size]


def arrived(data, **what):
    """Whoever started this compares what is kept with what was sent."""
    line = json.dumps({**what, "sha256": hashlib.sha256(data).hexdigest()})
    with open(os.environ["WEIJIA_ARRIVED"], "a", encoding="utf-8") as ledger:
        ledger.write(line + "\n")
