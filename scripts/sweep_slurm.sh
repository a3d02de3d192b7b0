#!/usr/bin/env bash
#SBATCH --job-name=topometrics
#SBATCH --array=0-20
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --time=08:00:00
#SBATCH --output=topometrics-%A-%a.log
# A sweep as an array of Slurm jobs, each with all sparsities of a pruner and seed; where there are
# more of these than jobs, the first jobs take what is left. Submit it in the repository's folder,
# which all nodes must see:
#
#     sbatch scripts/sweep_slurm.sh
#     SEEDS="0 1" PRUNERS="er erk" sbatch --array=0-3 scripts/sweep_slurm.sh
#
# All jobs write into one folder, whose file system needs file locks. Download images before
# (`python main.py --dataset CIFAR-10 --sparsity 0.98` once): compute nodes often have no network.
# Submit it again for what failed or ran out of time: what is done is not computed again.
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:-.}"

PYTHON=${PYTHON:-.venv/bin/python} # of `make run`
PRUNERS=${PRUNERS:-$("$PYTHON" main.py --list pruners | grep -vx dense)} # dense removes nothing
SEEDS=${SEEDS:-0 1 2}
SPARSITIES=${SPARSITIES:-0.6 0.8 0.9 0.95 0.98}
ENCODINGS=${ENCODINGS:-$("$PYTHON" main.py --list encodings)}
OUTPUT=${OUTPUT:-results}

# shellcheck disable=SC2206  # lists of words
pruners=($PRUNERS) seeds=($SEEDS)
count=$((${#pruners[@]} * ${#seeds[@]}))
if ((SLURM_ARRAY_TASK_ID >= count)); then
    echo "no pruner and seed for job $SLURM_ARRAY_TASK_ID: give sbatch a shorter --array" >&2
    exit 2
fi
jobs=$((${SLURM_ARRAY_TASK_MAX:-$count} + 1))
for ((number = SLURM_ARRAY_TASK_ID; number < count; number += jobs)); do
    pruner=${pruners[number / ${#seeds[@]}]}
    seed=${seeds[number % ${#seeds[@]}]}
    for sparsity in $SPARSITIES; do
        # shellcheck disable=SC2086  # a list of words
        "$PYTHON" main.py --pruning "$pruner" --seed "$seed" --sparsity "$sparsity" \
            --encoding $ENCODINGS --threads "${SLURM_CPUS_PER_TASK:-1}" --output-dir "$OUTPUT"
    done
done
