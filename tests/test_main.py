"""The main job: its command line, its errors, whole runs on digits, and their result files."""

import contextlib
import csv
import errno
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import main
import metrics
import ramanujan
import training
from command_line import asked, flags, progress, steps
from command_line.flags import parse
from pruning import PRUNERS
from runs import results
from runs.columns import CONFIGURATION, LAYER
from sweep import plan
from system import arguments, files
from system.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
NETS = """
from torch import nn

def small():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(16, 10),
    )
"""
SMALL = ("--model=nets:small", "--input-shape", "3", "8", "8")
"""What is tested needs a network, and none of the paper's."""

QUIET = progress.Stages(quiet=True)
MASKS = {"weight": torch.ones(1, dtype=torch.bool)}


@pytest.fixture(autouse=True)
def images_are_opened_anew():
    """Images opened by one test are not those of the next, whose folder is another."""
    asked._images.cache_clear()


@pytest.fixture
def job(tmp_path, monkeypatch, capsys):
    """Run main.py's `main` in an empty folder; gives exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        capsys.readouterr()
        status = main.main(argv)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def offline(monkeypatch):
    """No network: whatever asks for an address is told that there is none."""

    def refuse(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def python(code, cwd):
    """Run code in a process of its own, with main.py's folder on the path."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )


def table(file):
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream))


def assert_one_line(status, out, err, message):
    assert status == 2
    assert out == ""
    lines = err.splitlines()
    assert lines[-1].startswith("main.py: error: ")
    assert re.search(message, lines[-1]), lines[-1]
    assert "Traceback" not in err
    assert [line for line in lines[:-1] if not line.startswith("[")] == []  # stages may precede it


def test_a_registered_pruner_is_a_choice_at_once(monkeypatch):
    import pruning

    with pytest.raises(UserError):
        flags.parse(["--pruning", "random-again"])
    monkeypatch.setitem(pruning.PRUNERS, "random-again", pruning.PRUNERS["uniform"])
    assert flags.parse(["--pruning", "random-again"]).pruning == ["random-again"]


@pytest.mark.parametrize("what", flags.REGISTRIES)
def test_list_prints_names_one_a_line(what, job):
    with pytest.raises(SystemExit) as end:
        job("--list", what, "--output-dir", "not/made")
    assert not end.value.code
    assert not Path("not").exists()


def test_what_is_listed_is_what_flags_take(capsys):
    for what, flag in (("pruners", "pruning"), ("models", "model"), ("encodings", "encoding")):
        with pytest.raises(SystemExit):
            flags.parse(["--list", what])
        names = capsys.readouterr().out.splitlines()
        assert getattr(flags.parse([f"--{flag}", *names]), flag) == names
        every = [name for name in names if what != "pruners" or not PRUNERS[name].trains]
        assert getattr(flags.parse([f"--{flag}", "all"]), flag) == every


@pytest.mark.parametrize("spelling", ["--data-root", "--data_root"])
@pytest.mark.parametrize("equals", [False, True])
def test_hyphens_and_underscores(spelling, equals):
    argv = [f"{spelling}=my_data"] if equals else [spelling, "my_data"]
    assert flags.parse(argv).data_root == Path("my_data")


@pytest.mark.parametrize(
    ("argv", "value"),
    [
        ([], False),
        (["--training"], True),
        (["--training", "--seed", "1"], True),
        *((["--training", text], True) for text in ("true", "True", "YES", "1")),
        *((["--training", text], False) for text in ("false", "False", "no", "0")),
    ],
)
def test_training_takes_words(argv, value):
    assert flags.parse(argv).training is value


def test_the_papers_spelling_of_ramanujan():
    options = flags.parse(["--graph_metrics", "ramanunjan", "--encoding", "rolled"])
    assert options.graph_metrics == ["ramanujan"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("--model Resnet-21", "--model.*'Resnet-21'.*Resnet-20.*Resnet-32"),
        ("--model resnet20", r"--model.*'resnet20': did you mean Resnet-20\?"),
        ("--model CONV-6 wideresnet-28-2", r"did you mean Wide-Resnet-28-2\?"),
        ("--dataset cifar100", r"--dataset.*'cifar100'.*did you mean CIFAR-100\?"),
        ("--pruning erk synflwo", r"--pruning.*'synflwo'.*did you mean synflow\?"),
        ("--snn here.pt", "here.pt: No such file or directory; give the path of a network[^;]*$"),
        ("--dataset MNIST", "--dataset.*'MNIST'.*digits"),
        ("--pruning largest", "--pruning.*'largest'.*synflow"),
        ("--encoding folded", "--encoding.*'folded'.*rolled-channel"),
        ("--wiring loose", "--wiring.*'loose'.*published"),
        ("--device tpu", "--device.*'tpu'.*cuda"),
        ("--graph-metrics all", "--graph-metrics.*'all'.*ramanujan"),
        ("--sparsity -0.1", "--sparsity.*0 <= number < 1"),
        ("--sparsity 1.0", "--sparsity.*0 <= number < 1"),
        ("--sparsity nan", "--sparsity.*0 <= number < 1"),
        ("--sparsity=-inf", "--sparsity.*0 <= number < 1"),
        ("--sparsity much", "--sparsity.*0 <= number < 1"),
        ("--seed -1", "--seed.*whole number from 0"),
        ("--seed 1.5", "--seed.*whole number from 0"),
        ("--threads 0", "--threads.*whole number from 1"),
        ("--training perhaps", "--training.*true, yes, 1"),
        ("--training --lr -1", "--lr.*positive"),
        ("--training --lr 1e300", "--lr.*positive number up to 3.4e"),
        ("--timeout 0", "--timeout.*positive"),
        ("--timeout 3 --scheduler tcp://a:1", "--timeout is for this machine"),
        ("--threads 32767", "--threads 32767: there are .* cores"),
        ("--training --epochs 0", "--epochs.*whole number from 1"),
        ("--epochs 3", "--epochs.*--training"),
        ("--sparsity", "--sparsity.*expected at least one argument.*--help"),
        ("--sparse 0.9", "unrecognized arguments.*--help"),
        ("extra", "unrecognized arguments: extra.*--help"),
        ("--graph_metrics ramanujan", "--encoding rolled or --encoding rolled-channel"),
        ("--output-dir /dev/null/results", "/dev/null/results.*--output-dir"),
        ("--data-root=a\nb --sparsity=2\n2", "--sparsity"),
        ("--report page.pdf", "--report.*'page.pdf' does not end in .html or .htm"),
        ("--report page", "--report.*'page' does not end in .html or .htm"),
        ("--report same.png --figure same.png", "--report.*does not end in .html or .htm"),
        ("--figure page.html", "--figure.*does not end in .png or .svg or .pdf"),
        (
            "--report page.html --wiring published",
            "--report.*published.*--wiring exact or identity",
        ),
    ],
)
def test_bad_input_is_one_line(job, argv, message):
    assert_one_line(*job(*argv.split(" ")), message)


@pytest.mark.parametrize("flag", ["--figure out.png", "--report out.htm", "--log-file out"])
@pytest.mark.parametrize("where", ["", "folder/"])
def test_a_folder_as_a_file_to_write_is_one_line_before_the_work(job, monkeypatch, flag, where):
    monkeypatch.setattr(main, "run_network", pytest.fail)
    name, _, file = flag.partition(" ")
    Path(where, file).mkdir(parents=True)
    message = f"error: {where}{file}: Is a directory; mend that, or give another .*{name}$"
    assert_one_line(*job("--pruning=erk", name, where + file), message)
    assert list(Path(where, file).iterdir()) == []


def test_what_is_in_the_way_of_a_folder_is_one_line_before_the_work(job, monkeypatch):
    monkeypatch.setattr(main, "run_network", None)
    Path("file").touch()
    message = "error: file: File exists; mend that.*--figure$"
    assert_one_line(*job("--pruning=erk", "--figure", "file/graph.png"), message)


def test_a_full_disk_names_the_picture(job, monkeypatch):
    from figures import multipartite, style

    def fail(figure, file):
        with files.replacing(file):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(multipartite, "draw", lambda *_, **__: None)
    monkeypatch.setattr(style, "write", fail)
    message = "error: graph.png: No space left on device; mend that.*--figure$"
    assert_one_line(*job("--pruning=erk", "--sparsity=0.98", "--figure=graph.png"), message)


@pytest.mark.parametrize("name", ["graph.PNG", "graph.Svg", "GRAPH.PDF"])
def test_endings_in_any_case_of_letters(name):
    options = flags.parse(["--figure", name, "--report", "PAGE.HTML"])
    assert (options.figure, options.report) == (Path(name), Path("PAGE.HTML"))


@pytest.mark.parametrize("wiring", ["exact", "identity"])
def test_a_page_of_the_other_wirings(wiring):
    assert flags.parse(["--report", "a.htm", "--wiring", wiring]).report == Path("a.htm")


def test_folder_without_permission_is_one_line(job, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files.tempfile, "TemporaryFile", refuse)
    assert_one_line(*job("--output-dir", "here"), "here: Permission denied.*--output-dir")


@pytest.mark.parametrize(
    "name", ["graph_metrics/unrolled/unrolled-CIFAR-10-Resnet-20.csv", "runs.csv", "failures.csv"]
)
def test_a_csv_that_cannot_be_written_is_one_line_before_the_work(job, monkeypatch, name):
    """It is a folder here: one without permission would be none to the superuser."""
    monkeypatch.setattr(main, "run_network", pytest.fail)
    Path("here", name).mkdir(parents=True)
    message = f"error: here/{name}: Is a directory; mend that, or give another --output-dir$"
    assert_one_line(*job("--pruning=erk", "--output-dir=here", "--figure=a.png"), message)


@pytest.mark.parametrize(
    ("file", "flags"),
    [
        ("here/runs.csv", "--output-dir"),
        ("data/x.zip", "--data-root"),
        ("page.html", "--report"),
        ("/elsewhere", "--output-dir or --data-root or --report"),
        (None, "--output-dir or --data-root or --report"),
    ],
)
def test_an_error_names_the_flags_that_it_is_about(job, file, flags):
    options = parse(["--output-dir=here", "--report=page.html"])
    error = PermissionError(errno.EACCES, "Permission denied", file and str(file))
    line = asked.one_line(error, options)
    assert line.endswith(f"Permission denied; mend that, or give another {flags}")


def test_home_is_known_where_the_shell_leaves_it(monkeypatch, tmp_path):
    from figures import draw
    from graph_data import fetch
    from graph_data.study import __main__ as study

    monkeypatch.setenv("HOME", str(tmp_path))
    places = ("data_root", "output_dir", "save_snn", "save_graph", "log_file")
    given = [f"--{place.replace('_', '-')}=~/a" for place in places]
    given += ["--figure=~/a.png", "--report=~/a.html", "--snn", "~/a", "~/b", "--weights=~/a"]
    found = flags.parser().parse_args(given)
    assert {getattr(found, place) for place in places} == {tmp_path / "a"}
    assert (found.figure, found.report) == (tmp_path / "a.png", tmp_path / "a.html")
    assert (found.snn, found.weights) == ([tmp_path / "a", tmp_path / "b"], f"{tmp_path}/a")
    found = study.parser().parse_args([f"--{n}=~/a" for n in ("data", "output-dir", "figures-dir")])
    assert {found.data, found.output_dir, found.figures_dir} == {tmp_path / "a"}
    found = fetch._parser().parse_args(["--from=~/a", "--to=~/a"])
    assert {found.source, found.to} == {tmp_path / "a"}
    found = draw.parser().parse_args(["~/a", "--output=~/a.png"])
    assert [*found.files, found.output] == [tmp_path / "a", tmp_path / "a.png"]
    assert arguments.path("~nobody-has-this-name/a") == Path("~nobody-has-this-name/a")


def test_cuda_where_there_is_none_is_one_line(job, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert_one_line(*job("--device", "cuda"), "no CUDA device.*--device cpu")


@pytest.mark.parametrize("argv", ["'--help'", "'--sparsity', '2'"])
def test_help_and_errors_import_nothing_heavy(tmp_path, argv):
    code = f"""
import sys, main
try:
    main.main([{argv}])
finally:
    heavy = {{"torch", "scipy", "pandas", "numba"}} & set(sys.modules)
    print("heavy:", sorted(heavy))
"""
    assert "heavy: []" in python(code, tmp_path).stdout


def test_help_shows_every_flag_with_its_default(capsys):
    with pytest.raises(SystemExit) as leaving:
        main.main(["--help"])
    assert leaving.value.code == 0
    text = capsys.readouterr().out
    for flag in vars(flags.parse([])):
        entry = re.search(rf"^  --{flag.replace('_', '-')} .*?(?=^  -|\Z|^\S)", text, re.M | re.S)
        assert entry, flag
        assert "default" in entry[0], flag


INTERRUPTED = """
import sys
class Finder:
    def find_spec(self, name, *_):
        if name == "{module}":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("module", ["command_line.flags", "sweep", "torch", "metrics"])
def test_an_interruption_is_one_line_at_any_time(tmp_path, module):
    """While the rooms are imported, before there are any options, and while they work."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED.format(module=module))
    done = subprocess.run(
        [sys.executable, main.__file__, "--pruning=erk", "--encoding=rolled-channel"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 130
    *stages, last = done.stderr.splitlines()
    assert last == "main.py: interrupted"
    assert [line for line in stages if not line.startswith("[")] == []


@pytest.mark.usefixtures("among_nets")
def test_unrolled_run(job):
    status, out, err = job(*SMALL, "--pruning=erk", "--sparsity=0.9")
    assert status == 0
    (row,) = table("results/graph_metrics/unrolled/unrolled-none-nets.small-3x8x8.csv")
    assert list(row)[: len(CONFIGURATION)] == list(CONFIGURATION)
    assert list(row)[len(CONFIGURATION) :] == list(metrics.COLUMNS)
    assert row["nodes"] == str(3 * 10**2 + 4 * 4**2 + 10)
    assert abs(float(row["achieved_sparsity"]) - 0.9) < 0.002
    assert (row["training"], row["accuracy"], row["wiring"]) == ("False", "", "exact")
    assert float(row["1-hop"]) == pytest.approx(1 + int(row["edges"]) / 374, rel=1e-12)
    titles = [line for line in out.splitlines() if line in metrics.GROUPS]
    assert titles == list(metrics.GROUPS)
    assert re.search(r"^ +nodes +374$", out, re.M)
    assert "[1/6] data: none needed" in err  # plain lines: standard error is no terminal


@pytest.mark.usefixtures("among_nets")
def test_same_run_again_and_force(job, monkeypatch):
    argv = [*SMALL, "--pruning=erk", "--encoding=rolled"]
    file = Path("results/graph_metrics/rolled/rolled-none-nets.small-3x8x8.csv")
    status, out, _ = job(*argv)
    assert status == 0
    assert f"written to {file}" in out
    first = file.read_bytes()
    assert len(table(file)) == 2

    with monkeypatch.context() as patch:
        patch.setattr(steps, "measure", None)  # calling it would fail
        status, again, _ = job(*argv)
    assert status == 0
    assert "already in" in again
    assert "--force" in again
    assert again.split("\n\n")[:-1] == out.split("\n\n")[:-1]
    assert file.read_bytes() == first

    assert job(*argv, "--seed=1")[0] == 0
    both = file.read_bytes()
    assert both.startswith(first)
    assert len(table(file)) == 4
    assert job(*argv, "--force")[0] == 0  # the same seed gives the same rows, in the same place
    assert file.read_bytes() == both


def what_is_there():
    """Time of the last change of every file that a run writes, the logs apart."""
    return {
        file: file.stat().st_mtime_ns
        for file in Path().rglob("*")
        if file.is_file() and file.suffix in (".csv", ".pt", ".zst")
    }


FILE = "nets.small-3x8x8-none-erk-0.9-0"


@pytest.mark.usefixtures("among_nets")
@pytest.mark.parametrize(
    ("argv", "saving", "wanted"),
    [
        (
            [*SMALL, "--sparsity=0.9", "--encoding", "rolled", "rolled-channel"],
            ["--save-graph=there"],
            {f"rolled-{FILE}.graph.zst", f"rolled-channel-{FILE}.graph.zst"},
        ),
        # One of the paper's: only these are saved.
        (
            ["--sparsity=0.99", "--encoding=rolled-channel"],
            ["--save-snn=there"],
            {"Resnet-20-CIFAR-10-erk-0.99-0.pt"},
        ),
    ],
)
def test_what_is_not_saved_yet_is_computed_again_for_it(job, monkeypatch, argv, saving, wanted):
    argv = [*argv, "--pruning=erk", "--graph-metrics", "topometrics", "ramanujan"]
    assert job(*argv)[0] == 0
    before = {file: file.read_bytes() for file in Path("results").glob("*/**/*.csv")}
    measured = len(before)
    assert measured == 2 * len(wanted)
    status, out, _ = job(*argv, *saving)
    assert status == 0
    assert out.count("written to") == measured
    assert {file.name for file in Path("there").iterdir()} == wanted
    assert {file: file.read_bytes() for file in before} == before
    assert len(table("results/runs.csv")) == 2 * measured

    there = what_is_there()
    with monkeypatch.context() as patch:
        patch.setattr(main, "run_network", None)  # calling it would fail
        status, out, _ = job(*argv, *saving)
    assert status == 0
    assert out.count("already in") == measured
    assert what_is_there() == there

    Path("there", min(wanted)).unlink()
    status, out, _ = job(*argv, *saving)
    assert status == 0
    assert out.count("written to") == 2
    assert {file.name for file in Path("there").iterdir()} == wanted
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.usefixtures("among_nets")
def test_a_graph_saved_without_its_edges_or_not_whole_is_saved_again(job):
    import graph_encoding

    argv = [*SMALL, "--pruning=erk", "--sparsity=0.9", "--encoding=rolled-channel"]
    argv += ["--save-graph=there"]
    file = Path("there", f"rolled-channel-{FILE}.graph.zst")
    assert job(*argv)[0] == 0
    assert graph_encoding.read_header(file)["edges"] is None
    for words in ("written to", "already in"):
        status, out, _ = job(*argv, "--edges")
        assert status == 0 and words in out
        assert graph_encoding.read_header(file)["edges"] is not None
    assert "already in" in job(*argv)[1]  # with its edges it has all that is asked for
    file.write_bytes(file.read_bytes()[:9])
    for words in ("written to", "already in"):
        assert words in job(*argv)[1]
    (graphs,) = Path("results/graph_metrics/rolled-channel").glob("*.csv")
    assert len(table(graphs)) == 2


def test_a_network_that_another_process_computes_is_waited_for(job, monkeypatch):
    from runs import locks
    from runs.locks import claim

    argv = ["--pruning=erk", "--encoding=rolled-channel"]
    (task,) = plan.runs(flags.parse(argv), ["CIFAR-10"])
    waits = []
    with contextlib.ExitStack() as other:
        assert other.enter_context(claim("results", task.network.key))

        def sleep(seconds):
            waits.append(seconds)
            if len(waits) == 2:
                other.close()

        monkeypatch.setattr(locks.time, "sleep", sleep)
        status, _, err = job(*argv)
    assert (status, len(waits)) == (0, 2)
    assert err.count("another process is at Resnet-20 CIFAR-10 erk 0.98 seed 0: waiting") == 1


def test_ramanujan_run(job):
    status, out, _ = job("--pruning=erk", "--encoding=rolled", "--graph_metrics=ramanunjan")
    assert status == 0
    rows = table("results/ramanujan_results/Resnet-20/rolled-CIFAR-10-Resnet-20.csv")
    assert [row["layer_id"] for row in rows] == [str(i) for i in range(22)]
    names = [*LAYER, *(name for name in ramanujan.COLUMNS if name not in LAYER)]
    assert list(rows[0])[len(CONFIGURATION) :] == names
    for row in rows:
        assert float(row["layer_density"]) == int(row["no_weights"]) / int(row["no_params"])
    assert "layer1.0.conv1" in out


def test_wiring_of_bipartite_graphs_and_sparsity_of_dense_are_one_run(job):
    argv = ["--dataset=digits", "--pruning=dense", "--encoding=rolled-channel"]
    assert job(*argv, "--wiring=published", "--sparsity=0.5")[0] == 0
    rows = table("results/graph_metrics/rolled-channel/rolled-channel-digits-Resnet-20.csv")
    assert {(r["wiring"], r["sparsity"], r["achieved_sparsity"]) for r in rows} == {
        ("exact", "0.0", "0.0")
    }
    status, out, _ = job(*argv)
    assert status == 0
    assert "already in" in out


def test_erk_opens_no_data(job, offline, monkeypatch):
    """Nor imports torchvision: `system/test_compute.py`."""
    import datasets

    for name in ("load", "choose_default"):
        monkeypatch.setattr(datasets, name, lambda *_, **__: pytest.fail("data are opened"))
    assert job("--pruning=erk", "--encoding=rolled-channel")[0] == 0
    assert not Path("data").exists()
    folder = Path("results/graph_metrics/rolled-channel")
    assert {row["dataset"] for row in table(folder / "rolled-channel-CIFAR-10-Resnet-20.csv")} == {
        "CIFAR-10"
    }


@pytest.mark.usefixtures("among_nets")
def test_without_network_the_digits_stand_in_with_two_warnings(job, offline):
    argv = ["--model=nets:small", "--pruning=snip", "--encoding=rolled-channel"]
    status, _, err = job(*argv)
    assert status == 0
    lines = err.splitlines()
    assert lines[0].startswith("main.py: warning: the digits stand in for CIFAR-10: ")
    assert lines[-1] == lines[0]
    assert err.count("the digits stand in") == 2
    (file,) = Path("results/graph_metrics/rolled-channel").glob("*.csv")
    rows = table(file)
    assert {row["dataset"] for row in rows} == {"digits"}


@pytest.mark.usefixtures("warm_workers")
def test_without_network_what_opens_no_images_goes_by_its_own_data_set(job, offline):
    argv = ["--encoding=rolled-channel", "--pruning", "uniform"]
    assert job(*argv)[0] == 0
    file = Path("results/graph_metrics/rolled-channel/rolled-channel-CIFAR-10-Resnet-20.csv")
    before = file.read_bytes()
    status, out, err = job(*argv, "snip")
    assert status == 0
    assert "1 done, 1 skipped" in out
    assert file.read_bytes() == before
    assert err.count("the digits stand in") == 2
    rows = table("results/graph_metrics/rolled-channel/rolled-channel-digits-Resnet-20.csv")
    assert {row["pruning"] for row in rows} == {"snip"}


@pytest.mark.usefixtures("among_nets")
def test_download_that_fails_after_all_gives_digits_too(job, monkeypatch):
    import datasets

    load = datasets.load

    def fail(name, *args, **kwargs):
        if name == "CIFAR-10":
            raise datasets.DataUnavailable("the connection was lost")
        return load(name, *args, **kwargs)

    monkeypatch.setattr(datasets, "choose_default", lambda root: ("CIFAR-10", None))
    monkeypatch.setattr(datasets, "load", fail)
    argv = ["--model=nets:small", "--pruning=snip", "--encoding=rolled-channel"]
    status, _, err = job(*argv)
    assert status == 0
    assert err.count("stand in for CIFAR-10: the connection was lost") == 2
    assert_one_line(*job(*argv, "--dataset=CIFAR-10"), "the connection was lost")


@pytest.mark.parametrize("dataset", ["CIFAR-10", "CIFAR-100", "tinyimagenet"])
def test_named_data_that_cannot_be_had_is_one_line(job, offline, dataset):
    assert_one_line(
        *job("--dataset", dataset), dataset if dataset != "tinyimagenet" else "(?i)tiny"
    )
    assert list(Path("results").rglob("*.csv")) == []


def test_corrupt_data_is_one_line(job, offline):
    Path("data").mkdir()
    Path("data/cifar-10-python.tar.gz").write_bytes(b"not an archive")
    batches = Path("data/cifar-10-batches-py")
    batches.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"]:
        (batches / name).write_bytes(b"not a pickle")
    assert_one_line(*job("--dataset=CIFAR-10"), "CIFAR-10")


def test_full_disk_is_one_line(job, monkeypatch):
    def fail(file, columns, rows):
        raise OSError(errno.ENOSPC, "No space left on device", str(file))

    monkeypatch.setattr(results, "append", fail)
    message = r"results/runs\.csv: No space left on device"
    assert_one_line(*job("--pruning=erk", "--encoding=rolled-channel"), message)


def test_foreign_result_file_is_one_line_before_the_work(job, monkeypatch):
    file = Path("results/graph_metrics/unrolled/unrolled-CIFAR-10-Resnet-20.csv")
    file.parent.mkdir(parents=True)
    file.write_text("a,b\n1,2\n")
    monkeypatch.setattr(steps, "measure", None)
    assert_one_line(*job("--pruning=erk"), f"{file}: its columns are not those written now")
    assert file.read_text() == "a,b\n1,2\n"


def test_too_few_images_for_a_pruner_is_one_line(job, monkeypatch):
    import pruning

    def fail(*_, **__):
        raise pruning.PruningError("needs 25 images of each class")

    monkeypatch.setattr(pruning, "prune", fail)
    assert_one_line(*job("--pruning=grasp", "--dataset=digits"), "needs 25 images")


def test_training_run(job, few_digits):
    few_digits(64)
    argv = ["--dataset=digits", "--pruning=erk", "--sparsity=0.9", "--encoding=rolled-channel"]
    schedule = ["--training", "--epochs=1", "--batch-size=32", "--lr=0.05"]
    assert job(*argv, *schedule, "--save-snn=snn")[0] == 0
    assert job(*argv)[0] == 0
    (saved,) = Path("snn").iterdir()
    status, out, _ = job("--snn", str(saved), "--encoding=rolled-channel")
    assert status == 0 and "already in" in out  # the saved network is the same run
    rows = table("results/graph_metrics/rolled-channel/rolled-channel-digits-Resnet-20.csv")
    trained, untrained = rows[:22], rows[22:]
    assert {(r["epochs"], r["batch_size"], r["lr"]) for r in trained} == {("1", "32", "0.05")}
    assert {(r["epochs"], r["batch_size"], r["lr"]) for r in untrained} == {("", "", "")}
    assert {row["training"] for row in trained} == {"True"}
    assert {row["training"] for row in untrained} == {"False"}
    (accuracy,) = {row["accuracy"] for row in trained}
    assert 0 <= float(accuracy) <= 1
    for after, before in zip(trained, untrained, strict=True):
        assert int(after["edges"]) <= int(before["edges"])  # a removed weight stays removed
        assert after["strength"] != before["strength"]


def test_overrides_change_the_papers_schedule(monkeypatch):
    import dataclasses

    import datasets
    from training import loop

    paper = training.paper_schedule("Resnet-20", "CIFAR-10")
    assert paper.epochs == 160
    monkeypatch.setattr(datasets, "load", lambda *_, **__: [])
    monkeypatch.setattr(datasets, "batches", lambda data, size, **__: size)
    seen = {}

    def remember(model, masks, train_loader, test_loader, **kwargs):
        seen.update(kwargs, batch_size=train_loader)
        return 0.5

    monkeypatch.setattr(loop, "train", remember)
    for argv in ([], ["--epochs=16", "--batch-size=7", "--lr=0.5"]):
        options = flags.parse(["--training", *argv])
        (task,) = plan.runs(options, ["CIFAR-10"])
        made = steps.Made(task, options, QUIET, masks=MASKS)
        steps.train(None, made, None)
        assert made.known["accuracy"] == 0.5
        if not argv:
            expected = dataclasses.asdict(paper)
            assert {k: v for k, v in seen.items() if k in expected} == expected
    assert (seen["epochs"], seen["batch_size"], seen["lr"]) == (16, 7, 0.5)
    assert tuple(seen["milestones"]) == tuple(m // 10 for m in paper.milestones)


@pytest.mark.parametrize("force", [False, True])
def test_only_force_begins_training_anew(tmp_path, monkeypatch, force):
    import datasets
    from training import loop

    monkeypatch.setattr(asked, "images", lambda *_, **__: [])
    monkeypatch.setattr(datasets, "batches", lambda *_, **__: None)
    found = []
    monkeypatch.setattr(
        loop, "train", lambda *_, checkpoint, **__: found.append(checkpoint.exists())
    )
    argv = ["--training", "--output-dir", str(tmp_path), *(["--force"] if force else [])]
    options = flags.parse(argv)
    (task,) = plan.runs(options, ["CIFAR-10"])
    checkpoint = task.network.checkpoint(options.output_dir)
    checkpoint.parent.mkdir()
    checkpoint.touch()
    steps.train(None, steps.Made(task, options, QUIET, masks=MASKS), None)
    assert found == [not force]


def test_threads_bound_every_library(tmp_path, warm_python):
    code = """
import torch
torch.set_num_threads(2)
from system import compute
compute.use_threads(1)
import numba, threadpoolctl, torch
print("threads", torch.get_num_threads(), numba.get_num_threads(),
      {pool["num_threads"] for pool in threadpoolctl.threadpool_info()})
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    assert "threads 1 1 {1}" in warm_python.run("-c", code, cwd=tmp_path, env=environment).stdout
