"""A distilled step of our engine beside PyTorch's, in turns, on one thread: seconds of the processor, and peak memory.

    python results/2026-11-30-distil/speed.py TRAIN_STEP PYTHON --rounds 3 [--case small] > speed.json

TRAIN_STEP is the example of `crates/train`, PYTHON one with torch. The cases are those of `benches/peers/distil_step.py`. Other
work on the machine takes time, but no time of the processor that a process is charged for. A step's time is the difference
between a long and a short run, divided by the steps between them: what starts, loads and compiles falls out.
Ratios are taken within a round, then their median.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches/peers"))
from distil_step import CASES  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("ours")
parser.add_argument("python")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--case", action="append")
parser.add_argument("--tcmalloc", default="", help="preloaded to PyTorch, where there is one")
given = parser.parse_args()
TORCH = [given.python, str(ROOT / "benches/peers/torch_step.py")]
CONTENDERS = {"regrow": [given.ours], "eager": TORCH, "compiled": [*TORCH, "--compile"]}
# Steps of the short and of the long run, by the width.
STEPS = {"small": (2, 10), "large": (1, 4)}


def run(name, case, steps):
    """Seconds of the processor and megabytes of a run of so many steps."""
    words = [*CONTENDERS[name], *case, "--steps", str(steps), "--warmup", "1", "--threads", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    if name != "regrow" and given.tcmalloc:
        environment["LD_PRELOAD"] = given.tcmalloc
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.DEVNULL, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
    return None if status else (usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def measured(name, case, few, many):
    short, long = run(name, case, few), run(name, case, many)
    if not (short and long):
        return None
    return {"seconds": (long[0] - short[0]) / (many - few), "megabytes": long[1]}


def main():
    found = {}
    for case in given.case or CASES:
        # The last of two numbers of threads counts for both programs, so the case's own goes.
        words = [word for i, word in enumerate(CASES[case]) if not {word, CASES[case][i - 1]} & {"--threads", "--steps", "--warmup"}]
        few, many = STEPS[case.split("-")[0]]
        rounds = {name: [] for name in CONTENDERS}
        for number in range(given.rounds):
            for name in CONTENDERS if number % 2 == 0 else reversed(CONTENDERS):
                rounds[name].append(measured(name, words, few, many))
                print(case, name, rounds[name][-1], os.getloadavg()[0], file=sys.stderr, flush=True)
        found[case] = {"rounds": rounds}
        for name in CONTENDERS:
            pairs = [(ours, other) for ours, other in zip(rounds["regrow"], rounds[name]) if ours and other]
            if name != "regrow" and pairs:
                found[case][name] = {
                    "times_as_fast": round(statistics.median(b["seconds"] / a["seconds"] for a, b in pairs), 3),
                    "memory": round(statistics.median(a["megabytes"] / b["megabytes"] for a, b in pairs), 3),
                }
        print(json.dumps(found[case]), file=sys.stderr, flush=True)
    print(json.dumps(found, indent=1))


main()
