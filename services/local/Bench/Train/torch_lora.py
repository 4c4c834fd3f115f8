"""One LoRA training step of a Llama-architecture model in plain PyTorch, for `ecolora bench train` (see bench/README.md).

Same shape, same adapters, same tokens as the row of our own engine; frozen base weights have no gradient; AdamW on the adapters; the loss is taken where
labels are, as Hugging Face's LlamaForCausalLM does it: logits of all rows, cross-entropy with ignore_index. Prints one JSON object.
"""
import argparse, json, math, os, resource, sys, time

parser = argparse.ArgumentParser()
for name, default in dict(hidden=576, layers=30, heads=9, kv_heads=3, ffn=1536, vocabulary=49152, rank=16, sequences=4, length=128, threads=1,
                          steps=3, warmup=1).items():
    parser.add_argument("--" + name.replace("_", "-"), type=int, default=default)
parser.add_argument("--labels", type=float, default=1.0, help="share of the rows that carry a label")
o = parser.parse_args()
for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(variable, None)
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(o.threads)

import torch
import torch.nn.functional as F

torch.set_num_threads(o.threads)
torch.manual_seed(1)
D, H, K, d = o.hidden, o.heads, o.kv_heads, o.hidden // o.heads


class Lora(torch.nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.base = torch.nn.Linear(inputs, outputs, bias=False)
        self.base.weight.requires_grad_(False)
        self.a = torch.nn.Parameter(torch.randn(o.rank, inputs) * 0.02)
        self.b = torch.nn.Parameter(torch.zeros(outputs, o.rank))

    def forward(self, x):
        return self.base(x) + F.linear(F.linear(x, self.a), self.b) * 2.0


def frozen(inputs, outputs):
    layer = torch.nn.Linear(inputs, outputs, bias=False)
    layer.weight.requires_grad_(False)
    return layer


class Norm(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(D), requires_grad=False)

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5))


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = Norm(), Norm()
        self.q, self.v = Lora(D, H * d), Lora(D, K * d)
        self.k, self.o = frozen(D, K * d), frozen(H * d, D)
        self.gate, self.up, self.down = frozen(D, o.ffn), frozen(D, o.ffn), frozen(o.ffn, D)

    def forward(self, x, cos, sin, mask):
        n, t, _ = x.shape
        y = self.norm1(x)
        q = rotate(self.q(y).view(n, t, H, d).transpose(1, 2), cos, sin)
        k = rotate(self.k(y).view(n, t, K, d).transpose(1, 2), cos, sin)
        v = self.v(y).view(n, t, K, d).transpose(1, 2)
        k = k[:, :, None].expand(n, K, H // K, t, d).reshape(n, H, t, d)
        v = v[:, :, None].expand(n, K, H // K, t, d).reshape(n, H, t, d)
        p = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(d) + mask, -1)
        x = x + self.o((p @ v).transpose(1, 2).reshape(n, t, H * d))
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


layers = torch.nn.ModuleList(Layer() for _ in range(o.layers))
embedding = torch.nn.Embedding(o.vocabulary, D)
embedding.weight.requires_grad_(False)
embedding.weight.data.mul_(0.02)
final = Norm()
trained = [p for p in layers.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(trained, lr=1e-4)

tokens = torch.randint(0, o.vocabulary, (o.sequences, o.length + 1))
targets = tokens[:, 1:].clone()
targets[:, : o.length - round(o.length * o.labels)] = -100
inverse = 1.0 / 10000 ** (torch.arange(0, d, 2).float() / d)
angles = torch.outer(torch.arange(o.length).float(), inverse)
cos, sin = torch.cat((angles, angles), -1).cos(), torch.cat((angles, angles), -1).sin()
mask = torch.full((o.length, o.length), float("-inf")).triu(1)


def step():
    x = embedding(tokens[:, :-1])
    for layer in layers:
        x = layer(x, cos, sin, mask)
    logits = F.linear(final(x), embedding.weight)
    loss = F.cross_entropy(logits.view(-1, o.vocabulary), targets.reshape(-1), ignore_index=-100)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


times = []
for i in range(o.warmup + o.steps):
    start = time.perf_counter()
    loss = step()
    times.append(time.perf_counter() - start)
with open("/proc/self/maps") as maps:
    libraries = maps.read()
blas = "OpenBLAS" if "openblas" in libraries else "MKL" if "mkl" in libraries else "reference BLAS (slow: install libopenblas0-pthread)"
print(json.dumps({
    "note": f"PyTorch {torch.__version__}, {blas}", "threads": torch.get_num_threads(), "best_s": min(times[o.warmup:]), "loss": loss,
    "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
