#!/usr/bin/env bash
# Learning rates for the bases: each size from scratch on 1M tokens, at half, once and twice the rate of recipe.toml.
# Call it in a folder with `open-corpus` (see README.md); `sweep` is made by `regrow sweep recipe.toml --out sweep`, stopped
# at once: it writes the configurations. Prints a line a run: size, rate, held-out loss at the end.
set -euo pipefail
regrow=${REGROW:-regrow}
for size in 32x12-seed1:4e-3 64x12-seed1:3e-3 96x12-seed1:2e-3 128x12:1.5e-3; do
    name=${size%:*} rate=${size#*:}
    for factor in 0.5 1 2; do
        chosen=$(awk "BEGIN { print $rate * $factor }")
        out=sanity/$name-$chosen
        [[ -e $out/done.json ]] || "$regrow" train --init "sweep/configs/llama-$name.json" --corpus open-corpus --tokens 1M \
            --batch 16 --context 128 --warmup 100k --learning-rate "$chosen" --seed 1 --series llama --eval-points 4 \
            --eval-tokens 64k --threads 1 --out "$out" --resume --quiet >/dev/null
        echo "$name $chosen $(tail -n 1 "$out/metrics.jsonl")"
    done
done
