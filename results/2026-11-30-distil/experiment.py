"""Text, teacher, or both: two models, depth cuts of three rates, healed on real text.

    python results/2026-11-30-distil/experiment.py REGROW DATA WORK --seeds 5 [--tokens 307200] [--threads 1]

REGROW is the program, DATA a folder with `stories260K` and `tinystories_sample`, WORK a folder for models and runs. What is
there already is not made again. `summary.py` reads the runs.
"""

import argparse
import json
import subprocess
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("regrow")
parser.add_argument("data", type=Path)
parser.add_argument("work", type=Path)
parser.add_argument("--seeds", type=int, default=5)
parser.add_argument("--tokens", default="307200", help="of each healing")
parser.add_argument("--base-tokens", default="1800K", help="of the second base, which is trained here")
parser.add_argument("--threads", default="1")
given = parser.parse_args()
WORK = given.work
HEAL = ["--context", "256", "--batch", "4", "--tokens", given.tokens, "--learning-rate", "1e-3", "--eval-points", "10",
        "--eval-tokens", "16384"]
OBJECTIVES = {"lm": [], "distil": ["--objective", "distil"], "mix": ["--objective", "mix"]}
# What depth pruning leaves of so many blocks.
BASES = {"stories260K": (5, [1, 2, 3]), "stories650K": (6, [1, 2, 4])}
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 96, "num_hidden_layers": 6,
    "num_attention_heads": 6, "num_key_value_heads": 3, "intermediate_size": 256, "vocab_size": 512,
    "max_position_embeddings": 512, "tie_word_embeddings": True, "rms_norm_eps": 1e-5,
}


def regrow(*words):
    words = [given.regrow, *map(str, words), "--threads", given.threads]
    print(" ".join(words), flush=True)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def made(path, *words):
    if not path.exists():
        regrow(*words, "--out", path)
    return path


def run(path, *words):
    if not (path / "done.json").exists():
        regrow("train", *words, "--out", path, "--resume")
    return path


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    stories, text = given.data / "stories260K", given.data / "tinystories_sample/tinystories_sample.txt"
    model = made(WORK / "stories260K", "convert", "llama2c", stories / "stories260K.bin", "--tokenizer",
                 stories / "tok512.bin")
    corpus = made(WORK / "corpus", "tokenize", text, "--separator", "<|endoftext|>", "--tokenizer", model,
                  "--heldout-share", "0.1")
    (WORK / "config.json").write_text(json.dumps(CONFIG))
    own = run(WORK / "base", "--init", WORK / "config.json", "--corpus", corpus, "--context", 256, "--batch", 8,
              "--tokens", given.base_tokens, "--learning-rate", "3e-3", "--decay", "120K", "--eval-points", 6, "--eval-tokens",
              8192)
    models = {"stories260K": model, "stories650K": own / "model"}
    pruned = {}
    for name, (blocks, cuts) in BASES.items():
        for cut in cuts:
            # The blocks before the last ones, which lose least when they go together.
            gone = ",".join(str(blocks - 1 - cut + i) for i in range(cut))
            pruned[name, cut] = made(WORK / f"pruned-{name}-{cut}", "prune", models[name], "--drop", gone)

    for seed in range(given.seeds):
        for (name, cut), student in pruned.items():
            for objective, flags in OBJECTIVES.items():
                teacher = ["--teacher", models[name]] if flags else []
                run(WORK / f"runs/{name}-{cut}-{objective}-{seed}", student, "--corpus", corpus, *HEAL, "--seed", seed,
                    "--base", models[name], *flags, *teacher)
        if seed == 0:
            for name in BASES:
                cache = WORK / f"cache-{name}"
                if not (cache / "cache.json").exists():
                    regrow("teach", models[name], "--corpus", corpus, "--top", 64, "--context", 256, "--eval-tokens",
                           16384, "--out", cache, "--resume")
                for cut in BASES[name][1]:
                    run(WORK / f"runs/{name}-{cut}-cached-0", pruned[name, cut], "--corpus", corpus, *HEAL, "--seed", 0,
                        "--base", models[name], "--objective", "distil", "--teacher", cache)


main()
