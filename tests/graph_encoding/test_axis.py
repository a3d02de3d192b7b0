"""Which positions an axis joins, against the definition, pair by pair."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_encoding.axis import Axis


@st.composite
def axes(draw):
    source, target, taps = (draw(st.integers(1, 9)) for _ in range(3))
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    windows = None
    if draw(st.booleans()):
        ends = st.tuples(st.integers(0, source), st.integers(0, source)).map(sorted)
        windows = np.array(draw(st.lists(ends, min_size=1, max_size=9)))
    return Axis(source, target, taps, stride, draw(st.integers(-3, 3)), dilation, windows)


@settings(max_examples=150)
@given(axes())
def test_targets_are_the_first_and_the_last_that_a_source_feeds(axis):
    for tap in range(axis.taps):
        for source in range(axis.source_size):
            found = []
            for target in range(axis.target_size):
                q = axis.stride * target + axis.dilation * tap - axis.padding
                if 0 <= q < axis.map_size:
                    low, high = (q, q + 1) if axis.windows is None else axis.windows[q]
                    found += [target] if low <= source < high else []
            expected = [min(found), max(found) + 1] if found else [0, 0]
            assert axis.targets[tap, source].tolist() == expected


def test_windows_that_all_hold_all_take_no_longer_than_they_are():
    """One by one they would be 10^11 steps."""
    size = 300_000
    axis = Axis(size, size, windows=np.tile([0, size], (size, 1)))
    assert (axis.targets == [0, size]).all()
    assert not axis.has_gaps
