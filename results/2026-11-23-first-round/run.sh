#!/usr/bin/env bash
# Everything in this folder: `DATA=path/to/data REGROW=target/release/regrow results/2026-11-23-first-round/run.sh WORK [stories|novels]`.
# DATA holds `stories260K`, `tinystories_sample` and `english_novels_100`; WORK is a new folder for models and runs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
regrow=$(realpath "${REGROW:-target/release/regrow}")
data=$(realpath "${DATA:?the folder with the data}")
mkdir -p "$1" && cd "$1"

stories() {
  "$regrow" convert llama2c "$data/stories260K/stories260K.bin" --tokenizer "$data/stories260K/tok512.bin" --out stories260K
  "$regrow" eval stories260K --text "$data/tinystories_sample/tinystories_sample.txt" --separator '<|endoftext|>' --documents-limit 3 --each
  "$regrow" tokenize "$data/tinystories_sample/tinystories_sample.txt" --separator '<|endoftext|>' --tokenizer stories260K \
    --heldout-share 0.1 --out tinystories
  "$regrow" prune stories260K --method depth-block-influence --rate 0.175 --corpus tinystories --out pruned-1
  "$regrow" prune stories260K --method depth-block-influence --rate 0.35 --corpus tinystories --out pruned-2
  for model in stories260K pruned-1 pruned-2; do
    "$regrow" train "$model" --base stories260K --corpus tinystories --tokens 880K --context 512 --batch 4 --micro-batch 4 \
      --learning-rate 5e-4 --warmup 40K --eval-tokens 200K --seed 1 --out "runs/healed-$model" -q
    "$regrow" eval "runs/healed-$model/model" --corpus tinystories
    cp "runs/healed-$model/metrics.jsonl" "$here/$model.jsonl"
  done
}

novels() {
  "$regrow" tokenize "$data/english_novels_100/corpus" --documents blank-line --vocabulary 2048 --heldout-share 0.02 --out novels
  for family in llama qwen2; do
    "$regrow" train --init "$here/$family.json" --corpus novels --tokens 4M --context 256 --batch 8 --micro-batch 8 \
      --learning-rate 2e-3 --warmup 100K --decay 400K --eval-tokens 100K --seed 1 --threads 1 --out "runs/scratch-$family" -q &
  done
  wait
  for family in llama qwen2; do
    "$regrow" eval "runs/scratch-$family/model" --corpus novels
    cp "runs/scratch-$family/metrics.jsonl" "$here/scratch-$family.jsonl"
  done
}

case "${2:-all}" in all) stories; novels ;; *) "$2" ;; esac
"$regrow" runs runs
