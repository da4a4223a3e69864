"""Held-out loss before healing: sparse scores against each other, block influence against every choice, activations against random widths.

    python run.py REGROW MODEL CORPUS NAME >> losses.jsonl

One JSON line a cut: what was chosen, and the held-out loss of every document, so that two cuts can be compared document by document. Calibration is
64 sequences of 256 tokens of the training part, by several seeds where a method reads text; the loss is over the first 40,000 held-out tokens.
"""

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

REGROW, MODEL, CORPUS, NAME = sys.argv[1:]
HERE = Path(__file__).resolve().parent
RANDOM = HERE.parent / "2026-11-24-prune-quality" / "random_width.py"
WORK = Path("work") / NAME
SEEDS = range(3)


def run(*arguments):
    if arguments[0] == REGROW:
        arguments += ("--threads", 1)
    return subprocess.run([str(part) for part in arguments], check=True, capture_output=True, text=True).stdout


def say(folder, **row):
    found = json.loads(run(REGROW, "eval", folder, "--corpus", CORPUS, "--tokens", "40K", "--each", "--json", "-q"))
    each = [[document["tokens"], round(document["loss"], 6)] for document in found["each"]]
    print(json.dumps({"model": NAME, **row, "loss": found["loss"], "each": each}), flush=True)


def prune(*arguments, seed=0):
    shutil.rmtree(WORK, ignore_errors=True)
    text = ["--corpus", CORPUS, "--samples", 64, "--length", 256, "--seed", seed]
    return json.loads(run(REGROW, "prune", MODEL, *arguments, *text, "--out", WORK, "--json", "-q"))


def sparse(sizes):
    half = prune("--method", "2:4-magnitude")["rate"]
    for pattern in ("2:4", "4:8", "1:4", "unstructured"):
        if pattern == "4:8" and (sizes["intermediate_size"] % 8 or sizes["hidden_size"] % 8):
            continue
        for score in ("magnitude", "wanda", "sparsegpt"):
            method = f"{pattern}-{score}"
            rate = ["--rate", half] if pattern == "unstructured" else []
            for seed in SEEDS if score != "magnitude" else [0]:
                cut = prune("--method", method, *rate, seed=seed)
                say(WORK, kind=method, seed=seed, rate=cut["rate"], fallbacks=cut.get("fallbacks", []))


def depth(layers, rates):
    for count in (1, 2, 3):
        for drop in itertools.combinations(range(layers), count):
            prune("--drop", ",".join(map(str, drop)))
            say(WORK, kind="every choice", dropped=list(drop))
        for method in ("depth-block-influence", "depth-angular"):
            for seed in SEEDS:
                cut = prune("--method", method, "--rate", rates[count - 1], seed=seed)
                say(WORK, kind=method, seed=seed, dropped=cut["dropped"], scores=cut["scores"])


def width(sizes):
    hidden, ffn, heads = sizes["hidden_size"], sizes["intermediate_size"], sizes["num_attention_heads"]
    for kept in ({"hidden": hidden * 3 // 4}, {"ffn": ffn * 3 // 4}, {"heads": heads // 2},
                 {"hidden": hidden * 3 // 4, "ffn": ffn * 3 // 4, "heads": heads // 2}):
        shape = ",".join(f"{name}={size}" for name, size in kept.items())
        for seed in SEEDS:
            prune("--method", "width-activation", "--shape", shape, seed=seed)
            say(WORK, kind="width-activation", shape=shape, seed=seed)
        prune("--method", "width-magnitude", "--shape", shape)
        say(WORK, kind="width-magnitude", shape=shape)
        flags = [word for name, size in kept.items() for word in (f"--{name}", size)]
        for seed in range(10):
            shutil.rmtree(WORK, ignore_errors=True)
            run(sys.executable, RANDOM, MODEL, WORK, "--seed", seed, *flags)
            say(WORK, kind="random width", shape=shape, seed=seed)


def main():
    say(MODEL, kind="unpruned")
    shape = json.loads(run(REGROW, "inspect", MODEL, "--json"))
    sparse(shape["shapes"])
    depth(shape["layers"], [legal["rate"] for legal in shape["legal_rates"]])
    width(shape["shapes"])
    shutil.rmtree(WORK, ignore_errors=True)


main()
