"""Sparse scores on one linear layer of the size of a down projection of Llama-3.2-1B: ours against PyTorch, f32, the same threads."""

TITLE = "Zeros in one layer of 2048 x 8192, f32"
PACKAGES = ["torch"]
YARDSTICK = "pytorch"
ROUNDS = 5

FIGURES = {
    "seconds": {"unit": "s", "better": "lower"},
    "statistics": {"unit": "s", "better": "lower"},
}

LAYER = ["--rows", "2048", "--columns", "8192", "--tokens", "4096", "--threads", "2"]
QUICK, SLOW = [*LAYER, "--repeats", "9"], [*LAYER, "--repeats", "2"]
CASES = {
    "wanda": ["--method", "2:4-wanda", *QUICK],
    "wanda-half": ["--method", "unstructured-wanda", *QUICK],
    "sparsegpt": ["--method", "2:4-sparsegpt", *SLOW],
    "sparsegpt-half": ["--method", "unstructured-sparsegpt", *SLOW],
}

BUILD = ["cargo", "build", "--release", "--locked", "-p", "regrow-prune", "--example", "prune_layer"]
CONTENDERS = {
    # How it takes the lowest of a group is its fastest way here; `pytorch-topk` is the one that comes to mind first.
    "pytorch": {"command": ["{python}", "benches/peers/torch_layer.py", "--groups", "ranks"]},
    "pytorch-topk": {"command": ["{python}", "benches/peers/torch_layer.py", "--groups", "topk"]},
    "regrow": {"command": ["target/release/examples/prune_layer"], "build": BUILD},
}

# Times the yardstick at most; half is what is wished for.
TARGETS = {case: {"seconds": {"regrow": 1.0}} for case in CASES}
