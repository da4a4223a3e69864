#!/usr/bin/env bash
# Builds `regrow` as one static file for Linux, which runs on any distribution: scripts/build_static.sh [x86_64|aarch64]
# It needs the target (`rustup target add x86_64-unknown-linux-musl`) and a C compiler for musl (Debian: musl-tools).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

machine=${1:-$(uname -m)}
target=$machine-unknown-linux-musl
if [[ ! -d $(rustc --print target-libdir --target "$target") ]]; then
    echo "the target $target is not installed: rustup target add $target" >&2
    exit 1
fi
compiler=$machine-linux-musl-gcc
command -v "$compiler" >/dev/null || compiler=musl-gcc
if ! command -v "$compiler" >/dev/null; then
    echo "no C compiler for musl: install musl-tools (Debian), or one named $machine-linux-musl-gcc" >&2
    exit 1
fi
key=${target//-/_}
export "CC_$key=$compiler" "CARGO_TARGET_${key^^}_LINKER=$compiler"
cargo build --release --locked --target "$target" -p regrow-cli
binary=${CARGO_TARGET_DIR:-target}/$target/release/regrow

# A dynamic file would name its interpreter.
if readelf --program-headers "$binary" | grep -q INTERP; then
    echo "$binary is not static" >&2
    exit 1
fi
echo "$binary, $(($(stat -c %s "$binary") / 1000000)) MB, static"
[[ $machine != "$(uname -m)" ]] || "$binary" --version
