"""Time, peak memory and bytes of `regrow prune` on a large model, beside what its `--dry-run` says before.

    python measure.py methods --regrow BIN --base DIR --corpus DIR --out DIR --samples 8 --length 512 --to runs.jsonl METHOD...
    python measure.py copies --regrow BIN --base DIR --out DIR --rounds 5 --to copies.jsonl

A METHOD is an id with what it is told, as in `depth-list:drop=3,7`. The file cache is dropped before every run (root), and the output removed
after it. Peak memory is the largest resident set that the system counted, mapped pages included; bytes are those that the process had read
from the disk and made dirty. `copies` lets `cp -r` followed by `sync` take turns with a depth cut and with zeros by magnitude.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path


def cold():
    subprocess.run(["sync"], check=True)
    Path("/proc/sys/vm/drop_caches").write_text("3")


def run(command):
    """One process: seconds, peak memory, bytes."""
    load = os.getloadavg()[0]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        sys.exit(f"{' '.join(command)}\n{out}{errors}")
    return {"seconds": round(seconds, 3), "peak": usage.ru_maxrss * 1024, "read": usage.ru_inblock * 512,
            "written": usage.ru_oublock * 512, "user": round(usage.ru_utime, 2), "system": round(usage.ru_stime, 2),
            "load_before": round(load, 2)}


def record(path, row):
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)


def methods(given):
    for wanted in given.methods:
        method, _, told = wanted.partition(":") if wanted.startswith(("depth", "width", "unstr")) else (wanted, "", "")
        flags = [part for option in told.split(";") if option for part in ("--" + option.replace("=", " ", 1)).split(" ")]
        text = ["--corpus", str(given.corpus), "--samples", str(given.samples), "--length", str(given.length)]
        command = [given.regrow, "prune", str(given.base), "--method", method, *flags, *text]
        if given.spill:
            command += ["--spill", str(given.spill)]
        plan = json.loads(subprocess.run([*command, "--dry-run", "--json"], check=True, capture_output=True, text=True).stdout)
        cold()
        figures = run([*command, "--out", str(given.out), "-q"])
        size = sum(file.stat().st_size for file in given.out.iterdir())
        shutil.rmtree(given.out)
        row = {"base": given.base.name, "method": method, "told": told, "samples": given.samples, "length": given.length,
               "spilled": bool(given.spill), **figures, "output": size,
               "plan": {"seconds": round(plan["seconds"], 1), "peak": plan["memory"]["peak"], "bound": plan["memory"]["bound"],
                        "read": plan["read_bytes"], "output": plan["output_bytes"], "spilled": plan["spilled_bytes"]}}
        record(given.to, row)


def copies(given):
    base, out = str(given.base), str(given.out)
    contenders = {
        "cp": ["sh", "-c", f"cp -r '{base}' '{out}' && sync"],
        "depth-list": [given.regrow, "prune", base, "--drop", given.drop, "--out", out, "-q"],
        "2:4-magnitude": [given.regrow, "prune", base, "--method", "2:4-magnitude", "--out", out, "-q"],
    }
    wanted = given.contenders.split(",")
    for turn in range(given.rounds):
        for name in wanted if turn % 2 == 0 else reversed(wanted):
            cold()
            figures = run(contenders[name])
            size = sum(file.stat().st_size for file in given.out.iterdir())
            shutil.rmtree(given.out)
            record(given.to, {"base": given.base.name, "round": turn, "contender": name, **figures, "output": size})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["methods", "copies"])
    parser.add_argument("methods", nargs="*")
    parser.add_argument("--regrow", required=True)
    parser.add_argument("--to", required=True)
    for name in ("base", "out", "corpus", "spill"):
        parser.add_argument(f"--{name}", type=Path, required=name in ("base", "out"))
    for name, default in (("samples", 8), ("length", 512), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--drop", default="7", help="the blocks that the depth cut removes")
    parser.add_argument("--contenders", default="cp,depth-list,2:4-magnitude")
    given = parser.parse_intermixed_args()
    {"methods": methods, "copies": copies}[given.what](given)


if __name__ == "__main__":
    main()
