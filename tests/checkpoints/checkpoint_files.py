"""Writes checkpoints as Hugging Face's libraries and GPTQ's tools do, with numpy alone."""
import hashlib
import json
import pathlib

import numpy as np

DTYPE_NAMES = {np.dtype("float32"): "F32", np.dtype("float16"): "F16", np.dtype("int32"): "I32"}


def source_stamp(*others):
    """Changes with these scripts and the files that they read."""
    sources = sorted(pathlib.Path(__file__).parent.glob("*.py")) + list(others)
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def is_made(directory, stamp):
    path = pathlib.Path(directory) / "stamp"
    return path.exists() and path.read_text() == stamp


def mark_made(directory, stamp):
    (pathlib.Path(directory) / "stamp").write_text(stamp)


class BFloat16(np.ndarray):
    """uint16 bits that are bfloat16 numbers."""


def to_bfloat16(values):
    """The bits, rounded to nearest, ties to even; and the rounded values in float32."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return rounded.view(BFloat16), (rounded.astype(np.uint32) << 16).view(np.float32)


def write_safetensors(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in tensors.items():
        dtype = "BF16" if isinstance(tensor, BFloat16) else DTYPE_NAMES[tensor.dtype]
        header[name] = {"dtype": dtype, "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor).tobytes())


def write_checkpoint(directory, config, tensors, shards=1):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config, indent=1))
    if shards == 1:
        write_safetensors(directory / "model.safetensors", tensors)
        return
    names, weight_map = list(tensors), {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = names[shard::shards]
        write_safetensors(directory / file, {name: tensors[name] for name in part})
        weight_map.update({name: file for name in part})
    (directory / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map}))


def pack_rows(quants):
    """[8 n, m] of 4 bits to int32 [n, m], the lowest first."""
    words = np.zeros((quants.shape[0] // 8, quants.shape[1]), np.uint32)
    for i in range(8):
        words |= quants[i::8].astype(np.uint32) << np.uint32(4 * i)
    return words.view(np.int32)


def quantize_gptq(weight, group_size, sym, order=None, zero_offset=1):
    """Rounds a weight [outputs, inputs] to 4 bits.

    Returns the tensors of its layer and what they stand for, in float32. `order` sorts the inputs
    before they are cut into groups (act-order).
    """
    outputs, inputs = weight.shape
    size = inputs if group_size == -1 else group_size
    order = np.arange(inputs) if order is None else order
    g_idx = np.empty(inputs, np.int32)
    g_idx[order] = np.arange(inputs) // size
    groups = g_idx.max() + 1
    quants = np.empty((inputs, outputs), np.uint8)
    scales = np.empty((groups, outputs), np.float16)
    zeros = np.empty((groups, outputs), np.int64)
    rounded = np.empty_like(weight, np.float32)
    for group in range(groups):
        columns = np.flatnonzero(g_idx == group)
        part = weight[:, columns]
        if sym:
            scale = np.abs(part).max(axis=1) / 7.5
            zero = np.full(outputs, 8)
        else:
            low, high = np.minimum(part.min(axis=1), 0), np.maximum(part.max(axis=1), 0)
            scale = (high - low) / 15
            zero = np.clip(np.round(-low / scale), 1, 15).astype(np.int64)
        scale = np.maximum(scale, 1e-4).astype(np.float16)
        q = np.clip(np.round(part / scale[:, None].astype(np.float32)) + zero[:, None], 0, 15)
        quants[columns] = q.T.astype(np.uint8)
        scales[group], zeros[group] = scale, zero
        rounded[:, columns] = scale[:, None].astype(np.float32) * (q - zero[:, None])
    return {"qweight": pack_rows(quants),
            "qzeros": np.ascontiguousarray(
                pack_rows(np.ascontiguousarray((zeros - zero_offset).T)).T),
            "scales": scales, "g_idx": g_idx}, rounded
