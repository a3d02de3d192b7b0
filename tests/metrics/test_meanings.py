"""Every metric has a meaning."""

from metrics import COLUMNS, GROUPS
from metrics.meanings import MEANINGS


def test_every_metric_has_a_meaning_in_the_order_of_the_results():
    assert list(MEANINGS) == list(COLUMNS)
    assert set(MEANINGS) == {name for names in GROUPS.values() for name in names}


def test_a_meaning_is_one_line():
    assert all(text and text == " ".join(text.split()) for text in MEANINGS.values())
