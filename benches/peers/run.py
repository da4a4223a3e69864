"""Measures contenders side by side: the one runner for every comparison in this folder.

    python benches/peers/run.py train_step --rounds 5 --python PY --out results/DATE-train-step

A comparison is a file beside this one; README.md says what it declares. Contenders take turns, one process each, and
the order is turned round every round, so that a machine that slows down slows all of them. Every round is kept; what is
shown are medians, and ratios taken within a round before their median is.

Exit status: 0 done, 1 error, 2 usage, 3 a target of the comparison was missed.
"""

import argparse
import datetime
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FORMAT = 1
# `ru_maxrss` counts KiB on Linux and bytes on macOS.
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
MEASURED_HERE = {
    "peak_memory": {"unit": "MB", "better": "lower"},
    "wall": {"unit": "s", "better": None},
}


class Failure(Exception):
    """Something a reader can mend; shown without a traceback."""


def load_comparison(name):
    path = HERE / f"{name.removesuffix('.py').replace('-', '_')}.py"
    if not path.is_file():
        raise Failure(f"no comparison `{name}`: expected the file benches/peers/{path.name}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    comparison = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(comparison)
    except ImportError as error:
        raise Failure(f"benches/peers/{path.name} is no comparison, or needs more than Python itself: {error}") from None
    for declared in ("TITLE", "CONTENDERS", "YARDSTICK", "CASES", "FIGURES"):
        if not hasattr(comparison, declared):
            raise Failure(f"benches/peers/{path.name} does not declare `{declared}`, so it is no comparison")
    comparison.NAME = path.stem
    return comparison


def chosen(wanted, known, what):
    if not wanted:
        return list(known)
    names = wanted.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Failure(f"unknown {what} `{unknown[0]}`: expected some of {', '.join(known)}")
    return names


def output_of(command, **options):
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, **options)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def first_match(path, key):
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), None)


def package_versions(python, packages):
    script = ("import importlib.metadata as m, json, platform, sys\n"
              "found = {'python': platform.python_version()}\n"
              "for name in sys.argv[1:]:\n"
              "    try: found[name] = m.version(name)\n"
              "    except m.PackageNotFoundError: pass\n"
              "print(json.dumps(found))")
    answer = output_of([python, "-c", script, *packages])
    if answer is None:
        raise Failure(f"`{python}` does not run: give a Python interpreter with --python")
    return json.loads(answer)


def describe_environment(comparison, python, built):
    memory = first_match("/proc/meminfo", "MemTotal")
    flags = (first_match("/proc/cpuinfo", "flags") or "").split()
    changed = output_of(["git", "status", "--porcelain", "--untracked-files=no"])
    environment = {
        "cpu": first_match("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "vector_features": [f for f in flags if f.startswith(("avx", "amx", "fma"))],
        "memory_gb": round(int(memory.split()[0]) * 1024 / 1e9, 1) if memory else None,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "runner_python": platform.python_version(),
        "versions": package_versions(python, getattr(comparison, "PACKAGES", [])),
        "rustc": output_of(["rustc", "--version"]),
        "RUSTFLAGS": os.environ.get("RUSTFLAGS"),
        "built_by_runner": built,
        "commit": output_of(["git", "rev-parse", "HEAD"]),
        "uncommitted_changes": None if changed is None else bool(changed),
        "load_average_at_start": load_average(),
        "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
    return {key: value for key, value in environment.items() if value is not None}


def load_average():
    return round(os.getloadavg()[0], 2)


def build_contenders(contenders):
    for name, contender in contenders.items():
        build = contender.get("build")
        if build is None:
            continue
        print(f"building {name}: {' '.join(build)}", flush=True)
        environment = {**os.environ, **contender.get("build_environment", {})}
        if subprocess.run(build, cwd=ROOT, env=environment).returncode != 0:
            raise Failure(f"the build of `{name}` failed")


def tuned_libraries():
    """What makes PyTorch faster when it is loaded first: tcmalloc and, on AMD, an answer to MKL's question for Intel."""
    linked = output_of(["/sbin/ldconfig", "-p"]) or ""
    paths = [line.split("=>")[1].strip() for line in linked.splitlines() if "=>" in line]
    found = [path for path in paths if Path(path).name.startswith(("libtcmalloc_minimal.so", "libtcmalloc.so"))]
    if not found:
        raise Failure("no tcmalloc: expected libtcmalloc_minimal.so (Debian: libtcmalloc-minimal4), or name other --contenders")
    libraries = [found[0]]
    if first_match("/proc/cpuinfo", "vendor_id") == "AuthenticAMD":
        shim = ROOT / "target/peers/mkl_on_amd.so"
        shim.parent.mkdir(parents=True, exist_ok=True)
        code = "int mkl_serv_intel_cpu_true(void) { return 1; }"
        if output_of(["cc", "-shared", "-fPIC", "-O2", "-x", "c", "-", "-o", str(shim)], input=code) is None:
            raise Failure("the C compiler `cc` does not build a library of one line")
        libraries.append(str(shim))
    return ":".join(libraries)


def environment_of(contender):
    """With `{tuned}` replaced by the libraries it stands for."""
    return {key: tuned_libraries() if value == "{tuned}" else value for key, value in contender.get("environment", {}).items()}


def run_once(name, command, environment, timeout):
    """One process: the figures of its last line, its peak memory and its seconds."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        try:
            process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                                       env={**os.environ, **environment})
        except OSError as error:
            raise Failure(f"`{name}` does not start: {error}") from error
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        lines = out.read().decode(errors="replace").strip().splitlines()
        errors = err.read().decode(errors="replace").strip()
    if process.returncode != 0:
        late = f" (limit {timeout} s)" if wall >= timeout else ""
        raise Failure(f"`{name}` ended with status {process.returncode} after {wall:.1f} s{late}\n{errors[-2000:]}")
    try:
        figures = json.loads(lines[-1])
        if not isinstance(figures, dict):
            raise ValueError
    except (IndexError, ValueError):
        raise Failure(f"`{name}`: the last line is no JSON object of figures: {lines[-1:]}") from None
    return {**figures, "peak_memory": usage.ru_maxrss * MAXRSS_UNIT / 1e6, "wall": wall,
            "cpu_seconds": usage.ru_utime + usage.ru_stime}


def number(row, figure):
    value = row["figures"].get(figure)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise Failure(f"`{row['contender']}` gave {value!r} for `{figure}`: expected a number")
    return value


def measure(comparison, cases, contenders, rounds, python, timeout, raw):
    """Alternates; writes each round to `raw` as soon as it is known."""
    rows = []
    for turn in range(rounds):
        order = list(contenders) if turn % 2 == 0 else list(reversed(contenders))
        for case in cases:
            for name in order:
                contender = contenders[name]
                command = [part.replace("{python}", python) for part in contender["command"]] + comparison.CASES[case]
                load = load_average()
                figures = run_once(name, command, environment_of(contender), timeout)
                row = {"round": turn, "case": case, "contender": name, "load_average_before": load, "figures": figures}
                rows.append(row)
                raw.write(json.dumps(row) + "\n")
                raw.flush()
                shown = ", ".join(f"{figure} {show(number(row, figure))}" for figure in [*comparison.FIGURES, *MEASURED_HERE])
                print(f"round {turn + 1}/{rounds} {case} {name}: {shown}", flush=True)
    return rows


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarise(comparison, cases, contenders, rows):
    figures = {**comparison.FIGURES, **MEASURED_HERE}
    lines = []
    for case in cases:
        for figure, meaning in figures.items():
            values = {name: [number(row, figure) for row in rows if row["case"] == case and row["contender"] == name]
                      for name in contenders}
            for name in contenders:
                line = {"case": case, "figure": figure, **meaning, "contender": name, **spread(values[name])}
                base = values.get(comparison.YARDSTICK)
                if base and name != comparison.YARDSTICK and meaning["better"] and all(base):
                    line["ratio"] = spread([mine / theirs for mine, theirs in zip(values[name], base)])
                rivals = [values[other] for other in contenders if other.startswith(comparison.YARDSTICK)]
                if len(rivals) > 1 and meaning["better"] and not name.startswith(comparison.YARDSTICK):
                    best = max if meaning["better"] == "higher" else min
                    line["ratio_to_best"] = spread([mine / best(theirs) for mine, *theirs in zip(values[name], *rivals)])
                target = getattr(comparison, "TARGETS", {}).get(case, {}).get(figure, {}).get(name)
                # The best of a yardstick's settings is what there is to beat, where it was measured.
                judged = line.get("ratio_to_best", line.get("ratio"))
                if target is not None and judged:
                    better = judged["median"] >= target if meaning["better"] == "higher" else judged["median"] <= target
                    line["target"], line["met"] = target, better
                lines.append({key: value for key, value in line.items() if value is not None})
    return lines


def show(value):
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def table(comparison, lines):
    head = ["case", "figure", "unit", "contender", "median", "min", "max", f"times {comparison.YARDSTICK}", "min", "max",
            f"times the best {comparison.YARDSTICK}", "target"]
    rows = [head]
    for line in lines:
        ratio = line.get("ratio")
        unit = line.get("unit", "") + (f", {line['better']} is better" if "better" in line else "")
        row = [line["case"], line["figure"], unit, line["contender"], *(show(line[key]) for key in ("median", "min", "max"))]
        row += [f"{ratio[key]:.3f}" for key in ("median", "min", "max")] if ratio else ["", "", ""]
        row.append(f"{line['ratio_to_best']['median']:.3f}" if "ratio_to_best" in line else "")
        sign = "at least" if line.get("better") == "higher" else "at most"
        row.append(f"{sign} {line['target']}: {'met' if line['met'] else 'MISSED'}" if "target" in line else "")
        rows.append(row)
    return rows


def aligned(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    numeric = range(4, 11)
    return "\n".join("  ".join(cell.rjust(width) if column in numeric else cell.ljust(width)
                               for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def markdown(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("---:" if 4 <= column < 11 else "---" for column in range(len(rows[0]))) + "|")
    return "\n".join(lines)


def plain(contender):
    """The command as shown: with the words that the runner replaces, and what its environment adds."""
    settings = [f"{key}={value}" for key, value in contender.get("environment", {}).items()]
    return " ".join([*settings, *contender["command"]]).replace("{python}", "python")


def write_results(out, comparison, cases, contenders, rounds, environment, lines):
    def write(name, text):
        (out / name).write_text(text + "\n")

    write("environment.json", json.dumps({"format": FORMAT, **environment}, indent=2))
    write("summary.json", json.dumps({"format": FORMAT, "comparison": comparison.NAME, "rounds": rounds,
                                      "yardstick": comparison.YARDSTICK, "lines": lines}, indent=2))
    commands = "\n".join(f"- {name}: `{plain(contender)}`" for name, contender in contenders.items())
    builds = "\n".join(
        f"- {name}, built by: `{' '.join([f'{k}={v}' for k, v in c.get('build_environment', {}).items()] + c['build'])}`"
        for name, c in contenders.items() if c.get("build"))
    arguments = "\n".join(f"- {case}: `{' '.join(comparison.CASES[case])}`" for case in cases)
    facts = "\n".join(f"- {key}: {json.dumps(value) if isinstance(value, (dict, list)) else value}"
                      for key, value in environment.items())
    write("README.md", f"""# {comparison.TITLE}

Made by `python benches/peers/run.py {comparison.NAME} --rounds {rounds} --cases {','.join(cases)} --contenders {','.join(contenders)}`.
Contenders took turns, the order turned round every round. Figures are medians over {rounds} rounds; a ratio is taken within each round, then its
median. `peak_memory` is the largest resident set of the process (1 MB = 10^6 bytes); `wall` is the whole process with its start.

{markdown(table(comparison, lines))}

## Commands

{commands}
{builds}

with, by case,

{arguments}

## Machine and versions

{facts}

`rounds.jsonl` holds every measurement, `summary.json` this table, `environment.json` the list above.""")


def new_folder(asked, name):
    if asked is None:
        stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d-%H%M%S")
        asked = ROOT / "target" / "peers" / f"{stamp}-{name.replace('_', '-')}"
    try:
        asked.mkdir(parents=True)
    except FileExistsError:
        raise Failure(f"`{asked}` exists: give a new folder with --out") from None
    return asked


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("comparison", help="a file in benches/peers, for example train_step")
    parser.add_argument("--rounds", type=int, help="how often each contender runs (default: what the comparison says, or 5)")
    parser.add_argument("--python", default=sys.executable, help="interpreter for contenders in Python (default: this one)")
    parser.add_argument("--out", type=Path, help="new folder for the results (default: a dated one in target/peers)")
    parser.add_argument("--cases", help="only these, separated by commas")
    parser.add_argument("--contenders", help="only these, separated by commas")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds after which a process is stopped (default: 1800)")
    parser.add_argument("--no-build", action="store_true", help="measure the programs as they lie there")
    parsed = parser.parse_args()
    if parsed.rounds is not None and parsed.rounds < 1:
        parser.error("--rounds: expected at least 1")
    return parsed


def main():
    asked = arguments()
    comparison = load_comparison(asked.comparison)
    cases = chosen(asked.cases, comparison.CASES, "case")
    contenders = {name: comparison.CONTENDERS[name] for name in chosen(asked.contenders, comparison.CONTENDERS, "contender")}
    rounds = asked.rounds or getattr(comparison, "ROUNDS", 5)

    if not asked.no_build:
        build_contenders(contenders)
    built = [name for name, contender in contenders.items() if contender.get("build") and not asked.no_build]
    environment = describe_environment(comparison, asked.python, built)
    out = new_folder(asked.out, comparison.NAME)
    for key, value in environment.items():
        print(f"{key}: {value}")
    if environment["load_average_at_start"] > 0.5:
        print("note: the machine is busy, which makes the figures uncertain")

    with open(out / "rounds.jsonl", "w", encoding="utf-8") as raw:
        rows = measure(comparison, cases, contenders, rounds, asked.python, asked.timeout, raw)
    environment["load_average_at_end"] = load_average()
    environment["runner_peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT / 1e6, 1)
    lines = summarise(comparison, cases, contenders, rows)
    write_results(out, comparison, cases, contenders, rounds, environment, lines)
    print(f"\n{comparison.TITLE}\n{aligned(table(comparison, lines))}\n\nwritten to {out}")
    return 3 if any(line.get("met") is False for line in lines) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(1)
