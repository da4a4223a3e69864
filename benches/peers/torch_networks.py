"""Which PyTorch is the fastest on this machine, so that `train_step` measures against that one."""

from train_step import CASES, FIGURES, PACKAGES as TORCH  # noqa: F401

TITLE = "Training step in PyTorch eager, f32: our plain Llama against transformers, and three ways to run AdamW"
PACKAGES = [*TORCH, "transformers"]
YARDSTICK = "plain"
ROUNDS = 3

STEP = ["{python}", "benches/peers/torch_step.py"]
CONTENDERS = {
    "plain": {"command": STEP},
    "transformers": {"command": [*STEP, "--network", "transformers"]},
    "plain-foreach": {"command": [*STEP, "--adamw", "foreach"]},
    "plain-loop": {"command": [*STEP, "--adamw", "loop"]},
}
