"""The training loop: the same steps, points and checkpoints as regrow's own trainer."""

import math
import time

import torch
import torch.distributed as dist
import torch.nn.functional as F

from . import checkpoint, folder, heldout, schedule
from .errors import JobError
from .network import Network
from .objective import Head
from .optimizer import Optimizer
from .order import Order
from .stop import Limit
from .teacher import CacheTeacher, NetworkTeacher

# A held-out loss is a divergence above this many times the first one, or what guessing gives.
_DIVERGED = 2.0
INTERRUPTED = 75


class Training:
    """A run, on every process. `run` is its folder on the first process and `None` elsewhere."""

    def __init__(self, job, corpus, mesh, device, run, stop, end, cache=None):
        self.job, self.corpus, self.device, self.run, self.stop = job, corpus, device, run, stop
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.network = Network(job, mesh, device)
        self.head = self.teacher = None
        if job.objective:
            self.head = Head(self.network.model)
            self.teacher = CacheTeacher(cache, device) if cache else NetworkTeacher(job, mesh, device)
        self.optimizer = Optimizer(self.network, job.spec["optimizer"])
        self.order = Order(corpus.train, job.spec["context"], job.spec["seed"])
        self.limit = Limit(end, sum(math.prod(shape) for _, shape in job.tensors))
        self.step, self.seconds, self.first, self.best = 0, 0.0, None, None

    def train(self):
        """Trains to the end, or until asked to stop. The answer is the exit status."""
        self._begin()
        self.network.find_masks()
        begun, due = self.step, False
        if self.step == 0:
            found = self._evaluate()
            self._check(found)
            self.first = self.best = found["eval_loss"]
            # A run that resumes from its beginning has the point already.
            self._append({"step": 0, "tokens": 0, **found, "epoch": 0.0, "phase": "warmup"})
        saved = self.step if self.step else None
        while self.step < self.job.steps:
            evaluates = self.step + 1 in self.job.evaluation_steps
            if why := self._must_stop(evaluates):
                if saved != self.step:
                    self._save()
                if why == "limit" and self.step == begun:
                    raise JobError("the time limit leaves no room for a step and a checkpoint")
                if self.run:
                    self.run.stopped(self.step, why)
                return INTERRUPTED
            point = self._step()
            if evaluates:
                point |= self._evaluate()
            better = evaluates and (self.best is None or point["eval_loss"] < self.best)
            if better:
                self.best = point["eval_loss"]
            self._append(point)
            self._require_no_divergence(point)
            due = better or self.step % self.job.save_every == 0 or self.limit.wants_a_save()
            if due and self.step < self.job.steps:
                self._save()
                saved = self.step
        self._finish()
        return 0

    def _begin(self):
        """From the newest checkpoint that is whole, or from the model folder."""
        known = [(checkpoint.steps(self.job.run), self.run.points[-1]["step"] if self.run.points else 0)] if self.run else [None]
        dist.broadcast_object_list(known, src=0)
        steps, last = known[0]
        for step in reversed(steps):
            try:
                # The curve is synced before each checkpoint, so a later one means a shortened curve.
                if step > last:
                    raise JobError(f"`checkpoint-{step}` is passed over: the curve ends at step {last}")
                self.seconds = checkpoint.load(self.network, self.optimizer, step)
            except JobError as error:
                self._say(str(error))
                continue
            self.step = step
            break
        else:
            self.network.load()
        if self.run:
            self.run.truncate_after(self.step)
            if self.step == 0:
                # The loss before the first step is measured and checked again.
                self.run.truncate_after(-1)
            held_out, best = self.run.held_out(), self.run.best()
            known = [(held_out[0]["eval_loss"] if held_out else None, best["eval_loss"] if best else None)]
            self.run.log(f"regrow_torch: step {self.step} of {self.job.steps}, {self.world} processes")
        dist.broadcast_object_list(known, src=0)
        self.first, self.best = known[0]

    def _check(self, found):
        """Refuses a model, or a teacher, that computes other losses here than in regrow."""
        tolerance, loss = self.job.tolerance, found["eval_loss"]
        for what, whose, seen, expected in (
            ("loss", "`regrow eval` of the same folder", loss, self.job.expected_loss),
            ("divergence from the teacher", "regrow", found.get("eval_kl"), self.job.expected_divergence),
        ):
            if expected is None:
                continue
            difference = abs((math.nan if seen is None else seen) - expected)
            if not difference <= tolerance:
                raise JobError(
                    f"before the first step the held-out {what} is {seen if seen is None else format(seen, '.6f')}, "
                    f"{whose} gives {expected:.6f}: they differ by {difference:.2e} nats, at most {tolerance:g} is allowed"
                )
        difference = abs(loss - self.job.expected_loss)
        self._say(f"before the first step the held-out loss is {loss:.6f}, {difference:.2e} nats from that of regrow")

    def _must_stop(self, evaluates):
        asked = torch.zeros(2, dtype=torch.int32, device=self.device)
        asked[0] = int(self.stop.is_asked())
        # One clock decides for all.
        asked[1] = int(self.rank == 0 and self.limit.is_reached(evaluates))
        dist.all_reduce(asked)
        stop, limit = asked.tolist()
        return "signal" if stop else "limit" if limit else None

    def _step(self):
        """One optimiser step; the answer is its point."""
        begin, spec, tokens = time.perf_counter(), self.job.spec, self.job.tokens_per_step
        seen = self.step * tokens
        share, phase = schedule.at(spec["schedule"], seen, tokens, self.job.steps * tokens)
        learning_rate = spec["optimizer"]["learning_rate"] * share
        first = self.step * spec["batch"]
        loss = self._gradients(first) / tokens
        # Before the norm: gradients of pruned weights must not count when gradients are clipped.
        self.network.mask_gradients()
        gradients, norm = self.optimizer.take_gradients()
        for what, found in (("loss", loss), ("gradient norm", norm)):
            if not math.isfinite(found):
                raise JobError(f"the {what} is {found} at step {self.step + 1}, with a learning rate of {learning_rate:g}")
        self.optimizer.step(gradients, norm, learning_rate)
        self.network.mask_weights()
        self.step += 1
        elapsed = time.perf_counter() - begin
        self.seconds += elapsed
        self.limit.step = max(self.limit.step, elapsed)
        read = first + spec["batch"]
        point = {
            "step": self.step,
            "tokens": seen + tokens,
            "loss": loss,
            "learning_rate": learning_rate,
            "grad_norm": norm,
            "epoch": read / self.order.windows,
            "tokens_per_second": tokens / elapsed,
            "phase": phase,
        }
        if read > self.order.windows:
            point["repeated"] = True
            if first <= self.order.windows:
                self._say(f"from step {self.step} on, text is read a second time", show=False)
        return point

    def _gradients(self, first):
        """Adds up the gradients of a batch over all processes. The answer is the sum of its losses, in nats."""
        spec, model = self.job.spec, self.network.model
        share = -(-spec["batch"] // self.world)
        # Neighbouring sequences for each process, in passes of at most `micro_batch`.
        own = range(min(self.rank * share, spec["batch"]), min((self.rank + 1) * share, spec["batch"]))
        nats = torch.zeros((), dtype=torch.float64, device=self.device)
        # FSDP2 takes the mean over processes, and a step takes the mean over its tokens.
        scale = self.world / self.job.tokens_per_step
        for start in range(0, share, spec["micro_batch"]):
            chosen = own[start : start + spec["micro_batch"]]
            # Every process takes part in every pass; one without a sequence left repeats the first of the
            # batch, and it does not count.
            numbers = [first + sequence for sequence in chosen or [0]]
            texts = [self.order.read(number) for number in numbers]
            window = torch.stack([torch.from_numpy(text) for text in texts]).to(self.device)
            if self.teacher:
                total = self._taught(window, numbers)
            else:
                with self.network.precision():
                    logits = model(input_ids=window[:, :-1], use_cache=False).logits
                total = F.cross_entropy(logits.flatten(0, 1).float(), window[:, 1:].flatten(), reduction="sum")
            (total * (scale if chosen else 0.0)).backward()
            if chosen:
                nats += total.detach().double()
        dist.all_reduce(nats)
        return nats.item()

    def _taught(self, window, numbers):
        """The sum of the losses of sequences of the run against the teacher."""
        told, inputs = self.job.objective, window[:, :-1]
        windows = [self.order.window(number) for number in numbers]
        with self.network.precision():
            lesson = self.teacher.training(inputs, windows, told.temperature)
            self.head.task = (window[:, 1:].flatten(), lesson, (told.weight, told.temperature))
            try:
                return self.network.model(input_ids=inputs, use_cache=False).logits
            finally:
                self.head.task = None
                self.teacher.rest()

    def _evaluate(self):
        """The held-out loss, and the divergence from a teacher that knows the text, as a point has them."""
        begin, model, part = time.perf_counter(), self.network.model, self.corpus.heldout
        evaluation, found = self.job.spec["evaluation"], {}
        # Windows have many lengths; compiling for each of them would take longer than it saves.
        with torch.compiler.set_stance("force_eager"):
            if self.teacher and self.teacher.has_heldout:
                both = heldout.against(model, self.head, self.teacher, part, evaluation, self.device)
                found = dict(zip(("eval_loss", "eval_kl"), both))
            else:
                found = {"eval_loss": heldout.loss(model, part, evaluation, self.device, self.head)}
        self.limit.evaluation = max(self.limit.evaluation, time.perf_counter() - begin)
        for name, value in found.items():
            if not math.isfinite(value):
                raise JobError(f"the held-out {name} is {value} after step {self.step}")
        return found

    def _require_no_divergence(self, point):
        found = point.get("eval_loss")
        # Guessing every token of the vocabulary alike gives the logarithm of its size.
        most = _DIVERGED * max(self.first or 0.0, math.log(self.job.config["vocab_size"]))
        if found is not None and found > most:
            raise JobError(
                f"the held-out loss is {found:.4f} after step {self.step}, above {most:.4f}: the run has diverged, "
                "train again with a lower learning rate"
            )

    def _save(self):
        if self.run:
            self.run.sync()
        begin = time.perf_counter()
        checkpoint.save(self.network, self.optimizer, self.step, self.seconds)
        self.limit.saved(time.perf_counter() - begin)
        if self.run:
            self.run.log(f"saved after step {self.step}")
            best = self.run.best()
            checkpoint.tidy(self.job.run, self.step, best["step"] if best else None)

    def _finish(self):
        """Writes the final model, the best one, and `done.json`."""
        weights = folder.write_model(self.network, self.job.run / "model", self.run is not None)
        written_loss = None
        if self.job.dtype != "F32":
            # What was written has fewer digits than what was trained.
            stored = getattr(torch, folder.STORED[self.job.dtype])
            with torch.no_grad():
                for tensor in self.network.tensors.values():
                    local = tensor.to_local()
                    local.copy_(local.to(stored))
            written_loss = self._evaluate()["eval_loss"]
        best = [self.run.best()["step"]] if self.run else [None]
        dist.broadcast_object_list(best, src=0)
        if 0 < best[0] < self.job.steps:
            try:
                checkpoint.load(self.network, self.optimizer, best[0])
                folder.write_model(self.network, self.job.run / "best", self.run is not None)
            except JobError as error:
                self._say(f"the weights with the least held-out loss are lost: {error}")
        if self.run:
            self.run.finish(self.job, self.seconds, weights, written_loss)
            checkpoint.remove_all(self.job.run)

    def _append(self, point):
        if self.run:
            # The order of keys is that of regrow.
            names = ("step", "tokens", "loss", "eval_loss", "eval_kl", "learning_rate", "grad_norm", "epoch",
                     "tokens_per_second", "phase", "repeated")  # fmt: skip
            self.run.append({name: point[name] for name in names if name in point})
            if "eval_loss" in point:
                self.run.log(f"step {point['step']}  tokens {point['tokens']}  held-out {point['eval_loss']:.4f}")

    def _say(self, text, show=True):
        if self.run:
            self.run.log(text)
            if show:
                print(f"regrow_torch: {text}", flush=True)
