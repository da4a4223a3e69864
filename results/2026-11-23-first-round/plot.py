"""Draws the curves of this folder: `python results/2026-11-23-first-round/plot.py` (needs matplotlib)."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "regrow", "font.size": 9})
import matplotlib.pyplot as plt

HERE = Path(__file__).parent


def held_out(name):
    points = [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text().splitlines()]
    return [(p["tokens"], p["eval_loss"]) for p in points if "eval_loss" in p]


def draw(axes, curves, title):
    for name, label, colour, dash in curves:
        points = held_out(name)
        start, rest = points[0][1], points[1:]
        axes.plot(*zip(*rest), dash, color=colour, label=f"{label} (before: {start:.2f})", markersize=3)
    axes.set(xscale="log", xlabel="training tokens", ylabel="held-out loss, nats per token", title=title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
draw(left, [("stories260K", "no block dropped", "#000000", "s:"), ("pruned-1", "one of five blocks", "#0072B2", "o-"),
            ("pruned-2", "two of five blocks", "#D55E00", "^--")], "stories260K, healed on TinyStories")
draw(right, [("scratch-llama", "Llama shape", "#0072B2", "o-"), ("scratch-qwen2", "Qwen2 shape", "#D55E00", "^--")],
     "1.1M parameters from scratch, English novels")
figure.savefig(HERE / "curves.svg", metadata={"Date": None})
