"""Values that tell who wrote them: eight bytes of a number, then bytes drawn from that number."""

import functools
import random

NUMBER_BYTES = 8
WRONG = -1  # in place of a number: bytes that no put wrote


@functools.lru_cache(maxsize=256)
def make(number, size):
    """The value of that number, `size` >= 8 bytes long."""
    return number.to_bytes(NUMBER_BYTES, "little") + random.Random(number).randbytes(
        size - NUMBER_BYTES)


def number_of(value):
    """Whose value these bytes are; None if a byte of them is wrong."""
    if len(value) < NUMBER_BYTES:
        return None
    number = int.from_bytes(value[:NUMBER_BYTES], "little")
    return number if value == make(number, len(value)) else None
