"""Networks that differ in their sparsity alone: one process makes them, one after the other.

Scores of weights do not depend on the sparsity. A process keeps those of the network that it made
last, and is handed the networks for which it has them.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from pruning import PRUNERS
from runs.run import Network, Run


def kind(run: Run) -> Network:
    """What a run has in common with those that one process should make: see `together`."""
    network = run.network
    return network.at_any_sparsity if _is_scored(network) else network


def _is_scored(network: Network) -> bool:
    """Whether its pruner has scores that take time; random orders would only take memory."""
    return PRUNERS[network.pruning].cost.once


def kept_for(network: Network, before: dict[Network, dict]) -> dict:
    """What the pruning of a network may use of the one before, and keep for the next.

    Parameters
    ----------
    network : Network
    before : dict
        Of this process; altered. It keeps what is of one network, at any sparsity.

    Returns
    -------
    dict
        For `pruning.prune`.
    """
    key = network.at_any_sparsity
    kept = before.get(key, {})
    before.clear()
    if _is_scored(network):
        before[key] = kept
    return kept


def together(
    tasks: Iterable,
    kind: Callable[[Any], Hashable],
    waits: Callable[[Any, int], bool] = lambda task, left: False,
) -> Callable[..., Any]:
    """Hand out tasks, those of one kind to one process as far as all have work.

    Parameters
    ----------
    tasks : iterable
    kind : callable
        Of a task.
    waits : callable
        Whether a task, one of so many of its kind that are left, waits for the process that has
        done one of that kind, as long as there is such a process.

    Returns
    -------
    callable
        For `system.workers.workers`. A process that asks gets a task of the kind of its last one;
        if there is none left, the first of the next kind that none has begun; if all are begun, one
        of the kind of which most is left, of those that do not wait.
    """
    left: dict[Hashable, collections.deque] = {}
    for task in tasks:
        left.setdefault(kind(task), collections.deque()).append(task)
    new = collections.OrderedDict.fromkeys(left)
    done = set()

    def is_open(each: Hashable, others: set[Hashable]) -> bool:
        return each not in done & others or not waits(left[each][0], len(left[each]))

    def take(last: Any, others: Iterable = ()) -> Any:
        mine = None if last is None else kind(last)
        done.add(mine)
        if mine not in left:
            theirs = set(map(kind, others))
            some = [next(iter(new))] if new else [each for each in left if is_open(each, theirs)]
            if not some:
                return None
            mine = max(some, key=lambda each: len(left[each]))
        new.pop(mine, None)  # also where a process did its kind before all of these tasks
        task = left[mine].popleft()
        if not left[mine]:
            del left[mine]
        return task

    return take
