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
# Runs on text alone leave it out.
OPTIONAL_KEYS = {"objective"}
OBJECTIVE_KEYS = {"kind", "teacher", "cache", "temperature", "weight"}
NESTED_KEYS = {
    "optimizer": {"learning_rate", "beta1", "beta2", "epsilon", "weight_decay", "clip_norm"},
    "schedule": {"warmup", "decay"},
    "evaluation": {"points", "first", "convention", "context", "stride", "tokens"},
}
STORED = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}


@dataclass(frozen=True)
class Objective:
    """What is minimised against a teacher: ``weight`` times the divergence, plus the rest times the next-token loss."""

    weight: float
    temperature: float
    cache: str | None
    """SHA-256 of the description of the teacher's cache, if it is read from one."""


@dataclass(frozen=True)
class Teacher:
    """Where the teacher is: a model, or a cache."""

    cache: Path | None
    model: Path | None
    config: dict
    tensors: list


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
    expected_divergence: float | None
    """Held-out divergence from the teacher before the first step, likewise."""
    tolerance: float
    objective: Objective | None
    """`None` for a run on text alone."""
    teacher: Teacher | None

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
    objective, teacher = _taught(path, spec, value.get("teacher"))
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
        tensors=_tensors(value["tensors"]),
        dtype=value["dtype"],
        shard_limit=int(value["shard_limit"]),
        companions=companions,
        sparse=frozenset(str(name) for name in value["sparse"]),
        expected_loss=float(value["expected"]["loss"]),
        expected_divergence=None if (found := value["expected"].get("divergence")) is None else float(found),
        tolerance=float(value["expected"]["tolerance"]),
        objective=objective,
        teacher=teacher and _teacher(run, teacher),
    )


def _taught(path, spec, teacher):
    """The objective of a run, where it has a teacher, and what the file says of the teacher."""
    told = spec.get("objective", {"kind": "lm"})
    if odd := sorted(set(told) - OBJECTIVE_KEYS):
        raise JobError(f"`{path}` has `{odd[0]}` in its `spec.objective`, which this regrow_torch does not know: "
                       "install the one of the same regrow")  # fmt: skip
    kind = told["kind"]
    if kind == "lm":
        return None, None
    if kind not in ("distil", "mix"):
        raise JobError(f"`objective` is `{kind}`, expected `lm`, `distil` or `mix`")
    weight = 1.0 if kind == "distil" else float(told["weight"])
    temperature, cache = float(told["temperature"]), told.get("cache")
    if not (0.0 <= weight <= 1.0 and 0.0 < temperature < float("inf")):
        raise JobError(f"`{path}` has `weight` {weight} and `temperature` {temperature}, expected 0 to 1, and above 0")
    if teacher is None or ("cache" in teacher) != (cache is not None):
        raise JobError(f"`{path}` has the objective `{kind}` and does not say where its teacher is")
    return Objective(weight, temperature, cache), teacher


def _teacher(run, told):
    if "cache" in told:
        return Teacher(run / told["cache"], None, {}, [])
    return Teacher(None, run / told["model"], dict(told["config"]), _tensors(told["tensors"]))


def _tensors(told):
    return [(str(name), tuple(int(n) for n in shape)) for name, shape in told]


def _refuse_unknown(path, where, found, known):
    if odd := sorted(set(found) - known - (OPTIONAL_KEYS if where == "spec" else set())):
        raise JobError(
            f"`{path}` has `{odd[0]}` in its `{where}`, which this regrow_torch does not know: "
            "install the one of the same regrow"
        )
    if missing := sorted(known - set(found)):
        raise JobError(f"`{path}` has no `{missing[0]}` in its `{where}`")
