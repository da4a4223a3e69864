"""Whom a run learns from: a model, sharded like the student, or a cache that `regrow teach` has made.

A lesson answers, for a slice of the rows of a batch, with the teacher's logits, or with the ids and probabilities of its
most probable tokens.
"""

import dataclasses
import hashlib
import json

import numpy as np
import torch
import torch.nn.functional as F

from .errors import JobError
from .network import Network
from .objective import Head

# The description is some kilobytes; this is far above.
_LIMIT = 16 << 20


class NetworkTeacher:
    """A model without gradients. Only its blocks are gathered one by one; its head stays until `rest`."""

    has_heldout = True

    def __init__(self, job, mesh, device):
        told = job.teacher
        own = dataclasses.replace(
            job, model=told.model, config=told.config, tensors=told.tensors, sparse=frozenset(), recompute=False
        )
        self.network = Network(own, mesh, device)
        self.network.model.requires_grad_(False).eval()
        self.head = Head(self.network.model)
        self.network.load()

    def training(self, tokens, _windows, _temperature):
        """The lesson of training windows. The caller sets the precision."""
        return self._lesson(tokens)

    def heldout(self, tokens, _rows):
        return self._lesson(tokens)

    @torch.no_grad()
    def _lesson(self, tokens):
        hidden = self.network.model(input_ids=tokens, use_cache=False).logits.flatten(0, 1)
        return lambda rows: F.linear(hidden[rows], self.head.weight).float()

    def rest(self):
        """Gives back what the last lesson needed."""
        self.network.model.reshard()


class Cache:
    """The folder of `regrow teach`. Its layout is in `docs/guide/distil.md`."""

    def __init__(self, job):
        self.folder, spec = job.teacher.cache, job.spec
        path = self.folder / "cache.json"
        try:
            with open(path, "rb") as file:
                text = file.read(_LIMIT)
            info = json.loads(text)
        except OSError as error:
            raise JobError(f"`{path}` cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise JobError(f"`{path}` is not a teacher's cache: {error}") from None
        found, told = hashlib.sha256(text).hexdigest(), job.objective
        if found != told.cache:
            raise JobError(f"`{path}` has the hash {found}, expected {told.cache} as in the run's spec")
        # The hash is that of a description that regrow has checked, so its keys are there.
        self.context, self.top = info["context"], info["top"]
        for what, value, expected in (
            ("format", info["format"], 1),
            ("context", self.context, spec["context"]),
            ("vocabulary", info["vocabulary"], job.config["vocab_size"]),
        ):
            if value != expected:
                raise JobError(f"`{path}` has `{what}` {value}, expected {expected}")
        self.temperatures = info["temperatures"]
        if told.temperature not in self.temperatures:
            raise JobError(f"`{path}` knows the temperatures {self.temperatures}, expected {told.temperature} among them")
        self.row = np.dtype(
            [
                ("ids", "<u2" if info["vocabulary"] <= 1 << 16 else "<u4", (self.top,)),
                ("log_p", "<f2", (self.top,)),
                ("rest", "<f4", (len(self.temperatures),)),
            ]
        )
        self.rows_per_file = info["rows_per_file"]
        self.train, self.held_out = (self._open(name, info[f"{name}_part"]) for name in ("train", "heldout"))
        alike = all(info["evaluation"][key] == spec["evaluation"][key] for key in ("convention", "context", "stride", "tokens"))
        self.has_heldout = alike and info["heldout"] == spec["heldout"]

    def _open(self, name, part):
        files = []
        for number, expected in enumerate(part["sha256"]):
            path = self.folder / f"{name}-{number:05}.rows"
            try:
                rows = np.memmap(path, dtype=self.row, mode="r")
            except (OSError, ValueError) as error:
                raise JobError(f"`{path}` cannot be read: {error}") from None
            wanted = min(self.rows_per_file, part["rows"] - number * self.rows_per_file)
            if len(rows) != wanted:
                raise JobError(f"`{path}` has {len(rows)} rows, expected {wanted}")
            files.append((path, rows, expected))
        return files

    def verify(self):
        """Reads every file and holds its hash against `cache.json`."""
        for path, _, expected in self.train + self.held_out:
            hasher = hashlib.sha256()
            with open(path, "rb") as file:
                while chunk := file.read(1 << 24):
                    hasher.update(chunk)
            if hasher.hexdigest() != expected:
                raise JobError(f"`{path}` has the hash {hasher.hexdigest()}, expected {expected} as in `cache.json`")

    def read(self, part, rows, temperature):
        """Ids and probabilities of these rows, the last probability that of all other tokens.

        f16 moves probabilities by some thousandths, so the known ones are scaled to what the others leave.
        """
        files, numbers = rows // self.rows_per_file, rows % self.rows_per_file
        found = np.empty(len(rows), dtype=self.row)
        for file in np.unique(files):
            chosen = files == file
            found[chosen] = part[file][1][numbers[chosen]]
        power = np.exp(found["log_p"].astype(np.float64) / temperature)
        rest = found["rest"][:, self.temperatures.index(temperature)]
        power *= ((1.0 - rest.astype(np.float64)) / power.sum(-1))[:, None]
        shares = np.concatenate([power.astype(np.float32), rest[:, None]], axis=-1)
        return torch.from_numpy(found["ids"].astype(np.int64)), torch.from_numpy(shares)


class CacheTeacher:
    """A cache as a teacher, on this process's device."""

    def __init__(self, cache, device):
        self.cache, self.device, self.has_heldout = cache, device, cache.has_heldout

    def training(self, _tokens, windows, temperature):
        rows = np.concatenate([np.arange(self.cache.context) + window * self.cache.context for window in windows])
        return self._lesson(self.cache.train, rows, temperature)

    def heldout(self, _tokens, rows):
        return self._lesson(self.cache.held_out, rows.flatten().numpy(), 1.0)

    def _lesson(self, part, rows, temperature):
        ids, shares = (tensor.to(self.device) for tensor in self.cache.read(part, rows, temperature))
        return lambda rows: (ids[rows], shares[rows])

    def rest(self):
        """Nothing is held between lessons."""
