"""Pages on networks: HTML files that need nothing but themselves, of one network or of several.

python main.py --pruning snip --report network.html
python -m figures.page graphs/*.graph.zst --output networks.html
"""

from .one import network_page

__all__ = ["network_page"]
