"""Rounds weights to GGML's blocks of 256 (Q4_K, Q5_K, Q6_K), which the package gguf can only read.

Nearest values in the simplest of scales: what matters is that every field of a block is made use of.
Weights are [rows, 256 n]; the blocks come as bytes [rows, n x block size].
"""
import numpy as np

BLOCK = 256


def _halves(values):
    return np.asarray(values, np.float16).view(np.uint8).reshape(*values.shape[:-1], -1)


def _pack_scales(scales, minima):
    """Eight scales and minima of 6 bits each in twelve bytes: the upper four lend their two high
    bits to the lower ones."""
    low, high = slice(0, 4), slice(4, 8)
    return np.concatenate([scales[..., low] | (scales[..., high] >> 4) << 6,
                           minima[..., low] | (minima[..., high] >> 4) << 6,
                           (scales[..., high] & 15) | (minima[..., high] & 15) << 4],
                          axis=-1).astype(np.uint8)


def _quantize_with_minima(weights, bits):
    """The fields of Q4_K and Q5_K, and the quants [rows, blocks, 8, 32]."""
    parts = weights.reshape(len(weights), -1, 8, 32)
    minimum = np.maximum(-parts.min(axis=-1), 0)
    step = (parts.max(axis=-1) + minimum) / (2**bits - 1)
    d = (step.max(axis=-1, keepdims=True) / 63).astype(np.float16)
    d_min = (minimum.max(axis=-1, keepdims=True) / 63).astype(np.float16)
    scales = np.clip(np.ceil(step / d), 1, 63).astype(np.uint8)
    minima = np.clip(np.round(minimum / np.maximum(d_min, 1e-7)), 0, 63).astype(np.uint8)
    step = d.astype(np.float32) * scales
    offset = d_min.astype(np.float32) * minima
    quants = np.clip(np.round((parts + offset[..., None]) / step[..., None]), 0, 2**bits - 1)
    header = np.concatenate([_halves(d), _halves(d_min), _pack_scales(scales, minima)], axis=-1)
    return header, quants.astype(np.uint8)


def _nibbles(quants):
    """Of each two parts of 32, the first in the low bits."""
    low = quants & 15
    packed = low[..., 0::2, :] | low[..., 1::2, :] << 4
    return packed.reshape(*packed.shape[:2], -1)


def _rows(*fields):
    blocks = np.concatenate(fields, axis=-1)
    return np.ascontiguousarray(blocks.reshape(len(blocks), -1))


def quantize_q4_k(weights):
    header, quants = _quantize_with_minima(weights, 4)
    return _rows(header, _nibbles(quants))


def quantize_q5_k(weights):
    header, quants = _quantize_with_minima(weights, 5)
    high = np.zeros((*quants.shape[:2], 32), np.uint8)
    for part in range(8):
        high |= (quants[:, :, part] >> 4) << part
    return _rows(header, high, _nibbles(quants))


def quantize_q6_k(weights):
    parts = weights.reshape(len(weights), -1, 16, 16)
    step = np.abs(parts).max(axis=-1) / 31
    d = (step.max(axis=-1, keepdims=True) / 127).astype(np.float16)
    scales = np.clip(np.ceil(step / d), 1, 127).astype(np.int8)
    step = d.astype(np.float32) * scales
    quants = np.clip(np.round(parts / step[..., None]) + 32, 0, 63).astype(np.uint8)
    # Halves of 128 elements, of which four runs of 32 share bytes.
    runs = quants.reshape(*quants.shape[:2], 2, 4, 32)
    low, high = runs & 15, runs >> 4
    ql = np.stack([low[..., 0, :] | low[..., 2, :] << 4, low[..., 1, :] | low[..., 3, :] << 4],
                  axis=-2)
    qh = sum(high[..., run, :] << 2 * run for run in range(4)).astype(np.uint8)
    flat = quants.shape[:2] + (-1,)
    return _rows(ql.reshape(flat), qh.reshape(flat), scales.view(np.uint8), _halves(d))
