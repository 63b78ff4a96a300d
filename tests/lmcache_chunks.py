"""LMCache's chunk hashes, made without the program: what its keys are compared with."""

import hashlib


def cbor_head(kind, number):
    for extra, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 24:
            return bytes([kind << 5 | number])
        if number < 1 << 8 * size:
            return bytes([kind << 5 | extra]) + number.to_bytes(size, "big")
    raise ValueError(number)


def chunk_hashes(ids, chunk_size=256, seed="123"):
    """LMCache's chain of hashes, as tests/data/lmcache_keys.json has it."""
    def first_eight_bytes(data):
        return int.from_bytes(hashlib.sha256(data).digest()[:8], "big")

    value = first_eight_bytes(cbor_head(3, len(seed)) + seed.encode())
    hashes = []
    for begin in range(0, len(ids), chunk_size):
        chunk = ids[begin:begin + chunk_size]
        value = first_eight_bytes(
            cbor_head(4, 3) + cbor_head(0, value) + cbor_head(4, len(chunk)) +
            b"".join(cbor_head(0, token) for token in chunk) + cbor_head(4, 0))
        hashes.append(f"{value:x}")
    return hashes
