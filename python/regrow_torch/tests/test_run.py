"""A whole run on gloo: two processes, stopped, resumed on one, with a sparse model; and a model that is not believed."""

import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
    from safetensors.torch import load_file, save_file
    from transformers import AutoConfig, AutoModelForCausalLM
except ImportError as error:
    raise unittest.SkipTest(f"skipped: a run of the torch job: {error}") from None

PACKAGE = Path(__file__).parents[1]
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 72, "vocab_size": 96,
    "max_position_embeddings": 64, "tie_word_embeddings": True, "head_dim": 12, "dtype": "float32",
}  # fmt: skip
CONTEXT, BATCH, STEPS = 24, 4, 30
SPARSE = "model.layers.1.mlp.up_proj.weight"


def write_corpus(folder):
    """Documents of a language in which every token follows from the one before, with some noise."""
    random = np.random.default_rng(5)
    info = {"format": 1, "tokenizer": "t", "vocabulary": 96}
    for name, documents in (("train", 60), ("heldout", 9)):
        texts = []
        for _ in range(documents):
            text = [0]
            for _ in range(int(random.integers(20, 90))):
                text.append(int((7 * text[-1] + 3 + random.integers(0, 3)) % 95 + 1))
            texts.append(np.array(text, dtype="<u2"))
        data, sizes = np.concatenate(texts).tobytes(), np.array([len(text) for text in texts], dtype="<i4")
        pointers = 2 * (np.cumsum(sizes) - sizes).astype("<i8")
        head = b"MMIDIDX\0\0" + (1).to_bytes(8, "little") + b"\x08"
        head += len(texts).to_bytes(8, "little") + (len(texts) + 1).to_bytes(8, "little")
        table = sizes.tobytes() + pointers.tobytes() + np.arange(len(texts) + 1, dtype="<i8").tobytes()
        (folder / f"{name}.bin").write_bytes(data)
        (folder / f"{name}.idx").write_bytes(head + table)
        info[name] = {"text": name, "hash": hashlib.sha256(data).hexdigest()}
    (folder / "corpus.json").write_text(json.dumps(info))


def write_model(folder, seed=3, sparse=True):
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(CONFIG["model_type"], **{k: v for k, v in CONFIG.items() if k != "model_type"}))
    tensors = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    if sparse:
        tensors[SPARSE][:, ::2] = 0.0
    else:
        # A teacher that is sure of something.
        tensors["model.embed_tokens.weight"] *= 20.0
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text("{}")
    return [[name, list(tensor.shape)] for name, tensor in tensors.items()]


def plain_loss(model_folder, corpus):
    """Held-out loss by transformers alone, document by document."""
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
    data = np.frombuffer((corpus / "heldout.bin").read_bytes(), dtype="<u2").astype(np.int64)
    index = (corpus / "heldout.idx").read_bytes()
    count = int.from_bytes(index[18:26], "little")
    sizes, start, nats, tokens = np.frombuffer(index, "<i4", count, 34), 0, 0.0, 0
    with torch.no_grad():
        for size in sizes.tolist():
            text, start = torch.from_numpy(data[start : start + size]), start + size
            for at in range(0, size - 1, CONTEXT):
                window = text[at : at + CONTEXT + 1]
                logits = model(window[None, :-1]).logits[0].double()
                nats += F.cross_entropy(logits, window[1:], reduction="sum").item()
                tokens += len(window) - 1
    return nats / tokens


@functools.cache
def loaded(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def taught_losses(student, teacher, tokens, temperature):
    """The divergence of both models on a window, times the square of the temperature, by transformers alone."""
    models = loaded(student), loaded(teacher)
    with torch.no_grad():
        q, p = (F.log_softmax(model(tokens[None, :-1]).logits[0].double() / temperature, -1) for model in models)
    return temperature**2 * F.kl_div(q, p, log_target=True, reduction="batchmean").item()


def write_cache(folder, teacher, corpus, temperatures):
    """A cache of all 96 tokens in the documented layout. Its held-out windows are those of the runs here."""
    folder.mkdir()
    model = loaded(teacher)
    row = np.dtype([("ids", "<u2", (96,)), ("log_p", "<f2", (96,)), ("rest", "<f4", (len(temperatures),))])
    parts = {}
    for name in ("train", "heldout"):
        data = np.frombuffer((corpus / f"{name}.bin").read_bytes(), dtype="<u2").astype(np.int64)
        windows, rows = [], []
        if name == "train":
            windows = [data[at : at + CONTEXT + 1] for at in range(0, (len(data) - 1) // CONTEXT * CONTEXT, CONTEXT)]
        else:
            index = (corpus / "heldout.idx").read_bytes()
            start = 0
            for size in np.frombuffer(index, "<i4", int.from_bytes(index[18:26], "little"), 34).tolist():
                windows += [data[start + at : start + min(at + CONTEXT + 1, size)] for at in range(0, size - 1, CONTEXT)]
                start += size
        for window in windows:
            with torch.no_grad():
                log_p, ids = F.log_softmax(model(torch.from_numpy(window[None, :-1])).logits[0].double(), -1).sort(-1, True)
            found = np.zeros(len(window) - 1, dtype=row)
            found["ids"], found["log_p"] = ids.numpy(), log_p.numpy()
            rows.append(found)
        data = np.concatenate(rows)
        # In two files each, of whole windows.
        cut = -(-len(windows) // 2) * CONTEXT if name == "train" else parts["each"]
        parts.setdefault("each", cut)
        files = [data[at : at + cut].tobytes() for at in range(0, len(data), cut)]
        for number, file in enumerate(files):
            (folder / f"{name}-{number:05}.rows").write_bytes(file)
        parts[f"{name}_part"] = {"rows": len(data), "sha256": [hashlib.sha256(file).hexdigest() for file in files]}
    info = {
        "format": 1, "teacher": "t", "tokenizer": "t", "corpus": "train", "heldout": "heldout", "vocabulary": 96, "top": 96,
        "temperatures": temperatures, "precision": "f32", "context": CONTEXT, "rows_per_file": parts.pop("each"), **parts,
        "evaluation": {"points": 1, "first": 1, "convention": "documents", "context": CONTEXT, "stride": CONTEXT,
                       "tokens": 10**6},
    }  # fmt: skip
    text = json.dumps(info)
    (folder / "cache.json").write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


class Run(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        root = cls.root = Path(cls.place.name)
        (root / "model").mkdir()
        (root / "corpus").mkdir()
        write_corpus(root / "corpus")
        cls.tensors = write_model(root / "model")
        cls.loss = plain_loss(root / "model", root / "corpus")
        (root / "teacher").mkdir()
        cls.teacher_tensors = write_model(root / "teacher", seed=8, sparse=False)

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def taught(self, name, objective, teacher, **expected):
        """A run against a teacher."""
        run = self.begin(name, teacher=teacher, expected={"loss": self.loss, "tolerance": 1e-3, **expected})
        job = json.loads((run / "torch.json").read_text())
        job["spec"]["objective"] = objective
        (run / "torch.json").write_text(json.dumps(job))
        return run

    def begin(self, name, **changes):
        run = self.root / name
        run.mkdir()
        spec = {
            "format": 1, "series": "s", "method": "2:4-wanda", "base": "b", "corpus": "train", "heldout": "heldout",
            "tokenizer": "t", "context": CONTEXT, "batch": BATCH, "micro_batch": 2, "tokens": STEPS * BATCH * CONTEXT,
            "seed": 9, "precision": "f32", "start": {"kind": "weights", "hash": "h"}, "trainer": "torch",
            "optimizer": {"learning_rate": 3e-3, "beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weight_decay": 0.1,
                          "clip_norm": 1.0},
            "schedule": {"warmup": 5 * BATCH * CONTEXT, "decay": 0},
            "evaluation": {"points": 4, "first": 200, "convention": "documents", "context": CONTEXT, "stride": CONTEXT,
                           "tokens": 10**6},
        }  # fmt: skip
        job = {
            "format": 1, "id": "run", "spec": spec, "steps": STEPS, "evaluation_steps": [2, 8, 20, STEPS], "save_every": 7,
            "recompute": False, "compile": False, "model": str(self.root / "model"), "corpus": str(self.root / "corpus"),
            "config": CONFIG, "tensors": self.tensors, "dtype": "F32", "shard_limit": 60_000, "companions": ["tokenizer.json"],
            "sparse": [SPARSE], "expected": {"loss": self.loss, "tolerance": 1e-3}, **changes,
        }  # fmt: skip
        (run / "torch.json").write_text(json.dumps(job))
        (run / "record.json").write_text(json.dumps({"format": 1, "id": "run", "provenance": {"regrow": "0"}}))
        return run

    def start(self, run, processes, *more):
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes else []
        command = [sys.executable, *launcher, "-m", "regrow_torch", str(run / "torch.json"), *more]
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def wait_for(self, run, step, process):
        while process.poll() is None and len(self.curve(run)) <= step:
            time.sleep(0.01)

    @staticmethod
    def curve(run):
        path = run / "metrics.jsonl"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def test_a_run_on_two_processes_is_stopped_resumed_on_one_and_ends_as_the_run_left_alone(self):
        alone = self.begin("alone")
        process = self.start(alone, 2)
        said, _ = process.communicate()
        self.assertEqual(process.returncode, 0, said)

        stopped = self.begin("stopped", recompute=True)
        process = self.start(stopped, 2, "--watch-input")
        self.wait_for(stopped, 9, process)
        # The starter closes the input, or dies: the same to the job.
        said, _ = process.communicate()
        self.assertTrue((stopped / "stopped.json").exists(), said)
        self.assertFalse((stopped / "done.json").exists())
        process = self.start(stopped, 0)
        self.wait_for(stopped, 17, process)
        process.send_signal(signal.SIGUSR1)
        said, _ = process.communicate()
        self.assertEqual(process.returncode, 75, said)
        # A damaged checkpoint is passed over for the one before.
        newest = max(stopped.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
        damaged = next(newest.glob("*.distcp"))
        data = bytearray(damaged.read_bytes())
        data[len(data) // 2] ^= 1
        damaged.write_bytes(data)
        process = self.start(stopped, 0)
        said, _ = process.communicate()
        self.assertEqual(process.returncode, 0, said)
        self.assertIn(f"{newest.name}` is passed over", (stopped / "log.txt").read_text())

        one, two = self.curve(alone), self.curve(stopped)
        self.assertEqual([p["step"] for p in one], list(range(STEPS + 1)))
        self.assertEqual([p["step"] for p in two], list(range(STEPS + 1)))
        for a, b in zip(one, two):
            for key in ("loss", "eval_loss", "grad_norm", "learning_rate"):
                self.assertEqual(key in a, key in b)
                if key in a:
                    self.assertLess(abs(a[key] - b[key]), 1e-5, (key, a, b))
        self.assertLess(one[-1]["eval_loss"], one[0]["eval_loss"] - 0.3)
        done = json.loads((alone / "done.json").read_text())
        self.assertEqual(done["curve"], hashlib.sha256((alone / "metrics.jsonl").read_bytes()).hexdigest())
        self.assertEqual(list(alone.glob("checkpoint-*")) + list(alone.glob(".*.aside")), [])
        versions = json.loads((alone / "record.json").read_text())["versions"]
        self.assertEqual(versions["torch"].split("+")[0], torch.__version__.split("+")[0])
        # Written in several files, and still what transformers reads.
        self.assertGreater(len(list((alone / "model").glob("*.safetensors"))), 1)
        self.assertLess(abs(plain_loss(alone / "model", self.root / "corpus") - done["eval_loss"]), 1e-5)
        files = [load_file(path) for path in (alone / "model").glob("*.safetensors")]
        up = next(tensors[SPARSE] for tensors in files if SPARSE in tensors)
        self.assertTrue(bool((up[:, ::2] == 0).all()) and bool((up[:, 1::2] != 0).all()))

    def test_a_model_that_computes_another_loss_is_refused_before_the_first_step(self):
        run = self.begin("odd", expected={"loss": self.loss + 0.002, "tolerance": 1e-3})
        process = self.start(run, 2)
        said, _ = process.communicate()
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("they differ by 2.00e-03 nats, at most 0.001 is allowed", said)
        self.assertEqual(self.curve(run), [])

    def test_a_teacher_on_two_processes_and_its_cache_on_one_teach_the_same(self):
        told = {"kind": "distil", "teacher": "t", "temperature": 2.0}
        model = {"model": str(self.root / "teacher"), "config": CONFIG, "tensors": self.teacher_tensors}
        run = self.taught("taught", told, model)
        said, _ = (process := self.start(run, 2)).communicate()
        self.assertEqual(process.returncode, 0, said)
        whole = self.curve(run)

        # The first loss and the divergence before it, by another program.
        sys.path.insert(0, str(PACKAGE))
        from regrow_torch import corpus, order

        spec = json.loads((run / "torch.json").read_text())["spec"]
        text = corpus.Corpus(self.root / "corpus", spec)
        sequences = order.Order(text.train, CONTEXT, 9)
        first = [taught_losses(self.root / "model", self.root / "teacher", torch.from_numpy(sequences.read(n)), 2.0)
                 for n in range(BATCH)]  # fmt: skip
        self.assertLess(abs(whole[1]["loss"] - sum(first) / BATCH), 1e-5)
        held_out, nats, tokens = text.heldout, 0.0, 0
        for start, stop in held_out.documents():
            for at in range(start, stop - 1, CONTEXT):
                window = torch.from_numpy(held_out.read(at, min(CONTEXT + 1, stop - at)))
                count = len(window) - 1
                nats += count * taught_losses(self.root / "model", self.root / "teacher", window, 1.0)
                tokens += count
        self.assertLess(abs(whole[0]["eval_kl"] - nats / tokens), 1e-5)
        self.assertLess(whole[-1]["eval_kl"], 0.7 * whole[0]["eval_kl"])

        hash_ = write_cache(self.root / "cache", self.root / "teacher", self.root / "corpus", [1.0, 2.0])
        told = {**told, "cache": hash_}
        run = self.taught("cached", told, {"cache": str(self.root / "cache")}, divergence=whole[0]["eval_kl"])
        process = self.start(run, 0, "--watch-input")
        self.wait_for(run, 9, process)
        said, _ = process.communicate()
        self.assertTrue((run / "stopped.json").exists(), said)
        said, _ = (process := self.start(run, 2)).communicate()
        self.assertEqual(process.returncode, 0, said)
        for a, b in zip(whole, self.curve(run), strict=True):
            for key in ("loss", "eval_loss", "eval_kl"):
                self.assertEqual(key in a, key in b)
                # The cache rounds logarithms to f16.
                self.assertLess(abs(a.get(key, 0.0) - b.get(key, 0.0)), 2e-3, (key, a, b))

        # Another teacher than regrow measured, and a cache with a changed byte.
        odd = self.taught("odd-teacher", {**told, "cache": None}, model, divergence=whole[0]["eval_kl"] + 0.002)
        said, _ = (process := self.start(odd, 0)).communicate()
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("the held-out divergence from the teacher is", said)
        path = self.root / "cache/train-00001.rows"
        data = bytearray(path.read_bytes())
        data[-5] ^= 1
        path.write_bytes(data)
        odd = self.taught("odd-cache", told, {"cache": str(self.root / "cache")})
        said, _ = (process := self.start(odd, 0)).communicate()
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("train-00001.rows` has the hash", said)

    def test_bf16_learns_from_f32_weights_and_is_measured_in_f32(self):
        run = self.begin("bf16")
        job = json.loads((run / "torch.json").read_text())
        job["spec"]["precision"] = "bf16"
        (run / "torch.json").write_text(json.dumps(job))
        process = self.start(run, 0)
        said, _ = process.communicate()
        self.assertEqual(process.returncode, 0, said)
        curve = self.curve(run)
        self.assertLess(abs(curve[0]["eval_loss"] - self.loss), 1e-5)
        self.assertLess(curve[-1]["eval_loss"], curve[0]["eval_loss"] - 0.3)


if __name__ == "__main__":
    unittest.main()
