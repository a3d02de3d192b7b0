"""What a sweep consists of, and what is missing of it."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from command_line import flags
from datasets import DATASETS
from graph_encoding import ENCODINGS, Encoding
from models import MODELS
from pruning import PRUNERS, at_initialisation
from runs import results
from runs.columns import CONFIGURATION, columns
from runs.run import Measurement, Network, configuration
from sweep import plan
from sweep.missing import missing
from system.errors import UserError


def tasks(argv="", datasets=("CIFAR-10",)):
    return plan.runs(flags.parse(argv.split()), datasets)


def measurements(flags):
    return {(m.encoding, m.wiring, m.graph_metrics) for m in tasks(flags)[0].measurements}


def write(folder, network, measurement, **changes):
    """Put one row of a run, without metrics, into its file."""
    row = configuration(network, measurement) | changes
    file = measurement.rows_in(folder, network)
    results.append(file, CONFIGURATION, [row])


@pytest.mark.parametrize("images", ["CIFAR-10", "digits"])
@pytest.mark.parametrize("flags_of_all", ["", "--measure-every 2"])
def test_a_network_has_one_data_set_whatever_is_listed_beside_it(images, flags_of_all):
    """Networks without images never go by the images that others are given on this machine."""

    def labels(models, pruners):
        argv = f"--model {' '.join(models)} --pruning {' '.join(pruners)} {flags_of_all}"
        found = plan.runs(flags.parse(argv.split()), [images], unnamed=True)
        return {(run.network.model, run.network.pruning): run.network.dataset for run in found}

    models = ["Resnet-20", "tests.networks:small"]
    pruners = ["erk", "snip", "dense", "rigl"]
    alone = {}
    for pair in product(models, pruners):
        alone |= labels(*([each] for each in pair))
    assert labels(models, pruners) == alone
    if not flags_of_all:
        assert alone["Resnet-20", "erk"] == alone["Resnet-20", "dense"] == "CIFAR-10"
        assert alone["tests.networks.small", "erk"] == "none"
        assert alone["Resnet-20", "snip"] == alone["tests.networks.small", "rigl"] == images
    else:
        assert set(alone.values()) == {images}


def test_one_network_by_default():
    (task,) = tasks()
    assert task.network == Network("Resnet-20", "CIFAR-10", "snip", 0.98, 0, False)
    assert task.measurements == (Measurement("unrolled", "exact", "topometrics"),)
    assert str(task.network) == "Resnet-20 CIFAR-10 snip 0.98 seed 0"


def test_product_in_the_order_of_the_flags():
    argv = "--model CONV-6 Resnet-20 --pruning erk snip --sparsity 0.9 0.5 --seed 3 1"
    found = tasks(argv, datasets=("digits", "CIFAR-10"))
    networks = [
        (t.network.dataset, t.network.model, t.network.pruning, t.network.sparsity, t.network.seed)
        for t in found
    ]
    assert networks == list(
        product(
            ("digits", "CIFAR-10"), ("CONV-6", "Resnet-20"), ("erk", "snip"), (0.9, 0.5), (3, 1)
        )
    )
    assert {t.network.training for t in found} == {False}
    assert {t.network.training for t in tasks(argv + " --training")} == {True}


def test_the_schedule_is_part_of_a_trained_network():
    def schedules(flags):
        found = tasks(flags, datasets=("digits", "CIFAR-10"))
        return [(t.network.epochs, t.network.batch_size, t.network.lr) for t in found]

    assert schedules("") == [(None, None, None)] * 2
    assert schedules("--training") == [(4, 32, 0.1), (160, 128, 0.1)]
    assert schedules("--training --epochs 3 --batch-size 9 --lr 0.5") == [(3, 9, 0.5)] * 2
    (default,) = tasks("--training", datasets=("digits",))
    (written,) = tasks("--training --epochs 4 --lr .1 --batch-size 32", datasets=("digits",))
    assert written == default
    keys = {
        task.network.key
        for flags in ("", "--training", "--training --epochs 5", "--training --lr 0.2")
        for task in tasks(flags)
    }
    assert len(keys) == 4


def test_all():
    argv = "--model all --pruning all --encoding all --seed 0 1 --sparsity 0.9 0.8"
    options = flags.parse(f"{argv} --dataset all".split())
    assert options.dataset == list(DATASETS)
    found = plan.runs(options, options.dataset)
    pruners = 2 * (len(at_initialisation()) - 1) + 1  # dense has no sparsities
    assert len(found) == len(DATASETS) * len(MODELS) * pruners * 2
    assert {m.encoding for m in found[0].measurements} == set(ENCODINGS)
    assert tasks("--pruning erk all") == tasks("--pruning all")


def test_dense_is_there_once():
    found = tasks("--pruning dense erk --sparsity 0.5 0.9 --seed 0 1")
    dense = [(t.network.sparsity, t.network.seed) for t in found if t.network.pruning == "dense"]
    assert dense == [(0.0, 0), (0.0, 1)]
    assert len(found) == 2 + 4


def test_what_is_given_twice_is_there_once():
    argv = "--pruning erk erk --sparsity 0.9 0.90 9e-1 --seed 0 00 --encoding rolled rolled"
    (task,) = tasks(argv)
    assert len(task.measurements) == 1


def test_ramanujan_of_bipartite_graphs_only():
    argv = "--encoding rolled rolled-channel unrolled --graph-metrics topometrics ramanujan"
    assert measurements(argv) == {
        ("rolled", "exact", "topometrics"),
        ("rolled", "exact", "ramanujan"),
        ("rolled-channel", "exact", "topometrics"),
        ("rolled-channel", "exact", "ramanujan"),
        ("unrolled", "exact", "topometrics"),
    }


def test_wiring_of_bipartite_graphs_is_exact():
    argv = "--encoding rolled rolled-channel unrolled --wiring published"
    assert measurements(argv) == {
        ("rolled", "exact", "topometrics"),
        ("rolled-channel", "exact", "topometrics"),
        ("unrolled", "published", "topometrics"),
    }


def test_effective_graphs_are_other_runs_whatever_the_wiring():
    argv = "--encoding rolled unrolled --wiring identity --effective"
    assert measurements(argv) == {
        ("rolled", "exact+effective", "topometrics"),
        ("unrolled", "identity+effective", "topometrics"),
    }


def test_graphs_that_follow_attention_are_other_runs_unless_they_are_bipartite():
    argv = "--encoding rolled unrolled --attention tokens"
    assert measurements(argv) == {
        ("rolled", "exact", "topometrics"),
        ("unrolled", "exact+tokens", "topometrics"),
    }
    assert measurements(argv + " --effective --wiring identity") == {
        ("rolled", "exact+effective", "topometrics"),
        ("unrolled", "identity+tokens+effective", "topometrics"),
    }
    made = Measurement("unrolled", "identity+tokens+effective", "topometrics")
    assert (made.graph_wiring, made.attention, made.is_effective) == ("identity", "tokens", True)
    assert Measurement("unrolled", "exact", "topometrics").attention == "refuse"


def test_all_are_those_that_have_the_wiring(monkeypatch):
    monkeypatch.setitem(ENCODINGS, "other", Encoding("nowhere:other", bipartite=False))
    every = {encoding for encoding, *_ in measurements("--encoding all")}
    assert every == {*ENCODINGS}
    found = {encoding for encoding, *_ in measurements("--encoding all --wiring published")}
    assert {"rolled", "rolled-channel", "unrolled"} <= found <= every - {"other"}
    with pytest.raises(UserError, match="--encoding other has no published wiring"):
        measurements("--encoding other unrolled --wiring published")


def some(values):
    return st.lists(st.sampled_from(values), min_size=1, max_size=3)


PUBLISHED = [n for n, kind in ENCODINGS.items() if kind.bipartite or "published" in kind.wirings]
SWEEPS = st.fixed_dictionaries(
    {
        "--model": some(sorted(MODELS)),
        "--pruning": some([*PRUNERS, "all"]),
        "--sparsity": some(["0", "-0.0", "0.5", ".5", "0.98"]),
        "--seed": some(["0", "1", "4294967295"]),
        "--encoding": some([*PUBLISHED, "all"]),
        "--graph-metrics": some(["topometrics", "ramanujan"]),
        "--wiring": st.lists(st.sampled_from(["exact", "published"]), min_size=1, max_size=1),
    }
)


def command_line(flags, times=1):
    """A command line that gives every value so many times."""
    return " ".join(" ".join([flag, *values * times]) for flag, values in flags.items())


def no_measurements(flags):
    metrics, encodings = set(flags["--graph-metrics"]), set(flags["--encoding"])
    bipartite = any(name == "all" or ENCODINGS[name].bipartite for name in encodings)
    return metrics == {"ramanujan"} and not bipartite


@settings(max_examples=40)
@given(SWEEPS, some(sorted(DATASETS)))
def test_every_run_is_there_once_and_the_plan_is_the_same_again(flags, datasets):
    argv = command_line(flags)
    if no_measurements(flags):
        with pytest.raises(UserError, match="bipartite"):
            tasks(argv)
        return
    found = tasks(argv, datasets=datasets)
    keys = [task.network.key for task in found]
    assert len(set(keys)) == len(keys)
    runs = [
        (m.rows_in("", task.network), results.identity(configuration(task.network, m)))
        for task in found
        for m in task.measurements
    ]
    assert len(set(runs)) == len(runs) > 0
    (wiring,) = flags.pop("--wiring")
    again = command_line(flags, times=2)
    assert found == tasks(f"{again} --wiring {wiring}", datasets=datasets * 2)


@settings(max_examples=40)
@given(SWEEPS, st.data())
def test_missing_is_what_no_file_has(tmp_path_factory, flags, data):
    if no_measurements(flags):
        flags |= {"--encoding": ["rolled"]}
    flags |= {"--pruning": data.draw(some(["erk", "dense", "snip"]))}
    found = tasks(command_line(flags))
    runs = [(task.network, m) for task in found for m in task.measurements]
    folder = tmp_path_factory.mktemp("results")
    done = data.draw(st.lists(st.sampled_from(runs), unique=True, max_size=4))
    for network, measurement in done:
        write(folder, network, measurement, achieved_sparsity=0.5, accuracy=0.25)
    left = missing(found, folder)
    assert [(t.network, m) for t in left for m in t.measurements] == [
        run for run in runs if run not in done
    ]
    assert all(task.measurements for task in left)
    assert missing(left, folder) == left


def test_what_is_wanted_anew_is_missing_too(tmp_path):
    found = tasks("--pruning erk --seed 0 1 --encoding rolled unrolled")
    for task in found:
        for measurement in task.measurements:
            write(tmp_path, task.network, measurement)
    assert missing(found, tmp_path) == []
    wanted = [(found[1].network, found[1].measurements[1])]
    (left,) = missing(found, tmp_path, lambda *run: run in wanted)
    assert (left.network, left.measurements) == (wanted[0][0], (wanted[0][1],))


def test_missing_without_files(tmp_path):
    found = tasks("--seed 0 1")
    assert missing(found, tmp_path) == found
    assert list(tmp_path.iterdir()) == []


def test_other_rows_do_not_count(tmp_path):
    (task,) = tasks("--encoding unrolled --pruning erk")
    (measurement,) = task.measurements
    for change in (
        {"sparsity": 0.9},
        {"seed": 1},
        {"pruning": "er"},
        {"wiring": "published"},
        {"training": True},
        {"epochs": 1},
        {"batch_size": 7},
        {"lr": 0.5},
    ):
        write(tmp_path, task.network, measurement, **change)
    assert missing([task], tmp_path) == [task]
    write(tmp_path, task.network, measurement)
    assert missing([task], tmp_path) == []


def test_missing_reads_each_file_once(tmp_path, monkeypatch):
    found = tasks("--seed 0 1 2 3 --pruning erk er --encoding rolled unrolled")
    read = []
    monkeypatch.setattr(results, "identities", lambda file: read.append(file) or {})
    assert missing(found, tmp_path) == found
    assert len(read) == len(set(read)) == 2


def test_a_saved_network_is_the_same_run(tmp_path):
    (task,) = tasks("--pruning erk")
    saved = replace(task, network=replace(task.network, file="anywhere.pt"))
    assert saved.network.key == task.network.key
    write(tmp_path, task.network, task.measurements[0])
    assert missing([saved], tmp_path) == []


def test_the_columns_of_a_run_are_those_of_its_row():
    (task,) = tasks("--pruning erk --encoding rolled")
    (measurement,) = task.measurements
    assert tuple(configuration(task.network, measurement)) == CONFIGURATION
    found = columns(measurement.encoding, measurement.graph_metrics)
    assert found[: len(CONFIGURATION)] == CONFIGURATION
