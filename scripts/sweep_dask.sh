#!/usr/bin/env bash
# A sweep on a Dask cluster started by hand: a scheduler and two workers, here all on one machine.
# Needs `pip install -r deps/requirements-dask.txt`. In the repository's folder:
#
#     scripts/sweep_dask.sh
#     PRUNERS="er erk" SPARSITIES="0.9 0.98" SEEDS="0 1 2" scripts/sweep_dask.sh
#
# For several machines run the scheduler line on one and the worker line on the others, as often as
# each has cores and memory for, all with their own address in `here`. They all need this repository (on
# PYTHONPATH), the same packages, and one --output-dir and --data-root that all of them see.
# Whoever reaches the scheduler's port can run code on the workers: keep it in a trusted network.
set -euo pipefail

PYTHON=${PYTHON:-.venv/bin/python} # of `make run`
HOST=${HOST:-127.0.0.1}
PORT=${PORT:-8786}
PRUNERS=${PRUNERS:-$("$PYTHON" main.py --list pruners | grep -vx dense)} # dense removes nothing
SPARSITIES=${SPARSITIES:-0.6 0.8 0.9 0.95 0.98}
SEEDS=${SEEDS:-0 1 2}
ENCODINGS=${ENCODINGS:-$("$PYTHON" main.py --list encodings)}
OUTPUT=${OUTPUT:-results}

export PYTHONPATH=$PWD
cluster=()
stop() { # the scheduler last: workers that have lost it take ten seconds to end
    kill "${cluster[@]:1}" && wait "${cluster[@]:1}" || true
    kill "${cluster[@]:0:1}" && wait || true
}
trap stop EXIT

# Without a dashboard, too, each has a page, by default for all the world.
here=(--host "$HOST" --no-dashboard --dashboard-address "$HOST:0")
"$PYTHON" -m dask scheduler "${here[@]}" --port "$PORT" &
cluster+=($!)
for _ in 1 2; do
    "$PYTHON" -m dask worker "tcp://$HOST:$PORT" "${here[@]}" --nworkers 1 --nthreads 1 &
    cluster+=($!)
done

# shellcheck disable=SC2086  # lists of words
"$PYTHON" main.py --pruning $PRUNERS --sparsity $SPARSITIES --seed $SEEDS \
    --encoding $ENCODINGS --scheduler "tcp://$HOST:$PORT" --threads 1 --output-dir "$OUTPUT"
