"""Losses against a teacher, a chunk of rows at a time: logits of a whole batch are never held.

With p the teacher's and q the model's distribution at the temperature T, the loss of a row is
``weight T² KL(p || q) + (1 - weight) (-ln q(target))``, the second part at temperature 1.
"""

import torch
import torch.nn.functional as F

# Rows whose logits exist at once.
CHUNK = 512


class Head:
    """Stands in the place of a model's output head, which it calls itself, a chunk of rows at a time.

    Without a task the model gives its hidden states. With one it gives the sum of the losses: inside the model's own
    pass, so that FSDP2 has gathered the head and will collect its gradient.
    """

    def __init__(self, model):
        self.layer, self.task = model.lm_head, None
        self.layer.forward = self

    def __call__(self, hidden):
        if self.task is None:
            return hidden
        targets, lesson, mixture = self.task
        return _Taught.apply(hidden.flatten(0, 1), self.layer.weight, targets, lesson, mixture)

    @property
    def weight(self):
        return self.layer.weight


class _Taught(torch.autograd.Function):
    """The sum of the losses of all rows. Gradients are made with the losses, while the logits are there."""

    @staticmethod
    def forward(ctx, hidden, weight, targets, lesson, mixture):
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        of_hidden, of_weight = torch.empty_like(hidden), torch.zeros_like(weight)
        for rows in chunks(len(targets)):
            part = hidden[rows]
            logits = F.linear(part, weight).float()
            nats, gradient = losses(logits, lesson(rows), targets[rows], mixture)
            total += nats.double().sum()
            of_hidden[rows] = (gradient @ weight).to(of_hidden.dtype)
            of_weight += gradient.t() @ part.float()
        ctx.save_for_backward(of_hidden, of_weight)
        return total

    @staticmethod
    def backward(ctx, scale):
        of_hidden, of_weight = ctx.saved_tensors
        return of_hidden * scale.to(of_hidden.dtype), of_weight * scale.to(of_weight.dtype), None, None, None


def chunks(rows):
    """Slices of at most `CHUNK` rows."""
    return [slice(start, min(start + CHUNK, rows)) for start in range(0, rows, CHUNK)]


def losses(logits, taught, targets, mixture):
    """Loss of each row in nats, and the gradient of the sum by the logits.

    `taught` is a teacher's logits, or ids and probabilities of its most probable tokens, the last of all others.
    """
    weight, temperature = mixture
    nats, gradient = divergence(logits / temperature, _at(taught, temperature))
    nats, gradient = weight * temperature**2 * nats, weight * temperature * gradient
    if weight < 1.0:
        log_q = F.log_softmax(logits, -1)
        nats = nats - (1.0 - weight) * log_q.gather(1, targets[:, None])[:, 0]
        gradient += (1.0 - weight) * log_q.exp()
        gradient[torch.arange(len(targets), device=targets.device), targets] -= 1.0 - weight
    return nats, gradient


def _at(taught, temperature):
    return taught if isinstance(taught, tuple) else taught / temperature


def divergence(logits, taught):
    """KL(teacher || model) of each row in nats, and its gradient by the logits."""
    log_q = F.log_softmax(logits, -1)
    if not isinstance(taught, tuple):
        log_p = F.log_softmax(taught, -1)
        p = log_p.exp()
        return (p * (log_p - log_q)).sum(-1), log_q.exp() - p
    ids, shares = taught
    p, rest = shares[:, :-1], shares[:, -1]
    known = log_q.gather(1, ids)
    # The known tokens are taken out, so that the sum over all others loses no digits.
    others = log_q.scatter(1, ids, -torch.inf).logsumexp(-1)
    nats = _part(p, known).sum(-1) + _part(rest, others)
    # Nothing is left over where all tokens are known.
    of_others = torch.where(rest > 0.0, 1.0 - rest / others.exp(), torch.ones_like(rest))
    gradient = log_q.exp() * of_others[:, None]
    return nats, gradient.scatter(1, ids, known.exp() - p)


def _part(p, log_q):
    """p (ln p - ln q); 0 where p is."""
    safe = torch.where(p > 0.0, p, torch.ones_like(p))
    return torch.where(p > 0.0, p * (safe.log() - log_q), torch.zeros_like(p))


@torch.no_grad()
def measured(hidden, weight, targets, lesson):
    """Sums of -ln q(target) and of the divergence at temperature 1 over the rows whose target is not -1."""
    sums = torch.zeros(2, dtype=torch.float64, device=hidden.device)
    for rows in chunks(len(targets)):
        counted = targets[rows] != -1
        logits = F.linear(hidden[rows], weight).float()
        nats = F.cross_entropy(logits, targets[rows], ignore_index=-1, reduction="none")
        apart, _ = divergence(logits, lesson(rows))
        sums[0] += nats.double().sum()
        sums[1] += torch.where(counted, apart, torch.zeros_like(apart)).double().sum()
    return sums
