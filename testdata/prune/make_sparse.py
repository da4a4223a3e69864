"""Makes `sparse.safetensors`: one linear layer, its inputs, and what every sparse method leaves of it.

    python testdata/prune/make_sparse.py

The formulas are those of `benches/peers/prune_sparse.py`. Weights are multiples of 1/16 and some input columns have one norm, so that there are
ties. `norms` and `gram` (the sum of x x^T) are rounded to f32 and then decided on, so that a test can hand in the very same numbers.
SparseGPT's choices lie apart: the script stops where weights that differ by 1e-5 lead to other zeros.
"""

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "benches" / "peers"))
from prune_sparse import PATTERNS, magnitude, sparsegpt, wanda  # noqa: E402

ROWS, COLUMNS, TOKENS = 8, 160, 200


def main():
    random = np.random.default_rng(7)
    weight = (np.round(random.standard_normal((ROWS, COLUMNS)) * 8) / 16).astype(np.float32)
    inputs = random.standard_normal((TOKENS, COLUMNS)) @ (np.eye(COLUMNS) + 0.3 * random.standard_normal((COLUMNS, COLUMNS)))
    inputs = (inputs * np.exp(0.5 * random.standard_normal(COLUMNS))).astype(np.float32)
    inputs[:, 1::4] = -inputs[::-1, ::4]  # another column, the same norm
    norms = np.sqrt(np.sum(inputs.astype(np.float64) ** 2, axis=0)).astype(np.float32)
    gram = (inputs.astype(np.float64).T @ inputs.astype(np.float64)).astype(np.float32)
    hessian = gram.astype(np.float64) / TOKENS
    tensors = {"weight": weight, "inputs": inputs, "norms": norms, "gram": gram}
    for pattern in PATTERNS:
        tensors[f"{pattern}-magnitude"] = magnitude(weight, pattern)
        tensors[f"{pattern}-wanda"] = wanda(weight, norms, pattern)
        exact = sparsegpt(weight, hessian, pattern)
        # Where rounding decides, there is nothing to hold a program to.
        for by in (1 - 1e-5, 1 + 1e-5):
            nudged = sparsegpt(weight * (1 + (by - 1) * random.standard_normal(weight.shape)), hessian, pattern)
            assert np.array_equal(nudged == 0, exact == 0), f"{pattern}: scores too close to tell apart, take another seed"
        tensors[f"{pattern}-sparsegpt"] = exact.astype(np.float32)
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, HERE / "sparse.safetensors")


main()
