"""Draws `speed.svg` from `rounds.jsonl`: every round a dot, medians as bars."""

import json
import statistics

rounds = [json.loads(line) for line in open("rounds.jsonl")]
cases = ["txt", "jsonl", "jsonl-gz", "jsonl-zst", "parquet"]
sides = {"tokenizers": ("#9aa5b1", "library alone"), "regrow": ("#2f6f4f", "regrow tokenize")}
step, top, height, scale = 120, 40, 240, 26
out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {80 + step * len(cases)} {top + height + 60}" '
       'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>']
y = lambda value: top + height - value * scale
for tick in range(0, 10, 2):
    out.append(f'<line x1="60" x2="{60 + step * len(cases)}" y1="{y(tick)}" y2="{y(tick)}" stroke="#ddd"/>'
               f'<text x="50" y="{y(tick) + 4}" text-anchor="end">{tick}</text>')
out.append(f'<text x="60" y="24">MB of text a second on two cores, three rounds</text>')
for i, case in enumerate(cases):
    for j, (side, (colour, _)) in enumerate(sides.items()):
        values = [r["figures"]["megabytes_per_second"] for r in rounds if (r["case"], r["contender"]) == (case, side)]
        x, middle = 76 + i * step + j * 42, statistics.median(values)
        out.append(f'<rect x="{x}" y="{y(middle)}" width="38" height="{middle * scale}" fill="{colour}"/>'
                   f'<text x="{x + 19}" y="{y(0) - 10}" text-anchor="middle" fill="white">{middle:.1f}</text>')
        out += [f'<circle cx="{x + 19}" cy="{y(value)}" r="3" fill="none" stroke="black"/>' for value in values]
    out.append(f'<text x="{76 + i * step + 40}" y="{top + height + 20}" text-anchor="middle">{case}</text>')
for j, (colour, label) in enumerate(sides.values()):
    out.append(f'<rect x="{76 + j * 160}" y="{top + height + 34}" width="14" height="14" fill="{colour}"/>'
               f'<text x="{96 + j * 160}" y="{top + height + 46}">{label}</text>')
open("speed.svg", "w").write("\n".join(out) + "\n</svg>\n")
