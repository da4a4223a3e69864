"""The P2 Law fitted from 64 starts: ours against `scipy.optimize.least_squares`, the same tables, starts, bounds and units."""

TITLE = "Seven constants from 64 starts: 18 runs of 25 points"
PACKAGES = ["numpy", "scipy", "threadpoolctl"]
YARDSTICK = "scipy-separable"
ROUNDS = 5

FIGURES = {
    "fits_per_second": {"unit": "fits/s", "better": "higher"},
    "objective": {"unit": "nats squared", "better": None},
}

CASES = {"450-points": ["--tables", "5"]}

PROGRAM = "target/peers/build/plain/release/examples/law_fit"
OURS = {
    "command": [PROGRAM],
    "build": ["cargo", "build", "--release", "--locked", "-p", "regrow-law", "--example", "law_fit"],
    "build_environment": {"CARGO_TARGET_DIR": "target/peers/build/plain", "RUSTFLAGS": ""},
}
# One core: what BLAS is told by some machines' settings would slow it down here, so both words are taken out.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
SCIPY = ["env", "-u", "OPENBLAS_CORETYPE", "-u", "OPENBLAS_L2_SIZE", "{python}", "benches/peers/scipy_law.py", PROGRAM]
CONTENDERS = {
    "regrow-1-core": {**OURS, "command": [PROGRAM, "--threads", "1"]},
    "regrow-2-cores": {**OURS, "command": [PROGRAM, "--threads", "2"]},
    "scipy-separable": {"command": [*SCIPY, "--solver", "separable"], "environment": ONE_THREAD},
    "scipy-full": {"command": [*SCIPY, "--solver", "full"], "environment": ONE_THREAD},
    "scipy-separable-2-processes": {"command": [*SCIPY, "--solver", "separable", "--processes", "2"], "environment": ONE_THREAD},
}

TARGETS = {"450-points": {"fits_per_second": {"regrow-1-core": 50, "regrow-2-cores": 100}}}
