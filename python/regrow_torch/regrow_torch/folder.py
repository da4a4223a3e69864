"""The run folder: its lock, the curve, the model, and the end of the run.

Whatever is not complete has a hidden name, `.<name>.<six letters><.aside>`, which regrow knows and
removes once its process is gone.
"""

import fcntl
import hashlib
import json
import math
import os
import secrets
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from .errors import JobError
from .job import STORED

_CURVE_LIMIT = 2 << 30


class RunFolder:
    """A run folder that this process alone writes."""

    def __init__(self, path, run_id):
        self.path = Path(path)
        try:
            record = json.loads((self.path / "record.json").read_bytes())
        except (OSError, ValueError) as error:
            raise JobError(f"`{self.path}` is not a run folder: `record.json`: {error}") from None
        if record.get("id") != run_id:
            raise JobError(f"`{self.path}` is of run {record.get('id')}, expected {run_id} as in the job file")
        if (self.path / "done.json").exists():
            raise JobError(f"`{self.path}` is done")
        self.record = record
        self._lock = _lock(self.path / ".lock")
        for name in os.listdir(self.path):
            if is_hidden(name):
                remove(self.path / name)
        (self.path / "stopped.json").unlink(missing_ok=True)
        self.points = self._read_curve()

    def _read_curve(self):
        """Whole lines of the curve. A line that was cut short by a kill is dropped."""
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        if path.stat().st_size > _CURVE_LIMIT:
            raise JobError(f"`{path}` is longer than {_CURVE_LIMIT} bytes, the most of a curve")
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        try:
            points = [json.loads(line) for line in whole.splitlines()]
            if any(not isinstance(point["step"], int) for point in points):
                raise ValueError("a step is no number")
        except (ValueError, KeyError, TypeError) as error:
            raise JobError(f"`{path}` is not a curve: {error}") from None
        if len(whole) != len(text):
            os.truncate(path, len(whole))
        return points

    def append(self, point):
        """Appends a point to the curve, as one line."""
        line = json.dumps(point, separators=(",", ":"), allow_nan=False) + "\n"
        with open(self.path / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(line)
        self.points.append(point)

    def sync(self):
        """Syncs the curve. No checkpoint may be newer than the curve on disk."""
        path = self.path / "metrics.jsonl"
        if path.exists():
            with open(path, "rb") as file:
                os.fsync(file.fileno())

    def truncate_after(self, step):
        """Drops the points after a step: they are measured again."""
        kept = [point for point in self.points if point["step"] <= step]
        if len(kept) < len(self.points):
            lines = [json.dumps(point, separators=(",", ":")) + "\n" for point in kept]
            write(self.path / "metrics.jsonl", "".join(lines).encode())
        self.points = kept

    def log(self, line):
        """Adds a line to `log.txt`."""
        with open(self.path / "log.txt", "a", encoding="utf-8") as file:
            file.write(line.rstrip("\n") + "\n")

    def record_versions(self, versions, provenance):
        """Notes in `record.json` which programs and which machine train."""
        self.record["versions"] = versions
        self.record["provenance"] = {**self.record.get("provenance", {}), **provenance}
        write(self.path / "record.json", (json.dumps(self.record, indent=2) + "\n").encode())

    def held_out(self):
        """The points with a held-out loss."""
        return [point for point in self.points if point.get("eval_loss") is not None]

    def best(self):
        """The point with the least held-out loss; the first of several."""
        return min(self.held_out(), key=lambda point: point["eval_loss"], default=None)

    def stopped(self, step, why):
        """Says that the run stopped and can be resumed."""
        self.log(f"stopped after step {step}" + (", before the time limit" if why == "limit" else ""))
        write(self.path / "stopped.json", json.dumps({"format": 1, "step": step, "why": why}).encode())

    def finish(self, job, seconds, weights, written_loss):
        """Ends the run: `trainer_state.json`, and `done.json` last."""
        self.sync()
        write(self.path / "trainer_state.json", (json.dumps(_trainer_state(self, job), indent=2) + "\n").encode())
        held_out, best = self.held_out(), self.best()
        last, tokens = held_out[-1], job.steps * job.tokens_per_step
        done = {"format": 1, "steps": job.steps, "tokens": tokens}
        if job.spec["method"] != "none" and held_out[0]["step"] == 0:
            done["loss_pruned"] = held_out[0]["eval_loss"]
        done |= {"eval_loss": last["eval_loss"], "best_eval_loss": best["eval_loss"]}
        for name, share in (("last_quarter", 0.75), ("last_doubling", 0.5)):
            gained = gained_after(held_out, share)
            if gained is not None:
                done[name] = gained
        done |= {"seconds": seconds, "tokens_per_second": tokens / max(seconds, 1e-9), "weights": weights}
        if written_loss is not None:
            done["written_loss"] = written_loss
        done["curve"] = hashlib.sha256((self.path / "metrics.jsonl").read_bytes()).hexdigest()
        text = json.dumps(done, indent=2, allow_nan=False) + "\n"
        write(self.path / "done.json", text.encode())


def gained_after(held_out, share):
    """By how much the loss fell after a share of all tokens, in nats.

    Between two points the loss is interpolated linearly in the logarithm of tokens. `None` where no point after the
    start lies that early.
    """
    last, at = held_out[-1], share * held_out[-1]["tokens"]
    trained = [point for point in held_out if point["tokens"] > 0]
    for before, after in zip(trained, trained[1:]):
        if before["tokens"] <= at <= after["tokens"]:
            x, y = math.log(before["tokens"]), math.log(after["tokens"])
            along = (math.log(at) - x) / (y - x) if x < y else 1.0
            return before["eval_loss"] + along * (after["eval_loss"] - before["eval_loss"]) - last["eval_loss"]
    return None


def _trainer_state(folder, job):
    """The curve once more, as the Trainer of transformers writes it."""
    last, best, history = folder.points[-1], folder.best(), []
    for point in folder.points:
        shared = {"num_input_tokens_seen": point["tokens"], "step": point["step"]}
        if "loss" in point:
            numbers = {name: point[name] for name in ("grad_norm", "learning_rate", "loss") if name in point}
            history.append({"epoch": point["epoch"], **numbers, **shared})
        if "eval_loss" in point:
            held_out = {name: point[name] for name in ("eval_loss", "eval_kl") if name in point}
            history.append({"epoch": point["epoch"], **held_out, **shared})
    return {
        "best_global_step": best["step"],
        "best_metric": best["eval_loss"],
        "epoch": last["epoch"],
        "global_step": last["step"],
        "is_local_process_zero": True,
        "is_world_process_zero": True,
        "log_history": history,
        "max_steps": job.steps,
        "num_input_tokens_seen": last["tokens"],
        "num_train_epochs": math.ceil(last["epoch"]),
        "train_batch_size": job.spec["batch"],
    }


def write_model(network, target, is_writer):
    """Writes the model as a Hugging Face folder. The answer is the hash of its weights.

    Every process takes part, since each holds its rows; one writes.
    """
    job, aside = network.job, None
    dtype = getattr(torch, STORED[job.dtype])
    if is_writer:
        aside = hidden(target)
        aside.mkdir()
    files, held, size, hasher = [], {}, 0, hashlib.sha256()

    def flush():
        nonlocal held, size
        if held:
            files.append(sorted(held))
            save_file(held, aside / f"part-{len(files)}", metadata={"format": "pt"})
        held, size = {}, 0

    for name, shape in job.tensors:
        whole = network.full(name).to(dtype)
        if not is_writer:
            continue
        whole = whole.contiguous().cpu()
        if not bool(torch.isfinite(whole).all()):
            raise JobError(f"`{name}` holds a number that is not finite in {job.dtype}: train with a lower learning rate")
        if size + whole.nbytes > job.shard_limit:
            flush()
        held[name], size = whole, size + whole.nbytes
        hasher.update(f"{name}\0{job.dtype}\0{','.join(map(str, shape))}\0".encode())
        hasher.update(whole.view(torch.uint8).numpy().tobytes() if whole.dim() else whole.reshape(1).view(torch.uint8).numpy())
    if not is_writer:
        return None
    flush()
    _name_files(aside, files)
    write(aside / "config.json", (json.dumps(job.config, indent=2) + "\n").encode())
    for name in job.companions:
        shutil.copyfile(job.model / name, aside / name)
    for entry in aside.iterdir():
        with open(entry, "rb") as file:
            os.fsync(file.fileno())
    appear(aside, target)
    return hasher.hexdigest()


def _name_files(folder, files):
    """Gives the files of weights the names that transformers looks for, with an index if there are several."""
    if len(files) == 1:
        os.rename(folder / "part-1", folder / "model.safetensors")
        return
    names, total = {}, 0
    for i, tensors in enumerate(files, 1):
        name = f"model-{i:05}-of-{len(files):05}.safetensors"
        os.rename(folder / f"part-{i}", folder / name)
        names |= dict.fromkeys(tensors, name)
        total += (folder / name).stat().st_size
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(names.items()))}
    write(folder / "model.safetensors.index.json", (json.dumps(index, indent=2) + "\n").encode())


def hidden(target):
    """A hidden name for what is to appear at `target`."""
    letters = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(6))
    return target.with_name(f".{target.name}.{letters}.aside")


def is_hidden(name):
    """Whether a name is one that our files have until they are complete."""
    parts = name.split(".")
    return len(parts) > 3 and not parts[0] and parts[-1] in ("aside", "old") and len(parts[-2]) == 6


def appear(aside, target):
    """Gives a complete file or folder its name, in the place of an older one."""
    if target.is_dir():
        old = hidden(target)
        os.rename(target, old)
        os.rename(aside, target)
        remove(old)
    else:
        os.replace(aside, target)
    _sync_folder(target.parent)


def write(path, text):
    """Writes a file that appears whole."""
    aside = hidden(path)
    with open(aside, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)
    _sync_folder(path.parent)


def remove(path):
    """Removes a file or a folder of ours, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync_folder(path):
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _lock(path):
    """Takes the lock of the run: one process trains in a folder at a time."""
    file = open(path, "a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise JobError(f"`{path}` is locked by another process ({file.read(16).strip()}): wait until it ends") from None
    except OSError:
        # Some network file systems have no locks.
        return file
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
