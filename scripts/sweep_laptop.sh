#!/usr/bin/env bash
# A sweep on one machine, several networks at once. Run it in the repository's folder:
#
#     scripts/sweep_laptop.sh
#     JOBS=8 PRUNERS="er erk" SPARSITIES="0.9 0.98" SEEDS="0 1 2" scripts/sweep_laptop.sh
#
# Run it again after an interruption: what is done is not computed again. More flags can follow,
# such as --dry-run, which only lists the runs and what they take.
set -euo pipefail

PYTHON=${PYTHON:-.venv/bin/python} # of `make run`
JOBS=${JOBS:-4}
PRUNERS=${PRUNERS:-$("$PYTHON" main.py --list pruners | grep -vx dense)} # dense removes nothing
SPARSITIES=${SPARSITIES:-0.6 0.8 0.9 0.95 0.98}
SEEDS=${SEEDS:-0 1 2}
ENCODINGS=${ENCODINGS:-$("$PYTHON" main.py --list encodings)}
OUTPUT=${OUTPUT:-results}

# shellcheck disable=SC2086  # lists of words
exec "$PYTHON" main.py --pruning $PRUNERS --sparsity $SPARSITIES --seed $SEEDS \
    --encoding $ENCODINGS --jobs "$JOBS" --output-dir "$OUTPUT" \
    --log-file "$OUTPUT.log" "$@"
