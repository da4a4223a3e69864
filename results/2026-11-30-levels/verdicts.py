"""Gathers verdicts of `regrow validate TABLE.csv --json > TABLE.json` into one table, and pools them by points.

    for t in seed1 seed2 seed3 seed4 seed5 novels redpajama; do
        regrow validate results/2026-11-26-loop-of-habits/$t.csv --json > $t.json
    done
    python3 results/2026-11-30-levels/verdicts.py *.json > verdicts.csv
"""

import json
import pathlib
import sys

FIELDS = "points error rival rival_error skill held interval_score withheld".split()


def pooled(rows):
    """Means over points of a question, over all tables."""
    mean = lambda field: sum(row[field] * row["points"] for row in rows) / sum(row["points"] for row in rows)
    error, rival = mean("error"), mean("rival_error")
    return {
        "points": sum(row["points"] for row in rows),
        "error": error,
        "rival": "the best of each table",
        "rival_error": rival,
        "skill": 1 - error / rival,
        "held": mean("held"),
        "interval_score": mean("interval_score"),
        "withheld": sum(row["withheld"] for row in rows),
    }


def show(table, question, row):
    cells = [row.get(field) for field in FIELDS]
    shown = [f"{cell:.4g}" if isinstance(cell, float) else "" if cell is None else str(cell) for cell in cells]
    print(",".join([table, question, *shown]))


print(",".join(["table", "held_out", *FIELDS]))
questions = {}
for name in sys.argv[1:]:
    path = pathlib.Path(name)
    groups = json.loads(path.read_text())["groups"]
    # The series of many runs; the other one has three.
    group = max(groups, key=lambda group: group["points"])
    for row in group["verdicts"]:
        show(path.stem, row["question"], row)
        if row.get("held") is not None and row.get("error") is not None:
            questions.setdefault(row["question"], []).append(row)
for question, rows in questions.items():
    show("all", question, pooled(rows))
