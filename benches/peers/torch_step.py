"""One training step of a Llama in PyTorch eager, f32: forward, backward, clipping, AdamW. Timed.

    python benches/peers/torch_step.py --hidden 256 --layers 6 --heads 4 --kv-heads 2 --inner 704 --vocabulary 4096 \
        --length 256 --batch 8 --steps 12 --warmup 3 --threads 2

The last line printed is JSON. `tokens_per_second` is the tokens of a step over the median seconds of `--steps` steps
that follow `--warmup` unmeasured ones. Weights and tokens are random, the batch is the same at every step.

`--teacher-layers N` learns from a teacher of the same shape with N blocks, by the forward KL divergence at temperature
2. `--compile` compiles all up to the loss in one piece, the teacher's pass too.

`--precision bf16` is autocast. PyTorch gets what makes it fast on a CPU: fused attention, RMSNorm in one operator, q, k, v as one product and gate, up
as one, the fused AdamW, gradients dropped and not zeroed. `--network transformers` takes Hugging Face's Llama instead.
"""

import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

RATE, BETAS, EPSILON, DECAY, CLIP = 1e-3, (0.9, 0.95), 1e-8, 0.1, 1.0
THETA, NORM_EPSILON = 10000.0, 1e-5
TEMPERATURE = 2.0


class Norm(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight, NORM_EPSILON)


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = shape.heads, shape.kv_heads, shape.head_dim
        self.attention_norm, self.inner_norm = Norm(shape.hidden), Norm(shape.hidden)
        self.qkv = nn.Linear(shape.hidden, (shape.heads + 2 * shape.kv_heads) * self.head_dim, bias=shape.bias)
        self.out = nn.Linear(shape.hidden, shape.hidden, bias=False)
        self.gate_up = nn.Linear(shape.hidden, 2 * shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.hidden, bias=False)

    def forward(self, x, cos, sin):
        batch, length, hidden = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(batch, length, -1, self.head_dim).transpose(1, 2)
        rotated, v = qkv.split([self.heads + self.kv_heads, self.kv_heads], dim=1)
        left, right = rotated.chunk(2, dim=-1)
        rotated = rotated * cos + torch.cat((-right, left), dim=-1) * sin
        q, k = rotated.split([self.heads, self.kv_heads], dim=1)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.heads != self.kv_heads)
        x = x + self.out(attended.transpose(1, 2).reshape(batch, length, hidden))
        gate, up = self.gate_up(self.inner_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Llama(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.embedding = nn.Embedding(shape.vocabulary, shape.hidden)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.hidden)
        self.head = nn.Linear(shape.hidden, shape.vocabulary, bias=False)
        if shape.tied:
            self.head.weight = self.embedding.weight
        head_dim = shape.head_dim
        frequencies = THETA ** -(torch.arange(0, head_dim, 2) / head_dim)
        angles = torch.outer(torch.arange(shape.length), frequencies).repeat(1, 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return self.head(self.norm(x))


def transformers_network(shape):
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(LlamaConfig(
        hidden_size=shape.hidden, num_hidden_layers=shape.layers, num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads, intermediate_size=shape.inner, vocab_size=shape.vocabulary,
        max_position_embeddings=shape.length, rms_norm_eps=NORM_EPSILON, tie_word_embeddings=False,
        attn_implementation="sdpa"))
    return model, lambda tokens: model(input_ids=tokens, use_cache=False).logits


def build(shape):
    if shape.network == "transformers":
        model, forward = transformers_network(shape)
    else:
        model = Llama(shape)
        forward = model
    for parameter in model.parameters():
        if parameter.dim() >= 2:
            nn.init.normal_(parameter, std=0.02)
    return model, forward


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("hidden", "layers", "heads", "kv-heads", "inner", "vocabulary", "length", "batch"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--network", choices=("plain", "transformers"), default="plain")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32", help="bf16 is autocast")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--micro-batch", type=int, help="sequences that go through the network together (default: all)")
    parser.add_argument("--head-dim", type=int)
    parser.add_argument("--teacher-layers", type=int)
    parser.add_argument("--bias", action="store_true", help="biases on query, key and value")
    parser.add_argument("--tied", action="store_true", help="the head is the embedding")
    parser.add_argument("--adamw", choices=("fused", "foreach", "loop"), default="fused")
    parsed = parser.parse_args()
    parsed.head_dim = parsed.head_dim or parsed.hidden // parsed.heads
    return parsed


def main():
    shape = arguments()
    torch.set_num_threads(shape.threads)
    torch.manual_seed(shape.seed)
    model, forward = build(shape)
    parameters = list(model.parameters())  # a tied weight once
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in parameters if p.dim() >= 2], "weight_decay": DECAY},
         {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0}],
        lr=RATE, betas=BETAS, eps=EPSILON, fused=shape.adamw == "fused", foreach=shape.adamw == "foreach")
    tokens = torch.randint(shape.vocabulary, (shape.batch, shape.length + 1))
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    loss_of = lambda few, targets: F.cross_entropy(forward(few).flatten(0, 1), targets.flatten())
    if shape.teacher_layers:
        teacher, _ = build(argparse.Namespace(**{**vars(shape), "layers": shape.teacher_layers}))
        teacher.eval().requires_grad_(False)

        def loss_of(few, _):
            with torch.no_grad():
                taught = F.log_softmax(teacher(few).flatten(0, 1).float() / TEMPERATURE, -1)
            own = F.log_softmax(forward(few).flatten(0, 1).float() / TEMPERATURE, -1)
            return TEMPERATURE ** 2 * F.kl_div(own, taught, log_target=True, reduction="batchmean")

    if shape.compile:
        loss_of = torch.compile(loss_of)

    seconds = []
    part = shape.micro_batch or shape.batch
    for _ in range(shape.warmup + shape.steps):
        start = time.perf_counter()
        for first in range(0, shape.batch, part):
            few = slice(first, first + part)
            with torch.autocast("cpu", torch.bfloat16, enabled=shape.precision == "bf16"):
                loss = loss_of(inputs[few], targets[few]) * (part / shape.batch)
            loss.backward()
        nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        last = loss.item() * (shape.batch / part)
        del loss
        seconds.append(time.perf_counter() - start)
    measured = seconds[shape.warmup:]
    print(json.dumps({
        "tokens_per_second": shape.batch * shape.length / statistics.median(measured),
        "loss": last,
        "steps": len(measured),
        "parameters": sum(p.numel() for p in parameters),
        "step_seconds": [round(s, 5) for s in measured],
    }))


if __name__ == "__main__":
    main()
