#!/usr/bin/env python3
"""Writes a checkpoint of Qwen2.5-7B's shape in GPTQ-Int4 with random weights, for measuring.

5.5 GB in two shards, or fewer layers of it. Needs numpy.
"""
import argparse
import json
import pathlib

import numpy as np

CONFIG = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "hidden_act": "silu",
          "hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28,
          "num_key_value_heads": 4, "intermediate_size": 18944, "vocab_size": 152064,
          "max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
          "tie_word_embeddings": False, "torch_dtype": "float16", "eos_token_id": 151645,
          "quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128,
                                  "sym": True, "desc_act": False}}
GROUP = 128


def layer_shapes(config):
    hidden, middle = config["hidden_size"], config["intermediate_size"]
    keys = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    return {"self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (keys, hidden),
            "self_attn.v_proj": (keys, hidden), "self_attn.o_proj": (hidden, hidden),
            "mlp.gate_proj": (middle, hidden), "mlp.up_proj": (middle, hidden),
            "mlp.down_proj": (hidden, middle)}


def tensors(config):
    """Names, dtypes, shapes, and a function that makes the bytes."""
    random = np.random.default_rng(1)
    hidden, vocab = config["hidden_size"], config["vocab_size"]

    def halves(*shape, scale=1.0):
        return lambda: (random.standard_normal(shape, np.float32) * scale).astype(np.float16)

    yield "model.embed_tokens.weight", "F16", (vocab, hidden), halves(vocab, hidden)
    yield "lm_head.weight", "F16", (vocab, hidden), halves(vocab, hidden, scale=hidden**-0.5)
    yield "model.norm.weight", "F16", (hidden,), lambda: np.ones(hidden, np.float16)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        for name in ("input_layernorm", "post_attention_layernorm"):
            yield f"{prefix}{name}.weight", "F16", (hidden,), lambda: np.ones(hidden, np.float16)
        for name, (outputs, inputs) in layer_shapes(config).items():
            groups = inputs // GROUP
            quants, zeros = (inputs // 8, outputs), (groups, outputs // 8)
            scale = 0.2 * inputs**-0.5
            yield (f"{prefix}{name}.qweight", "I32", quants,
                   lambda shape=quants: random.integers(0, 2**32, shape, np.uint32))
            yield (f"{prefix}{name}.qzeros", "I32", zeros,
                   lambda shape=zeros: np.full(shape, 0x77777777, np.uint32))
            yield (f"{prefix}{name}.scales", "F16", (groups, outputs),
                   lambda shape=(groups, outputs), s=scale: np.full(shape, s, np.float16))
            yield (f"{prefix}{name}.g_idx", "I32", (inputs,),
                   lambda n=inputs: (np.arange(n) // GROUP).astype(np.int32))
            if name in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"):
                yield (f"{prefix}{name}.bias", "F16", (outputs,),
                       lambda n=outputs: np.zeros(n, np.float16))


def write_shard(path, entries):
    header, offset = {}, 0
    for name, dtype, shape, _ in entries:
        size = int(np.prod(shape)) * (2 if dtype == "F16" else 4)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, _, _, make in entries:
            file.write(make().tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=CONFIG["num_hidden_layers"])
    parser.add_argument("--tokenizer", type=pathlib.Path,
                        help="a directory whose tokenizer.json and tokenizer_config.json are linked")
    arguments = parser.parse_args()
    directory = arguments.directory
    directory.mkdir(parents=True)
    config = CONFIG | {"num_hidden_layers": arguments.layers}
    (directory / "config.json").write_text(json.dumps(config, indent=1))
    entries, weight_map = list(tensors(config)), {}
    half = len(entries) // 2
    for number, part in enumerate((entries[:half], entries[half:]), 1):
        file = f"model-{number:05}-of-00002.safetensors"
        write_shard(directory / file, part)
        weight_map.update({name: file for name, *_ in part})
    (directory / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map}))
    for file in ("tokenizer.json", "tokenizer_config.json") if arguments.tokenizer else ():
        (directory / file).symlink_to(arguments.tokenizer.resolve() / file)


if __name__ == "__main__":
    main()
