"""Independent random streams, each with a name that says its purpose.

A stream is a pure function of its name, such as (study seed, seed index, width, tensor name):
adding a width, a rate or a seed to a study changes no other stream.
"""

import hashlib
import json


def seed_of(*name: int | str) -> int:
    """Return the seed of the stream with this name: 63 bits of its SHA-256.

    Arguments:
        name: Purpose of the stream, from general to specific; the order matters.

    Returns:
        An integer in [0, 2^63), accepted by NumPy's and torch's generators alike.

    Example:
        >>> seed_of("init", 0, 32, "readout.weight") == seed_of("init", 0, 64, "readout.weight")
        False
    """
    digest = hashlib.sha256(json.dumps(name).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
