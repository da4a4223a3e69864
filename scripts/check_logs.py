#!/usr/bin/env python3
"""Reads the logs of a run folder with the programs that they are written for, and holds them against its curve.

    scripts/check_logs.py RUN

`events.out.tfevents.regrow` is read by TensorBoard's own reader, `trainer_state.json` by the `TrainerState` of transformers;
every number must be that of `metrics.jsonl` (in the events rounded to f32), every step must stand there once. Exits with 1
otherwise. Needs tensorboard and transformers (tried with 2.21 and 5.23).
"""

import dataclasses
import json
import pathlib
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import TrainerState

# A tag of the events, and its word in `metrics.jsonl`.
TAGS = {
    "train/loss": "loss", "eval/loss": "eval_loss", "train/learning_rate": "learning_rate",
    "train/grad_norm": "grad_norm", "train/epoch": "epoch", "train/tokens": "tokens",
    "train/tokens_per_second": "tokens_per_second",
}


def f32(number):
    return struct.unpack("<f", struct.pack("<f", number))[0]


def events(run, points):
    # 0: all of them, not a sample.
    reader = EventAccumulator(str(run), size_guidance={"scalars": 0})
    reader.Reload()
    assert set(reader.Tags()["scalars"]) == set(TAGS), reader.Tags()["scalars"]
    for tag, word in TAGS.items():
        found = [(event.step, event.value) for event in reader.Scalars(tag)]
        expected = [(point["step"], f32(point[word])) for point in points if word in point]
        assert found == expected, f"{tag}: {found[:3]} ... of {len(found)}, expected {expected[:3]} ... of {len(expected)}"
        times = [event.wall_time for event in reader.Scalars(tag)]
        assert times == sorted(times) and times[0] > 1.7e9, tag
    print(f"TensorBoard: {len(TAGS)} curves of {len(points)} points, every step once")


def state(run, points):
    path = run / "trainer_state.json"
    known = {field.name for field in dataclasses.fields(TrainerState)}
    written = json.loads(path.read_text())
    assert set(written) <= known, f"transformers does not know {set(written) - known}"
    state = TrainerState.load_from_json(str(path))
    last = points[-1]
    assert (state.global_step, state.epoch, state.num_input_tokens_seen) == (last["step"], last["epoch"], last["tokens"])
    held_out = [(entry["step"], entry["eval_loss"]) for entry in state.log_history if "eval_loss" in entry]
    trained = [(entry["step"], entry["loss"]) for entry in state.log_history if "loss" in entry]
    assert held_out == [(point["step"], point["eval_loss"]) for point in points if "eval_loss" in point]
    assert trained == [(point["step"], point["loss"]) for point in points if "loss" in point]
    step, loss = min(held_out, key=lambda pair: (pair[1], pair[0]))
    assert (state.best_global_step, state.best_metric) == (step, loss)
    print(f"transformers: step {state.global_step} of {state.max_steps}, best held-out loss {loss:.4f} after step {step}")


def main():
    run = pathlib.Path(sys.argv[1])
    points = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [point["step"] for point in points]
    assert steps == sorted(set(steps)), "a step stands in the curve twice"
    events(run, points)
    state(run, points)


if __name__ == "__main__":
    main()
