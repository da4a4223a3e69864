"""Decaying schedules: the forecast of regrow, which does not model them, beside the Multi-Power Law, which does.

    python scripts/multi_power_rival.py REGROW CURVE.csv...

Curves are those of Multi-Power Law (`step,lr,loss`, Luo et al. 2025). Both see the first 30, 50 and 70 % of the steps. The
law also gets the schedule of the rest. It is fitted as its authors do: Huber loss on the logarithm of the loss. A line of CSV
a curve and split: mean absolute error in nats over twelve points of the rest, and the advice that regrow gives.
Needs NumPy and SciPy.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

SPLITS = (0.3, 0.5, 0.7)
JUDGED = 12


def read(path):
    rows = list(csv.DictReader(open(path)))
    return np.array([[float(row[name]) for name in ("step", "lr", "loss")] for row in rows])


def multi_power(at, steps, rates):
    """L0 + A S^-alpha - sum over falls of the rate B dlr (1 - (C lr^-gamma S_k + 1)^-beta)."""
    l0, a, alpha, b, c, beta, gamma = np.exp(at)
    sums = np.cumsum(rates * np.diff(steps, prepend=0.0))
    falls = -np.diff(rates)
    losses = l0 + a * sums**-alpha
    for k in np.nonzero(falls > 1e-12)[0]:
        since = sums[k + 1 :] - sums[k]
        gone = 1 - (c * rates[k + 1] ** -gamma * since + 1) ** -beta
        losses[k + 1 :] -= b * falls[k] * gone
    return losses


def fitted(steps, rates, losses, seed):
    def objective(at):
        with np.errstate(all="ignore"):
            found = multi_power(at, steps, rates)
            left = np.log(np.maximum(found, 1e-9)) - np.log(losses)
        size = np.abs(left)
        value = np.where(size < 1e-3, 0.5 * left**2, 1e-3 * (size - 0.5e-3)).sum()
        return value if np.isfinite(value) else 1e9

    middle = np.log([2.5, 0.5, 0.4, 400.0, 2.0, 0.5, 0.5])
    random = np.random.default_rng(seed)
    starts = [middle] + [middle + 0.5 * random.normal(size=7) for _ in range(7)]
    ends = [minimize(objective, start, method="Nelder-Mead", options={"maxiter": 4000, "maxfev": 4000}) for start in starts]
    return min(ends, key=lambda end: end.fun).x


def forecast(regrow, seen, until):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.csv"
        with open(path, "w") as file:
            file.write("step,tokens,learning_rate,eval_loss\n")
            for step, rate, loss in seen:
                file.write(f"{step:.0f},{step:.0f},{rate},{loss}\n")
        ran = subprocess.run(
            [regrow, "forecast", path, "--until", f"{until:.0f}", "--json", "--quiet"], capture_output=True, text=True
        )
        if ran.returncode not in (0, 3):
            raise SystemExit(ran.stderr)
        return json.loads(ran.stdout)["runs"][0]


def main():
    regrow, *paths = sys.argv[1:]
    print("curve,split,last_value,regrow,multi_power,advice")
    for path in paths:
        curve = read(path)
        # The first steps of a warm-up have no rate to speak of.
        curve = curve[curve[:, 1] > 0]
        thin = curve[:: max(1, len(curve) // 400)]
        name = "/".join(Path(path).parts[-2:])
        for split in SPLITS:
            end = curve[-1, 0]
            seen, rest = thin[thin[:, 0] <= split * end], thin[thin[:, 0] > split * end]
            at = fitted(seen[:, 0], seen[:, 1], seen[:, 2], seed=1)
            judged = np.unique(np.linspace(0, len(rest) - 1, JUDGED).round().astype(int))
            by_law = multi_power(at, thin[:, 0], thin[:, 1])[len(seen) :][judged]
            said = forecast(regrow, seen, end)
            ours = float("nan")
            if "expected" in said:
                points = said["expected"]["curve"]
                tokens = [point["tokens"] for point in points]
                ours = np.abs(np.interp(rest[judged, 0], tokens, [p["loss"] for p in points]) - rest[judged, 2]).mean()
            last = np.abs(seen[-1, 2] - rest[judged, 2]).mean()
            law = np.abs(by_law - rest[judged, 2]).mean()
            print(f"{name},{split},{last:.4f},{ours:.4f},{law:.4f},{said['advice']}", flush=True)


if __name__ == "__main__":
    main()
