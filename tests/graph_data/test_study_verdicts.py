"""Verdicts on the paper's claims, what there is to predict, and what carries over."""

import itertools

import numpy as np
import pandas as pd
import pytest
import study_folders as folders
from scipy import stats
from threadpoolctl import threadpool_limits

from graph_data.study import __main__ as study
from graph_data.study import (
    carried,
    claims,
    correlation,
    intervals,
    networks,
    regression,
    scoring,
    validation,
)
from graph_data.study.ceiling import ceiling

# Ceiling


def drops(spread, noise, groups=40, seeds=3, seed=0):
    """Drops of `groups` configurations, and what is expected of each."""
    random = np.random.default_rng(seed)
    expected = np.repeat(0.3 + spread * random.standard_normal(groups), seeds)
    y = expected + noise * random.standard_normal(groups * seeds)
    return y, expected, np.repeat(np.arange(groups), seeds)


def test_ceiling_is_the_intraclass_correlation():
    y, _, groups = drops(0.1, 0.05)
    shuffled = np.random.default_rng(1).permutation(len(y))
    row = ceiling({"kind": "overall"}, y[shuffled], groups[shuffled])
    f = stats.f_oneway(*(y[groups == g] for g in range(40))).statistic
    assert row["ceiling"] == pytest.approx((f - 1) / (f + 2))
    assert row["low"] < row["ceiling"] < row["high"]
    assert (row["kind"], row["networks"], row["configurations"]) == ("overall", 120, 40)


@pytest.mark.parametrize("groups", [7, 14, 40])
@pytest.mark.parametrize("noise", [0.02, 0.1, 0.4])
def test_ceiling_is_what_a_predictor_that_knows_the_expected_drop_reaches(noise, groups):
    truth = 1 / (1 + (noise / 0.1) ** 2)
    rows = [
        (lambda y, _, g: ceiling({}, y, g))(*drops(0.1, noise, groups, seed=seed))
        for seed in range(200)
    ]
    covered = np.mean([row["low"] <= truth <= row["high"] for row in rows])
    assert 0.90 <= covered <= 0.99
    y, expected, g = drops(0.1, noise, 4000)
    assert ceiling({}, y, g)["ceiling"] == pytest.approx(validation.r2(y, expected), abs=0.02)


def test_ceiling_with_unequal_numbers_of_seeds():
    random = np.random.default_rng(0)
    y, _, groups = drops(0.1, 0.1, 4000)
    kept = random.random(len(y)) < 0.6
    assert ceiling({}, y[kept], groups[kept])["ceiling"] == pytest.approx(0.5, abs=0.04)


def test_ceiling_of_noise_is_0_and_of_single_seeds_unknown():
    y, _, groups = drops(0.0, 0.1, 4000)
    assert abs(ceiling({}, y, groups)["ceiling"]) < 0.03
    y, _, groups = drops(0.1, 0.1, seeds=1)
    values = ("ceiling", "low", "high")
    assert np.isnan([ceiling({}, y, groups)[name] for name in values]).all()
    same = ceiling({}, np.full(12, 0.3), np.repeat(np.arange(4), 3))
    assert np.isnan([same[name] for name in values]).all()
    alike = ceiling({}, np.repeat([0.1, 0.2, 0.5], 3), np.repeat(np.arange(3), 3))
    assert [alike[name] for name in values] == [pytest.approx(1, abs=1e-9)] * 3


def test_every_stratum_and_what_is_held_out_has_a_ceiling(tmp_path):
    folders.write_small(tmp_path)
    data = networks.load(tmp_path)
    tasks = regression.tasks(data, 0)
    wanted = [task for task in tasks if task[0] is ceiling]
    wanted.append(next(task for task in tasks if task[1][0].get("predictor") == "sparsity"))
    with threadpool_limits(1):
        table = regression.collect([f(*args, **kwargs) for f, args, kwargs in wanted])["ceilings"]
    table = table.set_index(["kind", "stratum"])
    assert set(table.index) == {
        ("overall", "all"),
        *(("sparsity", s) for s in ("0.6", "0.9")),
        *((kind, name) for kind in ("model", "held-out model") for name in folders.MODELS),
        *((kind, name) for kind in ("dataset", "held-out dataset") for name in folders.DATASETS),
    }
    everything = table.loc[("overall", "all")]
    assert everything["networks"] == len(data.runs)
    y, groups = data.runs["drop"].to_numpy(), data.configurations
    assert everything["ceiling"] == ceiling({}, y, groups)["ceiling"]
    part = (data.runs["model"] == "CONV-6").to_numpy()
    for kind in ("model", "held-out model"):
        found = table.loc[(kind, "CONV-6"), "ceiling"]
        assert found == ceiling({}, y[part], groups[part])["ceiling"]


def test_clustered_interval_of_the_ceiling_is_that_of_a_loop(monkeypatch):
    """Over draws of the same clusters, each with all its groups."""
    monkeypatch.setattr(validation, "RESAMPLES", 50)
    y, _, groups = drops(0.1, 0.05, groups=24)
    clusters = groups % 8
    row = ceiling({}, y, groups, clusters, 3)
    assert row["ceiling"] == ceiling({}, y, groups)["ceiling"]
    found = []
    for times in validation.draws(8, 3, 50).astype(int):
        taken = [(c, copy) for c in range(8) for copy in range(times[c])]
        values = np.concatenate([y[clusters == c] for c, _ in taken])
        names = np.concatenate([100 * copy + groups[clusters == c] for c, copy in taken])
        found.append(ceiling({}, values, names)["ceiling"])
    expected = intervals.of_clustered(np.array(found), 8)
    assert (row["cluster_low"], row["cluster_high"]) == pytest.approx(expected)
    few = ceiling({}, y, groups, groups % 4, 3)
    assert np.isnan([few["cluster_low"], few["cluster_high"]]).all()


# Verdicts

ABOVE, ACROSS, BELOW = (0.1, 0.3), (-0.1, 0.1), (-0.3, -0.1)


BIPARTITE, RAMANUJAN = "a, bipartite topometrics", "a, Ramanujan metrics"
NONE = (np.nan, np.nan)


def table_of(claim, intervals, clustered=None):
    """A table of which a claim is about as many rows as there are intervals, and others not.

    The clustered intervals are the same, if no others are given.
    """
    keys = {
        "4.1": [
            {"metric": m, "method": x, "scope": "one sparsity"}
            for m, x in itertools.product("abc", "xyz")
        ],
        "a, bipartite topometrics": [
            {"known": claims.EACH, "estimator": e, "than": t}
            for e, t in itertools.product("xyz", ("rolled", "rolled-channel"))
        ],
        "a, Ramanujan metrics": [
            {"known": claims.EACH, "estimator": e, "than": "ramanujan"} for e in "wxyz"
        ],
        "b": [
            {"kind": k, "method": m} for k, m in itertools.product(("sparsity", "model"), "abcd")
        ],
        "c": [{"sparsity": "all", "predictor": "ramanujan", "score": s} for s in "abcdef"],
    }[claim]
    others = {
        "4.1": [],
        "a, bipartite topometrics": [
            {"known": claims.NOTHING, "estimator": "x", "than": "rolled"},
            {"known": claims.EACH, "estimator": "x", "than": "density"},
        ],
        "a, Ramanujan metrics": [
            {"known": claims.DATASET, "estimator": "x", "than": "ramanujan"},
        ],
        "b": [{"kind": "dataset", "method": "a"}],
        "c": [
            {"sparsity": "0.9", "predictor": "ramanujan", "score": "a"},
            {"sparsity": "all", "predictor": "rolled", "score": "mixture"},
        ],
    }[claim]
    value = claims.CLAIMS[claim].value
    rows = [
        key | {value: sum(pair) / 2, **dict(zip(scoring.ENDS, (*pair, *wide)))}
        for key, pair, wide in [
            *zip(keys, intervals, clustered or intervals),
            *((k, pair, pair) for k in others for pair in (ABOVE, BELOW)),
        ]
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("claim", "intervals", "verdict"),
    [
        ("4.1", [BELOW, ACROSS], "holds"),
        ("4.1", [ACROSS, ACROSS], "not contradicted"),
        ("4.1", [ABOVE, BELOW, ACROSS], "holds in part"),
        ("4.1", [ABOVE, ACROSS], "does not hold"),
        (BIPARTITE, [ABOVE, ABOVE], "holds"),
        (BIPARTITE, [ABOVE, ACROSS], "holds in part"),
        (RAMANUJAN, [ACROSS, BELOW], "does not hold"),
        (RAMANUJAN, [ACROSS, ACROSS], "not shown"),
        ("b", [BELOW, BELOW], "holds"),
        ("b", [BELOW, ABOVE], "holds in part"),
        ("b", [ACROSS, ABOVE], "does not hold"),
        ("c", [ABOVE, ABOVE], "holds"),
        ("c", [ABOVE, BELOW], "holds in part"),
        ("c", [ACROSS], "not shown"),
    ],
)
def test_verdict_follows_from_the_intervals_that_a_claim_is_about(claim, intervals, verdict):
    rule = claims.CLAIMS[claim]
    about = rule.comparisons(table_of(claim, intervals))
    assert len(about) == len(intervals)
    assert rule.rule(about) == verdict
    assert rule.verdict(about) == verdict


@pytest.mark.parametrize("claim", list(claims.CLAIMS))
def test_clustered_intervals_decide_and_for_want_of_clusters_the_others_for_these_data(claim):
    rule = claims.CLAIMS[claim]
    side = BELOW if claim in ("4.1", "b") else ABOVE
    about = rule.comparisons(table_of(claim, [side] * 2, [ACROSS] * 2))
    assert rule.verdict(about) in ("not shown", "not contradicted")
    about = rule.comparisons(table_of(claim, [ACROSS] * 2, [side] * 2))
    assert rule.verdict(about) == "holds"
    about = rule.comparisons(table_of(claim, [side] * 2, [NONE] * 2))
    assert rule.verdict(about) == "holds, of these models and data sets alone"


def test_table_of_claims_has_every_step_from_the_papers_claim_to_the_verdict():
    plain = table_of(BIPARTITE, [ABOVE] * 4).drop(columns="known").assign(kind="overall")
    found = {
        "added": {"differences": table_of(BIPARTITE, [ABOVE, ABOVE, ACROSS], [ACROSS] * 3)},
        "regression": {"differences": plain.head(4)},
        "ranking": {"differences": table_of("c", [ABOVE, ABOVE], [NONE] * 2)},
    }
    table = claims.summary(found).set_index("claim")
    row = table.loc[BIPARTITE]
    assert row["as the paper compares"] == "4 above, 0 below, of 4"
    assert row["with the data set known"] == "2 above, 0 below, of 3"
    assert row["clustered"] == "0 above, 0 below, of 3"
    assert row["verdict"] == "not shown"
    row = table.loc["c"]
    assert row["as the paper compares"] == "2 above, 0 below, of 2"
    assert row["with the data set known"] == "the same"
    assert row["clustered"] == "too few clusters"
    assert row["verdict"] == "holds, of these models and data sets alone"
    refused = claims.summary(found, {"c": "no verdict: because"}).set_index("claim")["verdict"]
    assert refused.to_dict() == {BIPARTITE: "not shown", "c": "no verdict: because"}
    assert all(text in claims.text(found) for text in table["as the paper states it"])
    assert claims.text({}) == ""


def test_comparison_without_interval_decides_nothing():
    for name, claim in claims.CLAIMS.items():
        assert len(claim.comparisons(table_of(name, [BELOW, NONE]))) == 1
        assert not len(claim.comparisons(None))
        assert not len(claim.comparisons(pd.DataFrame()))


def test_regression_says_in_which_strata_unrolled_topometrics_lead_nothing_known():
    rows = [
        ("overall", "all", "rolled", ABOVE),
        ("dataset", "CIFAR-10", "rolled", ACROSS),
        ("dataset", "CIFAR-10", "rolled-channel", BELOW),
        ("dataset", "CIFAR-10", "ramanujan", ABOVE),  # not bipartite topometrics
        ("model", "CONV-6", "rolled", ABOVE),
        ("model", "CONV-6", "rolled-channel", ACROSS),
        ("model", "Resnet-20", "rolled", ABOVE),
        ("model", "Resnet-20", "rolled-channel", ABOVE),
    ]
    differences = pd.DataFrame(
        [
            {"kind": k, "stratum": s, "estimator": "ols", "than": than}
            | dict(zip(scoring.ENDS, (*pair, *NONE)))
            for k, s, than, pair in rows
        ]
    )
    scores = pd.DataFrame(
        [
            {
                "kind": "overall",
                "level": "joint",
                "estimator": "ols",
                "predictor": "unrolled",
                "r2": 0.5,
                "adjusted_r2_fit": 0.6,
            }
        ]
    )
    said = regression.plainly({"scores": scores, "differences": differences})
    assert said.endswith(
        "Against bipartite graphs it is above 0 in all of those within Resnet-20; in none of those "
        "within CIFAR-10; in some of those within CONV-6 (1 of 2)."
    )
    differences = differences[differences["kind"] == "overall"]
    alone = regression.plainly({"scores": scores, "differences": differences})
    assert "Against bipartite graphs" not in alone


# What carries over


def tables(**intervals):
    found = {}
    for name, values in intervals.items():
        claim = claims.CLAIMS[name]
        found.setdefault(claim.section, {})[claim.table] = table_of(name, values)
    return found


def test_outcomes():
    here = [ABOVE, BELOW, BELOW, ACROSS, ABOVE, ACROSS]
    there = [ABOVE, BELOW, ABOVE, BELOW, ACROSS, ACROSS]
    outcomes = ["carries over", "carries over", "reversed", "open here", "open there", "open"]
    one, other = tables(**{"c": here, BIPARTITE: [ABOVE]}), tables(c=there, b=[BELOW])
    both = carried.compare(one, other)["comparisons"]
    assert both["interval"].tolist() == ["configurations"] * 6 + ["clustered"] * 6
    assert both["outcome"].tolist() == outcomes * 2
    # Without clusters in one of the two there is the other kind only.
    one["ranking"]["differences"][["cluster_low", "cluster_high"]] = np.nan
    found = carried.compare(one, other)
    table = found["comparisons"]
    pd.testing.assert_frame_equal(table, both.head(6))
    assert table["claim"].tolist() == ["c"] * 6
    assert table["comparison"].tolist() == list("abcdef")
    for row, ours, theirs in zip(table.itertuples(), here, there, strict=True):
        assert (row.low, row.high, row.there_low, row.there_high) == (*ours, *theirs)
        assert (row.here, row.there) == (sum(ours) / 2, sum(theirs) / 2)
    (verdict,) = found["claims"].to_dict("records")
    assert verdict == {
        "claim": "c",
        "interval": "configurations",
        "here": "holds in part",
        "there": "holds in part",
        "carries over": 2,
        "reversed": 1,
        "open here": 1,
        "open there": 1,
        "open": 1,
    }


def test_comparisons_that_one_study_lacks_are_left_out():
    found = carried.compare(tables(c=[ABOVE] * 2), tables(c=[ABOVE] * 4))
    assert found["comparisons"]["comparison"].tolist() == ["a", "b"] * 2
    found = carried.compare(tables(c=[ABOVE]), tables(c=[ABOVE, BELOW]))
    assert found["claims"]["there"].tolist() == ["holds"] * 2  # by what both have
    assert carried.compare(tables(b=[ABOVE]), tables(c=[ABOVE])) == {}
    assert carried.compare({}, {}) == {}


def test_a_study_carries_over_to_itself_but_for_what_is_open(tmp_path):
    """With the tables read back from its files."""
    of_claims = {"4.1": [BELOW, ACROSS], BIPARTITE: [ABOVE], "b": [BELOW, ACROSS], "c": [ABOVE]}
    one = tables(**of_claims)
    for section, named in one.items():
        for name, table in named.items():
            study.put(tmp_path / section / f"{name}.csv", table.to_csv(index=False))
    found = carried.compare(one, claims.tables_of(tmp_path))
    assert list(dict.fromkeys(found["claims"]["claim"])) == list(of_claims)
    assert (found["claims"]["here"] == found["claims"]["there"]).all()
    expected = ["carries over", "open"] + ["carries over"] * 2 + ["open", "carries over"]
    for _, part in found["comparisons"].groupby("interval"):
        assert part["outcome"].tolist() == expected


def test_the_study_on_the_released_data_decides_every_claim():
    committed = claims.tables_of(study.COMMITTED)
    found = carried.compare(committed, committed)
    assert list(dict.fromkeys(found["claims"]["claim"])) == list(claims.CLAIMS)
    assert len(found["comparisons"]) == 2 * (12 + 12 + 10 + 7)


def test_report_of_own_results_says_what_carries_over(tmp_path, monkeypatch, capsys):
    folders.write_small(tmp_path / "data", datasets=("CIFAR-10",))
    monkeypatch.setattr(correlation, "RESAMPLES", 20)
    monkeypatch.setattr(study, "save", lambda figure, file: None)  # of tables here
    flags = ["--data", str(tmp_path / "data"), "--jobs", "1", "--sections", "correlation"]
    assert study.main(flags) == 0
    out = capsys.readouterr().out
    assert out.index("## What carries over") < out.index("## Section 4.1")
    table = pd.read_csv(tmp_path / "data/paper_results/carried/comparisons.csv")
    assert len(table) == 12  # of the one kind: there are two clusters
    assert set(table["claim"].astype(str)) == {"4.1"}
    for more in (["--drop", "absolute"], ["--aggregation", "weighted"]):
        assert study.main([*flags, *more]) == 0  # not the same quantities
        assert "What carries over" not in capsys.readouterr().out
    monkeypatch.setattr(study, "COMMITTED", tmp_path / "none")
    assert study.main(flags) == 0
    out = capsys.readouterr().out
    assert "What carries over" not in out
    assert "for lack of data" not in out
