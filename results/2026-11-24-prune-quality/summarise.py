"""The tables of README.md from `losses.jsonl`: python summarise.py"""

import json
import statistics
from collections import defaultdict
from pathlib import Path

rows = [json.loads(line) for line in (Path(__file__).parent / "losses.jsonl").read_text().splitlines()]
for model in dict.fromkeys(row["model"] for row in rows):
    own = [row for row in rows if row["model"] == model]
    print(f"\n{model}: unpruned {own[0]['loss']:.4f}\n")
    for count in sorted({len(row["dropped"]) for row in own if "dropped" in row}):
        cuts = [row for row in own if len(row.get("dropped", [])) == count]
        choices = sorted(row["loss"] for row in cuts if row["kind"] == "every choice")
        print(f"{count} blocks: of {len(choices)} choices best {choices[0]:.4f}, median {statistics.median(choices):.4f}, worst {choices[-1]:.4f}")
        for row in cuts:
            if row["kind"] != "every choice":
                place = sum(loss < row["loss"] for loss in choices) + 1
                print(f"  {row['kind']}: {row['dropped']} {row['loss']:.4f}, {place} of {len(choices)}")
    shapes = defaultdict(list)
    for row in own:
        if "shape" in row:
            shapes[row["shape"]].append(row)
    for shape, cuts in shapes.items():
        random = sorted(row["loss"] for row in cuts if row["kind"] == "random width")
        if random:
            print(f"{shape}: ten random, best {random[0]:.4f}, median {statistics.median(random):.4f}")
        for row in cuts:
            if row["kind"] != "random width":
                how = f" {row['tokens']}, {row['sequences']}" if "tokens" in row else ""
                print(f"  {row['kind']}{how}: {row['loss']:.4f}")
