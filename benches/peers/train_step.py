"""A training step at six shapes: our engine against PyTorch, the same arguments to both.

f32 is taken against PyTorch in f32, bf16 against bf16 autocast, each time as it comes and at its best: with
torch.compile, with tcmalloc instead of the system's allocator and, on AMD, with MKL's fast path, which its maker's check
keeps from these processors. The micro-batch is the same on both sides.
"""

TITLE = "Training step: forward, backward, clipping by global norm, AdamW"
PACKAGES = ["torch"]
YARDSTICK = "pytorch"
ROUNDS = 5

FIGURES = {
    "tokens_per_second": {"unit": "tokens/s", "better": "higher"},
    "loss": {"unit": "nats", "better": None},
}


def shape(hidden, layers, heads, kv_heads, inner, vocabulary):
    return ["--hidden", str(hidden), "--layers", str(layers), "--heads", str(heads), "--kv-heads", str(kv_heads),
            "--inner", str(inner), "--vocabulary", str(vocabulary)]


def text(length, batch, steps=12, warmup=3, threads=2):
    return ["--length", str(length), "--batch", str(batch), "--steps", str(steps), "--warmup", str(warmup),
            "--threads", str(threads)]


SMALL = shape(256, 6, 4, 2, 704, 4096)
LARGE = shape(512, 8, 8, 4, 1408, 8192)
# Qwen2.5-0.5B: tied embeddings, biases on query, key and value; four micro-batches of 512 tokens.
QWEN = [*shape(896, 24, 14, 2, 4864, 151936), "--tied", "--bias", "--micro-batch", "1"]
BF16 = ["--precision", "bf16"]

CASES = {
    "small": [*SMALL, *text(256, 8)],
    "small-bf16": [*SMALL, *text(256, 8), *BF16],
    "large": [*LARGE, *text(256, 8, 5, 1)],
    "large-bf16": [*LARGE, *text(256, 8, 5, 1), *BF16],
    "large-1024": [*LARGE, *text(1024, 2, 5, 1)],
    "large-1024-bf16": [*LARGE, *text(1024, 2, 5, 1), *BF16],
    "large-2048": [*LARGE, *text(2048, 1, 5, 1)],
    "large-2048-bf16": [*LARGE, *text(2048, 1, 5, 1), *BF16],
    "qwen-0.5b": [*QWEN, *text(512, 4, 1, 1)],
    "qwen-0.5b-bf16": [*QWEN, *text(512, 4, 1, 1), *BF16],
}
for width, inner, heads in ((32, 96, 2), (64, 176, 4), (128, 352, 4)):
    for threads in (1, 2):
        tiny = shape(width, 12, heads, heads, inner, 2048)
        CASES[f"tiny-{width}-{threads}"] = [*tiny, *text(128, 16, 24, 4, threads)]

BUILD = ["cargo", "build", "--release", "--locked", "-p", "regrow-train", "--example", "train_step"]
TORCH = ["{python}", "benches/peers/torch_step.py"]
TUNED = {"LD_PRELOAD": "{tuned}"}
CONTENDERS = {
    "pytorch": {"command": TORCH},
    "pytorch-compile": {"command": [*TORCH, "--compile"]},
    "pytorch-tuned": {"command": TORCH, "environment": TUNED},
    "pytorch-tuned-compile": {"command": [*TORCH, "--compile"], "environment": TUNED},
    "regrow": {
        "command": ["target/peers/build/plain/release/examples/train_step"],
        "build": BUILD,
        "build_environment": {"CARGO_TARGET_DIR": "target/peers/build/plain", "RUSTFLAGS": ""},
    },
    "regrow-native": {
        "command": ["target/peers/build/native/release/examples/train_step"],
        "build": BUILD,
        "build_environment": {"CARGO_TARGET_DIR": "target/peers/build/native", "RUSTFLAGS": "-C target-cpu=native"},
    },
}


def target(speed, memory):
    return {"tokens_per_second": {"regrow": speed}, "peak_memory": {"regrow": memory}}


# Times the yardstick: tokens a second at least, memory at most.
TARGETS = {
    "small": target(1.35, 0.3),
    "small-bf16": target(1.25, 0.3),
    "large": target(1.15, 0.5),
    "large-bf16": target(1.2, 0.5),
    "large-1024": target(1.2, 0.5),
    "large-1024-bf16": target(1.1, 0.5),
    "large-2048": target(1.15, 0.5),
    "large-2048-bf16": target(1.15, 0.5),
    "qwen-0.5b": target(1.05, 0.6),
    "qwen-0.5b-bf16": target(1.1, 0.6),
}
TARGETS.update({case: target(2.0, 0.2) for case in CASES if case.startswith("tiny")})
