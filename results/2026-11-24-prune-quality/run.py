"""Held-out loss before healing, over methods and over every choice or ten random ones.

    python run.py REGROW MODEL CORPUS NAME >> losses.jsonl

One JSON line a cut: model, kind, what was chosen, held-out loss in nats per token over the first 40,000 held-out tokens.
"""

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

REGROW, MODEL, CORPUS, NAME = sys.argv[1:]
HERE = Path(__file__).resolve().parent
WORK = Path("work") / NAME


def run(*arguments):
    return subprocess.run([str(part) for part in arguments], check=True, capture_output=True, text=True).stdout


def loss(model):
    return json.loads(run(REGROW, "eval", model, "--corpus", CORPUS, "--tokens", "40K", "--json", "-q"))["loss"]


def say(**row):
    print(json.dumps({"model": NAME, **row}), flush=True)


def prune(*arguments):
    shutil.rmtree(WORK, ignore_errors=True)
    text = ["--corpus", CORPUS, "--samples", 64, "--length", 256]
    return json.loads(run(REGROW, "prune", MODEL, *arguments, *text, "--out", WORK, "--json", "-q"))


def main():
    say(kind="unpruned", loss=loss(MODEL))
    shape = json.loads(run(REGROW, "inspect", MODEL, "--json"))
    layers, sizes = shape["layers"], shape["shapes"]
    for count in (1, 2):
        for drop in itertools.combinations(range(layers), count):
            prune("--drop", ",".join(map(str, drop)))
            say(kind="every choice", dropped=list(drop), loss=loss(WORK))
        rate = shape["legal_rates"][count - 1]["rate"]
        for method in ("depth-block-influence", "depth-angular"):
            cut = prune("--method", method, "--rate", rate)
            say(kind=method, dropped=cut["dropped"], scores=cut["scores"], loss=loss(WORK))
        cut = prune("--method", "depth-angular", "--rate", rate, "--positions", "all")
        say(kind="depth-angular, all positions", dropped=cut["dropped"], scores=cut["scores"], loss=loss(WORK))
    heads = sizes["num_attention_heads"]
    group = heads // sizes["num_key_value_heads"]
    three_quarters = {"hidden": sizes["hidden_size"] * 3 // 4, "ffn": sizes["intermediate_size"] * 3 // 4,
                      "heads": max(group, heads * 3 // 4 // group * group)}
    for part in ({"hidden"}, {"ffn"}, {"heads"}, {"hidden", "ffn", "heads"}):
        kept = {name: size for name, size in three_quarters.items() if name in part}
        if sizes["hidden_size"] * 3 // 4 % kept.get("heads", heads) and "hidden" in kept:
            kept["hidden"] -= kept["hidden"] % kept.get("heads", heads)
        if "heads" in kept and kept.get("hidden", sizes["hidden_size"]) % kept["heads"]:
            kept["heads"] = heads // 2
        shaped = ",".join(f"{name}={size}" for name, size in kept.items())
        for tokens, sequences in itertools.product(("mean-absolute", "mean-square"), repeat=2):
            prune("--method", "width-activation", "--shape", shaped, "--over-tokens", tokens, "--over-sequences", sequences)
            say(kind="width-activation", shape=shaped, tokens=tokens, sequences=sequences, loss=loss(WORK))
        prune("--method", "width-magnitude", "--shape", shaped)
        say(kind="width-magnitude", shape=shaped, loss=loss(WORK))
        for seed in range(10):
            shutil.rmtree(WORK, ignore_errors=True)
            flags = [word for name, size in kept.items() for word in (f"--{name}", size)]
            run(sys.executable, HERE / "random_width.py", MODEL, WORK, "--seed", seed, *flags)
            say(kind="random width", shape=shaped, seed=seed, loss=loss(WORK))


main()
