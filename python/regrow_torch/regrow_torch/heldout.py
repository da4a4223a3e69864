"""Held-out loss, by the convention that regrow's `eval` follows.

- A document is its begin token, then the tokens of its text. If documents are read separately, the
  begin token is never predicted.
- `documents`: each document is read separately. `packed`: documents are joined end to end.
- A text longer than the context is read in windows that begin `stride` tokens apart. Every token is
  predicted exactly once, in the first window that reaches it.
- The loss is the sum of -ln p over the predicted tokens, in nats, divided by their number. It is
  computed in f32, whatever precision the run trains in.
"""

import torch
import torch.distributed as dist
import torch.nn.functional as F

from . import objective

# Tokens of one pass, about. A fixed number, so that the number of processes changes no pass.
PASS = 4096


def windows(part, evaluation):
    """`(start, end, first)`: the tokens read, and the first target that counts."""
    if evaluation["convention"] == "packed":
        texts = [(0, part.tokens)]
    else:
        texts = part.documents()
    context, stride, left = evaluation["context"], evaluation["stride"], evaluation["tokens"]
    found = []
    for start, stop in texts:
        first = start + 1
        while first < stop and left > 0:
            # Shortened at the end of the text, and so that the limit is met exactly.
            end = min(stop, start + context + 1, first + left)
            found.append((start, end, first))
            left -= end - first
            first = end
            start += stride
        if left <= 0:
            break
    return found


def passes(part, evaluation):
    """Windows in groups that go through the network together, each of about the same length."""
    ordered = sorted(windows(part, evaluation), key=lambda window: window[1] - window[0], reverse=True)
    groups, group = [], []
    for window in ordered:
        # The longest comes first, and the others are padded to it.
        if group and (len(group) + 1) * (group[0][1] - group[0][0] - 1) > PASS:
            groups.append(group)
            group = []
        group.append(window)
    return groups + [group] if group else groups


@torch.no_grad()
def loss(model, part, evaluation, device, head=None):
    """Held-out loss in nats per token. Every process takes a share of the passes.

    Where a `head` stands in the place of the model's own, it is applied here.
    """
    rank, world = dist.get_rank(), dist.get_world_size()
    groups = passes(part, evaluation)
    sums = torch.zeros(2, dtype=torch.float64, device=device)
    was_training = model.training
    model.eval()
    # As many rounds on every process: each pass gathers weights from all of them.
    for round_ in range(-(-len(groups) // world)):
        at = round_ * world + rank
        # A process without a pass of its own repeats one that does not count.
        tokens, targets = _batch(part, groups[min(at, len(groups) - 1)], device)
        logits = model(input_ids=tokens, use_cache=False).logits
        logits = (F.linear(logits, head.weight) if head else logits).float()
        nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1, reduction="none")
        if at < len(groups):
            sums[0] += nats.double().sum()
            sums[1] += (targets != -1).sum()
    model.train(was_training)
    dist.all_reduce(sums)
    return (sums[0] / sums[1]).item()


@torch.no_grad()
def against(model, head, teacher, part, evaluation, device):
    """Held-out loss, and the divergence from a teacher over the same tokens, KL(teacher || model) at temperature 1.

    Both in nats per token. `head` stands in the place of the model's own.
    """
    rank, world = dist.get_rank(), dist.get_world_size()
    groups, places, place = passes(part, evaluation), {}, 0
    for window in windows(part, evaluation):
        # A cache has the rows of all windows end to end.
        places[window] = place
        place += window[1] - window[0] - 1
    sums = torch.zeros(3, dtype=torch.float64, device=device)
    was_training = model.training
    model.eval()
    for round_ in range(-(-len(groups) // world)):
        at = round_ * world + rank
        group = groups[min(at, len(groups) - 1)]
        tokens, targets = _batch(part, group, device)
        rows = torch.zeros(targets.shape, dtype=torch.int64)
        for row, window in enumerate(group):
            length = window[1] - window[0] - 1
            rows[row, :length] = torch.arange(length) + places[window]
        lesson = teacher.heldout(tokens, rows)
        hidden = model(input_ids=tokens, use_cache=False).logits
        found = objective.measured(hidden.flatten(0, 1), head.weight, targets.flatten(), lesson)
        if at < len(groups):
            sums[:2] += found
            sums[2] += (targets != -1).sum()
    teacher.rest()
    model.train(was_training)
    dist.all_reduce(sums)
    return (sums[0] / sums[2]).item(), (sums[1] / sums[2]).item()


def _batch(part, group, device):
    longest = max(end - start for start, end, _ in group) - 1
    tokens = torch.zeros(len(group), longest, dtype=torch.int64)
    targets = torch.full((len(group), longest), -1, dtype=torch.int64)
    for row, (start, end, first) in enumerate(group):
        text = torch.from_numpy(part.read(start, end - start))
        tokens[row, : end - start - 1] = text[:-1]
        targets[row, first - start - 1 : end - start - 1] = text[first - start :]
    # Attention is causal, so what is padded on the right reaches no token that counts.
    return tokens.to(device), targets.to(device)
