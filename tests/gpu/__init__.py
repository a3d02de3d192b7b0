"""What a GPU has to show: the CPU's results, and how fast it has them.

scripts/gpu_check.sh                              # all parts, at most eight minutes
scripts/gpu_check.sh masks topometrics            # some
scripts/gpu_check.sh --device cpu --tiny          # the same code where there is no GPU
"""
