"""The steps of a network's story (`main.story`): each hands a room plain arguments."""

from __future__ import annotations

import argparse
import copy
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import datasets
import graph_encoding
import pruning
import training
from graph_encoding import WITH_SHORTCUTS
from models import own, saved
from runs import measuring, naming, records, results
from runs.columns import FOUND, columns
from runs.measures import MEASURES
from runs.run import Measurement, Run, configuration
from system import compute
from system.errors import UserError
from system.files import replacing
from training.places import early

from . import asked
from .progress import Report, Stages, epoch_lines
from .saved_network import network_of

if TYPE_CHECKING:
    import torch

PRUNING_BATCH = 128  # a pruner puts batches together as it needs
TEST_BATCH = 128
NEAR = 0.005  # sparsities that are said to be the same


@dataclass
class Made:
    """What was asked for, and what there is of the network so far.

    `kept` is what its pruning may use of another sparsity, and leave for the next one. `first` are
    the masks before it is trained, `start` is its state then if it has to begin again.
    """

    run: Run
    options: argparse.Namespace
    stages: Stages
    kept: dict | None = None
    batches: Any = None
    model: torch.nn.Module | None = None
    masks: dict[str, torch.Tensor] | None = None
    gaps: pruning.Gaps | None = None
    start: dict[str, torch.Tensor] | None = None
    first: dict[str, torch.Tensor] | None = None
    known: dict = field(default_factory=lambda: dict.fromkeys(FOUND))
    encoded: torch.nn.Module | None = None
    graphs: list[graph_encoding.Graph] = field(default_factory=list)
    rows: list[dict] = field(default_factory=list)


Step = Callable[[Made, Report], None]


def load(made: Made, _: Report) -> None:
    """Load a saved network, or one from weights that are labelled."""
    compute.import_libraries()
    if made.run.network.source:
        load_labelled(made)
        return
    found = saved.load(made.run.network.file)
    made.model, made.masks = found.model, found.masks
    if network_of(made.run.network.file, found.configuration) != made.run.network:
        raise UserError(f"{made.run.network.file}: was replaced after this run began; run again")
    made.known["achieved_sparsity"] = pruning.achieved_sparsity(found.masks)
    made.known |= {name: found.configuration.get(name) for name in ("accuracy", "moved")}
    note_gaps(made)


def load_labelled(made: Made) -> None:
    """Load a network whose making ``--label`` says; zeros are what is removed."""
    network = made.run.network
    made.model = own.build(network.source, datasets.about(network.dataset).classes, network.seed)
    nothing = pruning.prune(pruning.BASELINE, made.model, 0.0)
    made.masks = pruning.without_zeros(made.model, nothing)
    found = made.known["achieved_sparsity"] = pruning.achieved_sparsity(made.masks)
    if abs(found - network.sparsity) > NEAR:
        made.stages.warning(
            f"{network}: {found:.4f} of its weights are zero, and --label says {network.sparsity:g}"
        )
    note_gaps(made)


def evaluate(made: Made, _: Report) -> None:
    """Classify the test images."""
    network, options = made.run.network, made.options
    images = asked.images(options, network, made.stages.terminal, train=False)
    batches = datasets.batches(images, TEST_BATCH, shuffle=False)
    made.known["accuracy"] = training.evaluate(made.model, batches, options.device)


def open_data(made: Made, _: Report) -> None:
    """Open the images that the pruner needs."""
    compute.import_libraries()  # within a stage, so that their time is seen
    network, bar = made.run.network, made.stages.terminal
    own.require(network.origin, getattr(made.options, "folder", None))
    if network.needs_images:
        augment = network.is_released("batches")
        images = asked.images(made.options, network, bar, train=True, augment=augment)
        made.batches = datasets.batches(images, PRUNING_BATCH, seed=network.seed)


def build(made: Made, _: Report) -> None:
    """Build the network with its first weights, or those that are given."""
    network, options = made.run.network, made.options
    classes = datasets.about(network.dataset).classes
    folder = getattr(options, "folder", None)  # of a sweep whose workers may run elsewhere
    model = own.build(network.origin, classes, network.seed, folder)
    made.model = model.to(options.device)


def prune(made: Made, report: Report) -> None:
    """Choose the weights to keep and remove the others; all are kept if they are trained first."""
    network, model = made.run.network, made.model
    pruner = pruning.PRUNERS[network.pruning]
    masks = pruning.prune(
        pruning.BASELINE if pruner.after_training else network.pruning,
        model,
        network.sparsity,
        made.batches,
        network.seed,
        input_shape=network.input_shape,
        device=made.options.device,
        progress=report,
        as_released=network.is_released("pruner"),
        kept=made.kept,
        example_input=own.example_of(model),
    )
    made.masks = pruning.without_zeros(model, masks) if network.source else masks
    pruning.apply_masks(model, made.masks)
    made.known["achieved_sparsity"] = pruning.achieved_sparsity(made.masks)
    if not pruner.trains:
        note_gaps(made)


def note_gaps(made: Made) -> None:
    """Look for what pruning has cut off, and say so."""
    before = made.gaps and made.gaps.warning
    called_with = made.run.network.input_shape, own.example_of(made.model)
    made.gaps = pruning.gaps(made.model, made.masks, *called_with)
    if made.gaps.warning and made.gaps.warning != before:
        made.stages.warning(f"{made.run.network}: {made.gaps.warning}")
    if made.run.network.source and before is None:  # the project's layers use what they hold
        found = pruning.returned(made.model, made.masks, *called_with)
        if found:
            made.stages.warning(f"{made.run.network}: {pruning.back_again(found)}")


def train(until: int | None, made: Made, _: Report) -> None:
    """Train what is left up to an epoch, by default the last, from a checkpoint if there is one."""
    network, options, bar = made.run.network, made.options, made.stages.terminal
    pruner = pruning.PRUNERS[network.pruning]
    schedule = training.schedule(network.model, network.dataset, **network.settings)
    checkpoint = network.checkpoint(options.output_dir)
    if made.first is None:
        made.first = copy.deepcopy(made.masks)
        if len(list(made.run.by_moment())) > 1:
            made.start = copy.deepcopy(made.model.state_dict())
        if options.force:
            network.remove_checkpoints(options.output_dir)
    else:  # from where the checkpoint, which it goes on from, began
        made.model.load_state_dict(made.start)
        made.masks = copy.deepcopy(made.first)
    rounds = (network.rounds or 1) if pruner.after_training else 0
    epochs = schedule.epochs + rounds * (schedule.epochs - early(schedule.epochs))
    show = epoch_lines(made.stages.line, epochs)
    train_set = asked.images(options, network, bar, train=True, augment=True)
    test_set = asked.images(options, network, bar, train=False)
    train_batches = datasets.batches(train_set, schedule.batch_size, seed=network.seed)
    test_batches = datasets.batches(test_set, TEST_BATCH, shuffle=False)
    with_images = partial(
        training.train,
        train_loader=datasets.on_device(train_batches, options.device),
        test_loader=datasets.on_device(test_batches, options.device),
        lr=schedule.lr,
        weight_decay=schedule.weight_decay,
        seed=network.seed,
        device=options.device,
        graphed=network.source is None,  # one of ours, which does the same for all images
        compile=options.compile,
        mixed=False if options.single_precision else None,
        classes=datasets.about(network.dataset).classes,
        progress=bar,
    )
    how = {
        "epochs": schedule.epochs,
        "milestones": schedule.milestones,
        "checkpoint": checkpoint,
        "data": network.key,
        "watch": lambda epoch: (
            records.record_epoch(options.output_dir, network, epoch),
            show(epoch),
        ),
    }
    if pruner.after_training:
        made.masks, made.known["accuracy"] = training.train_in_rounds(
            with_images,
            made.model,
            made.masks,
            partial(pruning.prune, network.pruning, made.model),
            sparsity=network.sparsity,
            rounds=rounds,
            **how,
        )
    else:
        made.known["accuracy"] = with_images(
            made.model, made.masks, change=pruner.change, until=until, **how
        )
    made.known["achieved_sparsity"] = pruning.achieved_sparsity(made.masks)
    made.known["moved"] = pruning.moved(made.first, made.masks)
    if pruner.trains or made.known["moved"]:
        note_gaps(made)


def save_network(epoch: int | None, made: Made, _: Report) -> None:
    """Save the network, as it is after an epoch, with what makes it repeatable."""
    network = made.run.network
    made_by = {name: value for name, value in asdict(network).items() if name != "file"}
    made_by["epoch"] = network.epochs if epoch is None else epoch
    file = network.saved_in(made.options.save_snn, epoch)
    commit = records.versions()["project"] or None
    saved.save(file, made.model.cpu(), made.masks, made_by | made.known, commit)


def encode(measurement: Measurement, made: Made, _: Report) -> None:
    """Encode the network as graphs, or what is effective of it."""
    shape, example = made.run.network.input_shape, own.example_of(made.model)
    made.model = made.encoded = made.model.cpu()
    if measurement.is_effective:
        made.encoded = copy.deepcopy(made.model)
        pruning.apply_masks(made.encoded, pruning.effective_masks(made.model, shape, example))
    made.graphs = graph_encoding.encode(
        made.encoded,
        measurement.encoding,
        shape,
        measurement.graph_wiring,
        measurement.attention,
        example,
    )


def draw(made: Made, _: Report) -> None:
    """Draw the multipartite graph."""
    from figures import multipartite, style

    title = naming.title(asdict(made.run.network))
    style.write(multipartite.draw(made.graphs[0], title=title), made.options.figure)


def save_graphs(measurement: Measurement, made: Made, _: Report) -> None:
    """Save the graphs with what made them."""
    network, options = made.run.network, made.options
    made_by = configuration(network, measurement) | made.known
    file = measurement.graphs_in(options.save_graph, network)
    graph_encoding.save(file, made.graphs, made_by, edges=options.edges)


def measure(measurement: Measurement, made: Made, report: Report) -> None:
    """Measure the graphs: one row each. What metrics warn of is said of the network."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", RuntimeWarning)
        made.rows = measuring.measure(
            measurement,
            made.graphs,
            configuration(made.run.network, measurement) | made.known,
            threads=compute.threads(made.options.threads),
            device=made.options.device,
            progress=report,
        )
    for message in dict.fromkeys(str(warning.message) for warning in heard):
        made.stages.warning(f"{made.run.network}: {message}")


def write(measurement: Measurement, made: Made, _: Report) -> None:
    """Write the rows, and before them what they took."""
    network, options = made.run.network, made.options
    threads, took = compute.threads(options.threads), made.stages.last
    folder = options.output_dir
    device = options.device
    records.record_run(
        folder,
        network,
        measurement,
        took,
        device,
        threads,
        made.gaps,
        len(made.rows),
        options.compile,
    )
    names = columns(measurement.encoding, measurement.graph_metrics)
    # Appending does not read the file; what is written for the first time is not looked for in it.
    put = results.replace if measurement in made.run.again else results.append
    put(measurement.rows_in(folder, network), names, made.rows)


def write_page(measurement: Measurement, made: Made, _: Report) -> None:
    """Write the page of the network, with warnings of what its forward pass cannot reach."""
    from figures import page

    shape, groups = made.run.network.input_shape, MEASURES[measurement.graph_metrics].groups
    example = own.example_of(made.model)
    (flow,) = graph_encoding.encode(
        made.encoded,
        input_shape=shape,
        wiring=WITH_SHORTCUTS,
        attention=made.options.attention,
        example_input=example,
    )
    shape = shape if example is None else None
    text = page.network_page(made.rows[0], groups, made.graphs[0], flow, shape)
    with replacing(made.options.report) as file:
        file.write(text.encode())
