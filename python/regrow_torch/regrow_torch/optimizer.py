"""AdamW on the shards: gradients are clipped by their global norm, and only matrices decay."""

import torch
import torch.distributed as dist

# `clip_grad_norm_` of PyTorch adds the same, and so does regrow's own trainer.
_CLIP_EPSILON = 1e-6


class Optimizer:
    """The moments of this process's rows of every tensor."""

    def __init__(self, network, settings):
        self.settings, self.network = settings, network
        # Plain views of the shards: the update is elementwise, and without the wrapping of DTensor
        # it costs what it costs in a loop on one device.
        self.locals = {name: tensor.to_local().detach() for name, tensor in network.tensors.items()}
        groups = [{"params": [], "weight_decay": settings["weight_decay"]}, {"params": [], "weight_decay": 0.0}]
        for name, tensor in network.tensors.items():
            # A small tensor has no rows on some processes.
            if self.locals[name].numel():
                groups[0 if tensor.dim() > 1 else 1]["params"].append(self.locals[name])
        self.optimizer = _adamw([group for group in groups if group["params"]], settings)
        self.moments = {}
        for name, local in self.locals.items():
            first, second = torch.zeros_like(local), torch.zeros_like(local)
            self.moments[name] = (first, second)
            if local.numel():
                step = torch.zeros((), dtype=torch.float32, device=local.device)
                self.optimizer.state[local] = {"step": step, "exp_avg": first, "exp_avg_sq": second}

    def set_steps(self, steps):
        """Goes on after a number of steps. The caller fills in the moments."""
        for state in self.optimizer.state.values():
            state["step"].fill_(steps)

    def take_gradients(self):
        """The gradients of this process's rows, and their global norm."""
        gradients = []
        for name, tensor in self.network.tensors.items():
            local = self.locals[name]
            if local.numel() and tensor.grad is not None:
                local.grad = tensor.grad.to_local()
                gradients.append(local.grad)
        squares = torch.zeros((), dtype=torch.float64, device=self.network.device)
        if gradients:
            squares += torch.stack(torch._foreach_norm(gradients)).double().square().sum()
        dist.all_reduce(squares)
        return gradients, squares.sqrt().item()

    @torch.no_grad()
    def step(self, gradients, norm, learning_rate):
        """One step. If the norm is above the limit, gradients are scaled down to it."""
        scale = self.settings["clip_norm"] / (norm + _CLIP_EPSILON)
        if scale < 1.0 and gradients:
            torch._foreach_mul_(gradients, scale)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        for name, tensor in self.network.tensors.items():
            self.locals[name].grad = tensor.grad = None


def _adamw(groups, settings):
    options = {
        "lr": settings["learning_rate"],
        "betas": (settings["beta1"], settings["beta2"]),
        "eps": settings["epsilon"],
    }
    if not groups:
        # More processes than rows: nothing to do here, but an optimiser must hold something.
        groups = [{"params": [torch.zeros(1)], "weight_decay": 0.0}]
    try:
        return torch.optim.AdamW(groups, fused=True, **options)
    except RuntimeError:
        # Not every device has the fused kernel.
        return torch.optim.AdamW(groups, **options)
