#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How the numbers beside this script were made: PyTorch in float64, models written out by hand.

    pip install torch numpy safetensors && python3 tests/golden/make_golden.py

Neither the build nor the tests need it; the README in this folder says what the files hold. Nothing is drawn from the
file system, the clock or the number of threads, so a second run writes the same files up to the last bits of PyTorch.
"""
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
IGNORED = -100  # a target that takes no part in the loss
VOCAB, CONTEXT, WIDTH, LAYERS, HEADS, BATCH, STEPS = 61, 16, 32, 2, 4, 3, 10
EPS, THETA = 1e-5, 10000.0
LR, BETAS, ADAM_EPS, DECAY, CLIP = 3e-3, (0.9, 0.95), 1e-8, 0.1, 1.0


def rope(x, half_split, offset=0, theta=THETA):
    """x (b, t, h, d): turns pair i of position p by p * theta^(-2i/d)."""
    t, d = x.shape[1], x.shape[-1]
    angle = torch.outer(torch.arange(offset, offset + t, dtype=x.dtype),
                        theta ** (-torch.arange(0, d, 2, dtype=x.dtype) / d))
    cos, sin = angle.cos()[:, None, :], angle.sin()[:, None, :]
    if half_split:
        a, b = x[..., : d // 2], x[..., d // 2:]
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2)


def attention(q, k, v, window=None):
    """q (b, t, h, d), k and v (b, t, kv-heads, d): causal; with a window only query - key < window is seen."""
    h, kv, t, d = q.shape[2], k.shape[2], q.shape[1], q.shape[3]
    k, v = (x.repeat_interleave(h // kv, dim=2) for x in (k, v))
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(d)
    distance = torch.arange(t)[:, None] - torch.arange(t)[None, :]
    visible = distance >= 0 if window is None else (distance >= 0) & (distance < window)
    weights = scores.masked_fill(~visible, -math.inf).softmax(-1)
    return torch.einsum("bhqk,bkhd->bqhd", weights, v)


def rms_norm(x, weight, eps=EPS):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


class Model:
    def __init__(self, llama, generator):
        self.llama = llama
        self.kv_heads = 2 if llama else HEADS
        self.weights = {}
        d, f = WIDTH // HEADS, 40 if llama else 48

        def add(name, *shape, mean=0.0, std=0.1):
            # bfloat16-exact, so that the file is small and every compute type starts from the same numbers
            value = (mean + std * torch.randn(*shape, generator=generator, dtype=torch.float64)).to(torch.bfloat16)
            self.weights[name] = value.to(torch.float64).requires_grad_()

        def linear(name, out, in_):
            add(name + ".weight", out, in_)
            if not llama:
                add(name + ".bias", out, std=0.05)

        def norm(name):
            add(name + ".weight", WIDTH, mean=1.0, std=0.1)
            if not llama:
                add(name + ".bias", WIDTH, std=0.05)

        add("embedding.weight", VOCAB, WIDTH, std=0.2)
        if not llama:
            add("positions.weight", CONTEXT, WIDTH, std=0.1)
        for i in range(LAYERS):
            block = f"blocks.{i}."
            norm(block + "norm1")
            for part, heads in (("q", HEADS), ("k", self.kv_heads), ("v", self.kv_heads)):
                linear(block + "attention." + part, heads * d, WIDTH)
            linear(block + "attention.o", WIDTH, HEADS * d)
            norm(block + "norm2")
            for part in ("gate", "up") if llama else ("up",):
                linear(block + "feed_forward." + part, f, WIDTH)
            linear(block + "feed_forward.down", WIDTH, f)
        norm("norm")
        if llama:
            add("head.weight", VOCAB, WIDTH)

    def linear(self, name, x):
        return F.linear(x, self.weights[name + ".weight"], self.weights.get(name + ".bias"))

    def norm(self, name, x):
        weight = self.weights[name + ".weight"]
        if self.llama:
            return rms_norm(x, weight)
        return F.layer_norm(x, (WIDTH,), weight, self.weights[name + ".bias"], EPS)

    def logits(self, ids):
        b, t = ids.shape
        x = F.embedding(ids, self.weights["embedding.weight"])
        if not self.llama:
            x = x + self.weights["positions.weight"][:t]
        for i in range(LAYERS):
            block = f"blocks.{i}."
            y = self.norm(block + "norm1", x)
            q, k, v = (self.linear(block + "attention." + part, y).view(b, t, -1, WIDTH // HEADS) for part in "qkv")
            if self.llama:
                q, k = rope(q, True), rope(k, True)
            x = x + self.linear(block + "attention.o", attention(q, k, v).flatten(2))
            y = self.norm(block + "norm2", x)
            up = self.linear(block + "feed_forward.up", y)
            if self.llama:
                hidden = F.silu(self.linear(block + "feed_forward.gate", y)) * up
            else:
                hidden = F.gelu(up, approximate="tanh")
            x = x + self.linear(block + "feed_forward.down", hidden)
        return F.linear(self.norm("norm", x), self.weights.get("head.weight", self.weights["embedding.weight"]))

    def loss(self, ids, targets):
        return F.cross_entropy(self.logits(ids).flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


def train(llama, path):
    generator = torch.Generator().manual_seed(7 + llama)
    model = Model(llama, generator)
    ids = torch.randint(VOCAB, (STEPS, BATCH, CONTEXT + 1), generator=generator)
    inputs, targets = ids[..., :-1], ids[..., 1:].clone()
    targets[torch.rand(targets.shape, generator=generator) < 0.2] = IGNORED
    targets[:, 0, 10:] = IGNORED  # a padded row

    out = {"inputs": inputs.to(torch.int32), "targets": targets.to(torch.int32),
           "logits": model.logits(inputs[0]).to(torch.float32)}
    out |= {"weight/" + name: w.detach().to(torch.bfloat16) for name, w in model.weights.items()}

    matrix = [w for w in model.weights.values() if w.dim() > 1]  # decay: matrices and embeddings
    vector = [w for w in model.weights.values() if w.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrix, "weight_decay": DECAY}, {"params": vector, "weight_decay": 0.0}],
                                  lr=LR, betas=BETAS, eps=ADAM_EPS)
    losses, norms = [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = model.loss(inputs[step], targets[step])
        loss.backward()
        if step == 0:
            out |= {"gradient/" + name: w.grad.to(torch.float32) for name, w in model.weights.items()}
        norms.append(torch.nn.utils.clip_grad_norm_(list(model.weights.values()), CLIP).item())
        optimizer.step()
        losses.append(loss.item())
    out["losses"] = torch.tensor(losses, dtype=torch.float64)
    out["gradient_norms"] = torch.tensor(norms, dtype=torch.float64)  # before clipping
    out |= {"trained/" + name: w.detach().to(torch.float32) for name, w in model.weights.items()}
    save_file({name: x.contiguous() for name, x in out.items()}, path)
    print(path.name, path.stat().st_size, "bytes; losses", *(f"{x:.4f}" for x in losses),
          "norms", *(f"{x:.2f}" for x in norms))


def ops(path):
    generator = torch.Generator().manual_seed(3)
    out = {}

    def draw(*shape, scale=1.0):
        return (scale * torch.randn(*shape, generator=generator)).to(torch.float64)

    def case(name, f, *inputs, **scalars):
        """Integer inputs get no gradient."""
        inputs = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
        result = f(*inputs)
        dout = torch.randn(result.shape, generator=generator).to(torch.float64)
        result.backward(dout)
        out[name + "/out"], out[name + "/dout"] = result.detach(), dout.to(torch.float32)
        for i, x in enumerate(inputs):
            out[f"{name}/in{i}"] = x.detach().to(torch.float32 if x.is_floating_point() else torch.int32)
            if x.is_floating_point():
                out[f"{name}/din{i}"] = x.grad
        for key, value in scalars.items():
            out[f"{name}/{key}"] = torch.tensor(value, dtype=torch.float64)

    for tag, x in (("small", draw(3, 7)), ("wide", draw(2, 37, scale=20)), ("one", draw(4, 1)), ("deep", draw(2, 3, 17))):
        case(f"softmax/{tag}", lambda x: x.softmax(-1), x)
        case(f"log_softmax/{tag}", lambda x: x.log_softmax(-1), x)
    for tag, shape in (("small", (3, 8)), ("odd", (2, 3, 19)), ("wide", (2, 70))):
        c = shape[-1]
        x, w, b = draw(*shape, scale=2) + 0.5, 1 + draw(c, scale=0.2), draw(c)
        x, w = (y.to(torch.float32).to(torch.float64) for y in (x, w))
        case(f"layer_norm/{tag}", lambda x, w, b: F.layer_norm(x, (c,), w, b, EPS), x, w, b, eps=EPS)
        case(f"rms_norm/{tag}", lambda x, w: rms_norm(x, w), x, w, eps=EPS)
    for tag, x in (("small", draw(5, 9)), ("wide", draw(41, scale=6))):
        case(f"gelu/{tag}", lambda x: F.gelu(x), x)
        case(f"gelu_tanh/{tag}", lambda x: F.gelu(x, approximate="tanh"), x)
        case(f"silu/{tag}", lambda x: F.silu(x), x)
        case(f"swiglu/{tag}", lambda gate, up: F.silu(gate) * up, x, draw(*x.shape))
        case(f"geglu_tanh/{tag}", lambda gate, up: F.gelu(gate, approximate="tanh") * up, x, draw(*x.shape))
    for tag, half_split in (("half", True), ("interleaved", False)):
        case(f"rope/{tag}", lambda x: rope(x, half_split), draw(2, 6, 3, 8), theta=THETA, offset=0.0)
        case(f"rope/{tag}_offset", lambda x: rope(x, half_split, 100), draw(1, 3, 2, 10), theta=THETA, offset=100.0)
    for tag, (b, t, h, kv, d), window in (("causal", (2, 9, 2, 2, 8), None), ("gqa", (1, 21, 4, 2, 8), None),
                                          ("window", (1, 21, 2, 1, 4), 5), ("one", (2, 1, 2, 1, 4), None)):
        case(f"attention/{tag}", lambda q, k, v: attention(q, k, v, window),
             draw(b, t, h, d), draw(b, t, kv, d), draw(b, t, kv, d), window=float(window or 0))
    targets = torch.tensor([3, IGNORED, 0, 10, 10, IGNORED, 7])
    case("cross_entropy/ignore", lambda x, t: F.cross_entropy(x, t, ignore_index=IGNORED), draw(7, 11, scale=3), targets)
    case("cross_entropy/all", lambda x, t: F.cross_entropy(x, t), draw(4, 33), torch.tensor([32, 0, 16, 5]))
    case("linear_cross_entropy/ignore", lambda x, w, t: F.cross_entropy(F.linear(x, w), t, ignore_index=IGNORED),
         draw(7, 6), draw(11, 6), targets)
    case("embedding/repeated", lambda i, w: F.embedding(i, w), torch.tensor([[1, 4, 1, 0, 6], [6, 6, 2, 1, 5]]), draw(7, 3))
    case("linear/bias", lambda x, w, b: F.linear(x, w, b), draw(2, 3, 5), draw(4, 5), draw(4))
    case("linear/plain", lambda x, w: F.linear(x, w), draw(9, 17), draw(13, 17))
    case("matmul/plain", lambda a, b: a @ b, draw(5, 7), draw(7, 3))
    case("matmul/batched", lambda a, b: a @ b, draw(2, 3, 4, 6), draw(2, 3, 6, 5))
    save_file({name: x.contiguous() for name, x in out.items()}, path)
    print(path.name, path.stat().st_size, "bytes;", len(out), "tensors")


if __name__ == "__main__":
    torch.set_num_threads(1)
    train(False, HERE / "gpt2_shape.safetensors")
    train(True, HERE / "llama_shape.safetensors")
    ops(HERE / "ops.safetensors")
