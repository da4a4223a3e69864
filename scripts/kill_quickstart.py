#!/usr/bin/env python3
"""Kills a quickstart at random moments and holds what it ends with against one left alone, byte for byte.

    scripts/kill_quickstart.py target/release/regrow WHOLE OUT [--kills 10] [--seed 1] [--moments 1]

`WHOLE` is the folder of a quickstart that ran undisturbed with the same seed; it is made where it is not there. `OUT` is a new
folder. Every other kill takes the program's whole process group, as a power cut would; the rest take the program alone and
leave its jobs running, as a user's `kill -9` would. Moments are drawn over the time that the undisturbed run took, or over four minutes
where it was made elsewhere. Exits with 1 if a file differs. Needs Python 3.9, nothing else.
"""

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

FILES = ["law.json", "points.csv", "recipe.toml", "report.html", "curves.svg"]


def start(program, out, seed):
    return subprocess.Popen(
        [program, "quickstart", "--seed", str(seed), "--out", str(out)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )


def finish(process):
    if process.wait() not in (0, 3):
        sys.exit(f"the quickstart ended with status {process.returncode}; give its command again to see why")


def kill(process, group):
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("whole", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--moments", type=int, default=1, help="seed of the moments")
    given = parser.parse_args()

    seconds = 240.0
    if not (given.whole / "law.json").exists():
        begin = time.monotonic()
        finish(start(given.program, given.whole, given.seed))
        seconds = time.monotonic() - begin
        print(f"undisturbed: {seconds:.0f} s", flush=True)
    chance = random.Random(given.moments)
    moments = sorted(chance.uniform(1, seconds) for _ in range(given.kills))
    killed, spent = 0, 0.0
    for number, moment in enumerate(moments):
        process, begin = start(given.program, given.out, given.seed), time.monotonic()
        try:
            process.wait(timeout=max(0.2, moment - spent))
        except subprocess.TimeoutExpired:
            group = number % 2 == 0
            kill(process, group)
            killed += 1
            print(f"kill {number + 1}: after {moment:.1f} s, {'all processes' if group else 'the program alone'}", flush=True)
        spent += time.monotonic() - begin
    finish(start(given.program, given.out, given.seed))
    differ = [name for name in FILES if (given.whole / name).read_bytes() != (given.out / name).read_bytes()]
    print(f"killed {killed} times; " + (f"these differ: {', '.join(differ)}" if differ else f"the same bytes: {', '.join(FILES)}"))
    sys.exit(1 if differ or killed < given.kills else 0)


if __name__ == "__main__":
    main()
