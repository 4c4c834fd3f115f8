#!/usr/bin/env python3
"""Writes a Hugging Face folder with random bfloat16 weights in the shape of a published model, to try loading, memory and speed without downloading one.

    /usr/bin/python3 tools/models/random_model.py llama-3.2-1b /tmp/llama-1b
    ./ecolora bench train --model /tmp/llama-1b --sequences 1 --sequence 128 --engines ecolora

The weights come in shards of about 1 GiB with an index. The tokenizer knows bytes only. Needs numpy (Debian: python3-numpy).
"""
import argparse, json, os, struct

import numpy

LLAMA3 = {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"}
SHAPES = {
    "llama-3.2-1b": dict(model_type="llama", hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32, num_key_value_heads=8,
                         head_dim=64, vocab_size=128256, max_position_embeddings=131072, rope_theta=500000.0, rope_scaling=LLAMA3, tie_word_embeddings=True),
    "smollm2-135m": dict(model_type="llama", hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
                         vocab_size=49152, max_position_embeddings=8192, rope_theta=100000.0, tie_word_embeddings=True),
    "qwen2.5-0.5b": dict(model_type="qwen2", hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2,
                         vocab_size=151936, max_position_embeddings=32768, rope_theta=1000000.0, tie_word_embeddings=True),
    "mistral-7b": dict(model_type="mistral", hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8,
                       vocab_size=32000, max_position_embeddings=32768, rope_theta=10000.0, sliding_window=4096, tie_word_embeddings=False),
}
NAMES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM"}
SHARD = 1 << 30


def tensors(c):
    d, f = c["hidden_size"], c["intermediate_size"]
    head = c.get("head_dim", d // c["num_attention_heads"])
    q, kv = head * c["num_attention_heads"], head * c["num_key_value_heads"]
    bias = c["model_type"] == "qwen2"
    yield "model.embed_tokens.weight", (c["vocab_size"], d)
    for i in range(c["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        yield layer + "input_layernorm.weight", (d,)
        for name, rows, columns in (("q", q, d), ("k", kv, d), ("v", kv, d), ("o", d, q)):
            yield f"{layer}self_attn.{name}_proj.weight", (rows, columns)
            if bias and name != "o":
                yield f"{layer}self_attn.{name}_proj.bias", (rows,)
        yield layer + "post_attention_layernorm.weight", (d,)
        for name, rows, columns in (("gate", f, d), ("up", f, d), ("down", d, f)):
            yield f"{layer}mlp.{name}_proj.weight", (rows, columns)
    yield "model.norm.weight", (d,)
    if not c["tie_word_embeddings"]:
        yield "lm_head.weight", (c["vocab_size"], d)


def write_shard(path, part, seed):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in part:
        size = 2 * int(numpy.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    generator = numpy.random.default_rng(seed)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in part:
            if name.endswith("norm.weight"):
                values = numpy.ones(shape, numpy.float32)
            else:
                values = generator.standard_normal(int(numpy.prod(shape)), numpy.float32) * numpy.float32(0.02)
            file.write((values.reshape(-1).view(numpy.uint32) >> 16).astype("<u2").tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("folder")
    options = parser.parse_args()
    config = dict(SHAPES[options.shape])
    os.makedirs(options.folder)
    parts, size = [[]], 0
    for name, shape in tensors(config):
        length = 2 * int(numpy.prod(shape))
        if parts[-1] and size + length > SHARD:
            parts, size = parts + [[]], 0
        parts[-1].append((name, shape))
        size += length
    index = {}
    for number, part in enumerate(parts):
        file = f"model-{number + 1:05}-of-{len(parts):05}.safetensors"
        write_shard(os.path.join(options.folder, file), part, number)
        index.update({name: file for name, _ in part})
    write(options.folder, "model.safetensors.index.json", {"metadata": {}, "weight_map": index})
    config.update(architectures=[NAMES[config["model_type"]]], hidden_act="silu", rms_norm_eps=1e-5, torch_dtype="bfloat16", bos_token_id=256, eos_token_id=257)
    write(options.folder, "config.json", config)
    # GPT-2's alphabet of bytes: printable characters stand for themselves, the others follow from U+0100 on.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    alphabet = [chr(b) for b in printable] + [chr(256 + n) for n in range(256 - len(printable))]
    special = [{"id": 256 + n, "content": text, "special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
               for n, text in enumerate(("<s>", "</s>"))]
    write(options.folder, "tokenizer.json", {
        "added_tokens": special, "normalizer": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "post_processor": None, "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {text: n for n, text in enumerate(alphabet)}, "merges": []}})
    write(options.folder, "tokenizer_config.json", {"bos_token": "<s>", "eos_token": "</s>"})


def write(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)


main()
