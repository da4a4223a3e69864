#!/usr/bin/env python3
"""What sweeps of the quickstart gave: one line of a table for each folder, read from its files alone.

    scripts/check_loop.py OUT...

Runs heal (healed below pruned); bases are past the knee (what the last quarter of all their training took off the
held-out loss, the worst base); excess R2 and skill on the last fifth of checkpoints, held out; intervals of the tokens
that are enough (how many are finite and narrower than a factor of four, of how many places; the answer in the middle of sizes and rates, which is the page's, and at the largest of both);
the least loss over the entropy of the text, where that is known. Needs Python 3.9, nothing else.
"""

import json
import math
import pathlib
import sys


def curve(folder):
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [(p["tokens"], p["eval_loss"]) for p in lines if p.get("eval_loss") is not None and p["tokens"] > 0]


def at(points, tokens):
    """The loss at a number of tokens, straight in their logarithm between two points."""
    for (a, x), (b, y) in zip(points, points[1:]):
        if a <= tokens <= b:
            return x + (y - x) * math.log(tokens / a) / math.log(b / a)
    raise SystemExit(f"no point on both sides of {tokens} tokens")


def last_quarter(sweep, name):
    """Over all training of a base, from scratch and while it settled."""
    settled = curve(sweep / "bases" / name)
    scratch = sweep / "scratch" / name
    before = curve(scratch)[-1][0] if scratch.exists() else 0
    total = before + settled[-1][0]
    return at(settled, 0.75 * total - before) - settled[-1][1]


def shown(tokens):
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if tokens >= unit:
            return f"{tokens / unit:.3g}{name}"
    return f"{tokens:.3g}"


def middle(values):
    return sorted(values)[(len(values) - 1) // 2]


def answer(group, choose):
    """The tokens that are enough at a size and a rate: in the middle, of which the page's sentence speaks, or the largest."""
    size = choose({plan["n0"] for plan in group["decisions"]})
    plans = [plan for plan in group["decisions"] if plan["n0"] == size]
    rate = choose({plan["rate"] for plan in plans})
    enough = next(plan["enough"] for plan in plans if plan["rate"] == rate)
    if "interval" not in enough:
        return "none"
    low, high = enough["interval"]
    value = shown(enough["value"]) if "value" in enough else "no one number"
    return f"{value} ({shown(low)} to {shown(high)}, factor {high / low:.1f})"


def line(sweep):
    law = json.loads((sweep / "law.json").read_text())
    heals, runs, least = 0, 0, math.inf
    for run in sorted((sweep / "runs").iterdir()):
        done = json.loads((run / "done.json").read_text())
        least = min(least, done["best_eval_loss"])
        if "loss_pruned" in done:
            runs, heals = runs + 1, heals + (done["eval_loss"] < done["loss_pruned"])
    knee = {base.name: last_quarter(sweep, base.name) for base in sorted((sweep / "bases").iterdir())}
    worst = max(knee, key=knee.get)
    group = max(law["groups"], key=lambda group: group["runs"])
    held_out = group.get("held_out", {})
    # Bases of one size share their answer.
    places = {(plan["n0"], plan["rate"]): plan["enough"].get("interval") for plan in group["decisions"]}
    narrow = sum(1 for ends in places.values() if ends and ends[1] < 4 * ends[0])
    entropy = law.get("entropy")
    over = f"{least - entropy['nats']:+.4f} ± {entropy['standard_error']:.4f}" if entropy else ""
    number = lambda name: f"{held_out[name]:.3f}" if name in held_out else "none"
    reduced = ", ".join(other["form"] for other in law["groups"] if other is not group)
    return [
        sweep.name, f"{heals} of {runs}", f"{knee[worst]:.4f} ({worst})", number("excess_r2"), number("skill"),
        f"{narrow} of {len(places)}", answer(group, middle), answer(group, max), over, reduced,
        ", ".join(warning["code"] for warning in group["warnings"]),
    ]


def main():
    heading = [
        "sweep", "heal", "last quarter of the bases, nats, at most", "excess R2", "skill", "narrow",
        "enough tokens in the middle", "at the largest size and highest rate", "least loss over entropy, nats", "the lone size", "warnings",
    ]
    rows = [heading, ["---"] * len(heading)] + [line(pathlib.Path(path)) for path in sys.argv[1:]]
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
