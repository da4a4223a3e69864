"""The job file: everything that decides a run, resolved by regrow."""

import json
from dataclasses import dataclass
from pathlib import Path

from . import FORMAT
from .errors import JobError

# Longest job file that is read, in bytes: the list of tensors of a large model is the longest part.
LIMIT = 64 << 20

# The parts of a run's spec that this program follows. A spec with another one asks for something
# that this version does not do, and is refused.
SPEC_KEYS = {
    "format", "series", "method", "base", "corpus", "heldout", "tokenizer", "context", "batch",
    "micro_batch", "tokens", "seed", "precision", "start", "optimizer", "schedule", "evaluation",
    "trainer",
}  # fmt: skip
NESTED_KEYS = {
    "optimizer": {"learning_rate", "beta1", "beta2", "epsilon", "weight_decay", "clip_norm"},
    "schedule": {"warmup", "decay"},
    "evaluation": {"points", "first", "convention", "context", "stride", "tokens"},
}
STORED = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}


@dataclass(frozen=True)
class Job:
    """A job, checked."""

    run: Path
    """The run folder, which holds the job file."""
    id: str
    spec: dict
    steps: int
    evaluation_steps: frozenset
    save_every: int
    """Steps between two checkpoints."""
    recompute: bool
    """Keep less of every block, and compute it again in the backward pass."""
    compile: bool
    model: Path
    corpus: Path
    config: dict
    """The ``config.json`` of the model."""
    tensors: list
    """Name and shape of every tensor, in the order of the hash of all weights."""
    dtype: str
    """The number format of the stored final weights, as safetensors name it."""
    shard_limit: int
    """Most bytes of weights in one file."""
    companions: list
    """Files that go along with the weights."""
    sparse: frozenset
    """Tensors whose zeros stay zero."""
    expected_loss: float
    """Held-out loss before the first step, as regrow measured it."""
    tolerance: float

    @property
    def tokens_per_step(self):
        return self.spec["batch"] * self.spec["context"]


def read(path):
    """Reads and checks a job file."""
    path = Path(path)
    try:
        if path.stat().st_size > LIMIT:
            raise JobError(f"`{path}` is longer than {LIMIT} bytes, the most of a job file")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise JobError(f"`{path}` cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise JobError(f"`{path}` is not a job file: {error}") from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        found = value.get("format") if isinstance(value, dict) else None
        raise JobError(f"`{path}` has format {found}, expected {FORMAT}: install the regrow_torch of this regrow")
    try:
        return _job(path, value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JobError(f"`{path}` is not a job file: {type(error).__name__}: {error}") from None


def _job(path, value):
    spec = value["spec"]
    _refuse_unknown(path, "spec", spec, SPEC_KEYS)
    for name, keys in NESTED_KEYS.items():
        _refuse_unknown(path, f"spec.{name}", spec[name], keys)
    if spec["trainer"] != "torch":
        raise JobError(f"`{path}` is for the trainer `{spec['trainer']}`, expected `torch`")
    if spec["precision"] not in ("f32", "bf16"):
        raise JobError(f"`precision` is `{spec['precision']}`, expected `f32` or `bf16`")
    if value["dtype"] not in STORED:
        raise JobError(f"`dtype` is `{value['dtype']}`, expected one of {', '.join(STORED)}")
    companions = [str(name) for name in value["companions"]]
    if odd := next((name for name in companions if Path(name).name != name), None):
        raise JobError(f"`{odd}` in `companions` leads out of the model folder")
    # Relative paths are those of the folder that holds the job file, so that it can be moved.
    run = path.resolve().parent
    return Job(
        run=run,
        id=str(value["id"]),
        spec=spec,
        steps=int(value["steps"]),
        evaluation_steps=frozenset(int(step) for step in value["evaluation_steps"]),
        save_every=max(1, int(value["save_every"])),
        recompute=bool(value["recompute"]),
        compile=bool(value["compile"]),
        model=run / value["model"],
        corpus=run / value["corpus"],
        config=dict(value["config"]),
        tensors=[(str(name), tuple(int(n) for n in shape)) for name, shape in value["tensors"]],
        dtype=value["dtype"],
        shard_limit=int(value["shard_limit"]),
        companions=companions,
        sparse=frozenset(str(name) for name in value["sparse"]),
        expected_loss=float(value["expected"]["loss"]),
        tolerance=float(value["expected"]["tolerance"]),
    )


def _refuse_unknown(path, where, found, known):
    if odd := sorted(set(found) - known):
        raise JobError(
            f"`{path}` has `{odd[0]}` in its `{where}`, which this regrow_torch does not know: "
            "install the one of the same regrow"
        )
    if missing := sorted(known - set(found)):
        raise JobError(f"`{path}` has no `{missing[0]}` in its `{where}`")
