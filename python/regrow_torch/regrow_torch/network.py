"""The Hugging Face model of a job, sharded over all processes by FSDP2."""

import contextlib
import json

import torch
import torch.distributed as dist
from safetensors import SafetensorError, safe_open
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers import AutoConfig, AutoModelForCausalLM

from .errors import JobError

_EMBEDDING, _HEAD = "model.embed_tokens.weight", "lm_head.weight"


class Network:
    """A sharded model, its tensors by name, and the masks of its sparse ones."""

    def __init__(self, job, mesh, device):
        self.job, self.device = job, device
        tied = all(name != _HEAD for name, _ in job.tensors)
        self.model = _empty(job, tied)
        for block in self.model.model.layers:
            if job.compile:
                block.compile()
            fully_shard(block, mesh=mesh)
        fully_shard(self.model, mesh=mesh)
        self.model.to_empty(device=device)
        if tied:
            # Memory was allocated anew for each name, so the two are one again from here on.
            self.model.lm_head.weight = self.model.model.embed_tokens.weight
        # Frequencies of the rotary positions follow from the configuration: no file holds them.
        rotary = self.model.model.rotary_emb
        self.model.model.rotary_emb = type(rotary)(config=self.model.config).to(device)
        self.tensors = dict(self.model.named_parameters())
        for name, tensor in self.tensors.items():
            if not isinstance(tensor, DTensor):
                raise JobError(f"`{name}` is a {type(tensor).__name__}, expected a DTensor: FSDP2 did not shard it")
        self.masks = []

    def load(self):
        """Reads this process's rows of every tensor from the model folder."""
        stored = _Stored(self.job.model)
        with contextlib.closing(stored):
            for name, _ in self.job.tensors:
                found = name
                if name == _EMBEDDING and not stored.has(name):
                    # A tied tensor may be stored under the other of its two names.
                    found = _HEAD
                local = self.tensors[name].to_local()
                start, stop = rows(self.tensors[name])
                with torch.no_grad():
                    local.copy_(stored.rows(found, self.tensors[name].shape, start, stop))

    def find_masks(self):
        """Notes the zeros of sparse tensors. They stay zero from here on."""
        self.masks = [
            (self.tensors[name], self.tensors[name].to_local() != 0) for name, _ in self.job.tensors if name in self.job.sparse
        ]

    def mask_gradients(self):
        """Clears the gradients of masked weights, so that they do not count when gradients are clipped."""
        for tensor, mask in self.masks:
            if tensor.grad is not None:
                tensor.grad.to_local().mul_(mask)

    @torch.no_grad()
    def mask_weights(self):
        """Sets masked weights to zero again. Without gradient and moments they are zero already."""
        for tensor, mask in self.masks:
            tensor.to_local().mul_(mask)

    def precision(self):
        """The context of a training pass: weights stay f32, products read bf16 where the run asks for it."""
        if self.job.spec["precision"] == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    @torch.no_grad()
    def full(self, name):
        """A whole tensor, on every process."""
        return self.tensors[name].full_tensor()


def rows(tensor):
    """The rows of a tensor that this process holds."""
    rank, world = dist.get_rank(), dist.get_world_size()
    count = tensor.shape[0]
    # FSDP2 divides the first dimension as `torch.chunk` does.
    size = -(-count // world)
    start, stop = min(rank * size, count), min((rank + 1) * size, count)
    if stop - start != tensor.to_local().shape[0]:
        raise JobError(f"a tensor of {count} rows has {tensor.to_local().shape[0]} here, expected {stop - start}")
    return start, stop


def _empty(job, tied):
    """The model without memory for its weights."""
    config = dict(job.config)
    kind = config.pop("model_type", None)
    if kind not in ("llama", "qwen2"):
        raise JobError(f"`model_type` is `{kind}`, expected `llama` or `qwen2`")
    config["tie_word_embeddings"] = tied
    # Our own trainer has no dropout either.
    config["attention_dropout"] = 0.0
    try:
        config = AutoConfig.for_model(kind, **config)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa")
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise JobError(f"transformers cannot make the model of `{job.model}`: {error}") from None
    if job.recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    found = {name: tuple(tensor.shape) for name, tensor in model.named_parameters()}
    expected = dict(job.tensors)
    if odd := sorted(set(found.items()) ^ set(expected.items())):
        name = odd[0][0]
        raise JobError(
            f"`{name}` has the shape {found.get(name)} in transformers, expected {expected.get(name)} as in `{job.model}`"
        )
    if job.sparse - expected.keys():
        raise JobError(f"`{sorted(job.sparse - expected.keys())[0]}` is listed as sparse and is no tensor of this model")
    return model.train()


class _Stored:
    """The safetensors files of a model folder."""

    def __init__(self, folder):
        self.folder, self.files = folder, {}
        index = folder / "model.safetensors.index.json"
        try:
            if index.is_file():
                self.names = {str(k): str(v) for k, v in json.loads(index.read_bytes())["weight_map"].items()}
            else:
                with safe_open(folder / "model.safetensors", "pt") as file:
                    self.names = dict.fromkeys(file.keys(), "model.safetensors")
        except (OSError, ValueError, KeyError, AttributeError, SafetensorError) as error:
            raise JobError(f"the weights of `{folder}` cannot be read: {error}") from None

    def has(self, name):
        return name in self.names

    def rows(self, name, shape, start, stop):
        try:
            file = self.names[name]
            if "/" in file or file not in self.files:
                self.files[file] = safe_open(self.folder / file.rsplit("/", 1)[-1], "pt")
            part = self.files[file].get_slice(name)
            if tuple(part.get_shape()) != tuple(shape):
                raise JobError(f"`{name}` is {part.get_shape()} in `{self.folder}`, expected {list(shape)}")
            return part[start:stop]
        except (OSError, KeyError, SafetensorError) as error:
            raise JobError(f"`{name}` of `{self.folder}` cannot be read: {error}") from None

    def close(self):
        self.files.clear()
