#!/usr/bin/env python3
"""Writes the logs that the tests of `regrow import` read, and beside each what its points are.

    python3 -m venv VENV
    VENV/bin/pip install transformers tensorboard tensorboardX mlflow-skinny trackio numpy
    VENV/bin/python scripts/make_import_fixtures.py crates/store/tests/fixtures/import

One small run is written by the real packages: transformers, tensorboardX, tensorboard, MLflow and
trackio. The points in `*.points.json` are what the package's own reader gives back. Programs that
need a GPU or a service (W&B's export, NeMo AutoModel, Megatron, Composer, torchtitan) are not run:
their lines are made as their sources print them (`README.md` beside the logs names the sources), and
read back here by a few lines of Python.
"""

import csv
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

TOKENS = 4096  # a step: 8 sequences of 512
STEPS, LOGGED, EVALUATED = 60, 5, 20
LENGTH, BATCH = 512, 8


def training_loss(step):
    return 2.5 + 1.5 * (step + 4) ** -0.4


def heldout_loss(step):
    return 2.625 + 1.375 * (step + 4) ** -0.35


def learning_rate(step):
    if step <= 10:
        return 3e-4 * step / 10
    return 3e-4 if step <= 40 else 3e-4 * (60 - step) / 20


def epoch(step):
    return step / 48


def logged():
    return range(LOGGED, STEPS + 1, LOGGED)


def evaluated():
    return range(EVALUATED, STEPS + 1, EVALUATED)


def points(rows):
    """Rows of (step, {word: number}) as sorted points, one a step."""
    found = {}
    for step, numbers in rows:
        found.setdefault(step, {}).update(numbers)
    return [{"step": step} | found[step] for step in sorted(found)]


def expect(out, name, rows):
    text = json.dumps(points(rows), indent=1, sort_keys=True)
    (out / f"{name}.points.json").write_text(text + "\n")


def trainer_state(out):
    from transformers import __version__
    from transformers.trainer_callback import TrainerState

    def state(sets, with_tokens):
        history = []
        for step in range(1, STEPS + 1):
            tokens = {"num_input_tokens_seen": step * TOKENS} if with_tokens else {}
            both = {"epoch": epoch(step), "step": step} | tokens
            if step in logged():
                rates = {"learning_rate": learning_rate(step), "grad_norm": 0.5 + step / 64}
                history.append({"loss": round(training_loss(step), 4)} | rates | both)
            if step in evaluated():
                for name in sets:
                    history.append({f"eval_{name}loss": heldout_loss(step), "eval_runtime": 1.5} | both)
        summary = {"train_loss": 2.9, "train_runtime": 12.0, "total_flos": 1e12}
        history.append({"epoch": epoch(STEPS), "step": STEPS} | summary)
        seen = STEPS * TOKENS if with_tokens else 0
        return TrainerState(
            epoch=epoch(STEPS), global_step=STEPS, max_steps=STEPS, num_train_epochs=2, logging_steps=LOGGED,
            eval_steps=EVALUATED, train_batch_size=BATCH, num_input_tokens_seen=seen, log_history=history,
            is_local_process_zero=True, is_world_process_zero=True,
        )

    words = {"loss": "loss", "eval_loss": "eval_loss", "eval_wikitext_loss": "eval_loss",
             "learning_rate": "learning_rate", "num_input_tokens_seen": "tokens"}
    for name, sets, with_tokens in [
        ("trainer_state", [""], True),
        ("trainer_state_wikitext", ["wikitext_"], False),
        ("trainer_state_two_sets", ["wikitext_", "code_"], True),
    ]:
        path = out / f"{name}.json"
        state(sets, with_tokens).save_to_json(str(path))
        back = TrainerState.load_from_json(str(path))
        rows = []
        for entry in back.log_history:
            numbers = {words[key]: value for key, value in entry.items() if key in words}
            if not with_tokens:
                numbers["tokens"] = entry["step"] * TOKENS
            rows.append((entry["step"], numbers))
        if len(sets) == 1:
            expect(out, name, rows)
    return f"transformers {__version__}"


SCALARS = [
    ("train/loss", "loss", logged, training_loss),
    ("train/learning_rate", "learning_rate", logged, learning_rate),
    ("train/num_input_tokens_seen", "tokens", logged, lambda step: step * TOKENS),
    ("eval/loss", "eval_loss", evaluated, heldout_loss),
]


def read_events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    rows = []
    for tag, word, _, _ in SCALARS:
        if tag in events.Tags()["scalars"]:
            rows += [(scalar.step, {word: scalar.value}) for scalar in events.Scalars(tag)]
        else:
            from tensorboard.util.tensor_util import make_ndarray
            rows += [(e.step, {word: float(make_ndarray(e.tensor_proto))}) for e in events.Tensors(tag)]
    for _, numbers in rows:
        if "tokens" in numbers:
            numbers["tokens"] = int(numbers["tokens"])
    return rows


def tensorboard(out):
    import tensorboard as tb
    import tensorboardX
    from tensorboard.summary import Writer

    for name, tool in [("tensorboard", "tensorboardX"), ("tensorboard_tensors", "tensorboard")]:
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory() as written:
            if tool == "tensorboardX":
                writer = tensorboardX.SummaryWriter(written)
                add = lambda tag, value, step: writer.add_scalar(tag, value, step, walltime=1.75e9 + step)
            else:
                writer = Writer(written)
                add = lambda tag, value, step: writer.add_scalar(tag, value, step, wall_time=1.75e9 + step)
            for step in range(1, STEPS + 1):
                for tag, _, steps, number in SCALARS:
                    if step in steps():
                        add(tag, number(step), step)
            writer.close()
            [events] = Path(written).glob("*tfevents*")
            folder.mkdir(parents=True)
            # The name that the writer chose holds the name of this machine.
            shutil.copyfile(events, folder / "events.out.tfevents.1750000000.machine.1.0")
        expect(out, name, read_events(folder))
    return f"tensorboardX {tensorboardX.__version__}, tensorboard {tb.__version__}"


def mlflow(out):
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    import mlflow
    from mlflow.tracking import MlflowClient

    folder = out / "mlflow"
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as written:
        client = MlflowClient(tracking_uri=f"file://{written}")
        experiment = client.create_experiment("heal", artifact_location="file:///artifacts")
        run = client.create_run(experiment, start_time=1_750_000_000_000, run_name="first")
        identity = run.info.run_id
        client.log_param(identity, "per_device_train_batch_size", BATCH)
        names = {"train/loss": "loss", "train/learning_rate": "learning_rate", "eval/loss": "eval_loss"}
        names["train/num_input_tokens_seen"] = "num_input_tokens_seen"
        for tag, _, steps, number in SCALARS:
            for step in steps():
                client.log_metric(identity, names[tag], number(step), 1_750_000_000_000 + step, step)
        client.set_terminated(identity, end_time=1_750_000_100_000)
        rows = []
        for tag, word, _, _ in SCALARS:
            for metric in client.get_metric_history(identity, names[tag]):
                value = int(metric.value) if word == "tokens" else metric.value
                rows.append((metric.step, {word: value}))
        source = Path(written) / experiment / identity
        for path in source.rglob("*"):
            if path.is_file() and path.relative_to(source).parts[0] in ("meta.yaml", "metrics", "params"):
                target = folder / "run" / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        # Ids differ from one call to the next, and the user is whoever calls.
        meta = (folder / "run" / "meta.yaml").read_text().replace(identity, "0" * 32)
        meta = re.sub(r"(?m)^user_id: .*$", "user_id: somebody", meta)
        meta = re.sub(r"(?m)^experiment_id: .*$", "experiment_id: '1'", meta)
        (folder / "run" / "meta.yaml").write_text(meta)
    expect(out, "mlflow", rows)
    return f"mlflow-skinny {mlflow.__version__}"


def trackio(out):
    with tempfile.TemporaryDirectory() as home:
        os.environ["TRACKIO_DIR"] = home
        import trackio as package
        from trackio.sqlite_storage import SQLiteStorage

        metrics, steps = [], []
        for step in range(1, STEPS + 1):
            for part in (("train/", logged), ("eval/", evaluated)):
                numbers = {tag: number(step) for tag, _, when, number in SCALARS
                           if tag.startswith(part[0]) and step in when()}
                if numbers:
                    metrics.append(numbers)
                    steps.append(step)
        times = [f"2025-06-15T12:00:{step % 60:02}+00:00" for step in steps]
        SQLiteStorage.bulk_log("heal", "first", metrics, steps=steps, timestamps=times,
                               config={"_Username": "somebody"}, run_id="0" * 32)
        words = {tag: word for tag, word, _, _ in SCALARS}
        rows = []
        for entry in SQLiteStorage.get_logs("heal", "first"):
            rows.append((entry["step"], {words[key]: entry[key] for key in words if key in entry}))
        [database] = Path(home).glob("heal.db")
        import sqlite3
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA page_size = 1024")
            connection.isolation_level = None
            connection.execute("VACUUM")
        (out / "trackio.db").unlink(missing_ok=True)
        shutil.copyfile(database, out / "trackio.db")
    expect(out, "trackio", rows)
    return f"trackio {package.__version__}"


def wandb(out):
    """One chart each, as the menu "Export CSV" gives it: the run's name stands in the columns."""
    def chart(name, tag, steps, number):
        with open(out / name, "w", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
            heads = [f"brisk-sun-7 - {tag}{end}" for end in ("", "__MIN", "__MAX")]
            writer.writerow(["train/global_step", *heads])
            for step in steps():
                value = "" if number(step) is None else repr(number(step))
                writer.writerow([str(step), value, value, value])

    chart("wandb_loss.csv", "train/loss", logged, training_loss)
    chart("wandb_rate.csv", "train/learning_rate", logged, learning_rate)
    chart("wandb_tokens.csv", "train/num_input_tokens_seen", logged, lambda step: step * TOKENS)
    # A chart of several runs or a longer one has empty cells.
    chart("wandb_eval.csv", "eval/loss", logged, lambda step: heldout_loss(step) if step in evaluated() else None)
    rows = []
    for name, word, kind in [("loss", "loss", float), ("rate", "learning_rate", float),
                             ("tokens", "tokens", int), ("eval", "eval_loss", float)]:
        for row in csv.reader(open(out / f"wandb_{name}.csv")):
            if row[1] and row[0] != "train/global_step":
                rows.append((int(row[0]), {word: kind(row[1])}))
    expect(out, "wandb", rows)


def nemo(out):
    folder = out / "nemo"
    folder.mkdir(exist_ok=True)
    time = lambda step: f"2025-10-01T12:00:{step % 60:02}.000Z"
    with open(folder / "training.jsonl", "w") as file:
        for step in range(STEPS):
            # Steps are counted from 0, and logged before they are raised.
            number = step + 1
            tokens = TOKENS + 16 * (step % 3)
            record = {"step": step, "epoch": 0, "timestamp": time(step), "loss": training_loss(number),
                      "grad_norm": 0.5, "lr": learning_rate(number), "mem": 10.0, "tps": 1e4,
                      "tps_per_gpu": 1e4, "num_tokens_per_step": tokens + 100, "num_label_tokens": tokens}
            file.write(json.dumps(record) + "\n")
    with open(folder / "validation.jsonl", "w") as file:
        for number in evaluated():
            record = {"step": number - 1, "epoch": 0, "timestamp": time(number - 1),
                      "val_loss": heldout_loss(number), "lr": learning_rate(number), "num_label_tokens": 2048,
                      "mem": 10.0}
            file.write(json.dumps(record) + "\n")
    rows, tokens, seen = [], {}, 0
    for line in open(folder / "training.jsonl"):
        entry = json.loads(line)
        seen += entry["num_label_tokens"]
        tokens[entry["step"]] = seen
        rows.append((entry["step"], {"loss": entry["loss"], "learning_rate": entry["lr"],
                                     "tokens": tokens[entry["step"]]}))
    for line in open(folder / "validation.jsonl"):
        entry = json.loads(line)
        rows.append((entry["step"], {"eval_loss": entry["val_loss"], "tokens": tokens[entry["step"]]}))
    expect(out, "nemo", rows)


def megatron(out):
    lines = ["------------------------ arguments ------------------------",
             f"  global_batch_size ............................... {BATCH}",
             f"  seq_length ...................................... {LENGTH}",
             "-------------------- end of arguments ---------------------"]
    for step in range(1, STEPS + 1):
        if step in logged():
            lines.append(
                f" [2025-06-15 12:00:{step % 60:02}] iteration {step:8d}/{STEPS:8d} |"
                f" consumed samples: {step * BATCH:12d} | elapsed time per iteration (ms): 512.3 |"
                f" learning rate: {learning_rate(step):.6E} | global batch size: {BATCH:5d} |"
                f" lm loss: {training_loss(step):.6E} | loss scale: 1.0 | grad norm: 0.512 |"
                " number of skipped iterations:   0 | number of nan iterations:   0 |")
        if step in evaluated():
            loss = heldout_loss(step)
            line = (f" validation loss at iteration {step} | lm loss value: {loss:.6E} |"
                    f" lm loss PPL: {2.718281828459045 ** loss:.6E} | ")
            lines += ["-" * len(line), line, "-" * len(line)]
    (out / "megatron.log").write_text("\n".join(lines) + "\n")
    rows = []
    for line in lines:
        if found := re.search(r"iteration +(\d+)/.*consumed samples: +(\d+) .*learning rate: (\S+) .*lm loss: (\S+)", line):
            step, samples, rate, loss = found.groups()
            rows.append((int(step), {"loss": float(loss), "learning_rate": float(rate), "tokens": int(samples) * LENGTH}))
        if found := re.search(r"validation loss at iteration (\d+) .*lm loss value: (\S+)", line):
            rows.append((int(found[1]), {"eval_loss": float(found[2]), "tokens": int(found[1]) * BATCH * LENGTH}))
    expect(out, "megatron", rows)


def composer(out):
    lines, rows = ["*" * 30, "Config:", "max_seq_len: 512", "*" * 30], []
    for step in range(1, STEPS + 1):
        if step in logged():
            lines += [f"[batch={step}/{STEPS}]:",
                      f"\t Train time/batch: {step - 1}", f"\t Train time/token: {(step - 1) * TOKENS}",
                      f"\t Train loss/train/total: {training_loss(step):.4f}",
                      f"\t Train metrics/train/LanguagePerplexity: {2.718281828459045 ** training_loss(step):.4f}",
                      f"\t Train lr-DecoupledAdamW/group0: {learning_rate(step):.4f}"]
            rows.append((step, {"loss": float(f"{training_loss(step):.4f}"), "tokens": step * TOKENS,
                                "learning_rate": float(f"{learning_rate(step):.4f}")}))
        if step in evaluated():
            lines += ["[Eval batch=1/4] Eval on eval data", "[Eval batch=4/4] Eval on eval data:",
                      f"\t Eval metrics/eval/LanguageCrossEntropy: {heldout_loss(step):.4f}",
                      f"\t Eval metrics/eval/LanguagePerplexity: {2.718281828459045 ** heldout_loss(step):.4f}"]
            rows.append((step, {"eval_loss": float(f"{heldout_loss(step):.4f}"), "tokens": step * TOKENS}))
    (out / "composer.log").write_text("\n".join(lines) + "\n")
    expect(out, "composer", rows)


def torchtitan(out):
    lines, rows = ["[titan] 2025-06-15 12:00:00,000 - root - INFO - Starting job: debug training"], []
    for step in range(1, STEPS + 1):
        head = f"[titan] 2025-06-15 12:00:{step % 60:02},000 - root - INFO - "
        if step in logged():
            lines.append(
                f"{head}\x1b[31mstep: {step:2}  \x1b[32mloss: {training_loss(step):8.5f}  \x1b[38;2;180;60;0mgrad_norm:  0.5120  "
                "\x1b[38;2;54;234;195mmemory:  1.35GiB(1.42%)  \x1b[34mtps: 12,345  \x1b[36mtflops: 1.23  \x1b[35mmfu: 0.40%\x1b[39m")
            rows.append((step, {"loss": float(f"{training_loss(step):8.5f}"), "tokens": step * TOKENS}))
        if step in evaluated():
            lines.append(
                f"{head}\x1b[33mvalidate step: {step:2}  \x1b[32mloss: {heldout_loss(step):7.4f}  "
                "\x1b[38;2;54;234;195mmemory:  1.35GiB(1.42%)  \x1b[34mtps: 23,456\x1b[39m")
            rows.append((step, {"eval_loss": float(f"{heldout_loss(step):7.4f}"), "tokens": step * TOKENS}))
    (out / "torchtitan.log").write_text("\n".join(lines) + "\n")
    expect(out, "torchtitan", rows)


def plain(out):
    rows = []
    with open(out / "plain.csv", "w", newline="") as table, open(out / "plain.jsonl", "w") as lines:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["seen", "nats", "rate", "phase"])
        for step in evaluated():
            number = {"seen": step * TOKENS, "nats": heldout_loss(step), "rate": learning_rate(step)}
            phase = "constant" if step <= 40 else "decay"
            writer.writerow([*map(repr, number.values()), phase])
            lines.write(json.dumps(number | {"iter": step, "phase": phase}) + "\n")
            rows.append((step, {"tokens": number["seen"], "eval_loss": number["nats"], "learning_rate": number["rate"]}))
    expect(out, "plain", rows)


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    written = [make(out) for make in (trainer_state, tensorboard, mlflow, trackio)]
    for make in (wandb, nemo, megatron, composer, torchtitan, plain):
        make(out)
    print("written by", ", ".join(written))


if __name__ == "__main__":
    main()
