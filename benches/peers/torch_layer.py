"""A sparse score on one linear layer in PyTorch, f32, from the papers' formulas. Timed.

    python benches/peers/torch_layer.py --method 2:4-sparsegpt --rows 2048 --columns 8192 --tokens 4096 --repeats 3 --threads 2

The last line printed is JSON: `seconds` is the median of `--repeats` after an unmeasured one, `statistics` what is counted of the inputs
once: sums of squares, or `X^T X`.

PyTorch gets what makes it fast on a CPU: groups are taken all at once and not column by column, a block's columns lie side by side
while they are worked, and what a block owes to the rest is one product.
"""

import argparse
import json
import statistics
import time

import torch

DAMPING, BLOCK = 0.01, 128


def lowest_of_groups(scores, how):
    """Of every four scores the two lowest, as a mask; of equal ones the lower column stays."""
    groups = scores.unflatten(-1, (-1, 4))
    if how == "topk":
        lowest = torch.topk(groups, 2, dim=-1, largest=False).indices
        return torch.zeros_like(groups, dtype=torch.bool).scatter_(-1, lowest, True).flatten(-2)
    # A score goes if two or more others of its group come before it.
    s = groups.unbind(-1)
    before = [torch.zeros_like(s[0], dtype=torch.int8) for _ in s]
    for i in range(4):
        for j in range(i):
            left = s[j] >= s[i]
            before[i] += left
            before[j] += ~left
    return torch.stack([rank >= 2 for rank in before], -1).flatten(-2)


def wanda(weight, norms, pattern, how):
    """|w| |x| by Sun et al. 2023; unstructured zeros are compared within a row."""
    scores = weight.abs() * norms
    if pattern == "2:4":
        mask = lowest_of_groups(scores, how)
    else:
        lowest = torch.topk(scores, weight.shape[1] // 2, dim=1, largest=False, sorted=False).indices
        mask = torch.zeros_like(weight, dtype=torch.bool).scatter_(1, lowest, True)
    return weight.masked_fill_(mask, 0.0)


def inverse_factor(gram, tokens):
    """U with H^-1 = U^T U, H the damped mean of x x^T (Frantar and Alistarh 2023)."""
    hessian = gram / tokens
    hessian.diagonal().add_(DAMPING * hessian.diagonal().mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    return torch.linalg.cholesky(inverse, upper=True)


def sparsegpt(weight, gram, tokens, pattern, how):
    factor = inverse_factor(gram, tokens)
    rows, columns = weight.shape
    for start in range(0, columns, BLOCK):
        end = min(start + BLOCK, columns)
        small = factor[start:end, start:end]
        diagonal = small.diagonal()
        block = weight[:, start:end].t().contiguous()  # [column, row]
        owed = torch.zeros_like(block)
        mask = None
        if pattern != "2:4":
            scores = (block / diagonal[:, None]).square()
            mask = scores <= scores.flatten().kthvalue(scores.numel() // 2).values
        for column in range(end - start):
            if pattern == "2:4" and column % 4 == 0:
                group = slice(column, column + 4)
                scores = (block[group] / diagonal[group, None]).square().t().contiguous()
                chosen = lowest_of_groups(scores, how).t()
            gone = chosen[column % 4] if mask is None else mask[column]
            debt = torch.where(gone, block[column], 0.0) / diagonal[column]
            block[column:].addr_(small[column, column:], debt, alpha=-1.0)
            block[column].masked_fill_(gone, 0.0)
            owed[column] = debt
        weight[:, start:end] = block.t()
        if end < columns:
            weight[:, end:].addmm_(owed.t(), factor[start:end, end:], alpha=-1.0)
    return weight


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", required=True)
    parser.add_argument("--groups", choices=["topk", "ranks"], default="ranks")
    for name in ("rows", "columns", "tokens", "repeats"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(1)
    pattern, score = given.method.split("-")
    weights = (torch.rand(given.rows, given.columns) - 0.5) * 0.1
    inputs = (torch.rand(given.tokens, given.columns) - 0.5) * 0.1
    start = time.perf_counter()
    stats = inputs.norm(dim=0) if score == "wanda" else inputs.t() @ inputs
    counted = time.perf_counter() - start
    del inputs
    seconds, work = [], weights.clone()
    with torch.no_grad():
        for _ in range(given.repeats + 1):
            work.copy_(weights)
            start = time.perf_counter()
            if score == "wanda":
                wanda(work, stats, pattern, given.groups)
            else:
                sparsegpt(work, stats, given.tokens, pattern, given.groups)
            seconds.append(time.perf_counter() - start)
    zeros = (work == 0).sum().item()
    assert abs(zeros - work.numel() / 2) <= work.numel() / 1000, "half of the weights go"
    print(json.dumps({"seconds": statistics.median(seconds[1:]), "statistics": counted}))


if __name__ == "__main__":
    main()
