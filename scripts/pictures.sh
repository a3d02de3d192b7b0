#!/usr/bin/env bash
# The pictures in figures/graphs: Resnet-20 at 98 % sparsity by every pruner at initialisation, one
# picture each, and all of them layer by layer on one sheet. Minutes. Run it in the repository's
# folder:
#
#     scripts/pictures.sh
#     MODEL=CONV-6 SPARSITY=0.9 OUTPUT=mine scripts/pictures.sh
set -euo pipefail

PYTHON=${PYTHON:-.venv/bin/python} # of `make run`
MODEL=${MODEL:-Resnet-20}
DATASET=${DATASET:-digits}
PRUNERS=${PRUNERS:-snip synflow grasp prospr uniform er erk}
SPARSITY=${SPARSITY:-0.98}
OUTPUT=${OUTPUT:-figures/graphs}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$OUTPUT"
graphs=()
for pruner in $PRUNERS; do
    "$PYTHON" main.py --model "$MODEL" --dataset "$DATASET" --pruning "$pruner" \
        --sparsity "$SPARSITY" --threads 1 --save-graph "$work/$pruner" --output-dir "$work/results"
    graph=("$work/$pruner"/*) # whatever main.py calls it
    "$PYTHON" -m figures.draw "${graph[@]}" --mark sinks sources cut-nodes disconnected --dpi 170 \
        --output "$OUTPUT/$MODEL-$SPARSITY-$pruner.png"
    graphs+=("${graph[@]}")
done
"$PYTHON" -m figures.draw "${graphs[@]}" --compare --dpi 200 \
    --output "$OUTPUT/$MODEL-$SPARSITY-layers.png"
