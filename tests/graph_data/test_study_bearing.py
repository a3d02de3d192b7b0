"""What cannot carry a verdict is refused, and the report says so once, in the same words."""

import numpy as np
import pandas as pd
import pytest

from graph_data.study import bearing, claims
from graph_data.study.networks import Networks

FITTED = [name for name in claims.CLAIMS if name != "4.1"]


def networks(configurations=20, metrics=5, accuracy=0.9, dataset="digits", images=360.0):
    """Two seeds of each configuration."""
    random = np.random.default_rng(0)
    count = 2 * configurations
    runs = pd.DataFrame(
        {
            "model": "net",
            "dataset": dataset,
            "pruning": [f"p{i // 2}" for i in range(count)],
            "sparsity": 0.9,
            "seed": [i % 2 for i in range(count)],
            "accuracy": accuracy,
            "test_images": images,
        }
    )
    table = pd.DataFrame(random.random((count, metrics)), columns=[f"m{i}" for i in range(metrics)])
    return Networks(runs, {"unrolled": table, "density": table[["m0"]]})


def scores(*values):
    return {
        "regression": {"scores": pd.DataFrame({"level": "joint", "r2": values})},
        "added": {"scores": pd.DataFrame({"known": "nothing", "r2": values})},
    }


def test_what_bears_a_verdict_is_not_refused():
    assert bearing.refusals(networks(), scores(0.4, -0.2)) == {}
    assert bearing.refusals(networks(5, 5), {}) == {}


def test_fewer_configurations_than_metrics_decide_nothing_that_is_fitted():
    found = bearing.refusals(networks(4, 5), {})
    reason = "no verdict: 4 configurations are fewer than the 5 metrics"
    assert found == dict.fromkeys(FITTED, reason)


@pytest.mark.parametrize(
    "accuracy, dataset, images, guess",
    [
        (0.1, "digits", 360, True),
        (0.14, "digits", 360, True),  # 0.1 and 3 standard deviations are 0.147
        (0.15, "digits", 360, False),
        (0.01, "CIFAR-100", 10_000, True),
        (0.02, "CIFAR-100", 10_000, False),
        (0.15, "digits", np.nan, False),  # as of 1,000 images: 0.128
        (0.01, "own", 360, False),  # nobody knows its classes
    ],
)
def test_a_guess_is_known_by_the_spread_of_guesses(accuracy, dataset, images, guess):
    runs = networks(1, 1, accuracy, dataset, images).runs
    assert bearing.guessing(runs).tolist() == [guess] * 2
    if guess:
        classes = {"digits": 10, "CIFAR-100": 100}[dataset]
        drawn = np.random.default_rng(0).binomial(images, 1 / classes, 20_000) / images
        assert (drawn < accuracy).mean() < 0.999


def test_networks_at_chance_decide_nothing():
    accuracy = np.where(np.arange(40) < 21, 0.1, 0.9)
    found = bearing.refusals(networks(accuracy=accuracy), scores(0.5))
    reason = "no verdict: 21 of 40 networks are no better than a guess"
    assert found == dict.fromkeys(claims.CLAIMS, reason)
    accuracy = np.where(np.arange(40) < 20, 0.1, 0.9)
    assert bearing.refusals(networks(accuracy=accuracy), scores(0.5)) == {}


def test_what_predicts_nothing_decides_nothing():
    found = bearing.refusals(networks(), scores(-0.4, -0.01, np.nan))
    reason = "no verdict: every R2 is below 0, so that nothing is predicted"
    assert found == dict.fromkeys(["a, bipartite topometrics", "a, Ramanujan metrics", "b"], reason)
    of_metrics = scores(-0.4, 0.3)
    of_metrics["regression"]["scores"]["level"] = ["joint", "metric"]
    assert list(bearing.refusals(networks(), of_metrics)) == ["b"]


def test_all_tables_and_sentences_say_the_same():
    refused = {"c": "no verdict: because"}
    tables = {
        "subsets": {"verdicts": pd.DataFrame({"claim": ["4.1", "c"], "verdict": "holds"})},
        "carried": {"claims": pd.DataFrame({"claim": ["c"], "here": ["holds"], "there": "holds"})},
    }
    found = bearing.applied(tables, refused)
    assert found["subsets"]["verdicts"]["verdict"].tolist() == ["holds", "no verdict: because"]
    assert found["carried"]["claims"][["here", "there"]].values.tolist() == [
        ["no verdict: because", "holds"]
    ]
    assert tables["subsets"]["verdicts"]["verdict"].tolist() == ["holds"] * 2
    text = f"**{claims.CLAIMS['b'].text}: holds.** 0.3.\n- **{claims.CLAIMS['c'].text}: holds.** 1"
    assert bearing.said(text, refused) == text.replace(": holds.** 1", ": no verdict: because.** 1")
