"""What each extended metric takes, on Resnet-20 by ERK at 0.6 (25 million edges).

    python -m tests.benchmarks.extended                       # print the table
    python -m tests.benchmarks.extended --save tests/benchmarks/results

One process, one thread of BLAS, as in a run; each metric on a graph of its own, once the compiled
code is loaded. Seconds are those of the clock and those of the processor, which do not grow with
what else runs. Memory is the peak of the process, imports included.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_limits

from graph_data.markdown import markdown
from metrics import extended

from . import measure
from .networks import NETWORKS, graph

LARGE, SMALL = "Resnet-20 0.6", "Resnet-20 0.98"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", choices=NETWORKS, default=LARGE)
    parser.add_argument("--save", type=Path, metavar="DIR", help="write the table there")
    options = parser.parse_args()
    rows = []
    with threadpool_limits(1):
        for metric in extended.METRICS:
            metric.function(graph(NETWORKS[SMALL]))
            large = graph(NETWORKS[options.network])
            start = time.process_time()
            values, cost = measure.measured(lambda m=metric, g=large: m.function(g))
            worked = time.process_time() - start
            columns = ", ".join(column.name for column in metric.columns)
            rows.append({"network": options.network, "edges": large.num_edges, "columns": columns})
            rows[-1] |= {"seconds": round(cost.seconds, 2), "processor_seconds": round(worked, 2)}
            rows[-1] |= {"megabytes": round(cost.megabytes)}
            print(rows[-1], values, flush=True)
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if options.save:
        table.to_csv(options.save / "extended.csv", index=False)
        (options.save / "extended.md").write_text(markdown(table) + "\n")


if __name__ == "__main__":
    main()
