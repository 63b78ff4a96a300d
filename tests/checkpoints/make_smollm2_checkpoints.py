#!/usr/bin/env python3
"""Converts the demo model to safetensors in BF16 and in GPTQ-Int4, and computes what they must give.

make_smollm2_checkpoints.py MODEL.gguf GOLDEN.json DIRECTORY: golden.json beside each has the text of
GOLDEN.json teacher-forced through a float32 run over the numbers that the checkpoint stands for.
"""
import json
import os
import pathlib
import sys

# Threads that spin for each product are slower than one where others compute.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
try:
    import gguf
    import numpy as np
except ImportError:
    print("skipped: numpy or gguf is missing: tests/requirements.txt")
    sys.exit(1 if "TANDEM_REQUIRE_TEST_SETUP" in os.environ else 77)

from checkpoint_files import (is_made, mark_made, quantize_gptq, source_stamp, to_bfloat16,
                              write_checkpoint)
from gguf_files import MODULES, half_rows
from reference_model import ReferenceModel, log_softmax, positions

GROUP_SIZE = 64
HUGGING_FACE_NAMES = {gguf_module: module for module, gguf_module in MODULES.items()}
TENSORS = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}


def read_config(reader):
    def field(key):
        return reader.fields["llama." + key].contents()

    heads = field("attention.head_count")
    return {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu",
            "hidden_size": field("embedding_length"), "num_hidden_layers": field("block_count"),
            "num_attention_heads": heads, "num_key_value_heads": field("attention.head_count_kv"),
            "head_dim": field("embedding_length") // heads,
            "intermediate_size": field("feed_forward_length"),
            "max_position_embeddings": field("context_length"),
            "rms_norm_eps": field("attention.layer_norm_rms_epsilon"),
            "rope_theta": field("rope.freq_base"), "tie_word_embeddings": True, "eos_token_id": 2}


def read_weights(reader, config):
    weights = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        name = TENSORS.get(tensor.name)
        if name is None:
            _, layer, module, part = tensor.name.split(".")
            name = f"model.layers.{layer}.{HUGGING_FACE_NAMES[module]}.{part}"
            if module in ("attn_q", "attn_k"):
                heads = config["num_attention_heads" if module == "attn_q" else "num_key_value_heads"]
                values = half_rows(values, heads)
        weights[name] = values
    return weights


def store(weights, gptq):
    tensors, values = {}, {}
    for name, weight in weights.items():
        if gptq and "_proj.weight" in name:
            layer, values[name] = quantize_gptq(weight, GROUP_SIZE, sym=False)
            tensors |= {name.removesuffix("weight") + part: t for part, t in layer.items()}
        else:
            tensors[name], values[name] = to_bfloat16(weight)
            if gptq:
                tensors[name] = weight.astype(np.float16)
                values[name] = tensors[name].astype(np.float32)
    return tensors, values


def teacher_forced(model, ids):
    logits = model.forward(ids)[0]
    logs = log_softmax(logits)[np.arange(len(ids) - 1), ids[1:]]
    return {"prompt_ids": ids, "perplexity": float(np.exp(-logs.mean())), **positions(logits)}


def main():
    model_path, golden_path, directory = map(pathlib.Path, sys.argv[1:])
    if not model_path.exists() or not golden_path.exists():
        print(f"skipped: no {model_path} or {golden_path}")
        sys.exit(77)
    stamp = source_stamp(model_path, golden_path)
    ids = json.loads(golden_path.read_text())["teacher_forced"][0]["prompt_ids"]
    reader = gguf.GGUFReader(model_path)
    config = read_config(reader)
    for name in ("smollm2_bf16", "smollm2_gptq"):
        if is_made(directory / name, stamp):
            continue
        gptq = name.endswith("gptq")
        weights = read_weights(reader, config)
        tensors, values = store(weights, gptq)
        config["vocab_size"] = len(weights["model.embed_tokens.weight"])
        stored = {**config, "torch_dtype": "float16" if gptq else "bfloat16"}
        if gptq:
            stored["quantization_config"] = {"quant_method": "gptq", "bits": 4, "sym": False,
                                             "group_size": GROUP_SIZE, "desc_act": False}
        write_checkpoint(directory / name, stored, tensors)
        golden = {"teacher_forced": teacher_forced(ReferenceModel(config, values), ids)}
        (directory / name / "golden.json").write_text(json.dumps(golden))
        mark_made(directory / name, stamp)


if __name__ == "__main__":
    main()
