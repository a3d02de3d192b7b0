#!/usr/bin/env bash
# The paper's grid, without training: prune each of its 1,260 networks at initialisation (4 models,
# 7 pruners, 5 sparsities, 3 data sets, 3 seeds), and measure all encodings. tests/benchmarks/grid.py
# says how long it takes. Run it in the repository's folder:
#
#     scripts/paper_grid.sh
#     JOBS=8 DATA=/data scripts/paper_grid.sh
#     DATA_FREE=1 scripts/paper_grid.sh     # without images: the pruners that need none
#
# Run it again after an interruption: what is done is not computed again. More flags can follow, such
# as --dry-run. Every process has one thread, so that the results do not depend on JOBS.
set -euo pipefail

PYTHON=${PYTHON:-.venv/bin/python} # of `make run`
JOBS=${JOBS:-$(nproc)}
# The lists are the paper's, not those of main.py --list, which grow with the program.
MODELS=${MODELS:-Resnet-20 Resnet-32 Wide-Resnet-28-2 CONV-6}
DATA_FREE=${DATA_FREE:-}
if [[ -z $DATA_FREE ]]; then
    PRUNERS=${PRUNERS:-snip grasp synflow prospr uniform er erk}
else
    PRUNERS=${PRUNERS:-synflow uniform er erk}
fi
SPARSITIES=${SPARSITIES:-0.6 0.8 0.9 0.95 0.98}
DATASETS=${DATASETS:-CIFAR-10 CIFAR-100 tinyimagenet}
SEEDS=${SEEDS:-0 1 2}
ENCODINGS=${ENCODINGS:-unrolled rolled rolled-channel}
DATA=${DATA:-data}
OUTPUT=${OUTPUT:-results/paper_grid}

# No other images stand in for those of a data set. Without them the grid is refused now, not in hours.
if [[ -z $DATA_FREE ]]; then
    # shellcheck disable=SC2086  # lists of words
    missing=$("$PYTHON" -m datasets.available --data-root "$DATA" $DATASETS 2>&1) || {
        missing=${missing#*error: }
        echo "paper_grid.sh: ${missing%, or use --dataset*}, or set DATA_FREE=1 for the pruners" \
            "that need no images" >&2
        exit 2
    }
fi

# One seed after the other: what is there after an interruption is a whole grid of fewer seeds.
for seed in $SEEDS; do
    for model in $MODELS; do
        # shellcheck disable=SC2086  # lists of words
        "$PYTHON" main.py --model $model --dataset $DATASETS --pruning $PRUNERS \
            --sparsity $SPARSITIES --seed "$seed" --encoding $ENCODINGS \
            --graph-metrics topometrics ramanujan --jobs "$JOBS" --threads "$JOBS" \
            --data-root "$DATA" --output-dir "$OUTPUT" --log-file "$OUTPUT.log" "$@"
    done
done
