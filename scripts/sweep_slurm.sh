#!/usr/bin/env bash
#SBATCH --job-name=topometrics
#SBATCH --array=0-20
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --time=08:00:00
#SBATCH --output=topometrics-%A-%a.log
# A sweep as an array of Slurm jobs: 7 pruners x 3 seeds = 21 jobs, each with all sparsities. Submit
# it in the repository's folder, which all nodes must see:
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
read -ra pruners <<<"${PRUNERS:-snip synflow grasp prospr uniform er erk}"
read -ra seeds <<<"${SEEDS:-0 1 2}"
SPARSITIES=${SPARSITIES:-0.6 0.8 0.9 0.95 0.98}
ENCODINGS=${ENCODINGS:-unrolled rolled rolled-channel}
OUTPUT=${OUTPUT:-results}

if ((SLURM_ARRAY_TASK_ID >= ${#pruners[@]} * ${#seeds[@]})); then
    echo "no pruner and seed for job $SLURM_ARRAY_TASK_ID: give sbatch a shorter --array" >&2
    exit 2
fi
pruner=${pruners[SLURM_ARRAY_TASK_ID / ${#seeds[@]}]}
seed=${seeds[SLURM_ARRAY_TASK_ID % ${#seeds[@]}]}

for sparsity in $SPARSITIES; do
    # shellcheck disable=SC2086  # a list of words
    "$PYTHON" main.py --pruning "$pruner" --seed "$seed" --sparsity "$sparsity" \
        --encoding $ENCODINGS --threads "${SLURM_CPUS_PER_TASK:-1}" --output-dir "$OUTPUT"
done
