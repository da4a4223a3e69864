"""Makes `scores.json`: angular distances, activations and magnitudes of the models in `testdata/parity`, by PyTorch.

    python testdata/prune/make_scores.py

The formulas are those of `benches/peers/prune_scores.py`; the token ids are the ones of `make.py`.
"""

import json
import sys
from itertools import product
from pathlib import Path

import torch
import transformers

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "benches" / "peers"))
from prune_scores import Kept, activations, angular_distance, block_influence, magnitudes  # noqa: E402

CASES = ["llama-tied", "llama-untied-scaled", "qwen2-tied", "qwen2-untied-odd"]
HOW = ("mean-absolute", "mean-square")
SEQUENCES, LENGTH = 3, 40


def token_ids(vocabulary, state):
    ids = []
    for _ in range(SEQUENCES * LENGTH):
        state = (state * 1103515245 + 12345) % 2**31
        ids.append(state // 2**16 % vocabulary)
    return ids


def main():
    torch.set_num_threads(1)
    cases = []
    for seed, name in enumerate(CASES, start=1):
        folder = HERE.parent / "parity" / name
        vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]
        ids = token_ids(vocabulary, seed)
        kept = Kept(folder, torch.tensor(ids).reshape(SEQUENCES, LENGTH))
        layers = len(kept.stream) - 1
        cases.append({
            "model": name, "length": LENGTH, "tokens": ids,
            "block_influence": block_influence(kept),
            "angular": [{"count": count, "positions": positions, "scores": angular_distance(kept, count, positions)}
                        for count in range(1, layers) for positions in ("last", "all")],
            "activations": [{"over_tokens": tokens, "over_sequences": sequences, **activations(kept, tokens, sequences)}
                            for tokens, sequences in product(HOW, HOW)],
            "magnitudes": magnitudes(folder),
        })
    made = f"make_scores.py with torch {torch.__version__}, transformers {transformers.__version__}"
    (HERE / "scores.json").write_text(json.dumps({"format": 1, "made_by": made, "cases": cases}) + "\n")


main()
