"""Which dataset is meant when none is named."""

from pathlib import Path

from datasets import DEFAULT, STAND_IN
from datasets.cifar import CIFAR10, is_on_disk
from datasets.internet import why_unreachable


def choose_default(root: str | Path) -> tuple[str, str | None]:
    """Choose CIFAR-10 if it is on disk or its server answers, else the embedded digits.

    Nothing is downloaded; the server is asked only where the disk has no whole copy, and given up
    after 6 seconds. A download that fails later is reported by `datasets.load`.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder of datasets.

    Returns
    -------
    name : str
        `datasets.DEFAULT` or `datasets.STAND_IN`.
    reason : str or None
        For digits, one line that says why it is not CIFAR-10.
    """
    if is_on_disk(CIFAR10, root):
        return DEFAULT, None
    reason = why_unreachable(CIFAR10.url)
    if reason is None:
        return DEFAULT, None
    return STAND_IN, f"{DEFAULT} is not in {root} and cannot be downloaded ({reason})"
