#!/usr/bin/env python3
"""Tries what a cluster does to a sweep, on a Slurm of three nodes on this machine, and compares with a sweep without Slurm.

    scripts/slurm_proof.py REGROW FOLDER [SCENARIO...] --json OUT.json

Scenarios: nodes fails two-sweeps cancel changed head-killed node-lost time-limit many. Without names, all of them.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent

RECIPE = """
format = 1
context = 32

[corpus]
grammar = {{ documents = {documents}, seed = 1 }}
vocabulary = 300
heldout_share = 0.03

[[series]]
name = "small"
model_type = "llama"
{sizes}

[base]
tokens = {base}
batch = 8
learning_rate = 4e-3
eval_points = 4
save_every = 2_000

[calibration]
samples = 4
length = 32

[[methods]]
name = "depth-block-influence"
blocks = [1, 2]

[heal]
tokens = {heal}
warmup = 256
eval_points = 4

[executor]
name = "slurm"
commands = "{commands}"
poll = 0.5
{executor}
{cases}
"""

SIZE = """[[series.sizes]]
hidden_size = {width}
num_hidden_layers = 3
num_attention_heads = 2
num_key_value_heads = 1
intermediate_size = {inner}
"""


class Proof:
    def __init__(self, regrow, folder):
        self.regrow, self.folder = str(pathlib.Path(regrow).resolve()), pathlib.Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.found = {}
        ran = subprocess.run([HERE / "local_slurm.py", "up", self.folder / "slurm", "--nodes", "3"], capture_output=True, text=True)
        if ran.returncode != 0:
            sys.exit(ran.stderr)
        self.commands = ran.stdout.strip()

    def slurm(self, *words):
        return subprocess.run([f"{self.commands}/{words[0]}", *words[1:]], capture_output=True, text=True).stdout

    def recipe(self, name, widths=(8, 16, 24), base=6000, heal=3000, documents=400, executor="", cases=""):
        sizes = "".join(SIZE.format(width=width, inner=2 * width) for width in widths)
        path = self.folder / f"{name}.toml"
        path.write_text(RECIPE.format(sizes=sizes, base=base, heal=heal, documents=documents, commands=self.commands, executor=executor, cases=cases))
        return path

    def start(self, *words):
        return subprocess.Popen([self.regrow, "sweep", *map(str, words), "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def run(self, *words):
        head = self.start(*words)
        said = head.communicate()[1]
        return head.returncode, said

    def local(self, recipe, out):
        code, said = self.run(recipe, "--out", out, "--executor", "local", "--jobs", "2")
        assert code in (0, 3), said

    def same(self, one, other):
        names = ["points.csv", "law.json", "curves.svg"]
        curves = [path.relative_to(one) for path in sorted(one.glob("runs/*/metrics.jsonl")) + sorted(one.glob("bases/*/metrics.jsonl"))]
        def bare(path):
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            return [{key: value for key, value in line.items() if key != "tokens_per_second"} for line in lines]
        assert all((one / name).read_bytes() == (other / name).read_bytes() for name in names), "a file differs"
        assert curves and all(bare(one / name) == bare(other / name) for name in curves), "a curve differs"
        return len(curves)

    def submissions(self, out):
        count = collections.Counter()
        for path in sorted((out / "jobs/slurm").glob("*.json")):
            record = json.loads(path.read_text())
            # A kill between the note and `sbatch` rightly leaves one without a number.
            if record.get("number"):
                count.update(record["jobs"])
        return count

    # What is tried.

    def nodes(self):
        """An array over three nodes, and a dependency that waits."""
        recipe, here, there = self.recipe("nodes"), self.folder / "nodes-local", self.folder / "nodes"
        self.local(recipe, here)
        head, most, waited = self.start(recipe, "--out", there), 0, 0
        while head.poll() is None:
            at = collections.defaultdict(set)
            for line in self.slurm("squeue", "-h", "-r", "-o", "%F|%T|%N|%r").splitlines():
                array, state, node, reason = line.split("|")
                if state == "RUNNING":
                    at[array].add(node)
                waited += reason == "Dependency"
            most = max([most, *map(len, at.values())])
            time.sleep(0.2)
        said = head.communicate()[1]
        assert head.returncode in (0, 3), said
        assert most == 3 and waited, (most, waited)
        return {"nodes of one array at a time": most, "times seen waiting for a dependency": waited, "equal curves": self.same(here, there)}

    def fails(self):
        """One base cannot be made: what needs it is skipped, the rest is done."""
        recipe, out = self.recipe("fails"), self.folder / "fails"
        (out / "bases").mkdir(parents=True)
        (out / "recipe.toml").write_text(recipe.read_text())
        (out / ".lock").write_text("")
        (out / "bases/small-8x3").write_text("in the way")
        code, said = self.run(recipe, "--out", out)
        assert code in (0, 3) and "`base-small-8x3` failed: " in said, said
        skipped = said.count("was skipped")
        assert skipped >= 5, said
        return {"said": [line for line in said.splitlines() if "failed" in line], "skipped": skipped, "runs": len(list((out / "runs").iterdir()))}

    def node_lost(self):
        """The node of a run is killed in the middle and brought back."""
        recipe = self.recipe("node-lost", widths=(8, 16), base=60000, documents=12000, executor="file_patience = 5")
        here, there = self.folder / "node-lost-local", self.folder / "node-lost"
        self.local(recipe, here)
        head, lost = self.start(recipe, "--out", there), None
        while lost is None:
            assert head.poll() is None, head.communicate()[1]
            if list(there.glob("bases/*/checkpoint-*")):
                nodes = [line.split("|") for line in self.slurm("squeue", "-h", "-t", "R", "-o", "%N|%F").splitlines()]
                lost = nodes[0][0] if nodes else None
            time.sleep(0.1)
        number = lost.strip("n")
        subprocess.run([HERE / "local_slurm.py", "stop-node", self.folder / "slurm", number], check=True)
        time.sleep(12)
        seen = self.slurm("sinfo", "-h", "-N", "-n", lost, "-o", "%T").strip()
        subprocess.run([HERE / "local_slurm.py", "start-node", self.folder / "slurm", number], check=True)
        said = head.communicate()[1]
        assert head.returncode in (0, 3), said
        # A star: the controller hears nothing of it.
        assert seen.startswith("down") or seen.endswith("*"), seen
        return {"node": lost, "seen as": seen, "equal curves": self.same(here, there)}

    def time_limit(self):
        """A run is longer than its time limit: it saves before it and goes on."""
        limit = 'save_before = 40\n[executor.base]\ntime = "1m"'
        recipe = self.recipe("time-limit", widths=(32, 48), base=TIME_TOKENS, documents=60000, executor=limit)
        here, there = self.folder / "time-limit-local", self.folder / "time-limit"
        self.local(recipe, here)
        head, restarts = self.start(recipe, "--out", there), 0
        while head.poll() is None:
            for word in self.slurm("scontrol", "-o", "show", "jobs").split():
                if word.startswith("Restarts="):
                    restarts = max(restarts, int(word[9:]))
            time.sleep(0.5)
        said = head.communicate()[1]
        assert head.returncode in (0, 3), said
        assert restarts, "it was never put back"
        return {"times put back, most": restarts, "equal curves": self.same(here, there)}

    def two_sweeps(self):
        """Two sweeps at once, and a second process on one of them."""
        one, two = self.recipe("one"), self.recipe("two", widths=(8, 24))
        outs = [self.folder / "one", self.folder / "two"]
        heads = [self.start(one, "--out", outs[0]), self.start(two, "--out", outs[1])]
        while not (outs[0] / "jobs/slurm").exists():
            time.sleep(0.05)
        code, said = self.run("--attach", outs[0])
        assert code == 1 and ".lock" in said, said
        for head in heads:
            assert head.wait() in (0, 3), head.communicate()[1]
        for recipe, out in zip((one, two), outs):
            self.local(recipe, self.folder / f"{out.name}-local")
        return {"the second process": said.strip().splitlines()[0], "equal curves": [self.same(self.folder / f"{out.name}-local", out) for out in outs]}

    def cancel(self):
        """SIGINT at the head: jobs save and leave the queue; the same command goes on."""
        recipe = self.recipe("cancel", widths=(8, 16), base=60000, documents=12000)
        here, there = self.folder / "cancel-local", self.folder / "cancel"
        self.local(recipe, here)
        head = self.start(recipe, "--out", there)
        while not list(there.glob("bases/*/metrics.jsonl")):
            assert head.poll() is None, head.communicate()[1]
            time.sleep(0.05)
        head.send_signal(signal.SIGINT)
        code = head.wait()
        begun = time.time()
        while self.slurm("squeue", "-h", "-o", "%i").split():
            assert time.time() - begun < 60, "jobs are left in the queue"
            time.sleep(0.2)
        saved = len(list(there.glob("bases/*/checkpoint-*")))
        assert code == 75 and saved, (code, saved)
        again, said = self.run(recipe, "--out", there)
        assert again in (0, 3), said
        return {"status": code, "checkpoints": saved, "equal curves": self.same(here, there)}

    def changed(self):
        """The recipe changes while the jobs of the earlier one wait in the queue."""
        here, there = self.folder / "changed-local", self.folder / "changed"
        waits = self.recipe("changed-before", executor='directives = ["--begin=now+1hour"]')
        code, said = self.run(waits, "--out", there, "--detach")
        assert code == 0, said
        waiting = len(self.slurm("squeue", "-h", "-r", "-t", "PD", "-o", "%i").split())
        assert waiting, "nothing waits"
        # Another text changes every step.
        recipe = self.recipe("changed", documents=500)
        self.local(recipe, here)
        code, said = self.run(recipe, "--out", there)
        assert code in (0, 3), said
        cancelled = said.count("was still on the cluster, and was cancelled")
        assert cancelled == waiting, (cancelled, waiting)
        return {"waiting": waiting, "cancelled": cancelled, "equal curves": self.same(here, there)}

    def head_killed(self):
        """SIGKILL at the head twenty times, at moments of chance."""
        recipe = self.recipe("head-killed", base=40000, documents=12000)
        here, there = self.folder / "head-killed-local", self.folder / "head-killed"
        self.local(recipe, here)
        chance, kills = random.Random(1), 0
        while kills < 20:
            words = ["--attach", there] if (there / "jobs/slurm").exists() else [recipe, "--out", there]
            head = self.start(*words)
            try:
                head.wait(timeout=chance.uniform(0.05, 3.0))
                break
            except subprocess.TimeoutExpired:
                head.kill()
                head.wait()
                kills += 1
        ended_by_itself = kills < 20
        code, said = self.run("--attach", there)
        assert code in (0, 3), said
        doubled = {job: count for job, count in self.submissions(there).items() if count > 1}
        assert not doubled, doubled
        return {"kills": kills, "ended before the last": ended_by_itself, "submitted twice": doubled, "equal curves": self.same(here, there)}

    def many(self):
        """Five hundred tiny runs in one array."""
        seeds = list(range(2, 127))
        cases = f"[[cases]]\nmethod = \"depth-block-influence\"\nseeds = {seeds}"
        recipe = self.recipe("many", widths=(8, 16), base=512, heal=256, cases=cases)
        out, begun = self.folder / "many", time.time()
        code, said = self.run(recipe, "--out", out)
        assert code in (0, 3) or "no law can be fitted" in said, said
        sizes = [len(json.loads(path.read_text())["jobs"]) for path in (out / "jobs/slurm").glob("*.json")]
        done = len(list(out.glob("runs/*/done.json")))
        assert max(sizes) >= 500 and done >= 500, (sizes, done)
        return {"largest array": max(sizes), "runs done": done, "submitted twice": sum(count > 1 for count in self.submissions(out).values()), "seconds": round(time.time() - begun)}


TIME_TOKENS = int(os.environ.get("TIME_TOKENS", "400000"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("regrow")
    parser.add_argument("folder")
    parser.add_argument("scenarios", nargs="*")
    parser.add_argument("--json", type=pathlib.Path)
    words = parser.parse_args()
    proof = Proof(words.regrow, words.folder)
    names = words.scenarios or ["nodes", "fails", "two-sweeps", "cancel", "changed", "head-killed", "node-lost", "time-limit", "many"]
    failed = False
    try:
        for name in names:
            try:
                begun = time.time()
                found = getattr(proof, name.replace("-", "_"))()
                proof.found[name] = {"held": True, "wall seconds": round(time.time() - begun), **found}
            except Exception as error:  # One that fails must not hide the others.
                proof.found[name], failed = {"held": False, "why": repr(error)[:2000]}, True
            print(name, json.dumps(proof.found[name]), flush=True)
            if words.json:
                words.json.write_text(json.dumps(proof.found, indent=1) + "\n")
    finally:
        subprocess.run([HERE / "local_slurm.py", "down", proof.folder / "slurm"])
    sys.exit(failed)


if __name__ == "__main__":
    main()
