#!/usr/bin/env bash
# The project's own study, from images to the ranking of pruners: train pruned networks on the digits
# that come with scikit-learn, measure their graphs, and run the paper's study on the results. Hours
# on two cores. Run it in the repository's folder:
#
#     scripts/digits_study.sh
#     JOBS=8 SEEDS="0 1 2 3 4" scripts/digits_study.sh
#
# Run it again after an interruption: it goes on, with the epoch in which a training was killed.
# Every process has one thread, so that the results do not depend on JOBS.
set -euo pipefail

PYTHON=${PYTHON:-.venv/bin/python} # of `make run`
JOBS=${JOBS:-$(nproc)}
# The lists are fixed, not those of main.py --list: graph_data/digits is of these networks, and an
# addition to the program does not change which they are.
MODELS=${MODELS:-Resnet-20 CONV-6}
PRUNERS=${PRUNERS:-dense snip synflow grasp prospr uniform er erk}
SPARSITIES=${SPARSITIES:-0.6 0.8 0.9 0.95 0.98 0.99 0.995}
# CONV-6 has eight times the weights of Resnet-20: SynFlow hardly hurts it even at 0.995.
CONV_ALSO=${CONV_ALSO-0.999}
SEEDS=${SEEDS:-0 1 2}
ENCODINGS=${ENCODINGS:-unrolled rolled rolled-channel}
OUTPUT=${OUTPUT:-results/digits}

# One seed after the other: what is there after an interruption can be studied.
for seed in $SEEDS; do
    for model in $MODELS; do
        also=""
        if [[ $model == CONV-6 ]]; then also=$CONV_ALSO; fi
        # shellcheck disable=SC2086  # lists of words
        "$PYTHON" main.py --dataset digits --model $model --pruning $PRUNERS \
            --sparsity $SPARSITIES $also --seed "$seed" --training --encoding $ENCODINGS \
            --graph-metrics topometrics ramanujan --jobs "$JOBS" --threads "$JOBS" \
            --output-dir "$OUTPUT" "$@"
    done
done
"$PYTHON" -m graph_data.study --data "$OUTPUT" --jobs "$JOBS"
