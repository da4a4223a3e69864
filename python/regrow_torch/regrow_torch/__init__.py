"""Trains a pruned model with PyTorch FSDP2, from a job file that regrow writes.

Run as ``torchrun --nproc-per-node N -m regrow_torch RUN/torch.json``. The job file stands in the
run folder; the job writes the curve, checkpoints, the model and ``done.json`` beside it.
"""

__version__ = "0.1.0"

# The format of the job file that this version reads.
FORMAT = 1
