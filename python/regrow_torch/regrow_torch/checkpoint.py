"""Checkpoints: weights and moments by `torch.distributed.checkpoint`, whole or passed over.

`checkpoint-<step>/` holds what `torch.distributed.checkpoint` writes and `state.json`, which names
the run, the step, and the SHA-256 of every other file. Any number of processes can read it.
"""

import hashlib
import json
import os
import shutil
import warnings

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.tensor import DTensor

from . import folder as files
from .errors import JobError

_STATE = "state.json"
_LIMIT = 64 << 20
# Besides the best one: the last, and one more in case the last is damaged.
KEPT = 2


def path_of(run, step):
    return run / f"checkpoint-{step}"


def steps(run):
    """Steps of the checkpoints of a run, ascending."""
    found = []
    for name in os.listdir(run):
        digits = name.removeprefix("checkpoint-")
        if digits.isdecimal() and name == f"checkpoint-{int(digits)}" and (run / name).is_dir():
            found.append(int(digits))
    return sorted(found)


def save(network, optimizer, step, seconds):
    """Writes the checkpoint of a step. Every process takes part."""
    job, rank = network.job, dist.get_rank()
    target = path_of(job.run, step)
    name = [files.hidden(target)] if rank == 0 else [None]
    dist.broadcast_object_list(name, src=0)
    aside = name[0]
    if rank == 0:
        aside.mkdir()
    dist.barrier()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save(_tensors(network, optimizer), checkpoint_id=aside)
    dist.barrier()
    # Each process hashes what it wrote, and the first one what belongs to all.
    own = sorted(entry.name for entry in aside.iterdir() if _writer_of(entry.name) == rank)
    hashes = [None] * dist.get_world_size()
    dist.all_gather_object(hashes, {entry: _hash(aside / entry) for entry in own})
    if rank == 0:
        state = {"format": 1, "run": job.id, "step": step, "seconds": seconds, "files": {}}
        for found in hashes:
            state["files"] |= found
        for entry in state["files"]:
            with open(aside / entry, "rb") as file:
                os.fsync(file.fileno())
        files.write(aside / _STATE, json.dumps(state, indent=2).encode())
        files.appear(aside, target)
    dist.barrier()


def load(network, optimizer, step):
    """Reads the checkpoint of a step into weights and moments. The answer is its seconds of training.

    Any damage is an error on every process.
    """
    job, rank, world = network.job, dist.get_rank(), dist.get_world_size()
    target, why, state = path_of(job.run, step), None, {}
    try:
        state = _read_state(target, job.id, step)
        for i, (name, hash_) in enumerate(sorted(state["files"].items())):
            if i % world == rank and _hash(target / name) != hash_:
                why = f"`{name}` has another hash than in `{_STATE}`"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = str(error) or type(error).__name__
    reasons = [None] * world
    dist.all_gather_object(reasons, why)
    if why := next((reason for reason in reasons if reason), None):
        raise JobError(f"`{target}` is passed over: {why}")
    tensors = _tensors(network, optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.load(tensors, checkpoint_id=target)
    optimizer.set_steps(step)
    return float(state["seconds"])


def tidy(run, step, best):
    """Removes the checkpoints that are no longer needed after a step, and later ones, which this run will write again."""
    found = steps(run)
    kept = [of for of in found if of <= step][-KEPT:]
    for of in found:
        if of not in kept and (of != best or of > step):
            shutil.rmtree(path_of(run, of), ignore_errors=True)


def remove_all(run):
    """A run that is done is never resumed."""
    for step in steps(run):
        shutil.rmtree(path_of(run, step), ignore_errors=True)


def _tensors(network, optimizer):
    """Weights and moments, as tensors that know which rows are here."""
    found = {}
    for name, tensor in network.tensors.items():
        found[f"weights.{name}"] = tensor.detach()
        for kind, moment in zip(("first", "second"), optimizer.moments[name]):
            found[f"{kind}.{name}"] = DTensor.from_local(
                moment, tensor.device_mesh, tensor.placements, run_check=False, shape=tensor.shape, stride=tensor.stride()
            )
    return found


def _writer_of(name):
    """`__1_0.distcp` is the first file of process 1."""
    parts = name.strip("_").split("_")
    return int(parts[0]) if name.endswith(".distcp") and parts[0].isdecimal() else 0


def _read_state(target, run_id, step):
    path = target / _STATE
    if path.stat().st_size > _LIMIT:
        raise ValueError(f"`{_STATE}` is longer than {_LIMIT} bytes")
    state = json.loads(path.read_bytes())
    if state.get("format") != 1 or state.get("run") != run_id or state.get("step") != step:
        raise ValueError(f"`{_STATE}` is not of run {run_id} at step {step}")
    names = {entry.name for entry in target.iterdir()} - {_STATE}
    if names != set(state["files"]):
        raise ValueError(f"its files are not those of `{_STATE}`")
    return state


def _hash(path):
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 24):
            hasher.update(chunk)
    return hasher.hexdigest()
