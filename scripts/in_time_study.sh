#!/usr/bin/env bash
# Sparse training in time beside pruning at initialisation, on the digits that come with
# scikit-learn: train networks whose masks change and networks whose masks stay, measure their
# multipartite graphs before, within and after training, and study them. Hours on two cores, minutes
# with a GPU and 16. Run it in the repository's folder:
#
#     scripts/in_time_study.sh
#     JOBS=16 scripts/in_time_study.sh --device cuda
#
# Run it again after an interruption: it goes on, with the epoch in which a training was killed.
# Every process has one thread, so that the results do not depend on JOBS.
set -euo pipefail

PYTHON=${PYTHON:-.venv/bin/python} # of `make run`
JOBS=${JOBS:-$(nproc)}
# The lists are fixed, not those of main.py --list: graph_data/in_time is of these networks.
MODELS=${MODELS:-Resnet-20 CONV-6}
CHANGING=${CHANGING-set rigl itop itop-gradient snfs dsr magnitude}
STAYING=${STAYING-dense snip synflow uniform erk}
SPARSITIES=${SPARSITIES:-0.9 0.95 0.98 0.99}
SEEDS=${SEEDS:-0 1 2}
EPOCHS=${EPOCHS:-8}
EVERY=${EVERY:-4}
OUTPUT=${OUTPUT:-results/in_time}

# One seed after the other: what is there after an interruption can be studied.
for seed in $SEEDS; do
    # shellcheck disable=SC2086  # lists of words
    "$PYTHON" main.py --dataset digits --model $MODELS --pruning $STAYING $CHANGING \
        --sparsity $SPARSITIES --seed "$seed" --training --epochs "$EPOCHS" \
        --measure-every "$EVERY" --jobs "$JOBS" --threads "$JOBS" --output-dir "$OUTPUT" "$@"
done
"$PYTHON" -m graph_data.study --data "$OUTPUT" --jobs "$JOBS"
