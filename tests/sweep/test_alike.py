"""Networks that differ in their sparsity alone, and who makes them."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

import pruning.snip
from command_line import console, flags, steps
from main import run_network
from runs.run import Network
from sweep import alike, plan, worker
from sweep.alike import kept_for, together

NETS = """
from torch import nn

def small():
    return nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.Flatten(), nn.Linear(256, 10))
"""

TASKS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), max_size=30)


def first(task):
    return task[0]


@given(TASKS, st.lists(st.integers(0, 3), min_size=60, max_size=60))
def test_each_task_is_handed_out_once_and_to_whoever_has_done_its_kind(tasks, asking):
    take, left, last, begun = together(tasks, first), list(tasks), {}, set()
    for who in asking:
        task = take(last.get(who))
        kinds = {first(each) for each in left}
        if not left:
            assert task is None
            break
        assert task == next(each for each in left if first(each) == first(task))  # in their order
        if who in last and first(last[who]) in kinds:
            assert first(task) == first(last[who])
        elif kinds - begun:
            assert first(task) == next(first(each) for each in left if first(each) not in begun)
        else:
            most = max(sum(first(each) == one for each in left) for one in kinds)
            assert sum(first(each) == first(task) for each in left) == most
        left.remove(task)
        begun.add(first(task))
        last[who] = task
    else:
        assert not left


def test_what_waits_is_handed_out_when_whoever_has_done_its_kind_is_gone():
    take = together(
        ["a1", "a2", "a3", "a4", "b1"], first, waits=lambda task, left: first(task) == "a"
    )
    assert take(None) == "a1"
    assert take(None, ["a1"]) == "b1"
    assert take("b1", ["a1"]) == "a2"  # whose scores nobody has as yet
    assert take("a1", ["a2"]) == "a3"
    assert take(None, ["a2", "a3"]) is None
    assert take("b1", ["a3"]) is None
    assert take("b1", ["b1"]) == "a4"  # both have died
    assert take("a4", []) is None


def simulated(kinds, each, jobs, scoring, waits):
    """When the last of jobs ends, each task of which takes 1, and how often one scores."""
    tasks = [(kind, number) for kind in range(kinds) for number in range(each)]
    take, now, scorings = together(tasks, first, waits), 0.0, 0
    last, ends = [None] * jobs, [0.0] * jobs
    while True:
        for job in range(jobs):
            others = [task for other, task in enumerate(last) if other != job and task]
            task = take(last[job], others) if ends[job] <= now else None
            if task is not None:
                is_new = last[job] is None or first(last[job]) != first(task)
                scorings += is_new
                last[job], ends[job] = task, now + is_new * scoring + 1
        later = [end for end in ends if end > now]
        if not later:
            return now, scorings
        now = min(later)


@pytest.mark.parametrize("kinds", [1, 4, 7])
@pytest.mark.parametrize("jobs", [2, 4, 8])
@pytest.mark.parametrize("scoring", [0.5, 3.0, 10.0, 170.0])
def test_waiting_for_scores_that_are_dear_takes_no_longer(kinds, jobs, scoring):
    """By the rule of `estimate.is_dear`."""
    for each in (2, 5, 10):
        anew = simulated(kinds, each, jobs, scoring, lambda task, left: False)
        waiting = simulated(kinds, each, jobs, scoring, lambda task, left: scoring > left)
        assert waiting[0] <= anew[0]
        assert waiting[1] <= anew[1]
    if (kinds, jobs, scoring) == (7, 8, 170.0):  # each of eight scores twice, or but once
        assert (anew, waiting) == ((350, 14), (180, 8))


def test_what_is_kept_is_of_one_network_at_any_sparsity():
    network, before = Network("Resnet-20", "CIFAR-10", "snip", 0.5, 0), {}
    kept = kept_for(network, before)
    kept["scores"] = 1
    assert kept_for(replace(network, sparsity=0.9), before) is kept
    for other in (
        replace(network, seed=1),
        replace(network, model="Resnet-32"),
        replace(network, dataset="digits"),
        replace(network, pruning="grasp"),
        replace(network, as_released="pruner"),
    ):
        assert kept_for(other, {network.at_any_sparsity: kept}) == {}
    assert kept_for(replace(network, seed=1), before) == {}
    assert len(before) == 1
    kept_for(replace(network, pruning="uniform"), before)["order"] = 2  # nothing to keep
    assert not before


@pytest.mark.usefixtures("among_nets")
def test_a_worker_scores_a_network_once_and_prunes_as_if_it_were_alone(monkeypatch):
    scored, masks = [], []
    scores, gaps = pruning.snip.scores, steps.note_gaps
    monkeypatch.setattr(worker, "use_threads", lambda count: None)
    monkeypatch.setattr(pruning.snip, "scores", lambda *args: scored.append(args) or scores(*args))
    monkeypatch.setattr(steps, "note_gaps", lambda made: masks.append(made.masks) or gaps(made))

    def options(*sparsities):
        argv = "--model nets:small --input-shape 3 32 32 --dataset digits --pruning snip --seed 0 1"
        argv += " --encoding rolled-channel --output-dir results --sparsity"
        return flags.parse([*argv.split(), *sparsities])

    def run_all(runs, attempt):
        take, last = together(runs, alike.kind), None
        while last := take(last):
            assert attempt(last).status == "done"

    asked = options("0.5", "0.9")
    run_all(plan.runs(asked, ["digits"]), console.attempt_with(asked, run_network))
    assert len(scored) == 2  # of the seeds
    for of_one in (options("0.5", "--force"), options("0.9", "--force")):
        for run in plan.runs(of_one, ["digits"]):
            assert console.attempt_with(of_one, run_network)(run).status == "done"
    assert len(scored) == 6
    order = [0, 2, 1, 3]  # by seed, then by sparsity; the other way round
    for found, alone in zip(masks[:4], (masks[4 + place] for place in order), strict=True):
        assert all(torch.equal(found[name], alone[name]) for name in found)
