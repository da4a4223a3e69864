#!/usr/bin/env python3
"""Holds the certified problems typed into `crates/law/tests/nist/data.rs` against the files as NIST published them.

The source distribution of lmfit carries these files unchanged, in its folder `NIST_STRD`:

    pip download --no-deps --no-binary :all: lmfit==1.3.2 && tar xzf lmfit-1.3.2.tar.gz
    python scripts/check_nist.py lmfit-1.3.2/NIST_STRD

Prints a line a problem and ends with status 1 where a number differs.
"""

import re
import sys
from pathlib import Path

TYPED = Path(__file__).parent.parent / "crates/law/tests/nist/data.rs"
NUMBER = re.compile(r"-?\d+\.?\d*(?:[eE][+-]?\d+)?")


def numbers(text):
    return [float(found) for found in NUMBER.findall(text)]


def typed():
    """By name: the two starts, the certified constants, the residual sum of squares, pairs of x and y."""
    text = TYPED.read_text()
    tables = dict(re.findall(r"const (\w+): &\[\(f64, f64\)\] =\s*&\[(.*?)\];", text, re.S))
    pairs = {name: re.findall(r"\(([^,()]+),\s*([^,()]+)\)", body) for name, body in tables.items()}
    found = {}
    for problem in re.findall(r"Problem \{\s*(name: .*?)\n    \}", text, re.S):
        name = re.search(r'name: "(\w+)"', problem).group(1)
        starts = re.search(r"starts: \[(.*?)\],\s*certified", problem, re.S).group(1)
        certified = re.search(r"certified: &\[(.*?)\]", problem, re.S).group(1)
        residual = re.search(r"residual: (\S+),", problem).group(1)
        table = re.search(r"data: (\w+)", problem).group(1)
        data = [(float(x), float(y)) for x, y in pairs[table]]
        starts = [numbers(start) for start in re.findall(r"&\[(.*?)\]", starts, re.S)]
        found[name] = starts, numbers(certified), float(residual), data
    return found


def published(path):
    """The same from a published file, whose data lines hold y before x."""
    lines = path.read_text(errors="replace").splitlines()
    constants = [numbers(line.split("=", 1)[1]) for line in lines if re.match(r"\s*b\d+\s*=", line)]
    starts = [[row[0] for row in constants], [row[1] for row in constants]]
    residual = next(line for line in lines if line.startswith("Residual Sum of Squares"))
    first = max(i for i, line in enumerate(lines) if line.startswith("Data:")) + 1
    rows = [numbers(line) for line in lines[first:] if line.strip()]
    return starts, [row[2] for row in constants], numbers(residual)[0], [(row[1], row[0]) for row in rows]


def main():
    folder = Path(sys.argv[1])
    differ = 0
    for name, ours in typed().items():
        theirs = published(folder / f"{name}.dat")
        names = ("starts", "constants", "residual", "data")
        wrong = [what for what, a, b in zip(names, ours, theirs) if a != b]
        differ += bool(wrong)
        said = "differs in " + ", ".join(wrong) if wrong else f"the same, {len(theirs[3])} points"
        print(f"{name:10} {said}")
    sys.exit(bool(differ))


main()
