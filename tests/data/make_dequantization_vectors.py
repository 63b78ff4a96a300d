#!/usr/bin/env python3
"""Writes dequantization_vectors.json: random blocks of GGUF's quantised formats, and what the PyPI
package gguf makes of them.

Run it with the gguf package of tests/requirements.txt.
"""
import json
import pathlib

import gguf
import numpy as np

TYPES = ["Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
ELEMENTS = 512
# Where a block has its scale and minimum, which must not be infinite or NaN.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def main():
    random = np.random.default_rng(20240611)
    vectors = {}
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (ELEMENTS // elements, size), np.uint8)
        for offset in HALVES[name]:
            scales = random.standard_normal(len(blocks)).astype(np.float16)
            blocks[:, offset:offset + 2] = scales.view(np.uint8).reshape(-1, 2)
        values = gguf.quants.dequantize(blocks.reshape(1, -1), kind).ravel()
        vectors[name] = {"bytes": blocks.tobytes().hex(),
                         "values": [float(f"{value:.8g}") for value in values]}
    path = pathlib.Path(__file__).parent / "dequantization_vectors.json"
    path.write_text(json.dumps(vectors).replace('}, "', '},\n"') + "\n")


if __name__ == "__main__":
    main()
