"""The command: ``torchrun --nproc-per-node N -m regrow_torch RUN/torch.json``."""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
from datetime import timedelta

from . import FORMAT, __version__
from .errors import JobError

# Reading and hashing a large corpus or checkpoint on one process keeps the others waiting.
_PATIENCE = timedelta(hours=2)


def versions():
    """Versions of everything that decides a result. What is missing is left out."""
    found = {"python": platform.python_version(), "regrow_torch": __version__}
    for name in ("torch", "transformers", "safetensors", "numpy"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def main():
    parser = argparse.ArgumentParser(prog="regrow_torch", description=__doc__)
    parser.add_argument("job", nargs="?", help="the job file that regrow wrote into the run folder")
    parser.add_argument("--versions", action="store_true", help="print versions as JSON, and end")
    parser.add_argument("--end-at", type=float, metavar="SECONDS", help="save and stop before this time, seconds since 1970")
    parser.add_argument("--watch-input", action="store_true", help="save and stop once standard input ends")
    arguments = parser.parse_args()
    if arguments.versions:
        print(json.dumps({"format": FORMAT, **versions()}))
        return 0
    if not arguments.job:
        parser.error("a job file is needed")
    from . import job

    try:
        return _train(job.read(arguments.job), arguments)
    except JobError as error:
        return _fail(str(error))


def _fail(text):
    # The first process speaks for all, and an error of another alone is shown too.
    print(f"regrow_torch: error: {text}", file=sys.stderr, flush=True)
    return 1


def _train(job, arguments):
    import torch
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh

    from .corpus import Corpus
    from .folder import RunFolder
    from .loop import Training
    from .stop import Stop
    from .teacher import Cache

    stop = Stop(arguments.watch_input)
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"
    else:
        device, backend = torch.device("cpu"), "gloo"
    if "MASTER_ADDR" in os.environ:
        dist.init_process_group(backend, timeout=_PATIENCE)
    else:
        # Started without torchrun: one process.
        rank, world = 0, 1
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    run = None
    try:
        mesh = init_device_mesh(device.type, (world,))
        corpus = Corpus(job.corpus, job.spec)
        cache = Cache(job) if job.teacher and job.teacher.cache else None
        why = None
        if rank == 0:
            try:
                run = RunFolder(job.run, job.id)
                corpus.train.verify()
                corpus.heldout.verify()
                if cache:
                    cache.verify()
                run.record_versions(versions(), _provenance(torch, device, world))
            except JobError as error:
                why = str(error)
        said = [why]
        dist.broadcast_object_list(said, src=0)
        if said[0]:
            return _fail(said[0]) if rank == 0 else 1
        try:
            return Training(job, corpus, mesh, device, run, stop, arguments.end_at, cache).train()
        except JobError as error:
            if run:
                run.log(f"failed: {error}")
            raise
    finally:
        dist.destroy_process_group()


def _provenance(torch, device, world):
    """The machine, as `record.json` names it."""
    if device.type == "cuda":
        machine, kernel = torch.cuda.get_device_name(device), f"torch {torch.__version__}, CUDA {torch.version.cuda}"
    else:
        machine, kernel = _processor(), f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}"
    return {"machine": machine, "threads": torch.get_num_threads() * world, "kernel": f"{kernel}, {world} processes"}


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
