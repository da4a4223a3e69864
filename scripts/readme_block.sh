#!/usr/bin/env bash
# Prints the code block of README.md that stands under `<!-- NAME -->`, so that what is documented is what runs.
set -euo pipefail
readme=$(dirname "${BASH_SOURCE[0]}")/../README.md
name=${1:?"usage: scripts/readme_block.sh NAME"}
awk -v marker="<!-- $name -->" '
    $0 == marker { waiting = 1; next }
    waiting && /^```/ { waiting = 0; inside = 1; next }
    inside && /^```/ { exit }
    inside { print; printed = 1 }
    END { if (!printed) exit 1 }
' "$readme" || { echo "no block \`$name\` in README.md" >&2; exit 1; }
