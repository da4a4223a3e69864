#!/usr/bin/env python3
"""Holds the torch job against regrow's own trainer, kills it, and times it. Prints a report in Markdown.

    scripts/torch_proof.py REGROW WORK curves kills speed distil

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


def taught_words(source):
    """The flags of a run against the base that was pruned, or against a cache of it."""
    words = ["--objective", "distil" if source == "teacher" else "mix", "--temperature", "2", "--teacher"]
    if source == "teacher":
        return [*words, WORK / "base-llama/model"]
    cache = WORK / "cache"
    if not (cache / "cache.json").exists():
        regrow("teach", WORK / "base-llama/model", "--corpus", WORK / "corpus", "--top", 64, "--temperature", 2, "--context", 64,
               "--eval-tokens", 20000, "--out", cache)  # fmt: skip
    return [*words, cache]


def distil():
    """A depth cut and a 2:4 model against a teacher and against its cache, on one and two processes; one is killed."""
    made = list(zip(range(3), models()))
    print("\n| model | learns from | processes | first divergence, difference | held-out curve | held-out divergence | training losses |"
          "\n|---|---|---|---|---|---|---|")  # fmt: skip
    for model in ("llama-depth", "llama-2-4"):
        assert model in [name for _, name in made]
        for source in ("teacher", "cache"):
            own, words = WORK / f"own-{model}-{source}", taught_words(source)
            if not (own / "done.json").exists():
                regrow(*train_words(model, own, *words))
            for processes in (1, 2):
                ours = WORK / f"torch-{model}-{source}-{processes}"
                if not (ours / "done.json").exists():
                    regrow(*train_words(model, ours, *words, *torch_words(processes)))
                one, two = curve(own), curve(ours)
                print(f"| {model} | {source} | {processes} | {abs(one[0]['eval_kl'] - two[0]['eval_kl']):.1e} | "
                      f"{furthest(one, two, 'eval_loss'):.1e} | {furthest(one, two, 'eval_kl'):.1e} | "
                      f"{furthest(one, two, 'loss'):.1e} |", flush=True)  # fmt: skip
    for source in ("teacher", "cache"):
        alone, out = WORK / f"torch-llama-2-4-{source}-2", WORK / f"torch-killed-{source}"
        killed(alone, out, 3, taught_words(source), f"\nAgainst a {source}. ")


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
    alone, out = WORK / "torch-alone", WORK / "torch-killed"
    if not (alone / "done.json").exists():
        regrow(*train_words("llama-2-4", alone, *torch_words(2), "--save-every", "3000"))
    killed(alone, out, 10, [], "\n")


def killed(alone, out, count, more, begin):
    chance, save = random.Random(11), ["--save-every", "3000", *more]
    done, told = 0, []
    while done < count:
        processes = 1 + done % 2
        words = train_words("llama-2-4", out, *torch_words(processes), *save, "--resume")
        job = subprocess.Popen([REGROW, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
        begun = curve(out)[-1]["step"] if curve(out) else 0
        # After step 0, then evenly up to step 180.
        target = 180 * (done + 1) // count if done else 0
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
    print(f"{begin}Killed (SIGKILL to all processes) after steps {', '.join(told)}; resumed on 1 and 2 processes in turns. Against the "
          f"run left alone on 2: held-out curve {furthest(one, two, 'eval_loss'):.1e}, training losses "
          f"{furthest(one, two, 'loss'):.1e}, {len(two)} points each.", flush=True)  # fmt: skip


def speed():
    """Steps of a plain loop and of the job in turns, in one process on one thread, in seconds of the processor.

    Other work on the machine takes time, but no time of this process.
    """
    import torch
    import torch.distributed as dist
    import torch.nn.functional as F
    from regrow_torch import corpus, job
    from regrow_torch.loop import Training
    from torch.distributed.device_mesh import init_device_mesh
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    shape = {**FAMILIES["llama"], "hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 4,
             "num_key_value_heads": 2, "intermediate_size": 704, "vocab_size": 4096, "max_position_embeddings": 256}  # fmt: skip
    next(models())
    (WORK / "wide.json").write_text(json.dumps(shape))
    words = ["--corpus", WORK / "corpus", "--context", 256, "--batch", 8, "--micro-batch", 8, "--eval-points", 1,
             "--eval-tokens", 1000]  # fmt: skip
    if not (WORK / "wide").exists():
        regrow("train", "--init", WORK / "wide.json", *words, "--tokens", 2048, "--out", WORK / "wide")
    regrow("train", WORK / "wide/model", *words, "--tokens", "1M", "--loss0", 8, "--force", "--out", WORK / "speed",
           *torch_words(1, "--print"))  # fmt: skip
    told = job.read(WORK / "speed/torch.json")
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    ours = Training(told, corpus.Corpus(told.corpus, told.spec), init_device_mesh("cpu", (1,)), torch.device("cpu"), None, None, None)
    ours.network.load()
    ours.network.find_masks()

    plain = AutoModelForCausalLM.from_pretrained(told.model, dtype=torch.float32, attn_implementation="sdpa").train()
    settings = told.spec["optimizer"]
    groups = [{"params": [p for p in plain.parameters() if p.dim() > 1], "weight_decay": settings["weight_decay"]},
              {"params": [p for p in plain.parameters() if p.dim() < 2], "weight_decay": 0.0}]  # fmt: skip
    optimizer = torch.optim.AdamW(groups, lr=1e-5, betas=(0.9, 0.95), fused=True)

    def plain_step(step):
        window = torch.stack([torch.from_numpy(ours.order.read(8 * step + i)) for i in range(8)])
        logits = plain(input_ids=window[:, :-1], use_cache=False).logits
        loss = F.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), settings["clip_norm"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    pairs = []
    for step in range(24):
        begin = time.process_time()
        plain_step(step)
        middle = time.process_time()
        ours._step()
        pairs.append((middle - begin, time.process_time() - middle))
    dist.destroy_process_group()
    ratios = sorted(alone / own for alone, own in pairs[4:])
    alone, own = (statistics.median(seconds) for seconds in zip(*pairs[4:]))
    print(f"\nOne process, one thread, 6 layers x 256, vocabulary 4096, batch 8 x 256, f32; {len(ratios)} steps of each in turns, in "
          f"seconds of the processor: plain loop {alone:.3f} a step, torch job {own:.3f}; plain / job {statistics.median(ratios):.3f} "
          f"(quarter to three quarters {ratios[len(ratios) // 4]:.3f} to {ratios[3 * len(ratios) // 4]:.3f}).", flush=True)  # fmt: skip


if __name__ == "__main__":
    WORK.mkdir(parents=True, exist_ok=True)
    for part in sys.argv[3:]:
        {"curves": curves, "kills": kills, "speed": speed, "distil": distil}[part]()
