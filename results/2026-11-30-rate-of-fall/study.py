"""Where will each run end? Three answers from the first 80 % of its checkpoints, on every committed table.

    python study.py TABLE.csv... > skill.csv        (numpy, scipy; one thread, some seconds a table)

last     the last value seen
power    E + A D^-b through each run alone
fall     all runs of a series together: the excess y over a floor falls by dy/dlnD = -k y^(1+s)

The solution of `fall` is y = (A^-s + s k ln(D/D*))^(-1/s), a power of tokens where s tends to 0. A is each run's own; the
floor and ln k follow ln N0 and have effects of bases and runs with normal priors; s is one number a series. Penalised
least squares, so the answers are modes, without intervals.
"""

import csv
import math
import sys

import numpy as np
from scipy.optimize import least_squares

HELD_OUT = 0.2
REFERENCE = 3e5  # D*, tokens
# Deviations of the priors. The floor's are in units of the table's median excess.
FLOOR, FLOOR_OF_RUN, RATE_OF_FALL = 1.5, 0.3, 0.3


def runs_of(path):
    groups = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            groups.setdefault((row["series"], row["run"]), []).append(row)
    for (series, _), rows in groups.items():
        first = rows[0]
        if float(first["rate"]) == 0:
            continue  # unpruned controls
        tokens = np.array([float(row["tokens"]) for row in rows])
        loss = np.array([float(row["loss"]) for row in rows])
        cut = round(len(rows) * (1 - HELD_OUT))
        yield {
            "series": series,
            "base": first.get("base") or f"{series} {first['n0']}",
            "n0": float(first["n0"]),
            "loss0": float(first["loss0"]),
            "seen": (tokens[:cut], loss[:cut]),
            "held_out": (tokens[cut:], loss[cut:]),
        }


def power(run):
    tokens, loss = run["seen"]
    best = (math.inf, None)
    for exponent in np.geomspace(0.02, 5, 120):
        basis = lambda d: np.stack([np.ones_like(d), (d / tokens.mean()) ** -exponent], 1)
        constants = np.linalg.lstsq(basis(tokens), loss, rcond=None)[0]
        error = ((basis(tokens) @ constants - loss) ** 2).sum()
        if constants[1] >= 0 and error < best[0]:
            best = (error, basis(run["held_out"][0]) @ constants)
    return np.full_like(run["held_out"][1], loss.mean()) if best[1] is None else best[1]


def fall(runs):
    bases = sorted({run["base"] for run in runs})
    base = [bases.index(run["base"]) for run in runs]
    size = np.log([run["n0"] for run in runs])
    size -= size.mean()
    excess = [run["seen"][1] - run["loss0"] for run in runs]
    at = [np.log(run["seen"][0] / REFERENCE) for run in runs]
    noise = np.median([np.std(np.diff(np.diff(y))) / math.sqrt(6) for y in excess])
    unit = np.median(np.abs(np.concatenate(excess)))
    count = len(runs)

    def parts(p):
        return np.split(p, np.cumsum([5, count, len(bases), count]))  # shared, A, k of bases, k of runs, floors

    def curve(i, p, x):
        (k, k_size, s, floor, floor_size), start, of_base, of_run, floors = parts(p)
        s = math.exp(s)
        k = math.exp(k + k_size * size[i] + RATE_OF_FALL * (of_base[base[i]] + of_run[i]))
        y = np.maximum(math.exp(-s * start[i]) + s * k * x, 1e-6) ** (-1 / s)
        return unit * (y + FLOOR * (floor + floor_size * size[i]) + FLOOR_OF_RUN * floors[i])

    def residuals(p):
        (k, k_size, s, floor, floor_size), _, of_base, of_run, floors = parts(p)
        points = [(curve(i, p, at[i]) - y) / (noise + 0.01 * np.abs(y)) for i, y in enumerate(excess)]
        priors = [k + 0.5, k_size / 0.5, (s + 1.2) / 0.7, floor, floor_size]
        return np.concatenate([*points, priors, of_base, of_run, floors])

    start = [math.log(max(1e-3, np.interp(0, x, y)) / unit) for x, y in zip(at, excess)]
    first = np.concatenate([[-0.5, -0.1, -1.2, -0.1, 0], start, np.zeros(len(bases) + 2 * count)])
    best = least_squares(residuals, first, max_nfev=100).x
    ends = [run["loss0"] + curve(i, best, np.log(run["held_out"][0] / REFERENCE)) for i, run in enumerate(runs)]
    return ends, math.exp(best[2])


def error(predicted, runs):
    pairs = zip(predicted, runs)
    return np.mean(np.concatenate([np.abs(p - run["held_out"][1]) for p, run in pairs]))


def main():
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow("table,runs,last_mae,power_mae,fall_mae,skill_against_last,skill_against_power,s".split(","))
    for path in sys.argv[1:]:
        runs = list(runs_of(path))
        last = [np.full_like(run["held_out"][1], run["seen"][1][-1]) for run in runs]
        alone = [power(run) for run in runs]
        together, bends = [None] * len(runs), []
        for series in sorted({run["series"] for run in runs}):
            places = [i for i, run in enumerate(runs) if run["series"] == series]
            ends, s = fall([runs[i] for i in places])
            bends.append(f"{series} {s:.2f}")
            for place, end in zip(places, ends):
                together[place] = end
        of_last, of_power, of_fall = (error(p, runs) for p in (last, alone, together))
        skills = [f"{1 - of_fall / of_last:.3f}", f"{1 - of_fall / of_power:.3f}"]
        errors = [f"{e:.5f}" for e in (of_last, of_power, of_fall)]
        out.writerow([path, len(runs), *errors, *skills, "; ".join(bends)])
        sys.stdout.flush()


if __name__ == "__main__":
    main()
