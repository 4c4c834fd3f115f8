#!/usr/bin/env python3
"""Golden values of EcoLora.Training from PyTorch's automatic differentiation, in double precision.

Needs PyTorch (Debian: python3-torch). Writes tests/EcoLora.Training.Tests/golden/training.json: a small random Llama with LoRA on all seven linear layers,
the loss of two sequences, the gradients of all LoRA and all base tensors, and the adapter after AdamW steps with clipping and weight decay.

    /usr/bin/python3 tools/golden/training_golden.py
"""
import json
import math
import pathlib

import torch

torch.set_num_threads(1)
torch.manual_seed(20260)

CONFIG = dict(hidden=16, intermediate=24, layers=2, heads=4, kv_heads=2, head_size=4, vocabulary=32, epsilon=1e-5, theta=10000.0)
LORA = dict(rank=3, alpha=6.0)
EXAMPLES = [([1, 7, 30, 4, 19, 2, 2, 11, 5], 4), ([1, 3, 3, 8], 1), ([1, 25, 14, 9, 31, 0], 3)]
ADAMW = dict(steps=6, learning_rate=0.01, weight_decay=0.1, beta1=0.9, beta2=0.99, epsilon=1e-6, clip_norm=0.3)


def float32(values):
    """Values that both float and double hold exactly."""
    return values.to(torch.float32).to(torch.float64)


def base_shapes():
    c = CONFIG
    d, f, q, kv = c["hidden"], c["intermediate"], c["heads"] * c["head_size"], c["kv_heads"] * c["head_size"]
    yield "model.embed_tokens", (c["vocabulary"], d)
    for i in range(c["layers"]):
        p = f"model.layers.{i}."
        yield p + "input_layernorm", (d,)
        yield p + "self_attn.q_proj", (q, d)
        yield p + "self_attn.k_proj", (kv, d)
        yield p + "self_attn.v_proj", (kv, d)
        yield p + "self_attn.o_proj", (d, q)
        yield p + "post_attention_layernorm", (d,)
        yield p + "mlp.gate_proj", (f, d)
        yield p + "mlp.up_proj", (f, d)
        yield p + "mlp.down_proj", (d, f)
    yield "model.norm", (d,)
    yield "lm_head", (c["vocabulary"], d)


def rms_norm(x, gains):
    return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + CONFIG["epsilon"]) * gains


def rotate(x):
    """x [T, heads, d], Hugging Face's rotate_half layout."""
    length, _, d = x.shape
    inverse = CONFIG["theta"] ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), inverse)
    angles = torch.cat([angles, angles], -1)[:, None, :]
    half = torch.cat([-x[..., d // 2:], x[..., : d // 2]], -1)
    return x * angles.cos() + half * angles.sin()


def linear(name, x, base, lora):
    a, b = lora[name]
    return x @ base[name].T + (LORA["alpha"] / LORA["rank"]) * ((x @ a.T) @ b.T)


def logits(tokens, base, lora):
    c = CONFIG
    x = base["model.embed_tokens"][torch.tensor(tokens)]
    t = len(tokens)
    mask = torch.full((t, t), -math.inf, dtype=torch.float64).triu(1)
    for i in range(c["layers"]):
        p = f"model.layers.{i}."
        n = rms_norm(x, base[p + "input_layernorm"])
        q = rotate(linear(p + "self_attn.q_proj", n, base, lora).view(t, c["heads"], -1))
        k = rotate(linear(p + "self_attn.k_proj", n, base, lora).view(t, c["kv_heads"], -1))
        v = linear(p + "self_attn.v_proj", n, base, lora).view(t, c["kv_heads"], -1)
        group = c["heads"] // c["kv_heads"]
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        scores = torch.einsum("qhd,khd->hqk", q, k) / math.sqrt(c["head_size"]) + mask
        mixed = torch.einsum("hqk,khd->qhd", scores.softmax(-1), v).reshape(t, -1)
        x = x + linear(p + "self_attn.o_proj", mixed, base, lora)
        n = rms_norm(x, base[p + "post_attention_layernorm"])
        gated = torch.nn.functional.silu(linear(p + "mlp.gate_proj", n, base, lora)) * linear(p + "mlp.up_proj", n, base, lora)
        x = x + linear(p + "mlp.down_proj", gated, base, lora)
    return rms_norm(x, base["model.norm"]) @ base["lm_head"].T


def mean_loss(base, lora):
    total, count = 0, 0
    for tokens, prompt in EXAMPLES:
        z = logits(tokens[:-1], base, lora)[prompt - 1:]
        total = total + torch.nn.functional.cross_entropy(z, torch.tensor(tokens[prompt:]), reduction="sum")
        count += len(tokens) - prompt
    return total / count


def main():
    base = {}
    for name, shape in base_shapes():
        values = torch.randn(shape, dtype=torch.float64) * 0.3
        base[name] = float32(values + 1 if len(shape) == 1 else values).requires_grad_()
    lora = {}
    for name, shape in base_shapes():
        if name.endswith("_proj"):
            outputs, inputs = shape
            lora[name] = [float32(torch.randn(s, dtype=torch.float64) * 0.2).requires_grad_() for s in [(LORA["rank"], inputs), (outputs, LORA["rank"])]]
    pairs = [tensor for pair in lora.values() for tensor in pair]

    def flat(tensors):
        return torch.cat([t.detach().reshape(-1) for t in tensors]).tolist()

    def short(values, digits=9):
        return [float(f"{v:.{digits}g}") for v in values]

    start = flat(pairs)
    loss = mean_loss(base, lora)
    loss.backward()
    golden = dict(
        config=CONFIG, lora=LORA, examples=[dict(tokens=t, prompt=p) for t, p in EXAMPLES], adamw=ADAMW,
        weights=flat(base.values()), adapter=start, loss=loss.item(),
        adapter_gradient=short(flat(t.grad for t in pairs), 12), base_gradient=short(flat(t.grad for t in base.values())))

    optimiser = torch.optim.AdamW(pairs, lr=ADAMW["learning_rate"], betas=(ADAMW["beta1"], ADAMW["beta2"]), eps=ADAMW["epsilon"],
                                  weight_decay=ADAMW["weight_decay"])
    losses = []
    for _ in range(ADAMW["steps"]):
        optimiser.zero_grad()
        loss = mean_loss(base, lora)
        losses.append(loss.item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(pairs, ADAMW["clip_norm"])
        optimiser.step()
    golden.update(step_losses=losses, trained=short(flat(pairs), 12))

    path = pathlib.Path(__file__).resolve().parents[2] / "tests/EcoLora.Training.Tests/golden/training.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size} bytes, loss {golden['loss']:.6f}, losses {losses[0]:.4f} .. {losses[-1]:.4f}")


if __name__ == "__main__":
    main()
