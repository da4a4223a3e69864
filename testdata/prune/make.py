"""Makes `block-influence.toml`: block influence of the models in `testdata/parity`, by transformers.

    python testdata/prune/make.py

Each model is loaded in float64; hooks keep what enters and what leaves every decoder layer (`output_hidden_states`
would give the last one after the final norm). Block influence is 1 - mean over all tokens of the cosine of the two
(Men et al. 2024, ShortGPT). Token ids come from a linear congruential generator, so no seed of a library matters.
"""

from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM

HERE = Path(__file__).resolve().parent
CASES = ["llama-tied", "llama-untied-scaled", "qwen2-tied", "qwen2-untied-odd", "llama-long"]
SEQUENCES, LENGTH = 3, 40


def token_ids(vocabulary, state):
    ids = []
    for _ in range(SEQUENCES * LENGTH):
        state = (state * 1103515245 + 12345) % 2**31
        ids.append(state // 2**16 % vocabulary)
    return ids


def block_influence(model, ids):
    kept = {}
    for layer, block in enumerate(model.model.layers):
        def hook(_, args, kwargs, out, layer=layer):
            before = args[0] if args else kwargs["hidden_states"]
            kept[layer] = (before, out[0] if isinstance(out, tuple) else out)
        block.register_forward_hook(hook, with_kwargs=True)
    with torch.no_grad():
        model(input_ids=torch.tensor(ids).reshape(SEQUENCES, LENGTH))
    cosine = torch.nn.functional.cosine_similarity
    return [1.0 - cosine(before, after, dim=-1, eps=0.0).mean().item() for before, after in kept.values()]


def main():
    torch.set_num_threads(1)
    lines = [f"# Made by make.py with torch {torch.__version__}, transformers {transformers.__version__}.", "format = 1"]
    for seed, case in enumerate(CASES, start=1):
        folder = HERE.parent / "parity" / case
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
        ids = token_ids(model.config.vocab_size, seed)
        scores = block_influence(model, ids)
        lines += ["", "[[case]]", f'model = "{case}"', f"length = {LENGTH}", f"tokens = {ids}", f"scores = {scores}"]
    (HERE / "block-influence.toml").write_text("\n".join(lines) + "\n")


main()
