"""The P2 Law fitted by `scipy.optimize.least_squares`: the other side of the comparison `law_fit`.

    python benches/peers/scipy_law.py PROGRAM --solver full|separable --tables N [--compare]

PROGRAM is our example `law_fit`, which prints the tables, the starts, and its own constants; both sides fit the same numbers
in the same units (every variable divided by its geometric mean) from the same starts under the same bounds. With alpha + delta
as a coordinate of its own the bounds are a box; alpha stays on its start's side of the gap at 0. Both sides search from every
start and polish the best four ends that differ.

`full` searches all seven constants with the analytic Jacobian, the linear ones beginning at their best values for the start's
exponents. `separable` searches the four exponents and solves for the linear constants within their signs at every step
(Kaufman's Jacobian): what a careful user of SciPy would write.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import time

import numpy as np
from scipy.optimize import least_squares, nnls

# Bounds of alpha (either side of its gap), beta, gamma and alpha + delta.
GAP, ALPHA, BETA, GAMMA, SUM = 0.02, (-3.0, 4.0), (0.01, 5.0), (-10.0, 5.0), (0.001, 8.0)
SEARCH = {"ftol": 1e-8, "xtol": 1e-8, "gtol": 1e-8}
POLISH = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
POLISHED = 4


class Problem:
    """One table in the gauge in which it is well conditioned."""

    def __init__(self, table):
        runs, scale = table["runs"], table["scale"]
        count = [len(run["tokens"]) for run in runs]
        column = lambda name: np.repeat([run[name] for run in runs], count)
        self.ln_n0 = np.log(column("n0") / scale["n0"])
        self.ln_rate = np.log(column("rate") / scale["rate"])
        self.ln_tokens = np.log(np.concatenate([run["tokens"] for run in runs]) / scale["tokens"])
        self.excess = np.concatenate([run["loss"] for run in runs]) - column("loss0")
        # N_C, D_C, E in the order of the program; then alpha, beta, gamma, alpha + delta.
        self.starts = [[alpha, beta, gamma, alpha + delta] for alpha, beta, gamma, delta in table["starts"]]

    def basis(self, exponents):
        alpha, beta, gamma, both = exponents
        by_rate = -gamma * self.ln_rate
        common = np.exp(by_rate - (both - alpha) * self.ln_n0)
        floor = np.exp(by_rate - both * self.ln_n0)
        return np.stack([floor, common * np.exp(-beta * self.ln_tokens), common], axis=1)

    def by_exponents(self, constants, basis):
        """Derivatives by alpha (at a fixed sum), beta, gamma and the sum."""
        floor, tokens, common = (basis * constants).T
        value = floor + tokens + common
        return np.stack([self.ln_n0 * (tokens + common), -self.ln_tokens * tokens, -self.ln_rate * value,
                         -self.ln_n0 * value], axis=1)

    def linear(self, basis):
        """The best N_C >= 0, D_C >= 0 and E, and an orthonormal basis of the columns that are not held at 0."""
        q, r = np.linalg.qr(basis)
        constants = np.linalg.solve(r, q.T @ self.excess) if abs(np.diag(r)).min() > 1e-14 * abs(r).max() else None
        if constants is None or constants[0] < 0 or constants[1] < 0:
            split, _ = nnls(np.column_stack([basis, -basis[:, 2]]), self.excess)
            constants = np.array([split[0], split[1], split[2] - split[3]])
            kept = basis[:, [constants[0] > 0, constants[1] > 0, True]]
            q, _ = np.linalg.qr(kept)
        return constants, q

    def objective(self, constants, exponents):
        return float(np.sum((self.basis(exponents) @ constants - self.excess) ** 2))


def box(start):
    alpha = (GAP, ALPHA[1]) if start[0] >= 0 else (ALPHA[0], -GAP)
    low, high = np.array([alpha, BETA, GAMMA, SUM]).T
    return low, high


def inside(x, low, high):
    """`least_squares` wants a start strictly within its bounds."""
    room = 1e-10 * np.maximum(1.0, np.where(np.isfinite(high - low), high - low, 1.0))
    return np.clip(x, low + room, high - room)


def full(problem, start, tolerances, constants=None):
    low, high = box(start)
    low, high = np.concatenate([[0.0, 0.0, -np.inf], low]), np.concatenate([[np.inf] * 3, high])
    if constants is None:
        constants, _ = problem.linear(problem.basis(start))

    def residual(x):
        return problem.basis(x[3:]) @ x[:3] - problem.excess

    def jacobian(x):
        basis = problem.basis(x[3:])
        return np.concatenate([basis, problem.by_exponents(x[:3], basis)], axis=1)

    found = least_squares(residual, inside(np.concatenate([constants, start]), low, high), jacobian, bounds=(low, high),
                          method="trf", x_scale="jac", **tolerances)
    return 2.0 * found.cost, found.x[:3], found.x[3:]


def separable(problem, start, tolerances, constants=None):
    low, high = box(start)
    last = {}

    def at(x):
        if "x" not in last or not np.array_equal(last["x"], x):
            basis = problem.basis(x)
            constants, q = problem.linear(basis)
            last.update(x=x.copy(), basis=basis, constants=constants, q=q)
        return last

    def residual(x):
        return at(x)["basis"] @ last["constants"] - problem.excess

    def jacobian(x):
        here = at(x)
        columns = problem.by_exponents(here["constants"], here["basis"])
        return columns - here["q"] @ (here["q"].T @ columns)

    found = least_squares(residual, inside(np.asarray(start, float), low, high), jacobian, bounds=(low, high), method="trf",
                          x_scale="jac", **tolerances)
    return 2.0 * found.cost, at(found.x)["constants"], found.x


SOLVERS = {"full": full, "separable": separable}


def fit(problem, solve):
    ends = sorted((solve(problem, start, SEARCH) for start in problem.starts), key=lambda end: end[0])
    kept = []
    for end in ends:
        same = lambda other: np.all(abs(other[2] - end[2]) <= 1e-3 * (1.0 + abs(other[2])))
        if len(kept) < POLISHED and not any(same(other) for other in kept):
            kept.append(end)
    return min((solve(problem, end[2], POLISH, end[1]) for end in kept), key=lambda end: end[0])


def chosen(task):
    table, solver = task
    return fit(Problem(table), SOLVERS[solver])


def threads_of_blas():
    try:
        import threadpoolctl
    except ImportError:
        return None
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]


def compare(tables, found):
    """By how much of SciPy's objective ours is larger: negative where ours is lower."""
    differences = []
    for table, (objective, constants, exponents) in zip(tables, found):
        problem, ours = Problem(table), table["ours"]
        alpha, beta, gamma, delta = ours["parameters"][3:]
        mine = problem.objective(np.array(ours["parameters"][:3]), [alpha, beta, gamma, alpha + delta])
        theirs = problem.objective(constants, exponents)
        if abs(mine / ours["objective"] - 1.0) > 1e-9:
            sys.exit(f"our objective is {ours['objective']}, computed here it is {mine}")
        differences.append(mine / theirs - 1.0)
    return {"tables": len(tables), "ours_largest_excess": max(differences), "ours_worse_than_1e-8": sum(d > 1e-8 for d in differences),
            "scipy_worse_than_1e-8": sum(d < -1e-8 for d in differences), "scipy_largest_excess": max(1 / (1 + d) - 1 for d in differences)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--solver", choices=SOLVERS, required=True)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--compare", action="store_true", help="hold our objective against SciPy's, table by table")
    parser.add_argument("--tables", required=True)
    parser.add_argument("--varied", action="store_true", help="other truths, designs and noise in every table")
    given = parser.parse_args()
    asked = ["--tables", given.tables, *(["--varied"] if given.varied else [])]
    tables = json.loads(subprocess.run([given.program, "--print", *asked], check=True, capture_output=True).stdout)
    tasks = [(table, given.solver) for table in tables]
    chosen(tasks[0])
    if given.processes > 1:
        with multiprocessing.Pool(given.processes) as pool:
            pool.map(abs, range(given.processes))
            start = time.perf_counter()
            found = pool.map(chosen, tasks, chunksize=1)
            seconds = time.perf_counter() - start
    else:
        start = time.perf_counter()
        found = [chosen(task) for task in tasks]
        seconds = time.perf_counter() - start
    figures = {"fits_per_second": len(tables) / seconds, "objective": float(np.mean([end[0] for end in found])),
               "blas_threads": threads_of_blas()}
    if given.compare:
        figures.update(compare(tables, found))
    print(json.dumps(figures))
    if figures.get("ours_worse_than_1e-8"):
        sys.exit(3)


if __name__ == "__main__":
    main()
