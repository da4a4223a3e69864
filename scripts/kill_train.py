#!/usr/bin/env python3
"""Kills a training run at random moments, goes on each time, and holds what it ends with against the run left alone.

    scripts/kill_train.py target/release/regrow OUT [--kills 50] [--seed 1] [--model MODEL --corpus CORPUS] [-- TRAIN ARGUMENTS]

Without `--model` and `--corpus` a small model starts at random on a small language that the program itself writes. `OUT` is a
new folder: `whole` in it is the run left alone, `killed` the other. Kills are spread over the run at random. Of five, two come
a random part of a step after the step that was drawn; two wait from there on until a checkpoint is being written, and come up
to about as long after as writing takes; one comes while the process starts, up to half a second after it began. Every kill is a
SIGKILL to the process. `OUT/kills.csv` lists them: the kind, seconds since the process began, the step that the curve had
reached, the newest checkpoint, and whether one was half written. At the end weights, curve (speeds aside), trainer state and
the length of the TensorBoard events must be the same, and no hidden file may be left. Exits with 1 otherwise. Needs Python
3.9, nothing else.
"""

import argparse
import hashlib
import json
import pathlib
import random
import subprocess
import sys
import time

RECIPE = ["--tokens", "600K", "--context", "64", "--batch", "8", "--learning-rate", "3e-3", "--eval-points", "24",
          "--eval-tokens", "2000", "--save-every", "10K"]
KINDS = ["step", "checkpoint", "start", "checkpoint", "step"]
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 4,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 172, "vocab_size": 512,
    "max_position_embeddings": 128, "tie_word_embeddings": True,
}


def call(*words):
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def small(program, out):
    """A small language, its corpus and the shape of a small model; the text is short, so that the best is not the last."""
    call(program, "grammar", "--documents", "200", "--out", out / "text")
    texts = sorted(path for path in (out / "text").iterdir() if path.suffix in (".txt", ".jsonl"))
    call(program, "tokenize", *texts, "--documents", "blank-line", "--vocabulary", "512", "--heldout-share", "0.5",
         "--out", out / "corpus")
    (out / "config.json").write_text(json.dumps(CONFIG))
    return ["--init", out / "config.json", "--corpus", out / "corpus"]


def lines(run):
    try:
        return (run / "metrics.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def unfinished(run):
    names = [path.name for path in run.iterdir()] if run.is_dir() else []
    return {name for name in names if name.endswith(".aside") and ".checkpoint-" in name}


def taken_up(run):
    """Changes when a process has cut the curve back to its checkpoint: the file is written anew."""
    try:
        return (run / "metrics.jsonl").stat().st_ino
    except FileNotFoundError:
        return None


def newest(run):
    steps = [int(path.name.split("-")[1]) for path in run.glob("checkpoint-*")] if run.is_dir() else []
    return max(steps, default=0)


def wait(process, until):
    """Waits for something; tells whether the process still runs."""
    while not until():
        if process.poll() is not None:
            return False
        time.sleep(0.0002)
    return process.poll() is None


def hashes(run):
    found = {}
    for model in ("model", "best"):
        folder = run / model
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            found[f"{model}/{path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    points = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    bare = [{key: value for key, value in point.items() if key != "tokens_per_second"} for point in points]
    found["metrics.jsonl, speeds aside"] = hashlib.sha256(json.dumps(bare).encode()).hexdigest()
    found["trainer_state.json"] = hashlib.sha256((run / "trainer_state.json").read_bytes()).hexdigest()
    # Lengths of records depend on steps and fields alone.
    found["length of events.out.tfevents.regrow"] = str((run / "events.out.tfevents.regrow").stat().st_size)
    found["names"] = " ".join(sorted(path.name for path in run.iterdir()))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model")
    parser.add_argument("--corpus")
    parser.add_argument("--write", type=float, default=0.015, help="seconds that a checkpoint takes, about")
    words = sys.argv[1:]
    rest = words[words.index("--") + 1:] if "--" in words else RECIPE
    given = parser.parse_args(words[: words.index("--")] if "--" in words else words)

    given.out.mkdir(parents=True)
    start = [given.model, "--corpus", given.corpus] if given.model else small(given.program, given.out)
    whole, killed = given.out / "whole", given.out / "killed"
    train = [given.program, "train", *map(str, start), *rest]
    begin = time.monotonic()
    call(*train, "--out", whole)
    seconds = time.monotonic() - begin
    steps = lines(whole) - 1
    print(f"left alone: {seconds:.1f} s, {steps} steps", flush=True)

    chance = random.Random(given.seed)
    table = ["kill,kind,process_seconds,steps_on_the_curve,newest_checkpoint,inside_a_checkpoint"]
    inside = lost = 0
    for number in range(given.kills):
        begin, kind = time.monotonic(), KINDS[number % len(KINDS)]
        left, before = unfinished(killed), taken_up(killed)
        process = subprocess.Popen([*train, "--out", str(killed), "--resume"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if kind == "start":
            moment = chance.uniform(0, 0.5)
            alive = wait(process, lambda: time.monotonic() - begin >= moment)
        else:
            # Over the whole run, but for the steps that a kill before the end may need; further on than the checkpoint.
            further = max(newest(killed) + 1, 0.93 * steps * (number + chance.random()) / given.kills)
            alive = wait(process, lambda: taken_up(killed) != before and lines(killed) > further)
            if alive and kind == "checkpoint":
                alive = wait(process, lambda: unfinished(killed) - left)
            time.sleep(chance.uniform(0, given.write if kind == "checkpoint" else 2 * seconds / steps))
        if not alive or process.poll() is not None:
            print(f"kill {number + 1}: the run had ended with status {process.returncode}", flush=True)
            break
        process.kill()
        process.wait()
        half, reached, saved = bool(unfinished(killed) - left), max(lines(killed) - 1, 0), newest(killed)
        inside += half
        lost += max(reached - saved, 0)
        table.append(f"{number + 1},{kind},{time.monotonic() - begin:.3f},{reached},{saved},{int(half)}")
        print(table[-1], flush=True)
    else:
        number = given.kills
    call(*train, "--out", killed, "--resume")
    (given.out / "kills.csv").write_text("\n".join(table) + "\n")
    ours, theirs = hashes(whole), hashes(killed)
    differ = [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
    for name, value in ours.items():
        print(f"{name}: {value}")
    print(f"killed {number} times, {inside} inside a checkpoint, {lost} steps taken again; "
          + (f"these differ: {', '.join(sorted(differ))}" if differ else "the same bytes"))
    sys.exit(1 if differ or number < given.kills else 0)


if __name__ == "__main__":
    main()
