#!/usr/bin/env python3
"""Makes small random GGUF files of each architecture, and what they must compute.

make_gguf_checkpoints.py DIRECTORY: a directory each, with model.gguf beside the files that
make_checkpoints.py makes. The numbers that a file stands for are what the package gguf reads in it.
"""
import os
import sys

# Threads that spin for each small product are slower than one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
try:
    import gguf
except ImportError:
    print("skipped: numpy or gguf is missing: tests/requirements.txt")
    sys.exit(1 if "TANDEM_REQUIRE_TEST_SETUP" in os.environ else 77)

from gguf_files import tensors_of, write_gguf
from make_checkpoints import LLAMA3, family, make_missing, random_weights, write_golden

LINEAR = {"rope_type": "linear", "factor": 4.0}
F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K, Q5_K, Q6_K = (
    gguf.GGMLQuantizationType[name]
    for name in ("F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q5_K", "Q6_K"))
# What the mixtures called "M" keep in a finer format.
MEDIUM = {"attn_v": Q6_K, "ffn_down": Q6_K, "output": Q6_K}

# Name: config, format of the matrices, other formats by module.
CHECKPOINTS = {
    "gguf_llama3_q8_0": (family("llama", "LlamaForCausalLM", rope_scaling=LLAMA3,
                                tie_word_embeddings=True), Q8_0, {}),
    "gguf_llama_linear_f16": (family("llama", "LlamaForCausalLM", rope_scaling=LINEAR), F16, {}),
    "gguf_mistral_q4_k_m": (family("mistral", "MistralForCausalLM"), Q4_K, MEDIUM),
    "gguf_qwen2_q4_1": (family("qwen2", "Qwen2ForCausalLM"), Q4_1, {"token_embd": Q4_0}),
    "gguf_qwen2_q5_k_m": (family("qwen2", "Qwen2ForCausalLM", tie_word_embeddings=True), Q5_K,
                          {**MEDIUM, "token_embd": Q6_K}),
    "gguf_qwen3_bf16": (family("qwen3", "Qwen3ForCausalLM", head_dim=96, tie_word_embeddings=True),
                        BF16, {}),
    "gguf_qwen3_q4_k_m": (family("qwen3", "Qwen3ForCausalLM", head_dim=128), Q4_K, MEDIUM),
}


def make(directory, config, default, formats, random):
    config = {"head_dim": config["hidden_size"] // config["num_attention_heads"], **config}
    tensors, values = tensors_of(random_weights(config, random), config, default, formats)
    directory.mkdir(parents=True, exist_ok=True)
    write_gguf(directory / "model.gguf", config, tensors)
    write_golden(directory, config, values, random)


if __name__ == "__main__":
    make_missing(sys.argv[1], CHECKPOINTS, make, first_seed=100)
