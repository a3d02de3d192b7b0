"""A sweep on workers that Dask asks Slurm for: one job a worker, more of them while there is work.

    pip install -r deps/requirements-dask.txt dask-jobqueue
    python scripts/sweep_dask_slurm.py --pruning all --sparsity 0.6 0.9 0.98 --seed 0 1 2

Start it where Slurm jobs can be submitted and let it run until the sweep ends; started again, it
goes on. The flags are those of main.py. All nodes must see this repository, the output folder and
the images; what a job gets (memory, time, queue) stands below.
"""

import subprocess
import sys
from pathlib import Path

from dask_jobqueue import SLURMCluster

ROOT = Path(__file__).resolve().parent.parent
JOBS = 20


def main() -> int:
    """Ask for workers, run main.py on them; gives its exit status."""
    with SLURMCluster(
        cores=1,
        memory="4GB",
        walltime="08:00:00",
        python=sys.executable,
        job_script_prologue=[f"export PYTHONPATH='{ROOT}'"],
    ) as cluster:
        cluster.scale(jobs=JOBS)
        where = ["--scheduler", cluster.scheduler_address]
        return subprocess.call([sys.executable, ROOT / "main.py", *sys.argv[1:], *where])


if __name__ == "__main__":
    sys.exit(main())
