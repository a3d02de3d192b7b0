"""Fingerprints of first weights and masks, which are to be the same on every machine.

``data/masks.json`` holds them for each network, by what is chosen: ``weights``, or a pruner. All
are of the digits, seed 0, sparsity 0.98. The tests compute those that take no time; all of them, as
other processors would, in other processes:

    python -m tests.mask_hashes                              # a line each, and what differs
    python -m tests.mask_hashes --networks CONV-6 --pruners snip grasp --settings basic
    python -m tests.mask_hashes --write                      # add those that are not there yet

Most of the time is ProsPr's. What the file does not hold yet is "not known" on the screen.
"""

from __future__ import annotations

import argparse
import copy
import functools
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

FILE = Path(__file__).parent / "data" / "masks.json"
ROOT = Path(__file__).parents[1]
SPARSITY = 0.98
NETWORKS = ("small", "CONV-6", "Resnet-20", "Resnet-32", "Wide-Resnet-28-2")
"""`small` is one of the pruners' tests, on the digits as they are, 8 x 8."""

SETTINGS = {
    "basic": (
        {
            "ATEN_CPU_CAPABILITY": "default",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        },
        2,
    ),
    "avx2": (
        {
            "ATEN_CPU_CAPABILITY": "avx2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        },
        2,
    ),
    "one thread": ({"ONEDNN_MAX_CPU_ISA": "ALL"}, 1),
    "two threads": ({"ONEDNN_MAX_CPU_ISA": "ALL"}, 2),
}
"""The processor that torch, oneDNN and MKL are told to compute for, and threads."""

QUIET = {"OMP_WAIT_POLICY": "passive"}
"""Threads that wait do not spin, which would take most of the time of a busy machine."""


def known() -> dict[str, dict[str, str]]:
    """What the file says, by network and by pruner (or `weights`)."""
    return json.loads(FILE.read_text())


def computed(
    setting: str, wanted: dict[str, list[str]], device: str = "cpu"
) -> Iterator[tuple[str, str, str]]:
    """Networks, choices and their fingerprints, one after the other, from a process of its own."""
    variables, threads = SETTINGS[setting]
    code = "import sys, tests.mask_hashes as m; m.child(*sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(threads), device, json.dumps(wanted)],
        cwd=ROOT,
        env=os.environ | QUIET | variables,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stdout:
            network, choice, found = line.split()
            yield network, choice, found
    assert process.returncode == 0, f"{setting}, {wanted}: status {process.returncode}"


def child(threads: str, device: str, wanted: str) -> None:
    """Print the fingerprints, a line each."""
    from system.compute import use_threads

    use_threads(int(threads))
    for network, choices in json.loads(wanted).items():
        for choice in choices:
            print(network, choice, fingerprint(network, choice, device), flush=True)


def fingerprint(network: str, choice: str, device: str = "cpu") -> str:
    """SHA-256 of first weights or of a pruner's masks."""
    import numpy as np
    import torch

    import models
    import pruning
    from datasets.batching import batches
    from models.initialisation import initialise

    images = copy.copy(_digits())
    shape = (3, 32, 32)
    if network == "small":
        from tests.pruning.small_nets import SmallResidual

        model, shape = SmallResidual(), (3, 8, 8)
        model.linear = torch.nn.Linear(6, 10)
        initialise(model, 0)
        images.images = images.images[:, :, 1::4, 1::4].contiguous()
    else:
        model = models.build(network, 10, seed=0)
    digest = hashlib.sha256()
    if choice == "weights":
        tensors = [(n, t.detach().numpy()) for n, t in model.named_parameters()]
    else:
        masks = pruning.prune(
            choice, model, SPARSITY, batches(images, 128), input_shape=shape, device=device
        )
        tensors = [(name, np.packbits(mask.numpy())) for name, mask in masks.items()]
    for name, values in tensors:
        digest.update(name.encode())
        digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


@functools.cache
def _digits():
    import datasets

    return datasets.load("digits", None, train=True, augment=True, download=False)


def main() -> int:
    """Compute and compare."""
    from pruning import PRUNERS

    choices = ["weights", *PRUNERS]
    parser = argparse.ArgumentParser(prog="tests.mask_hashes", description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--pruners", nargs="+", choices=choices, default=choices)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--write", action="store_true", help="add what the file does not hold")
    options = parser.parse_args()
    wrong = 0
    for setting in options.settings:
        start = time.time()
        wanted = dict.fromkeys(options.networks, options.pruners)
        for network, choice, found in computed(setting, wanted, options.device):
            file = known()
            expected = file.get(network, {}).get(choice)
            if expected is None and options.write:
                file.setdefault(network, {})[choice] = found
                FILE.write_text(json.dumps(file, indent=2) + "\n")
            verdict = {None: "not known", found: "same"}.get(expected, "OTHER")
            wrong += verdict == "OTHER"
            seconds, start = time.time() - start, time.time()
            print(f"{setting:12} {network:17} {choice:8} {verdict} {seconds:.0f} s", flush=True)
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
