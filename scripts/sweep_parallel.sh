#!/usr/bin/env bash
# The same sweep as single runs, for who has GNU parallel and likes it. In the repository's folder:
#
#     scripts/sweep_parallel.sh
#     JOBS=8 PRUNERS="er erk" SPARSITIES="0.9 0.98" SEEDS="0 1 2" scripts/sweep_parallel.sh
#
# All runs write into one folder. A run that is there shows its rows and computes nothing, so the
# script can be run again. Every run starts Python anew, which takes 2 to 3 s: main.py --jobs
# (sweep_laptop.sh) does not. `--sshlogin` and the like can be given as PARALLEL.
set -euo pipefail

PYTHON=${PYTHON:-.venv/bin/python} # of `make run`
JOBS=${JOBS:-4}
PRUNERS=${PRUNERS:-$("$PYTHON" main.py --list pruners | grep -vx dense)} # dense removes nothing
SPARSITIES=${SPARSITIES:-0.6 0.8 0.9 0.95 0.98}
SEEDS=${SEEDS:-0 1 2}
ENCODINGS=${ENCODINGS:-$("$PYTHON" main.py --list encodings)}
OUTPUT=${OUTPUT:-results}

# shellcheck disable=SC2086  # lists of words
parallel --jobs "$JOBS" \
    "$PYTHON" main.py --pruning {1} --sparsity {2} --seed {3} --encoding $ENCODINGS \
    --threads 1 --output-dir "$OUTPUT" \
    ::: $PRUNERS ::: $SPARSITIES ::: $SEEDS
