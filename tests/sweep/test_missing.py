"""Which runs are undone."""

import pytest

from pruning import Gaps
from runs import records, results
from runs.columns import columns
from runs.run import Measurement, Network, Run, configuration
from sweep.missing import missing

NETWORKS = [Network("Resnet-20", "digits", "erk", 0.98, seed) for seed in range(3)]
ROLLED = Measurement("rolled", "exact", "topometrics")
UNROLLED = Measurement("unrolled", "exact", "topometrics")


@pytest.fixture
def write(tmp_path):
    """Write some rows of a run, as of a run with more."""

    def run(network, measurement, rows, of=None):
        if of is not None:
            gaps = Gaps((), 22)
            records.record_run(tmp_path, network, measurement, {}, "cpu", 1, gaps, of)
        names = columns(measurement.encoding, measurement.graph_metrics)
        row = dict.fromkeys(names) | configuration(network, measurement)
        results.append(measurement.rows_in(tmp_path, network), names, [row] * rows)

    return run


def test_a_run_is_done_when_all_its_rows_are_there(tmp_path, write):
    one, two, three = NETWORKS
    write(one, ROLLED, 22, of=22)
    write(one, UNROLLED, 1, of=1)
    write(two, ROLLED, 21, of=22)
    write(two, UNROLLED, 1)  # of an earlier version
    write(three, ROLLED, 3)
    runs = [Run(network, (ROLLED, UNROLLED)) for network in NETWORKS]
    assert missing(runs, tmp_path) == [
        Run(two, (ROLLED,), (ROLLED,)),
        Run(three, (UNROLLED,)),
    ]
    assert missing(runs, tmp_path, lambda network, _: network == one) == [
        Run(one, (ROLLED, UNROLLED), (ROLLED, UNROLLED)),
        Run(two, (ROLLED,), (ROLLED,)),
        Run(three, (UNROLLED,)),
    ]


def test_the_last_line_says_how_many_rows_a_run_has(tmp_path, write):
    """A network of the user's own may have lost layers since."""
    write(NETWORKS[0], ROLLED, 0, of=22)
    write(NETWORKS[0], ROLLED, 20, of=20)
    assert missing([Run(NETWORKS[0], (ROLLED,))], tmp_path) == []
