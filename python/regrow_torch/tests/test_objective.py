"""Losses against a teacher, held to PyTorch's own functions and gradients."""

import unittest

try:
    import torch
    import torch.nn.functional as F
    from regrow_torch import objective
except ImportError as error:
    raise unittest.SkipTest(f"skipped: the losses of the torch job: {error}") from None

MIXTURES = [(1.0, 1.0), (1.0, 2.0), (0.5, 1.0), (0.3, 2.0), (0.0, 2.0)]


def plain(hidden, weight, taught, targets, mixture):
    share, temperature = mixture
    logits = hidden @ weight.t()
    divergence = F.kl_div(F.log_softmax(logits / temperature, -1), F.log_softmax(taught / temperature, -1),
                          log_target=True, reduction="sum")  # fmt: skip
    return share * temperature**2 * divergence + (1 - share) * F.cross_entropy(logits, targets, reduction="sum")


class Model(torch.nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.lm_head = torch.nn.Linear(*reversed(weight.shape), bias=False)
        self.lm_head.weight = torch.nn.Parameter(weight.clone())

    def forward(self, hidden):
        return self.lm_head(hidden)


class Losses(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(7)
        # More rows than a chunk, and a number of tokens that is no power of two.
        self.hidden, self.weight = torch.randn(1, 700, 16), torch.randn(93, 16)
        self.taught, self.targets = 2.0 * torch.randn(700, 93), torch.randint(93, (700,))

    def ours(self, lesson, mixture):
        model = Model(self.weight)
        head = objective.Head(model)
        hidden = self.hidden.clone().requires_grad_(True)
        head.task = (self.targets, lesson, mixture)
        total = model(hidden)
        (total * 0.25).backward()
        return total.detach(), hidden.grad, model.lm_head.weight.grad

    def test_losses_and_gradients_are_those_of_autograd(self):
        for mixture in MIXTURES:
            total, of_hidden, of_weight = self.ours(lambda rows: self.taught[rows], mixture)
            hidden = self.hidden[0].double().requires_grad_(True)
            weight = self.weight.double().requires_grad_(True)
            expected = plain(hidden, weight, self.taught.double(), self.targets, mixture)
            (expected * 0.25).backward()
            self.assertLess(abs(total - expected).item() / expected.item(), 1e-6, mixture)
            for found, wanted in ((of_hidden[0], hidden.grad), (of_weight, weight.grad)):
                self.assertLess((found - wanted).abs().max() / wanted.abs().max(), 1e-5, mixture)

    def test_a_teacher_of_whom_every_token_is_known_is_the_whole_teacher(self):
        ids = torch.argsort(self.taught, -1, descending=True)
        for share, temperature in MIXTURES:
            p = F.softmax(self.taught / temperature, -1).gather(1, ids)
            shares = torch.cat([p, torch.zeros(700, 1)], -1)
            whole = self.ours(lambda rows: self.taught[rows], (share, temperature))
            known = self.ours(lambda rows: (ids[rows], shares[rows]), (share, temperature))
            for a, b in zip(whole, known):
                self.assertLess((a - b).abs().max() / a.abs().max(), 1e-5)

    def test_of_a_few_known_tokens_the_others_are_one_outcome(self):
        for share, temperature in MIXTURES:
            p, ids = F.softmax(self.taught.double() / temperature, -1).topk(9)
            rest = 1.0 - p.sum(-1, keepdim=True)
            hidden = self.hidden[0].double().requires_grad_(True)
            weight = self.weight.double().requires_grad_(True)
            logits = hidden @ weight.t()
            q = F.softmax(logits / temperature, -1)
            known = q.gather(1, ids)
            both = torch.cat([known, 1.0 - known.sum(-1, keepdim=True)], -1)
            taught = torch.cat([p, rest], -1)
            divergence = (taught * (taught.log() - both.log())).sum()
            expected = share * temperature**2 * divergence
            expected = expected + (1 - share) * F.cross_entropy(logits, self.targets, reduction="sum")
            (expected * 0.25).backward()
            total, of_hidden, of_weight = self.ours(lambda rows: (ids[rows], taught[rows].float()), (share, temperature))
            self.assertLess(abs(total - expected).item() / expected.item(), 1e-6)
            for found, wanted in ((of_hidden[0], hidden.grad), (of_weight, weight.grad)):
                self.assertLess((found - wanted).abs().max() / wanted.abs().max(), 1e-5)

    def test_a_teacher_equal_to_the_student_teaches_nothing(self):
        same = self.hidden[0] @ self.weight.t()
        total, of_hidden, of_weight = self.ours(lambda rows: same[rows], (1.0, 2.0))
        self.assertLess(abs(total.item()), 700 * 1e-6)
        self.assertLess(max(of_hidden.abs().max(), of_weight.abs().max()), 1e-4)

    def test_ignored_targets_do_not_count(self):
        targets = self.targets.clone()
        targets[::3] = -1
        found = objective.measured(self.hidden[0], self.weight, targets, lambda rows: self.taught[rows])
        counted = targets != -1
        logits = self.hidden[0][counted] @ self.weight.t()
        nats = F.cross_entropy(logits, targets[counted], reduction="sum").item()
        apart = F.kl_div(F.log_softmax(logits, -1), F.log_softmax(self.taught[counted], -1), log_target=True, reduction="sum")
        self.assertLess(abs(found[0].item() / nats - 1), 1e-6)
        self.assertLess(abs(found[1].item() / apart.item() - 1), 1e-5)


if __name__ == "__main__":
    unittest.main()
