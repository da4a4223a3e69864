"""A training step at two sizes: our engine against PyTorch eager, f32, the same arguments to both."""

TITLE = "Training step in f32: forward, backward, clipping by global norm, AdamW"
PACKAGES = ["torch"]
YARDSTICK = "pytorch"
ROUNDS = 7

FIGURES = {
    "tokens_per_second": {"unit": "tokens/s", "better": "higher"},
    "loss": {"unit": "nats", "better": None},
}

RUN = ["--length", "256", "--batch", "8", "--steps", "12", "--warmup", "3", "--threads", "2"]
CASES = {
    "small": ["--hidden", "256", "--layers", "6", "--heads", "4", "--kv-heads", "2", "--inner", "704",
              "--vocabulary", "4096", *RUN],
    "large": ["--hidden", "512", "--layers", "8", "--heads", "8", "--kv-heads", "4", "--inner", "1408",
              "--vocabulary", "8192", *RUN],
}

BUILD = ["cargo", "build", "--release", "--locked", "-p", "regrow-train", "--example", "train_step"]
CONTENDERS = {
    "pytorch": {"command": ["{python}", "benches/peers/torch_step.py"]},
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

# Times the yardstick: tokens a second at least, memory at most.
TARGETS = {
    "small": {"tokens_per_second": {"regrow-native": 1.25}, "peak_memory": {"regrow": 0.35, "regrow-native": 0.35}},
    "large": {"tokens_per_second": {"regrow-native": 1.10}, "peak_memory": {"regrow": 0.5, "regrow-native": 0.5}},
}
