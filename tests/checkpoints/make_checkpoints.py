#!/usr/bin/env python3
"""Makes small random checkpoints of each architecture and format, and what they must compute.

make_checkpoints.py DIRECTORY: one directory each, with golden.json and the KV cache of the second
case's first 20 tokens, [2, layers, 20, KV size] in float16.
"""
import json
import os
import pathlib
import sys

# Threads that spin for each small product are slower than one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
try:
    import numpy as np
except ImportError:
    print("skipped: numpy is missing: tests/requirements.txt")
    sys.exit(1 if "TANDEM_REQUIRE_TEST_SETUP" in os.environ else 77)

from checkpoint_files import (is_made, mark_made, quantize_gptq, source_stamp, to_bfloat16,
                              write_checkpoint)
from reference_model import ReferenceModel, golden_case

BASE = {"hidden_act": "silu", "hidden_size": 256, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 512,
        "vocab_size": 512, "max_position_embeddings": 2048, "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0, "tie_word_embeddings": False}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}


def family(model_type, class_name, **fields):
    return {**BASE, "model_type": model_type, "architectures": [class_name], **fields}


# Name: config, element type, GPTQ (group size, symmetric, act-order, zero offset), shards.
CHECKPOINTS = {
    "llama3_bf16": (family("llama", "LlamaForCausalLM", rope_scaling=LLAMA3,
                           tie_word_embeddings=True), "bfloat16", None, 1),
    "llama_linear_gptq": (family("llama", "LlamaForCausalLM",
                                 rope_scaling={"rope_type": "linear", "factor": 4.0}),
                          "float16", (-1, True, False, 1), 1),
    "mistral_f32": (family("mistral", "MistralForCausalLM", sliding_window=1024), "float32", None,
                    2),
    "qwen2_gptq_act_order": (family("qwen2", "Qwen2ForCausalLM"), "float16", (64, False, True, 1),
                             2),
    "qwen2_gptq_v2": (family("qwen2", "Qwen2ForCausalLM"), "float16", (128, False, False, 0), 1),
    "qwen3_f16": (family("qwen3", "Qwen3ForCausalLM", head_dim=96), "float16", None, 1),
    "qwen3_gptq_act_order": (family("qwen3", "Qwen3ForCausalLM", head_dim=128,
                                    tie_word_embeddings=True), "float16", (32, True, True, 1), 1),
}


def random_weights(config, random):
    hidden, middle, vocab = (config["hidden_size"], config["intermediate_size"],
                             config["vocab_size"])
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]

    def matrix(outputs, inputs, scale=1.0):
        return (random.standard_normal((outputs, inputs)) * scale / inputs**0.5).astype(np.float32)

    def norm(size):
        return (1 + 0.2 * random.standard_normal(size)).astype(np.float32)

    # Logits of about 1: steep enough to be told apart, flat enough for bfloat16 products.
    tied = config["tie_word_embeddings"]
    weights = {"model.embed_tokens.weight": matrix(vocab, hidden, 0.8 if tied else hidden**0.5),
               "model.norm.weight": norm(hidden)}
    if not tied:
        weights["lm_head.weight"] = matrix(vocab, hidden, 1.5)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        attention, mlp = prefix + "self_attn.", prefix + "mlp."
        weights |= {
            prefix + "input_layernorm.weight": norm(hidden),
            prefix + "post_attention_layernorm.weight": norm(hidden),
            attention + "q_proj.weight": matrix(queries, hidden),
            attention + "k_proj.weight": matrix(keys, hidden),
            attention + "v_proj.weight": matrix(keys, hidden),
            attention + "o_proj.weight": matrix(hidden, queries, 0.7),
            mlp + "gate_proj.weight": matrix(middle, hidden),
            mlp + "up_proj.weight": matrix(middle, hidden),
            mlp + "down_proj.weight": matrix(hidden, middle, 0.7),
        }
        if config["model_type"] == "qwen2":
            for name, size in (("q", queries), ("k", keys), ("v", keys)):
                weights[f"{attention}{name}_proj.bias"] = (
                    0.3 * random.standard_normal(size)).astype(np.float32)
        if config["model_type"] == "qwen3":
            weights[attention + "q_norm.weight"] = norm(config["head_dim"])
            weights[attention + "k_norm.weight"] = norm(config["head_dim"])
    return weights


def store(weights, dtype, gptq, random):
    """The checkpoint's tensors, and the numbers that they stand for."""
    tensors, values = {}, {}
    for name, weight in weights.items():
        if gptq and "_proj.weight" in name:
            group_size, sym, act_order, zero_offset = gptq
            order = random.permutation(weight.shape[1]) if act_order else None
            layer, values[name] = quantize_gptq(weight, group_size, sym, order, zero_offset)
            for part, tensor in layer.items():
                tensors[name.removesuffix("weight") + part] = tensor
            continue
        if dtype == "bfloat16":
            tensors[name], values[name] = to_bfloat16(weight)
        else:
            tensors[name] = weight.astype(dtype)
            values[name] = tensors[name].astype(np.float32)
    return tensors, values


def make(directory, config, dtype, gptq, shards, random):
    config = {"head_dim": config["hidden_size"] // config["num_attention_heads"], **config}
    tensors, values = store(random_weights(config, random), dtype, gptq, random)
    stored_config = {**config, "torch_dtype": dtype, "eos_token_id": 1}
    if gptq:
        group_size, sym, act_order, zero_offset = gptq
        stored_config["quantization_config"] = {
            "quant_method": "gptq", "bits": 4, "group_size": group_size, "sym": sym,
            "desc_act": act_order, "checkpoint_format": "gptq" if zero_offset else "gptq_v2"}
    write_checkpoint(directory, stored_config, tensors, shards)
    write_golden(directory, config, values, random)


def write_golden(directory, config, values, random):
    model = ReferenceModel(config, values)
    prompts = [random.integers(0, config["vocab_size"], size) for size in (5, 24, 150)]
    golden = {"cases": [golden_case(model, prompt, 12) for prompt in prompts]}
    (directory / "golden.json").write_text(json.dumps(golden))
    kv = model.forward(prompts[1][:20])[1]
    (directory / "kv_2ltd_first20.f16.bin").write_bytes(kv.astype(np.float16).tobytes())


def make_missing(root, checkpoints, make_one, first_seed):
    """Calls make_one(directory, *checkpoint, random) for each that is not there as these scripts
    make it; the seeds count from first_seed."""
    stamp = source_stamp()
    for seed, (name, checkpoint) in enumerate(checkpoints.items(), first_seed):
        directory = pathlib.Path(root) / name
        if is_made(directory, stamp):
            continue
        make_one(directory, *checkpoint, np.random.default_rng(seed))
        mark_made(directory, stamp)


if __name__ == "__main__":
    make_missing(sys.argv[1], CHECKPOINTS, make, first_seed=0)
