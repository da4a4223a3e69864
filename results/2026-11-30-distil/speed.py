"""A distilled step of our engine beside PyTorch's, in turns: tokens a second and peak memory.

    python results/2026-11-30-distil/speed.py TRAIN_STEP PYTHON --rounds 3 [--tcmalloc FILE.so] [--case small] > speed.json

TRAIN_STEP is the example of `crates/train`, PYTHON one with torch. The cases are those of `benches/peers/distil_step.py`.
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
parser.add_argument("--tcmalloc", default="")
parser.add_argument("--case", action="append")
parser.add_argument("--steps")
given = parser.parse_args()
TORCH = [given.python, str(ROOT / "benches/peers/torch_step.py")]
CONTENDERS = {
    "regrow": ([given.ours], {}),
    "eager": (TORCH, {}),
    "eager, tcmalloc": (TORCH, {"LD_PRELOAD": given.tcmalloc}),
    "compiled, tcmalloc": ([*TORCH, "--compile"], {"LD_PRELOAD": given.tcmalloc}),
}


def measured(command, environment, case):
    if given.steps:
        case = [*case, "--steps", given.steps, "--warmup", "2" if "--compile" in command else "1"]
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([*command, *case], stdout=out, stderr=subprocess.DEVNULL,
                                   env={**os.environ, **environment})
        _, status, usage = os.wait4(process.pid, 0)
        out.seek(0)
        lines = out.read().decode().strip().splitlines()
    if status != 0:
        return None
    return {"tokens_per_second": json.loads(lines[-1])["tokens_per_second"], "megabytes": usage.ru_maxrss / 1024,
            "processor_seconds": usage.ru_utime + usage.ru_stime}


found = {}
for case in given.case or CASES:
    rounds = {name: [] for name in CONTENDERS}
    for number in range(given.rounds):
        order = list(CONTENDERS.items())
        for name, (command, environment) in order if number % 2 == 0 else reversed(order):
            rounds[name].append(measured(command, environment, CASES[case]))
            print(case, name, rounds[name][-1], file=sys.stderr, flush=True)
    found[case] = {"rounds": rounds}
    for name in CONTENDERS:
        pairs = [(ours, other) for ours, other in zip(rounds["regrow"], rounds[name]) if ours and other]
        if name != "regrow" and pairs:
            found[case][name] = {
                key: round(statistics.median(ours[key] / other[key] for ours, other in pairs), 3)
                for key in ("tokens_per_second", "megabytes")}
print(json.dumps(found, indent=1))
