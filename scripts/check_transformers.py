"""Do pruned models of both families and of every method load in stock transformers, with the logits of our own forward pass?

    python scripts/check_transformers.py --regrow target/release/regrow --work DIR [--model FOLDER --corpus CORPUS]... > loads.jsonl

Each MODEL is pruned by every method that `regrow prune --help` names, by one other N:M pattern of each score and by unstructured zeros, in one
file and in shards. What comes out is loaded by `from_pretrained` in float32 and given 48 random tokens; our logits are those of `regrow
generate --logits`. A weight that is missing, unexpected or of another shape, a logit that differs by more than 1e-4, or a `sparsity_config`
makes the script fail. One line a model and method, the versions first.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

TOLERANCE = 1e-4
OTHERS = ["1:4-magnitude", "3:4-wanda", "1:2-sparsegpt", "unstructured-magnitude", "unstructured-wanda", "unstructured-sparsegpt"]


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}\n{done.stderr}")
    return done.stdout


def methods(regrow):
    words = " ".join(run(regrow, "prune", "--help").split())
    listed = re.search(r"How it is chosen what goes: ([^;]*);", words)[1].split(", ")
    return listed + OTHERS


def target(method, layers):
    if method == "depth-list":
        return ["--drop", ",".join(map(str, range(1, layers, 2)))]
    if method.startswith("depth") or method.startswith("width"):
        return ["--method", method, "--rate", "0.3", "--tolerance", "0.2"]
    if method.startswith("unstructured"):
        return ["--method", method, "--rate", "0.3"]
    return ["--method", method]


def check(regrow, folder, tokens, scratch):
    """Largest difference of a logit, the largest logit, and what is wrong with the weights."""
    model, report = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    wrong = {kind: sorted(map(str, names)) for kind, names in report.items() if names}
    with torch.no_grad():
        theirs = model.eval()(input_ids=torch.tensor([tokens]), use_cache=False).logits[0].double()
    file = scratch / "logits.json"
    run(regrow, "generate", folder, "--token-ids", ",".join(map(str, tokens)), "--logits", file, "-q")
    ours = torch.tensor(json.loads(file.read_text())["logits"], dtype=torch.float64)
    if "sparsity_config" in (folder / "config.json").read_text():
        wrong["sparsity_config"] = ["config.json"]
    return (ours - theirs).abs().max().item(), theirs.abs().max().item(), wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regrow", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, action="append", required=True)
    parser.add_argument("--corpus", type=Path, action="append", required=True)
    parser.add_argument("--method", action="append", help="these methods alone")
    given = parser.parse_args()
    disable_progress_bar()
    set_verbosity_error()
    given.work.mkdir(parents=True, exist_ok=True)
    print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__,
                      "regrow": run(given.regrow, "--version").strip()}), flush=True)
    failed = 0
    for folder, corpus in zip(given.model, given.corpus, strict=True):
        shape = json.loads(run(given.regrow, "inspect", folder, "--json"))
        generator = torch.Generator().manual_seed(0)
        tokens = torch.randint(0, shape["shapes"]["vocab_size"], (48,), generator=generator).tolist()
        cases = [(method, shards) for method in given.method or methods(given.regrow) for shards in (False, True)]
        for method, shards in [("none", False)] + cases:
            out = folder
            if method != "none":
                out = given.work / "out"
                shutil.rmtree(out, ignore_errors=True)
                size = ["--shard-size", max(1, shape["parameters"]["total"])] if shards else []
                text = ["--corpus", corpus, "--samples", 8, "--length", 64]
                run(given.regrow, "prune", folder, *target(method, shape["layers"]), *text, *size, "--out", out, "--json", "-q")
                if shards and not (out / "model.safetensors.index.json").exists():
                    sys.exit(f"{method}: no shards")
            off, largest, wrong = check(given.regrow, out, tokens, given.work)
            right = off <= TOLERANCE and not wrong
            failed += not right
            print(json.dumps({"model": folder.name, "family": shape["family"], "method": method, "sharded": shards,
                              "largest_difference": off, "largest_logit": largest, "wrong": wrong, "right": right}), flush=True)
    shutil.rmtree(given.work, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
