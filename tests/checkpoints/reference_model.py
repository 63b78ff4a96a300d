"""A decoder-only transformer in float32 with numpy, written from the models' definitions alone.

Shares nothing with the program under test: what it computes is what a checkpoint means.
"""
import math

import numpy as np


def rope_frequencies(config):
    head_dim = config["head_dim"]
    frequencies = config.get("rope_theta", 10000.0) ** -(np.arange(0, head_dim, 2) / head_dim)
    scaling = config.get("rope_scaling") or {}
    kind = scaling.get("rope_type", "default")
    if kind == "linear":
        return frequencies / scaling["factor"]
    if kind == "llama3":
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        # Turns within the original context: many are kept, few are slowed down.
        turns = scaling["original_max_position_embeddings"] * frequencies / (2 * math.pi)
        kept = np.clip((turns - low) / (high - low), 0, 1)
        return frequencies * (kept + (1 - kept) / scaling["factor"])
    return frequencies


def rms_norm(x, weight, epsilon):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + epsilon) * weight


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


class ReferenceModel:
    """weights: Hugging Face's names to float32 arrays [outputs, inputs]."""

    def __init__(self, config, weights):
        self.config, self.weights = config, weights

    def linear(self, name, x):
        y = x @ self.weights[name + ".weight"].T
        bias = self.weights.get(name + ".bias")
        return y if bias is None else y + bias

    def rotate(self, x):  # [tokens, heads, head_dim]
        angles = np.arange(len(x))[:, None] * rope_frequencies(self.config)[None]
        cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
        first, second = np.split(x, 2, axis=-1)
        return np.concatenate([first * cos - second * sin, second * cos + first * sin],
                              axis=-1).astype(np.float32)

    def attention(self, prefix, x):
        c, tokens = self.config, len(x)
        heads, kv_heads, head_dim = (c["num_attention_heads"], c["num_key_value_heads"],
                                     c["head_dim"])
        q = self.linear(prefix + "q_proj", x).reshape(tokens, heads, head_dim)
        k = self.linear(prefix + "k_proj", x).reshape(tokens, kv_heads, head_dim)
        v = self.linear(prefix + "v_proj", x).reshape(tokens, kv_heads, head_dim)
        if prefix + "q_norm.weight" in self.weights:
            q = rms_norm(q, self.weights[prefix + "q_norm.weight"], c["rms_norm_eps"])
            k = rms_norm(k, self.weights[prefix + "k_norm.weight"], c["rms_norm_eps"])
        q, k = self.rotate(q), self.rotate(k)
        out = np.empty((tokens, heads, head_dim), np.float32)
        future = np.triu(np.full((tokens, tokens), -np.inf, np.float32), 1)
        for head in range(heads):
            kv = head // (heads // kv_heads)
            scores = q[:, head] @ k[:, kv].T / math.sqrt(head_dim) + future
            out[:, head] = softmax(scores) @ v[:, kv]
        return self.linear(prefix + "o_proj", out.reshape(tokens, -1)), k, v

    def forward(self, ids):
        """Logits [tokens, vocabulary], and rotated K and V [2, layers, tokens, KV size]."""
        c, w = self.config, self.weights
        x = w["model.embed_tokens.weight"][ids]
        keys, values = [], []
        for layer in range(c["num_hidden_layers"]):
            prefix = f"model.layers.{layer}."
            norm = rms_norm(x, w[prefix + "input_layernorm.weight"], c["rms_norm_eps"])
            attended, k, v = self.attention(prefix + "self_attn.", norm)
            keys.append(k.reshape(len(ids), -1))
            values.append(v.reshape(len(ids), -1))
            x = x + attended
            norm = rms_norm(x, w[prefix + "post_attention_layernorm.weight"], c["rms_norm_eps"])
            gate = self.linear(prefix + "mlp.gate_proj", norm)
            up = self.linear(prefix + "mlp.up_proj", norm)
            x = x + self.linear(prefix + "mlp.down_proj", gate / (1 + np.exp(-gate)) * up)
        x = rms_norm(x, w["model.norm.weight"], c["rms_norm_eps"])
        head = "model.embed_tokens" if c.get("tie_word_embeddings") else "lm_head"
        return x @ w[head + ".weight"].T, np.array([keys, values], np.float32)


def golden_case(model, prompt, steps):
    """What a checkpoint must give for a prompt and `steps` greedy tokens after it."""
    ids, greedy, top5 = list(prompt), [], []
    for _ in range(steps):
        logs = log_softmax(model.forward(ids)[0][-1])
        best = np.argsort(-logs)[:5]
        top5.append([[int(i), round(float(logs[i]), 5)] for i in best])
        greedy.append(int(best[0]))
        ids.append(int(best[0]))
    return {"prompt_ids": list(map(int, prompt)), "greedy_ids": greedy, "top5_logprobs": top5,
            **positions(model.forward(prompt)[0])}


def positions(logits):
    logs = log_softmax(logits)
    ordered = np.sort(logs, axis=-1)
    return {"argmax_every_position": logs.argmax(axis=-1).tolist(),
            "top2_gap_every_position": (ordered[:, -1] - ordered[:, -2]).round(4).tolist()}
