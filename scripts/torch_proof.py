#!/usr/bin/env python3
"""Holds the torch job against regrow's own trainer, kills it, and times it. Prints a report in Markdown.

    scripts/torch_proof.py REGROW WORK curves kills speed

REGROW is the command, WORK an empty folder. Run it with a Python that has `regrow_torch`.
"""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

REGROW, WORK = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
SHAPE = {
    "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 176, "vocab_size": 512, "max_position_embeddings": 128,
}  # fmt: skip
FAMILIES = {
    "llama": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "tie_word_embeddings": False},
    "qwen2": {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "tie_word_embeddings": True},
}
CUTS = {
    "depth": ["--rate", "0.2", "--tolerance", "0.1"],
    "width": ["--method", "width-activation", "--shape", "hidden=48,ffn=144,heads=2"],
    "2-4": ["--method", "2:4-wanda"],
}
RUN = ["--tokens", "102400", "--context", "64", "--batch", "8", "--micro-batch", "4", "--learning-rate", "1e-3",
       "--eval-points", "12", "--eval-tokens", "20000"]  # fmt: skip
EVAL = ["--context", "64", "--tokens", "20000", "--json"]


def regrow(*words, **more):
    done = subprocess.run([REGROW, *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)
    if done.returncode:
        sys.exit(f"{words}: {done.stderr}")
    return done.stdout


def models():
    if not (WORK / "corpus").exists():
        regrow("grammar", "--documents", 6000, "--out", WORK / "text")
        regrow("tokenize", WORK / "text", "--vocabulary", 512, "--heldout-share", 0.05, "--out", WORK / "corpus")
    for family, names in FAMILIES.items():
        base = WORK / f"base-{family}"
        if not base.exists():
            config = WORK / f"{family}.json"
            config.write_text(json.dumps({**names, **SHAPE}))
            regrow("train", "--init", config, "--corpus", WORK / "corpus", "--tokens", "400k", "--context", 64, "--batch", 8,
                   "--learning-rate", "3e-3", "--eval-points", 3, "--eval-tokens", 20000, "--out", base)  # fmt: skip
        for cut, words in CUTS.items():
            out = WORK / f"{family}-{cut}"
            if not out.exists():
                regrow("prune", base / "model", *words, "--corpus", WORK / "corpus", "--samples", 16, "--length", 64,
                       "--out", out)  # fmt: skip
            yield f"{family}-{cut}"


def train_words(model, out, *more):
    return ["train", WORK / model, "--corpus", WORK / "corpus", *RUN, "--loss0", "1.2", "--out", out, *more]


def torch_words(processes, *more):
    return ["--trainer", "torch", "--python", sys.executable, "--processes", str(processes), *more]


def curve(run):
    path = run / "metrics.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def furthest(one, two, key):
    assert [point["step"] for point in one] == [point["step"] for point in two], "other steps"
    return max(abs(a[key] - b[key]) for a, b in zip(one, two) if key in a and key in b)


def zeros(folder):
    """Zeros of the sparse tensors, and weights."""
    from safetensors import safe_open

    listed = json.loads((folder / "sparsity.json").read_text())["tensors"]
    with safe_open(folder / "model.safetensors", "pt") as file:
        tensors = [file.get_tensor(name) for name in listed]
    return [tensor == 0 for tensor in tensors]


def stock_loss(model):
    """Held-out loss by transformers' own `from_pretrained`, document by document."""
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    data = np.fromfile(WORK / "corpus/heldout.bin", dtype="<u2").astype(np.int64)
    index = (WORK / "corpus/heldout.idx").read_bytes()
    sizes = np.frombuffer(index, "<i4", int.from_bytes(index[18:26], "little"), 34)
    start, nats, left = 0, 0.0, 20000
    with torch.no_grad():
        for size in sizes.tolist():
            text, start = torch.from_numpy(data[start : start + size]), start + size
            for at in range(0, size - 1, 64):
                window = text[at : min(at + 65, at + left + 1)]
                if left <= 0 or len(window) < 2:
                    break
                logits = network(window[None, :-1]).logits[0].double()
                nats += torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum").item()
                left -= len(window) - 1
    return nats / 20000


def curves():
    import torch

    print("| model | loss before the first step, difference | held-out curve | training losses | `regrow eval` of the result |"
          " transformers | zeros |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for model in models():
        own, ours = WORK / f"own-{model}", WORK / f"torch-{model}"
        if not (own / "done.json").exists():
            regrow(*train_words(model, own))
        if not (ours / "done.json").exists():
            regrow(*train_words(model, ours, *torch_words(2)))
        measured = json.loads(regrow("eval", WORK / model, "--corpus", WORK / "corpus", *EVAL))["loss"]
        after = json.loads(regrow("eval", ours / "model", "--corpus", WORK / "corpus", *EVAL))["loss"]
        one, two = curve(own), curve(ours)
        end = json.loads((ours / "done.json").read_text())["eval_loss"]
        kept = "none"
        if model.endswith("2-4"):
            before, now = zeros(WORK / model), zeros(ours / "model")
            assert all(torch.equal(a, b) for a, b in zip(before, now)), "the zeros are others"
            kept = f"{sum(int(mask.sum()) for mask in now):,} stay, no other"
            assert "2:4" in regrow("inspect", ours / "model", "--verify")
        print(f"| {model} | {abs(two[0]['eval_loss'] - measured):.1e} | {furthest(one, two, 'eval_loss'):.1e} | "
              f"{furthest(one, two, 'loss'):.1e} | {abs(after - end):.1e} | {abs(stock_loss(ours / 'model') - end):.1e} | "
              f"{kept} |", flush=True)  # fmt: skip
    out = WORK / "torch-bf16"
    if not (out / "done.json").exists():
        regrow(*train_words("llama-depth", out, *torch_words(2, "--precision", "bf16")))
    print(f"\nbf16 (llama-depth): held-out curve {furthest(curve(WORK / 'own-llama-depth'), curve(out), 'eval_loss'):.1e} from f32.")


def descendants(root):
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError):
                pass
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def kills():
    # Models are made one by one; the rest is not needed.
    next(name for name in models() if name == "llama-2-4")
    chance, alone, out = random.Random(11), WORK / "torch-alone", WORK / "torch-killed"
    save = ["--save-every", "3000"]
    if not (alone / "done.json").exists():
        regrow(*train_words("llama-2-4", alone, *torch_words(2), *save))
    done, told = 0, []
    while done < 10:
        processes = 1 + done % 2
        words = train_words("llama-2-4", out, *torch_words(processes), *save, "--resume")
        job = subprocess.Popen([REGROW, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
        begun = curve(out)[-1]["step"] if curve(out) else 0
        target = 18 * (done + 1) if done else 0
        while job.poll() is None and (not curve(out) or curve(out)[-1]["step"] < target):
            time.sleep(0.01)
        # A checkpoint is due every sixth step and takes longer than a step: some kills fall inside one.
        time.sleep(chance.uniform(0, 0.4))
        if job.poll() is not None:
            sys.exit(f"it ended by itself: {job.stderr.read()}")
        for pid in reversed(descendants(job.pid)):
            os.kill(pid, signal.SIGKILL)
        job.wait()
        job.stderr.close()
        partial = len(list(out.glob(".checkpoint-*")))
        told.append(f"{curve(out)[-1]['step'] if curve(out) else 0}{' (inside a checkpoint)' if partial else ''}")
        done += 1
    regrow(*train_words("llama-2-4", out, *torch_words(2), *save, "--resume"))
    one, two = curve(alone), curve(out)
    print(f"\nKilled (SIGKILL to all processes) after steps {', '.join(told)}; resumed on 1 and 2 processes in turns. Against the "
          f"run left alone on 2: held-out curve {furthest(one, two, 'eval_loss'):.1e}, training losses "
          f"{furthest(one, two, 'loss'):.1e}, {len(two)} points each.", flush=True)  # fmt: skip


PLAIN = r"""
import json, sys, time, torch, numpy as np, torch.nn.functional as F
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32, attn_implementation="sdpa").train()
data = np.fromfile(sys.argv[2], dtype="<u2").astype(np.int64)
context, batch, steps = 256, 8, int(sys.argv[3])
decay = [p for p in model.parameters() if p.dim() > 1]; rest = [p for p in model.parameters() if p.dim() < 2]
optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], lr=3e-4,
                              betas=(0.9, 0.95), fused=True)
spent = []
for step in range(steps):
    begin = time.perf_counter()
    window = torch.from_numpy(np.stack([data[(step * batch + i) * context:][:context + 1] for i in range(batch)]))
    logits = model(input_ids=window[:, :-1], use_cache=False).logits
    loss = F.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    loss.item()
    spent.append(time.perf_counter() - begin)
print(json.dumps(spent))
"""


def faster_half(seconds):
    return statistics.median(sorted(seconds)[: len(seconds) // 2])


def speed():
    config = {**FAMILIES["llama"], "hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 4,
              "num_key_value_heads": 2, "intermediate_size": 704, "vocab_size": 4096, "max_position_embeddings": 256}  # fmt: skip
    next(models())
    (WORK / "wide.json").write_text(json.dumps(config))
    if not (WORK / "wide").exists():
        regrow("train", "--init", WORK / "wide.json", "--corpus", WORK / "corpus", "--tokens", 512, "--context", 256, "--batch", 2,
               "--eval-points", 1, "--eval-tokens", 1000, "--out", WORK / "wide")  # fmt: skip
    steps, threads = 14, str(os.cpu_count())
    environment = {**os.environ, "OMP_NUM_THREADS": threads}
    rounds = []
    for i in range(3):
        out = WORK / f"speed-{i}"
        plain = subprocess.run([sys.executable, "-c", PLAIN, WORK / "wide/model", WORK / "corpus/train.bin", str(steps)],
                               env=environment, capture_output=True, text=True, check=True)  # fmt: skip
        regrow("train", WORK / "wide/model", "--corpus", WORK / "corpus", "--tokens", steps * 2048, "--context", 256, "--batch", 8,
               "--micro-batch", 8, "--eval-points", 1, "--eval-tokens", 1000, "--save-every", "1B", "--loss0", 8, "--force",
               "--out", out, *torch_words(1), env=environment)  # fmt: skip
        # Other work disturbs steps, never makes them faster: the faster half counts.
        ours = faster_half([2048 / point["tokens_per_second"] for point in curve(out)[5:]])
        alone = faster_half(json.loads(plain.stdout)[4:])
        rounds.append((ours, alone))
        print(f"round {i}: plain loop {2048 / alone:,.0f} tokens/s, torch job {2048 / ours:,.0f}", file=sys.stderr, flush=True)
    ratio = [alone / ours for ours, alone in rounds]
    print(f"\nSpeed, one process, 6 layers x 256, batch 8 x 256, f32, {threads} threads, 3 rounds in turns: plain loop "
          f"{2048 / statistics.median(a for _, a in rounds):,.0f} tokens/s, torch job "
          f"{2048 / statistics.median(o for o, _ in rounds):,.0f}; ratio {statistics.median(ratio):.3f} "
          f"({min(ratio):.3f} to {max(ratio):.3f}).")  # fmt: skip


if __name__ == "__main__":
    WORK.mkdir(parents=True, exist_ok=True)
    for part in sys.argv[3:]:
        {"curves": curves, "kills": kills, "speed": speed}[part]()
