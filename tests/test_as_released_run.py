"""Runs made ``--as-released`` from flag to file: never taken for others, nor others for them."""

import csv
import shlex
from pathlib import Path

import pytest
import torch

import main
from command_line import flags, steps
from command_line.progress import Stages
from figures.page import parts
from models import saved
from runs.as_released import ALL, PARTS
from sweep import plan
from system.errors import UserError

ER = ("--dataset=digits", "--pruning=er", "--sparsity=0.95", "--encoding=rolled-channel")
STEM = "Resnet-20-digits-er-0.95-0"


@pytest.fixture
def job(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        capsys.readouterr()
        status = main.main(argv)
        return status, *capsys.readouterr()

    return run


def rows(name):
    with open(Path("results", name), newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.usefixtures("warm_workers")
def test_both_kinds_of_a_run_stand_side_by_side(job):
    file = "graph_metrics/rolled-channel/rolled-channel-digits-Resnet-20.csv"
    saving = ("--save-snn=snn", "--save-graph=graphs")
    for argv in (ER, (*ER, "--as-released")):
        status, out, _ = job(*argv, *saving)
        assert (status, "written to" in out) == (0, True)
        assert ("as released" in out) == ("--as-released" in argv)
    for argv in (ER, (*ER, f"--as-released={ALL}")):
        assert "already in" in job(*argv)[1]
    kinds = {row["as_released"]: float(row["achieved_sparsity"]) for row in rows(file)}
    assert kinds.keys() == {"", ALL}
    # The search of epsilon ends 1.3 % low; the default keeps what saturated layers leave.
    assert kinds[ALL] > kinds[""]
    assert {row["as_released"] for row in rows("runs.csv")} == {"", ALL}
    names = {f"{STEM}.pt", f"{STEM}-released-{ALL}.pt"}
    assert {each.name for each in Path("snn").iterdir()} == names
    assert len(list(Path("graphs").iterdir())) == 2

    # The same from the files, into a folder of its own.
    assert job("--snn", *map(str, Path("snn").iterdir()), ER[-1], "--output-dir=again")[0] == 0
    again = {(r["as_released"], r["layer_id"], r["edges"]) for r in rows("../again/" + file)}
    assert again == {(r["as_released"], r["layer_id"], r["edges"]) for r in rows(file)}


def test_a_network_saved_before_the_flag_was_not_made_as_released(job):
    assert job(*ER, "--save-snn=snn")[0] == 0
    (file,) = Path("snn").iterdir()
    found = saved.load(file)
    before = {k: v for k, v in found.configuration.items() if k != "as_released"}
    saved.save(file, found.model, found.masks, before)
    assert "already in" in job("--snn", str(file), ER[-1])[1]


def networks(*argv):
    return [run.network for run in plan.runs(flags.parse(argv), ["CIFAR-10"])]


def test_parts_are_named_in_any_order():
    one, other = (networks(f"--as-released={v}")[0] for v in ("images+pruner", "pruner+images"))
    assert one == other
    assert [one.is_released(part) for part in PARTS] == [True, False, True]
    assert networks("--as-released")[0].as_released == ALL
    with pytest.raises(UserError, match="'masks': choose from pruner, batches, images"):
        flags.parse(["--as-released=pruner+masks"])


@pytest.mark.parametrize(("parts", "augmented"), [("", False), ("pruner", False), (ALL, True)])
def test_pruners_see_augmented_batches_where_the_released_code_lets_them(job, parts, augmented):
    options = flags.parse(["--dataset=digits", f"--as-released={parts}"])
    (run,) = plan.runs(options, options.dataset)
    made = steps.Made(run, options, Stages(quiet=True))
    steps.open_data(made, None)
    shown = torch.cat([images for images, _ in made.batches])
    plain = torch.stack([made.batches.dataset[i][0] for i in range(len(shown))])
    every = {image.numpy().tobytes() for image in plain}
    assert all(image.numpy().tobytes() in every for image in shown) != augmented


def test_the_command_on_a_page_makes_the_same_run():
    for argv in ([], ["--as-released=pruner"], ["--as-released"]):
        (network,) = networks(*argv)
        row = vars(network) | {"encoding": "unrolled", "wiring": "exact"}
        _python, _main, *words = shlex.split(parts.command(row))
        assert networks(*words) == [network]
