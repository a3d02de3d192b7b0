#!/usr/bin/env bash
# What a GPU has to show: masks, topometrics and training as on the CPU, and how fast. Eight minutes
# at most; needs the packages of deps/requirements.txt (not the exact versions) and no network. Exit
# status 0, 1 if anything fails, 3 where there is no CUDA. Run it in the repository's folder:
#
#     scripts/gpu_check.sh --output gpu.md
#     PYTHON=python3 scripts/gpu_check.sh masks topometrics
#     scripts/gpu_check.sh --device cpu      # the same code, where there is no GPU
set -euo pipefail

PYTHON=${PYTHON:-.venv/bin/python} # of `make run`
exec "$PYTHON" -m tests.gpu "$@"
