#!/usr/bin/env python3
"""The posterior of a law with levels, sampled by NumPyro from the same points and priors.

    python3 scripts/numpyro_levels.py REGROW TABLE.csv [--series llama] [--chains 4] [--draws 1000]

Fits the table with `REGROW fit --curve fall`, reads gauge and priors from the law file, and writes
the density again, in JAX. Prints for every shared constant the mean and deviation of both posteriors
and their difference in Monte Carlo standard errors, and the time of both. Needs numpyro and pandas.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
from numpyro.diagnostics import effective_sample_size, gelman_rubin
from numpyro.infer import MCMC, NUTS, init_to_value

TAILS = 5.0
LOW = 0.02
HIGHEST = 0.98
NAMES = (
    "level level_size level_rate rate_bend fall fall_size fall_rate bend floor floor_size floor_rate "
    "level_size_bend level_size_rate size_level base_level run_level size_fall base_fall run_fall "
    "size_floor base_floor run_floor level_spread fall_spread floor_spread noise noise_share correlation"
).split()


def fit(regrow, table, law, *flags):
    """Fits a table, and returns how many seconds that took. Status 3 says that some answer has no number."""
    began = time.time()
    status = subprocess.run([regrow, "fit", table, "-o", law, *flags], stdout=subprocess.DEVNULL).returncode
    if status not in (0, 3):
        sys.exit(f"`regrow fit` ended with {status}")
    return time.time() - began


def noise_of(runs):
    """What neighbouring points show: the median square of how far one lies off the line of two."""
    squares = []
    for x, y, _ in runs:
        for i in range(1, len(x) - 1):
            share = (x[i] - x[i - 1]) / (x[i + 1] - x[i - 1])
            off = y[i] - (1 - share) * y[i - 1] - share * y[i + 1]
            squares.append(off**2 / (1 + share**2 + (1 - share) ** 2))
    return max(np.sqrt(np.median(squares) / 0.4549), 1e-4)


def excess_over_floor(level, fall, bend, x):
    s, k = jnp.exp(bend), jnp.exp(fall)
    start = jnp.exp(-s * level)
    raw = start + s * k * x
    low = LOW * start
    inside = raw > low
    ln = jnp.where(inside, jnp.log(jnp.where(inside, raw, low)), jnp.log(low) + raw / low - 1)
    return jnp.exp(-ln / s)


def model(data, priors):
    c = {name: numpyro.sample(name, dist.Normal(*priors[name])) for name in NAMES}
    size, rate = data["place"]
    b = c["rate_bend"]
    t = b * rate
    near = jnp.abs(t) < 1e-3
    bent = jnp.where(near, rate * (1 + t / 2 + t * t / 6), jnp.expm1(t) / jnp.where(near, 1.0, b))
    means = [
        c["level"] + c["level_size"] * size + c["level_rate"] * bent
        + c["level_size_bend"] * size**2 + c["level_size_rate"] * size * bent,
        c["fall"] + c["fall_size"] * size + c["fall_rate"] * rate,
        c["floor"] + c["floor_size"] * size + c["floor_rate"] * rate,
    ]
    latent = []
    for k, name in enumerate(["level", "fall", "floor"]):
        spread = {kind: jnp.exp(c[name + "_spread"] + c[f"{kind}_{name}"]) for kind in ["size", "base", "run"]}
        of_size = numpyro.sample(f"sizes_{name}", dist.Normal(0, 1).expand([data["sizes"]]))
        of_base = numpyro.sample(f"bases_{name}", dist.Normal(0, 1).expand([data["bases"]]))
        mean = means[k] + spread["size"] * of_size[data["size"]] + spread["base"] * of_base[data["base"]]
        latent.append(numpyro.sample(f"runs_{name}", dist.Normal(mean, spread["run"])))
    level, fall, floor = (one[:, None] for one in latent)
    correlation = HIGHEST * jax.nn.sigmoid(c["correlation"])
    whole = 1 / (1 - correlation**2)
    y, x = data["excess"], data["x"]
    variance = whole * (jnp.exp(2 * c["noise"]) + jnp.exp(2 * c["noise_share"]) * y**2)
    z = (y - floor - excess_over_floor(level, fall, c["bend"], x)) / jnp.sqrt(variance)
    over = jnp.concatenate([jnp.zeros_like(x[:, :1]), correlation ** data["step"]], axis=1)
    before = jnp.concatenate([jnp.zeros_like(z[:, :1]), z[:, :-1]], axis=1)
    left = 1 - over**2
    fresh = (z - over * before) / jnp.sqrt(left)
    ln = -0.5 * ((TAILS + 1) * jnp.log1p(fresh**2 / TAILS) + jnp.log(variance * left))
    numpyro.factor("points", jnp.where(data["there"], ln, 0.0).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("regrow")
    parser.add_argument("table")
    parser.add_argument("--series", default="llama")
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--draws", type=int, default=1000)
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)

    table = pd.read_csv(args.table)
    table = table[table["series"] == args.series]
    with tempfile.TemporaryDirectory() as folder:
        only = os.path.join(folder, "table.csv")
        table.to_csv(only, index=False)
        law_file = os.path.join(folder, "law.json")
        ours_took = fit(args.regrow, only, law_file, "--curve", "fall")
        without = fit(args.regrow, only, os.path.join(folder, "fast.json"), "--intervals", "jackknife")
        law = json.load(open(law_file))
    levels = law["groups"][0]["levels"]
    gauge = levels["gauge"]
    names = [run["name"] for run in levels["runs"]]
    runs, place, size, base = [], [], [], []
    sizes = levels["groups"]["sizes"]
    bases = levels["groups"]["bases"]
    for name in names:
        rows = table[table["run"] == name].sort_values("tokens")
        first = rows.iloc[0]
        x = np.log(rows["tokens"].to_numpy() / gauge["tokens"])
        y = (rows["loss"].to_numpy() - first["loss0"]) / gauge["excess"]
        runs.append((x, y, len(x)))
        place.append([np.log(first["n0"] / gauge["n0"]), np.log(first["rate"] / gauge["rate"])])
        size.append(int(np.argmin([abs(np.log(s / first["n0"])) for s in sizes])))
        base.append(bases.index(str(first["base"])))
    longest = max(n for _, _, n in runs)
    pad = lambda a: np.concatenate([a, a[-1] + np.arange(1, longest - len(a) + 1) * gauge["step"]])
    x = np.stack([pad(x) for x, _, _ in runs])
    data = {
        "place": np.array(place).T,
        "size": np.array(size),
        "base": np.array(base),
        "sizes": len(sizes),
        "bases": len(bases),
        "x": x,
        "excess": np.stack([pad(y) for _, y, _ in runs]),
        "step": np.diff(x, axis=1) / gauge["step"],
        "there": np.stack([np.arange(longest) < n for _, _, n in runs]),
    }
    priors = {name: (prior["mean"], prior["sd"]) for name, prior in levels["priors"].items()}
    mean, sd = priors["noise"]
    priors["noise"] = (mean + float(np.log(noise_of(runs))), sd)

    # Both begin where the density is high: from its priors NumPyro falls into a lower maximum, in
    # which all curves are flat and neighbouring errors are correlated as far as they may be.
    draw = np.median(np.array(levels["draws"]), axis=0)
    start = dict(zip(NAMES, draw))
    groups = len(NAMES) + 3 * np.arange(len(sizes) + len(bases) + len(names))
    for k, name in enumerate(["level", "fall", "floor"]):
        of_each = draw[groups + k]
        parts = np.split(of_each, [len(sizes), len(sizes) + len(bases)])
        start |= {f"{what}_{name}": part for what, part in zip(["sizes", "bases", "runs"], parts)}
    kernel = NUTS(model, target_accept_prob=0.9, max_tree_depth=8, init_strategy=init_to_value(values=start))
    sampler = MCMC(kernel, num_warmup=1000, num_samples=args.draws, num_chains=args.chains, chain_method="parallel" if args.chains <= 2 else "vectorized", progress_bar=False)
    began = time.time()
    sampler.warmup(jax.random.PRNGKey(0), data, priors)
    sampler.run(jax.random.PRNGKey(1), data, priors)
    jax.block_until_ready(sampler.get_samples()["level"])
    whole = time.time() - began
    # The second time nothing is compiled.
    began = time.time()
    sampler.run(jax.random.PRNGKey(2), data, priors)
    jax.block_until_ready(sampler.get_samples()["level"])
    again = time.time() - began

    by_chain = sampler.get_samples(group_by_chain=True)
    draws = np.array(levels["draws"])
    print("constant,regrow_mean,regrow_sd,numpyro_mean,numpyro_sd,difference_in_standard_errors,numpyro_ess,numpyro_r_hat")
    worst = 0.0
    for i, name in enumerate(NAMES):
        ours, theirs = draws[:, i], np.asarray(by_chain[name])
        ess = float(effective_sample_size(theirs))
        # Draws of a law file count as independent, which makes the error too small where the law's
        # own effective number is.
        error = np.sqrt(ours.var() / len(ours) + theirs.var() / ess)
        apart = (ours.mean() - theirs.mean()) / error
        worst = max(worst, abs(apart))
        print(f"{name},{ours.mean():.4f},{ours.std():.4f},{theirs.mean():.4f},{theirs.std():.4f},{apart:.2f},{ess:.0f},{float(gelman_rubin(theirs)):.3f}")
    print(f"# worst difference: {worst:.2f} Monte Carlo standard errors")
    print(f"# regrow: {ours_took:.2f} s whole, {without:.2f} s of it without the posterior; {levels['diagnostics']}")
    print(f"# numpyro {numpyro.__version__}, jax {jax.__version__}: {whole:.1f} s with compilation, {again:.1f} s for {args.draws} draws a chain tuned before, {args.chains} chains")


if __name__ == "__main__":
    main()
