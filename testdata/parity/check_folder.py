"""Does a folder of ours load in transformers, with the same logits?

    python testdata/parity/check_folder.py FOLDER LOGITS.json

LOGITS.json is `{"tokens": [id, ..], "logits": [[.., one a vocabulary entry], .. one row a token]}`: one sequence. Exits
with 1 when a weight is missing, unexpected or of another shape, or when a logit differs by more than 1e-4. With a
`tokenizer.json` in the folder a round trip through the tokenizer is printed as well.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

TOLERANCE = 1e-4
SAMPLE = "Once upon a time, there was a little girl named Lily."


def check_weights(report):
    wrong = {kind: keys for kind, keys in report.items() if keys}
    for kind, keys in wrong.items():
        print(f"{kind}: {sorted(keys) if isinstance(keys, (set, list)) else keys}")
    return not wrong


def check_logits(model, path):
    ours = json.loads(path.read_text())
    tokens = torch.tensor([ours["tokens"]], dtype=torch.long)
    expected = torch.tensor(ours["logits"], dtype=torch.float64)
    with torch.no_grad():
        found = model(input_ids=tokens, use_cache=False).logits[0].double()
    if found.shape != expected.shape:
        print(f"logits: expected {list(found.shape)} of [tokens, vocabulary], found {list(expected.shape)} in {path}")
        return False
    difference = (found - expected).abs().max().item()
    print(f"logits: {len(ours['tokens'])} tokens, largest difference {difference:.2e}, largest logit {found.abs().max():.2f}")
    return difference <= TOLERANCE  # also false for NaN


def show_tokenizer(folder):
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = plain.encode(SAMPLE).ids
    print(f"tokenizer: {plain.get_vocab_size()} entries; {SAMPLE!r} is {ids}, back: {plain.decode(ids)!r}")
    try:
        loaded = AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # whatever a tokenizer class raises is worth showing, and no reason to stop
        print(f"tokenizer: AutoTokenizer cannot load it: {error}")
        return
    theirs = loaded.encode(SAMPLE)
    same = "the same ids" if theirs == ids else f"other ids: {theirs}"
    print(f"tokenizer: AutoTokenizer ({type(loaded).__name__}) gives {same}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("logits", type=Path)
    arguments = parser.parse_args()
    disable_progress_bar()
    print(f"torch {torch.__version__}, transformers {transformers.__version__}")
    model, report = AutoModelForCausalLM.from_pretrained(
        arguments.folder, dtype=torch.float32, output_loading_info=True)
    model.eval()
    print(f"{type(model).__name__}: {sum(p.numel() for p in model.parameters()):,} parameters, "
          f"{model.config.num_hidden_layers} layers")
    right = check_weights(report)
    right = check_logits(model, arguments.logits) and right
    if (arguments.folder / "tokenizer.json").is_file():
        show_tokenizer(arguments.folder)
    print("same" if right else "DIFFERENT")
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
