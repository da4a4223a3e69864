"""Text to tokens: the whole of `regrow tokenize` against `encode_batch` of the tokenizer library alone, on two cores.

The library gets its documents ready in memory and keeps nothing; ours reads and unpacks a file, splits off held-out text,
hashes, writes and syncs. `encode_text.py make` makes the text first, in `target/peers/text`.
"""

TITLE = "Text to tokens: the whole command against the library's own `encode_batch`"
PACKAGES = ["tokenizers", "pyarrow"]
YARDSTICK = "tokenizers"
ROUNDS = 3

FIGURES = {
    "megabytes_per_second": {"unit": "MB of text/s", "better": "higher"},
    "tokens_per_second": {"unit": "tokens/s", "better": "higher"},
    "tokens": {"unit": "tokens", "better": None},
}

TEXT = "target/peers/text"
CASES = {
    "txt": [f"{TEXT}/50.txt"],
    "jsonl": [f"{TEXT}/50.jsonl"],
    "jsonl-gz": [f"{TEXT}/50.jsonl.gz"],
    "jsonl-zst": [f"{TEXT}/50.jsonl.zst"],
    "parquet": [f"{TEXT}/50.parquet"],
    "jsonl-200": [f"{TEXT}/200.jsonl"],
    "jsonl-gz-200": [f"{TEXT}/200.jsonl.gz"],
    "parquet-200": [f"{TEXT}/200.parquet"],
}

PROGRAM = "target/peers/build/plain/release/regrow"
SCRIPT = "benches/peers/encode_text.py"
CONTENDERS = {
    "tokenizers": {"command": ["{python}", SCRIPT, "library"], "environment": {"RAYON_NUM_THREADS": "2"}},
    "regrow": {
        "command": ["{python}", SCRIPT, "regrow", PROGRAM],
        "build": ["cargo", "build", "--release", "--locked", "-p", "regrow"],
        "build_environment": {"CARGO_TARGET_DIR": "target/peers/build/plain", "RUSTFLAGS": ""},
    },
}

# Times the yardstick.
TARGETS = {case: {"megabytes_per_second": {"regrow": 1.0}} for case in CASES}
