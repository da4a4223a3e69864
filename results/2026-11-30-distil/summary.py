"""Tables and a picture of the runs of `experiment.py`.

    python results/2026-11-30-distil/summary.py WORK OUT

Intervals are of the mean over seeds (orders of the text), at 90 %, by Student's t. At equal operations, a distilled run is
taken where it has spent what the run on text alone spends in all: 6 operations for each parameter of the student a token,
and 2 for each of the teacher, in training only. Its loss there is interpolated in the logarithm of tokens.
"""

import csv
import json
import math
import re
import statistics
import sys
from pathlib import Path

T90 = {1: 6.314, 2: 2.920, 3: 2.353, 4: 2.132}
COLOURS = {"lm": "#555555", "distil": "#0068b5", "mix": "#d1495b"}


def read(work):
    found = {}
    for folder in sorted((work / "runs").iterdir()):
        if not (folder / "done.json").exists():
            continue
        name, cut, objective, seed = re.fullmatch(r"(.+)-(\d)-(\w+)-(\d)", folder.name).groups()
        record = json.loads((folder / "record.json").read_text())
        points = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        points = [point for point in points if "eval_loss" in point]
        found.setdefault((name, int(cut)), {}).setdefault(objective, {})[int(seed)] = (record, points)
    return found


def at(points, tokens):
    """Held-out loss after so many tokens."""
    points = [(point["tokens"], point["eval_loss"]) for point in points if point["tokens"] > 0]
    for (a, x), (b, y) in zip(points, points[1:]):
        if a <= tokens <= b:
            return x + (y - x) * math.log(tokens / a) / math.log(b / a)
    return points[-1][1]


def mean(values):
    half = T90[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return statistics.mean(values), half


def shown(values):
    middle, half = mean(values)
    return f"{middle:.4f}" if half is None else f"{middle:.4f} ± {half:.4f}"


def main():
    work, out = Path(sys.argv[1]), Path(sys.argv[2])
    found = read(work)
    lines, rows, panels = [], [], []
    lines.append("| model | rate | seeds | before pruning | pruned | text | teacher | both | teacher, same operations | both, "
                 "same operations |\n|---|---|---|---|---|---|---|---|---|---|")
    for (name, cut), objectives in sorted(found.items()):
        record, points = objectives["lm"][0]
        n0, rate = record["n0"], record["rate"]
        student = n0 * (1 - rate)
        seeds = sorted(set.intersection(*(set(objectives.get(o, {})) for o in COLOURS)))
        if not seeds:
            continue
        last = {o: [objectives[o][seed][1][-1]["eval_loss"] for seed in seeds] for o in COLOURS}
        share = 6 * student / (6 * student + 2 * n0)
        paid = {o: [at(objectives[o][seed][1], share * points[-1]["tokens"]) for seed in seeds]
                for o in ("distil", "mix")}
        lines.append(f"| {name} | {rate:.2f} | {len(seeds)} | {record['loss0']:.4f} | {points[0]['eval_loss']:.4f} | "
                     + " | ".join(shown(last[o]) for o in COLOURS) + " | "
                     + " | ".join(shown(paid[o]) for o in ("distil", "mix")) + " |")
        panels.append((name, rate, record["loss0"], n0, student,
                       {o: [objectives[o][seed][1] for seed in seeds] for o in COLOURS}))
        for objective, runs in objectives.items():
            for seed, (_, points) in runs.items():
                rows += [[name, cut, f"{rate:.6f}", n0, objective, seed, p["tokens"], p["eval_loss"], p.get("eval_kl", "")]
                         for p in points]
    lines.append("\n| model | rate | full teacher | cache of 64 | difference | divergence of both |\n|---|---|---|---|---|---|")
    for (name, cut), objectives in sorted(found.items()):
        if 0 in objectives.get("cached", {}) and 0 in objectives.get("distil", {}):
            (record, whole), (_, cached) = objectives["distil"][0], objectives["cached"][0]
            a, b = whole[-1], cached[-1]
            lines.append(f"| {name} | {record['rate']:.2f} | {a['eval_loss']:.4f} | {b['eval_loss']:.4f} | "
                         f"{b['eval_loss'] - a['eval_loss']:+.4f} | {a['eval_kl']:.4f}, {b['eval_kl']:.4f} |")
    with (out / "curves.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["model", "cut", "rate", "n0", "objective", "seed", "tokens", "loss", "divergence"])
        writer.writerows(rows)
    (out / "curves.svg").write_text(picture(panels))
    print("\n".join(lines))


def picture(panels):
    """Two rows of panels: loss against tokens, and against operations."""
    width, height, left = 210, 170, 46
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + len(panels) * (width + 24)} {2 * height + 130}" '
           'font-family="sans-serif" font-size="10"><rect width="100%" height="100%" fill="white"/>']
    for row, of in enumerate(("tokens", "operations")):
        for column, (name, rate, loss0, n0, student, runs) in enumerate(panels):
            def x_of(objective, point):
                each = 6 * student + (2 * n0 if objective != "lm" else 0)
                return point["tokens"] * (each if of == "operations" else 1)
            lists = [(o, [p for p in points if p["tokens"] > 0]) for o, all in runs.items() for points in all]
            xs = [math.log10(x_of(o, p)) for o, points in lists for p in points]
            ys = [p["eval_loss"] for _, points in lists for p in points]
            low_x, high_x, low_y, high_y = min(xs), max(xs), min(*ys, loss0), sorted(ys)[int(0.97 * len(ys))]
            ox, oy = left + column * (width + 24), 36 + row * (height + 56)
            place = lambda x, y: (ox + (math.log10(x) - low_x) / (high_x - low_x) * width,
                                  oy + height - (min(y, high_y) - low_y) / (high_y - low_y) * height)
            svg.append(f'<rect x="{ox}" y="{oy}" width="{width}" height="{height}" fill="none" stroke="#bbb"/>')
            svg.append(f'<text x="{ox}" y="{oy - 6}">{name}, rate {rate:.2f}</text>')
            svg.append(f'<text x="{ox}" y="{oy + height + 14}">{10 ** low_x:.3g}</text>'
                       f'<text x="{ox + width}" y="{oy + height + 14}" text-anchor="end">{10 ** high_x:.3g} {of}</text>'
                       f'<text x="{ox - 3}" y="{oy + height}" text-anchor="end">{low_y:.2f}</text>'
                       f'<text x="{ox - 3}" y="{oy + 9}" text-anchor="end">{high_y:.2f}</text>')
            for objective, all in runs.items():
                steps = [[p for p in points if p["tokens"] > 0] for points in all]
                for together in zip(*steps):
                    middle, half = mean([p["eval_loss"] for p in together])
                    if half:
                        x, y = place(x_of(objective, together[0]), middle - half)
                        _, z = place(x_of(objective, together[0]), middle + half)
                        svg.append(f'<path d="M{x:.1f} {y:.1f}V{z:.1f}" stroke="{COLOURS[objective]}" opacity="0.6"/>')
                line = [place(x_of(objective, t[0]), mean([p["eval_loss"] for p in t])[0]) for t in zip(*steps)]
                path = "L".join(f"{x:.1f} {y:.1f}" for x, y in line)
                svg.append(f'<path d="M{path}" fill="none" stroke="{COLOURS[objective]}" stroke-width="1.5"/>')
    for i, (objective, word) in enumerate({"lm": "text", "distil": "teacher", "mix": "both"}.items()):
        svg.append(f'<text x="{left + 90 * i}" y="16" fill="{COLOURS[objective]}">{word}</text>')
    return "\n".join(svg + ["</svg>\n"])


main()
