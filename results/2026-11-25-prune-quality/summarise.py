"""The tables of README.md from `losses.jsonl`, and 1 where an order does not hold: python summarise.py"""

import json
import statistics
import sys
from pathlib import Path

rows = [json.loads(line) for line in (Path(__file__).parent / "losses.jsonl").read_text().splitlines()]
broken = []


def paired(a, b):
    """Mean difference of loss a token, and its standard error over documents (a ratio of sums, linearised)."""
    tokens = [document[0] for document in a["each"]]
    off = [n * (x[1] - y[1]) for n, x, y in zip(tokens, a["each"], b["each"], strict=True)]
    mean = sum(off) / sum(tokens)
    rest = [d - mean * n for d, n in zip(off, tokens)]
    return mean, len(rest) ** 0.5 * statistics.stdev(rest) / sum(tokens)


def middle(cuts):
    """The cut of the median seed."""
    return sorted(cuts, key=lambda row: row["loss"])[len(cuts) // 2]


for model in dict.fromkeys(row["model"] for row in rows):
    own = [row for row in rows if row["model"] == model]
    print(f"\n### {model}, unpruned {own[0]['loss']:.4f}\n")
    print("| pattern | realised rate | magnitude | Wanda (least, median, most of seeds) | SparseGPT | Wanda - magnitude | SparseGPT - magnitude "
          "| SparseGPT - Wanda |\n|---|---|---|---|---|---|---|---|")
    for pattern in ("2:4", "4:8", "1:4", "unstructured"):
        cuts = {score: [row for row in own if row["kind"] == f"{pattern}-{score}"] for score in ("magnitude", "wanda", "sparsegpt")}
        if not cuts["sparsegpt"]:
            continue
        spread = {score: [f"{row['loss']:.4f}" for row in sorted(cuts[score], key=lambda row: row["loss"])] for score in cuts}
        shown = {score: spread[score][0] if len(spread[score]) == 1 else
                 f"{spread[score][0]}, {spread[score][len(spread[score]) // 2]}, {spread[score][-1]}" for score in cuts}
        line = []
        for a, b in (("wanda", "magnitude"), ("sparsegpt", "magnitude"), ("sparsegpt", "wanda")):
            mean, error = paired(middle(cuts[a]), middle(cuts[b]))
            line.append(f"{mean:+.4f} ± {error:.4f}")
            if pattern == "2:4" and b == "magnitude" and max(row["loss"] for row in cuts[a]) >= cuts[b][0]["loss"]:
                broken.append(f"{model}: 2:4-{a} is not better than magnitude for every seed")
        print(f"| {pattern} | {cuts['magnitude'][0]['rate']:.4f} | {shown['magnitude']} | {shown['wanda']} | {shown['sparsegpt']} | "
              + " | ".join(line) + " |")
    if not any(row["kind"] == "every choice" for row in own):
        continue
    print("\n| blocks dropped | choices | best | median | worst | block influence (dropped: loss, place) | angular distance |\n|---|---|---|---|---|---|---|")
    for count in (1, 2, 3):
        choices = sorted(row["loss"] for row in own if row["kind"] == "every choice" and len(row["dropped"]) == count)
        line = []
        for method in ("depth-block-influence", "depth-angular"):
            cuts = {tuple(row["dropped"]): row["loss"] for row in own if row["kind"] == method and len(row["dropped"]) == count}
            line.append("; ".join(f"{', '.join(map(str, dropped))}: {loss:.4f}, {sum(c < loss for c in choices) + 1}" for dropped, loss in cuts.items()))
            if method == "depth-block-influence" and max(cuts.values()) > statistics.median(choices):
                broken.append(f"{model}: block influence is worse than the median for {count} blocks")
        print(f"| {count} | {len(choices)} | {choices[0]:.4f} | {statistics.median(choices):.4f} | {choices[-1]:.4f} | " + " | ".join(line) + " |")
    print("\n| kept | random: best, median, worst of ten | activations (least, most of seeds) | magnitude |\n|---|---|---|---|")
    for shape in dict.fromkeys(row["shape"] for row in own if "shape" in row):
        of = lambda kind: sorted(row["loss"] for row in own if row.get("shape") == shape and row["kind"] == kind)
        random, active, size = of("random width"), of("width-activation"), of("width-magnitude")
        if active[-1] >= statistics.median(random):
            broken.append(f"{model}: activations are not better than random widths for {shape}")
        print(f"| {shape} | {random[0]:.4f}, {statistics.median(random):.4f}, {random[-1]:.4f} | {active[0]:.4f}, {active[-1]:.4f} | {size[0]:.4f} |")
print()
for order in broken:
    print("does not hold:", order)
sys.exit(1 if broken else 0)
