"""Sparse pruning from the papers' formulas, in NumPy and float64: the outside truth for magnitude, Wanda and SparseGPT.

    python benches/peers/prune_sparse.py --sparse-layer target/release/examples/sparse_layer \
        --prune-tokens target/release/examples/prune_tokens --model MODEL_FOLDER --out DIR

The two programs are examples of the crate `regrow-prune`; they hand out what they decided on. Compared are

- one linear layer at a time, on the same weights, column norms and Hessian: synthetic layers, some full of ties, and every linear layer of
  each model with the inputs that stock transformers gives it;
- whole models, block after block, each on the inputs that the blocks before it give once they are pruned, in transformers and float64.

Nothing here was taken from the program that is checked. SparseGPT is written as its derivation has it (Frantar and Alistarh 2023, sections 3.1
to 3.3): the inverse of the Hessian of the columns that are left is mended by elimination as each column is passed, and every weight right
of it is updated at once; there is no Cholesky factor and no lazy batch.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

PATTERNS = ("2:4", "4:8", "1:4", "3:32", "unstructured")
DAMPING = 0.01  # of the mean of the Hessian's diagonal, as the paper has it
MASK_BLOCK = 128  # columns whose unstructured zeros are chosen together


def group_of(pattern, columns):
    """Columns of a group and how many of them stay; a row is the group of unstructured zeros, half of which go."""
    if pattern == "unstructured":
        return columns, columns - math.floor(0.5 * columns + 0.5)
    keep, of = map(int, pattern.split(":"))
    return of, keep


def kept(scores, pattern):
    """Where weights stay: the highest scores of each group of a row; of equal ones the lower input index."""
    rows, columns = scores.shape
    of, keep = group_of(pattern, columns)
    order = np.argsort(-scores.reshape(rows, columns // of, of), axis=2, kind="stable")
    mask = np.zeros(order.shape, bool)
    np.put_along_axis(mask, order[:, :, :keep], True, axis=2)
    return mask.reshape(rows, columns)


def magnitude(weight, pattern):
    return np.where(kept(np.abs(weight), pattern), weight, np.float32(0))


def wanda(weight, norms, pattern):
    """|w| times the norm of its input column (Sun et al. 2023), in the precision of the weights."""
    return np.where(kept(np.abs(weight) * norms[None, :], pattern), weight, np.float32(0))


def eliminated(hessian):
    """For every column c the row of the inverse of the Hessian of columns c and after: `[c, c:]`."""
    inverse = np.linalg.inv(hessian)
    rows = np.zeros_like(inverse)
    for c in range(len(inverse)):
        rows[c, c:] = inverse[c, c:]
        inverse[c + 1:, c + 1:] -= np.outer(inverse[c + 1:, c], inverse[c, c + 1:]) / inverse[c, c]
    return rows


def damped(hessian):
    return hessian + DAMPING * np.mean(np.diag(hessian)) * np.eye(len(hessian))


def sparsegpt(weight, hessian, pattern):
    """Columns from left to right; what goes is made up for by all weights right of it."""
    w = weight.astype(np.float64).copy()
    rows, columns = w.shape
    inverse = eliminated(damped(hessian))
    diagonal = np.diag(inverse)
    gone = np.zeros(w.shape, bool)
    of = MASK_BLOCK if pattern == "unstructured" else group_of(pattern, columns)[0]
    for c in range(columns):
        if c % of == 0:
            end = min(c + of, columns)
            # What it costs to lose a weight: w^2 / [H^-1]_cc. (The authors' program holds the root of the diagonal, squared.)
            scores = w[:, c:end] ** 2 / diagonal[None, c:end]
            if pattern == "unstructured":
                count = rows * (math.floor(0.5 * end + 0.5) - math.floor(0.5 * c + 0.5))
                flat = scores.ravel()
                lowest = np.argsort(-flat, kind="stable")[len(flat) - count:] if count else []
                mask = np.zeros(len(flat), bool)
                mask[lowest] = True
                gone[:, c:end] = mask.reshape(scores.shape)
            else:
                gone[:, c:end] = ~kept(scores, pattern)
        debt = np.where(gone[:, c], w[:, c], 0.0) / diagonal[c]
        w[:, c:] -= debt[:, None] * inverse[c, None, c:]
        w[gone[:, c], c] = 0.0
    return w


def reconstruction(old, new, hessian):
    """|W x - W' x|^2 over the calibration tokens, as a share of |W x|^2."""
    off = old.astype(np.float64) - new
    return np.sum((off @ hessian) * off) / np.sum((old.astype(np.float64) @ hessian) * old)


def relative(found, expected):
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def compare_layer(program, weight, inputs):
    """Figures by method of one layer."""
    with tempfile.TemporaryDirectory() as place:
        before, after = Path(place) / "in.safetensors", Path(place) / "out.safetensors"
        save_file({"weight": np.ascontiguousarray(weight), "inputs": np.ascontiguousarray(inputs)}, before)
        said = subprocess.run([program, before, after], check=True, capture_output=True, text=True).stdout
        ours = load_file(after)
    norms = np.sqrt(np.sum(inputs.astype(np.float64) ** 2, axis=0))
    gram = np.triu(ours["gram"].astype(np.float64))
    hessian = (gram + np.triu(gram, 1).T) / len(inputs)
    truth = inputs.astype(np.float64).T @ inputs.astype(np.float64) / len(inputs)
    figures = {"norms": float(np.max(np.abs(ours["norms"] - norms) / np.maximum(norms, 1e-30))),
               "gram": relative(hessian, truth), "said": said.strip()}
    for pattern in PATTERNS:
        if f"{pattern}-wanda" not in ours:
            continue
        figures[pattern] = {
            "magnitude": int(np.sum(ours[f"{pattern}-magnitude"] != magnitude(weight, pattern))),
            "wanda": int(np.sum(ours[f"{pattern}-wanda"] != wanda(weight, ours["norms"], pattern))),
            **compare_weights(weight, ours[f"{pattern}-sparsegpt"], sparsegpt(weight, hessian, pattern), hessian),
        }
    return figures


def compare_weights(weight, found, expected, hessian):
    rows = np.any((found == 0) != (expected == 0), axis=1)
    same = ~rows
    ours, theirs = reconstruction(weight, found, hessian), reconstruction(weight, expected, hessian)
    return {"weights": relative(found, expected), "rows with another mask": int(np.sum(rows)), "rows": len(rows),
            "weights of the other rows": relative(found[same], expected[same]) if same.any() else None,
            "error": ours, "error of the reference": theirs, "off": abs(ours / theirs - 1)}


def synthetic(random, rows, columns, tokens, ties=False):
    """Inputs that follow one another and differ in size, as those of real layers do."""
    inputs = random.standard_normal((tokens, columns)).astype(np.float32)
    mixing = random.standard_normal((columns, columns // 4)).astype(np.float32)
    inputs = inputs + (random.standard_normal((tokens, columns // 4)).astype(np.float32) @ mixing.T)
    inputs *= np.exp(random.standard_normal(columns)).astype(np.float32)[None, :]
    weight = random.standard_normal((rows, columns)).astype(np.float32) / 32
    if ties:
        weight = np.round(weight * 64).astype(np.float32) / 64
        inputs[:, 1::2] = inputs[:, ::2]  # pairs of columns with one norm
        inputs += 0.1 * np.round(random.standard_normal(inputs.shape)).astype(np.float32)
        inputs[:, 1::2] = inputs[:, ::2][::-1]
    return weight, inputs


PARTS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj",
         "mlp.down_proj")


def linear_layers(block):
    for part in PARTS:
        module = block
        for name in part.split("."):
            module = getattr(module, name)
        yield part, module


class Walk:
    """A model in transformers, block after block."""

    def __init__(self, folder, dtype):
        import torch
        from transformers import AutoModelForCausalLM
        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()

    def inputs(self, ids, layer):
        """What the linear layers of a block read, `[tokens, in]`, and the logits."""
        caught, hooks = {}, []
        for part, module in linear_layers(self.model.model.layers[layer]):
            def hook(_, args, part=part):
                caught[part] = args[0].detach().flatten(0, -2)
            hooks.append(module.register_forward_pre_hook(hook))
        with self.torch.no_grad():
            self.model(input_ids=ids)
        for hook in hooks:
            hook.remove()
        return caught


def compare_layers_of(program, folder, ids):
    import torch
    walk, all_figures = Walk(folder, torch.float32), {}
    for layer, block in enumerate(walk.model.model.layers):
        caught = walk.inputs(ids, layer)
        for part, module in linear_layers(block):
            weight = module.weight.detach().numpy()
            all_figures[f"layers.{layer}.{part}"] = compare_layer(program, weight, caught[part].numpy())
    return all_figures


def compare_model(program, folder, ids, method):
    """A whole model: every linear layer after ours, and how much of its mask is the same."""
    import torch
    pattern, score = method.split("-")
    with tempfile.TemporaryDirectory() as place:
        tokens, out = Path(place) / "tokens.json", Path(place) / "out"
        tokens.write_text(json.dumps({"length": ids.shape[1], "tokens": ids.flatten().tolist()}))
        subprocess.run([program, folder, tokens, method, out], check=True, capture_output=True, text=True)
        ours = load_file(out / "model.safetensors")
    walk = Walk(folder, torch.float64)
    same = total = 0
    off = size = 0.0
    first = None
    for layer, block in enumerate(walk.model.model.layers):
        caught = walk.inputs(ids, layer)
        for part, module in linear_layers(block):
            weight = module.weight.detach().numpy()
            x = caught[part].numpy()
            if score == "magnitude":
                new = magnitude(weight, pattern)
            elif score == "wanda":
                new = wanda(weight, np.sqrt(np.sum(x ** 2, axis=0)), pattern)
            else:
                new = sparsegpt(weight, x.T @ x / len(x), pattern)
            found = ours[f"model.layers.{layer}.{part}.weight"].astype(np.float64)
            agreeing = int(np.sum((found == 0) == (new == 0)))
            if agreeing < found.size and first is None:
                first = f"layers.{layer}.{part}: {found.size - agreeing} of {found.size}"
            same += agreeing
            total += found.size
            off += np.sum((found - new) ** 2)
            size += np.sum(new ** 2)
            with torch.no_grad():
                module.weight.copy_(torch.from_numpy(np.asarray(new, np.float64)))
    return {"masks that differ": int(total - same), "weights": int(total), "first": first,
            "relative difference": float(np.sqrt(off / size))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sparse-layer", type=Path, required=True)
    parser.add_argument("--prune-tokens", type=Path, required=True)
    parser.add_argument("--model", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    import torch
    import transformers
    from transformers.utils.logging import disable_progress_bar
    disable_progress_bar()
    random = np.random.default_rng(0)
    given.out.mkdir(parents=True, exist_ok=True)
    file = (given.out / "figures.jsonl").open("w")

    def say(**row):
        file.write(json.dumps(row) + "\n")
        file.flush()

    say(kind="versions", numpy=np.__version__, torch=torch.__version__, transformers=transformers.__version__)
    for rows, columns, tokens, ties in [(64, 128, 512, True), (256, 512, 2048, False), (512, 1024, 4096, False),
                                        (256, 2048, 4096, False), (96, 320, 4096, True)]:
        weight, inputs = synthetic(random, rows, columns, tokens, ties)
        name = f"synthetic {rows} x {columns}, {tokens} tokens" + (", ties" if ties else "")
        print(name, flush=True)
        say(kind="layer", model="synthetic", layer=name, figures=compare_layer(given.sparse_layer, weight, inputs))
    for folder in given.model:
        vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]
        ids = torch.from_numpy(random.integers(0, vocabulary, (16, 64)))
        print(folder.name, flush=True)
        for layer, figures in compare_layers_of(given.sparse_layer, folder, ids).items():
            say(kind="layer", model=folder.name, layer=layer, figures=figures)
        for method in ("2:4-magnitude", "2:4-wanda", "2:4-sparsegpt"):
            say(kind="model", model=folder.name, method=method,
                figures=compare_model(given.prune_tokens, folder, ids, method))
    file.close()
    sys.exit(summary(given.out))


def summary(out):
    """The worst of every figure, and 1 where one is past its bound."""
    rows = [json.loads(line) for line in (out / "figures.jsonl").read_text().splitlines()]
    failed, lines = [], []
    for model in dict.fromkeys(row["model"] for row in rows if row["kind"] == "layer"):
        layers = [row["figures"] for row in rows if row["kind"] == "layer" and row["model"] == model]
        cases = [layer[pattern] for layer in layers for pattern in PATTERNS if pattern in layer]
        worst = {
            "column norms": max(layer["norms"] for layer in layers),
            "Hessian": max(layer["gram"] for layer in layers),
            "magnitude": sum(case["magnitude"] for case in cases),
            "wanda": sum(case["wanda"] for case in cases),
            "sparsegpt weights": max(case["weights"] for case in cases),
            "rows with another mask": sum(case["rows with another mask"] for case in cases),
            "rows": sum(case["rows"] for case in cases),
            "weights of the other rows": max(case["weights of the other rows"] or 0 for case in cases),
            "reconstruction": max(case["off"] for case in cases),
        }
        bounds = {"column norms": 1e-6, "magnitude": 0, "wanda": 0, "weights of the other rows": 1e-3, "reconstruction": 1e-3}
        failed += [(model, name, worst[name]) for name, bound in bounds.items() if not worst[name] <= bound]
        lines.append(f"| {model} | {len(layers)} | {worst['column norms']:.1e} | {worst['Hessian']:.1e} | {worst['magnitude']} | "
                     f"{worst['wanda']} | {worst['sparsegpt weights']:.1e} | {worst['rows with another mask']} of {worst['rows']} | "
                     f"{worst['weights of the other rows']:.1e} | {worst['reconstruction']:.1e} |")
    print("\n| layers of | layers | column norms | Hessian | magnitude masks that differ | Wanda masks that differ | SparseGPT weights "
          "| rows with another mask | weights of the other rows | reconstruction error |\n" + "|---" * 10 + "|")
    print("\n".join(lines))
    print("\n| model | method | masks that differ | of weights | the first | relative difference |\n" + "|---" * 6 + "|")
    for row in rows:
        if row["kind"] == "model":
            figures = row["figures"]
            print(f"| {row['model']} | `{row['method']}` | {figures['masks that differ']} | {figures['weights']} | "
                  f"{figures['first'] or 'none'} | {figures['relative difference']:.1e} |")
    for failure in failed:
        print("past its bound:", *failure)
    return 1 if failed else 0


if __name__ == "__main__":
    main()
