"""A narrower copy of a model whose channels, neurons and groups of heads are drawn at random, for comparison.

    python random_width.py MODEL OUT --seed N [--hidden N] [--ffn N] [--heads N]

Written apart from the program: it cuts the arrays with NumPy, and says itself which rows and columns belong to what.
"""

import argparse
import json
import re
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file


def channels(groups, size):
    return np.concatenate([np.arange(group * size, (group + 1) * size) for group in groups])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    for part in ("hidden", "ffn", "heads"):
        parser.add_argument(f"--{part}", type=int)
    given = parser.parse_args()
    config = json.loads((given.model / "config.json").read_text())
    random = np.random.default_rng(given.seed)
    draw = lambda of, count: np.sort(random.choice(of, count or of, replace=False))
    hidden, heads, groups = config["hidden_size"], config["num_attention_heads"], config["num_key_value_heads"]
    head = config.get("head_dim") or hidden // heads
    stream = draw(hidden, given.hidden)
    layers = []
    for _ in range(config["num_hidden_layers"]):
        kept = draw(groups, given.heads and given.heads * groups // heads)
        layers.append((draw(config["intermediate_size"], given.ffn), channels(kept, heads // groups * head), channels(kept, head)))
    small = {}
    for name, array in load_file(given.model / "model.safetensors").items():
        numbered = re.match(r"model\.layers\.(\d+)\.(.*)", name)
        part = numbered[2] if numbered else name
        neurons, queries, keys = layers[int(numbered[1])] if numbered else (None, None, None)
        inner = {"q_proj": queries, "o_proj": queries, "k_proj": keys, "v_proj": keys,
                 "gate_proj": neurons, "up_proj": neurons, "down_proj": neurons}.get(part.split(".")[-2])
        if part.endswith(".bias"):
            array = array[inner]
        elif array.ndim == 1:
            array = array[stream]
        elif inner is None:
            array = array[:, stream]
        elif part.split(".")[-2] in ("o_proj", "down_proj"):
            array = array[stream][:, inner]
        else:
            array = array[inner][:, stream]
        small[name] = np.ascontiguousarray(array)
    config.update(hidden_size=len(stream), intermediate_size=len(layers[0][0]), head_dim=head,
                  num_attention_heads=len(layers[0][1]) // head, num_key_value_heads=len(layers[0][2]) // head)
    given.out.mkdir(parents=True)
    save_file(small, given.out / "model.safetensors", metadata={"format": "pt"})
    (given.out / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (given.model / name).exists():
            shutil.copy(given.model / name, given.out)


main()
