"""From a torch network to its `Trace`: its node layers, and the weights that connect them.

Files, each using only those before it: `windows` (pooling along an axis), `values` (what flows
along the network: which nodes an element stands for), `tensors` (that note it), `network` (what is
known so far), `merging` (several ways between two nodes), `connections` (from weights), `linear`
(those of linear layers), `attention` (sets of positions), `sums` (shortcuts), `operations` (what a
function of torch does to nodes), `inputs` (what the network is called with), `result`, `modules`
(which one runs), `follow` (the run).
"""

from __future__ import annotations

from .follow import trace
from .network import Connection
from .result import Trace
from .values import IMAGES

__all__ = ["IMAGES", "Connection", "Trace", "trace"]
