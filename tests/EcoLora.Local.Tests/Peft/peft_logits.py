#!/usr/bin/env python3
"""An independent reader of Hugging Face model folders and PEFT adapters: the logits of a Llama model with LoRA, in double precision, written from the
descriptions of safetensors, of transformers' LlamaForCausalLM (Mistral and Qwen2 compute the same) and of PEFT's LoraConfig.

    peft_logits.py MODEL_FOLDER ADAPTER_FOLDER|- TOKEN...

Prints a line per token: the logits after it, separated by spaces. The exit code is 1 when a folder is not as described, 3 when numpy is missing.
"""
import json, math, re, struct, sys
from pathlib import Path

try:
    import numpy as np
except ImportError:
    print(f"peft_logits.py: {sys.executable} has no numpy (Debian: apt-get install python3-numpy)")
    sys.exit(3)


# ---- Files

def read_safetensors(path):
    """8 bytes of length, little-endian; a JSON header of that length; the tensors' bytes, counted from the header's end."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        content = data[8 + length + begin:8 + length + end]
        if entry["dtype"] == "BF16":  # the upper half of a binary32
            values = (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(content, {"F32": "<f4", "F16": "<f2"}[entry["dtype"]])
        tensors[name] = values.astype(np.float64).reshape(entry["shape"])
    return tensors


def read_model(folder):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    whole = folder / "model.safetensors"
    if whole.exists():
        return config, read_safetensors(whole)
    weight_map = json.loads((folder / "model.safetensors.index.json").read_text("utf-8"))["weight_map"]
    shards = {name: read_safetensors(folder / name) for name in set(weight_map.values())}
    return config, {tensor: shards[shard][tensor] for tensor, shard in weight_map.items()}


# ---- PEFT

def is_target(config, module):
    targets = config["target_modules"]
    if isinstance(targets, str):
        return module != "lm_head" if targets == "all-linear" else re.fullmatch(targets, module) is not None
    return any(module == target or module.endswith("." + target) for target in targets)


def of_pattern(pattern, module, default):
    for key, value in (pattern or {}).items():
        if re.match(rf"(.*\.)?({key})$", module):
            return value
    return default


def read_adapter(folder, modules):
    """Module name → (scale, A, B)."""
    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    assert config["peft_type"] == "LORA" and config.get("bias", "none") == "none", "plain LoRA"
    assert not config.get("use_dora") and not config.get("fan_in_fan_out") and not config.get("modules_to_save"), "plain LoRA"
    tensors = read_safetensors(folder / "adapter_model.safetensors")
    pairs = {}
    for module in filter(lambda each: is_target(config, each), modules):
        key = f"base_model.model.{module}.lora_"
        a, b = tensors.pop(key + "A.weight", None), tensors.pop(key + "B.weight", None)
        if a is None and b is None:
            continue  # PEFT makes such a pair with B = 0
        rank = of_pattern(config.get("rank_pattern"), module, config["r"])
        alpha = of_pattern(config.get("alpha_pattern"), module, config["lora_alpha"])
        assert a.shape[0] == rank == b.shape[1], f"{module}: expected rank {rank}, found {a.shape} and {b.shape}"
        pairs[module] = (alpha / (math.sqrt(rank) if config.get("use_rslora") else rank), a, b)
    assert not tensors, f"expected tensors of targets, found {sorted(tensors)}"
    return pairs


# ---- Llama

def rotary_frequencies(config, head_size):
    rotary = {**(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}
    theta = rotary.get("rope_theta", config.get("rope_theta", 10000.0))
    frequencies = theta ** (-2.0 * np.arange(head_size // 2) / head_size)
    kind = rotary.get("rope_type", rotary.get("type", "default"))
    if kind == "default":
        return frequencies
    factor = rotary["factor"]
    if kind == "linear":
        return frequencies / factor
    assert kind == "llama3", f"rope_type: expected default, linear or llama3, found {kind}"
    low, high = rotary["low_freq_factor"], rotary["high_freq_factor"]
    context = rotary["original_max_position_embeddings"]
    wavelengths = 2 * np.pi / frequencies
    smooth = (context / wavelengths - low) / (high - low)
    blended = (1 - smooth) * frequencies / factor + smooth * frequencies
    slowed = np.where(wavelengths > context / low, frequencies / factor, blended)
    return np.where(wavelengths < context / high, frequencies, slowed)


def rotate(x, cosines, sines):
    """x [positions, heads, head size]: entry i turns with entry i + head size / 2."""
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([first * cosines - second * sines, second * cosines + first * sines], axis=-1)


def logits(config, weights, pairs, tokens):
    heads, epsilon = config["num_attention_heads"], config.get("rms_norm_eps", 1e-6)
    groups = config.get("num_key_value_heads") or heads
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    count = len(tokens)
    angles = np.arange(count)[:, None, None] * rotary_frequencies(config, head_size)
    cosines, sines = np.cos(angles), np.sin(angles)
    future = np.triu(np.ones((count, count), bool), 1)

    def linear(module, x):
        y = x @ weights[module + ".weight"].T
        if module + ".bias" in weights:
            y = y + weights[module + ".bias"]
        if module in pairs:
            scale, a, b = pairs[module]
            y = y + scale * ((x @ a.T) @ b.T)
        return y

    def norm(name, x):
        return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + epsilon) * weights[name + ".weight"]

    x = weights["model.embed_tokens.weight"][tokens]
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        y = norm(layer + "input_layernorm", x)
        q = rotate(linear(layer + "self_attn.q_proj", y).reshape(count, heads, head_size), cosines, sines)
        k = rotate(linear(layer + "self_attn.k_proj", y).reshape(count, groups, head_size), cosines, sines)
        v = linear(layer + "self_attn.v_proj", y).reshape(count, groups, head_size)
        k, v = (np.repeat(each, heads // groups, axis=1) for each in (k, v))
        scores = np.einsum("qhd,khd->hqk", q, k) / math.sqrt(head_size)
        scores[:, future] = -np.inf
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        x = x + linear(layer + "self_attn.o_proj", np.einsum("hqk,khd->qhd", shares, v).reshape(count, -1))
        y = norm(layer + "post_attention_layernorm", x)
        gate = linear(layer + "mlp.gate_proj", y)
        x = x + linear(layer + "mlp.down_proj", gate / (1 + np.exp(-gate)) * linear(layer + "mlp.up_proj", y))
    x = norm("model.norm", x)
    if config.get("tie_word_embeddings"):
        return x @ weights["model.embed_tokens.weight"].T
    return linear("lm_head", x)


def main(model, adapter, *tokens):
    config, weights = read_model(Path(model))
    assert config["model_type"] in ("llama", "mistral", "qwen2") and config.get("hidden_act", "silu") == "silu", "a Llama model"
    assert config.get("sliding_window") is None or not config.get("use_sliding_window", True), "attention to all positions"
    modules = [name[:-len(".weight")] for name, tensor in weights.items()
               if name.endswith(".weight") and tensor.ndim == 2 and name != "model.embed_tokens.weight"]
    pairs = {} if adapter == "-" else read_adapter(Path(adapter), modules)
    for row in logits(config, weights, pairs, [int(token) for token in tokens]):
        print(*(repr(float(value)) for value in row))


if __name__ == "__main__":
    main(*sys.argv[1:])
