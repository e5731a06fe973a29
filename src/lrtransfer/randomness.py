"""Independent random streams, named by what they are for.

A stream is a pure function of its name, such as (study seed, seed index, width, tensor name):
adding a width, a rate or a seed to a study leaves every other stream as it was.
"""

import hashlib
import json


def seed_of(*name: int | str) -> int:
    """Return the seed of the stream with this name: 63 bits of its SHA-256.

    Arguments:
        name: What the stream is for, from general to special; order matters.

    Returns:
        An integer in [0, 2^63), accepted by NumPy's and torch's generators alike.

    Example:
        >>> seed_of("init", 0, 32, "readout.weight") == seed_of("init", 0, 64, "readout.weight")
        False
    """
    digest = hashlib.sha256(json.dumps(name).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
