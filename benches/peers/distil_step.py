"""A training step against a teacher at two shapes: our engine against PyTorch, the same arguments to both.

The teacher has the shape of the student and a third more blocks: what depth pruning by a quarter leaves learns from what
there was before.
"""

from train_step import BF16, BUILD, CONTENDERS, FIGURES, LARGE, PACKAGES, SMALL, target, text  # noqa: F401

TITLE = "Distilled training step: teacher forward, forward, backward, clipping by global norm, AdamW"
YARDSTICK = "pytorch"
ROUNDS = 5

CASES = {
    "small": [*SMALL, "--teacher-layers", "8", *text(256, 8)],
    "small-bf16": [*SMALL, "--teacher-layers", "8", *text(256, 8), *BF16],
    "large": [*LARGE, "--teacher-layers", "11", *text(256, 8, 5, 1)],
    "large-bf16": [*LARGE, "--teacher-layers", "11", *text(256, 8, 5, 1), *BF16],
}
TARGETS = {case: target(1.2, 0.6) for case in CASES}
