"""Writes checkpoints as llama.cpp's converter does, with the package gguf."""
import math

import gguf
import numpy as np

from k_quants import quantize_q4_k, quantize_q5_k, quantize_q6_k

Type = gguf.GGMLQuantizationType
K_QUANTS = {Type.Q4_K: quantize_q4_k, Type.Q5_K: quantize_q5_k, Type.Q6_K: quantize_q6_k}
MODULES = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
           "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
           "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
           "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
           "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
TENSORS = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
# Mistral's files are a llama's.
ARCHITECTURES = {"mistral": "llama"}


def architecture(config):
    return ARCHITECTURES.get(config["model_type"], config["model_type"])


def gguf_name(name):
    module, part = name.rsplit(".", 1)
    if module in TENSORS:
        return f"{TENSORS[module]}.{part}"
    _, _, layer, module = module.split(".", 3)
    return f"blk.{layer}.{MODULES[module]}.{part}"


def pair_rows(weight, heads):
    """The order in which a llama's files have the rows of q and k: what is rotated together comes
    side by side, not half a head apart."""
    rows, inputs = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, inputs).swapaxes(1, 2).reshape(rows, inputs)


def half_rows(weight, heads):
    """The inverse of pair_rows."""
    rows, inputs = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, inputs).swapaxes(1, 2).reshape(rows, inputs)


def quantize(values, kind):
    """The bytes or numbers of a tensor, and what gguf reads in them."""
    data = K_QUANTS[kind](values) if kind in K_QUANTS else gguf.quants.quantize(values, kind)
    read = gguf.quants.dequantize(data, kind).astype(np.float32)
    # A wrong layout of a block would go unnoticed in numbers that are random anyway.
    assert np.abs(read - values).max() < 0.15 * np.abs(values).max(), kind
    return data, read


def tensors_of(weights, config, default, formats):
    """The file's tensors {name: (data, format)}, and what they stand for under Hugging Face's
    names. `formats` gives those of modules that differ from the default; vectors are F32."""
    tensors, values = {}, {}
    for name, weight in weights.items():
        target = gguf_name(name)
        if weight.ndim == 1:
            tensors[target], values[name] = (weight, Type.F32), weight
            continue
        module = target.split(".")[-2]
        kind = formats.get(module, default)
        heads = {"attn_q": config["num_attention_heads"],
                 "attn_k": config["num_key_value_heads"]}.get(module)
        paired = heads is not None and architecture(config) == "llama"
        data, read = quantize(pair_rows(weight, heads) if paired else weight, kind)
        tensors[target] = data, kind
        values[name] = half_rows(read, heads) if paired else read
    return tensors, values


def llama3_divisors(config):
    """Llama 3's scaling as a divisor of each frequency (the tensor rope_freqs)."""
    scaling, head_dim = config["rope_scaling"], config["head_dim"]
    original = scaling["original_max_position_embeddings"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    divisors = []
    for i in range(0, head_dim, 2):
        wavelength = 2 * math.pi * config["rope_theta"] ** (i / head_dim)
        if wavelength < original / high:
            divisors.append(1.0)
        elif wavelength > original / low:
            divisors.append(scaling["factor"])
        else:
            smooth = (original / wavelength - low) / (high - low)
            divisors.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return np.array(divisors, np.float32)


def write_gguf(path, config, tensors):
    writer = gguf.GGUFWriter(path, architecture(config))
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    scaling = config.get("rope_scaling") or {}
    if scaling.get("rope_type") == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(scaling["factor"])
    if scaling.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_divisors(config))
    for name, (data, kind) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
