"""The study's sections on networks whose answers are known: planted relations, noise, copies."""

import itertools

import numpy as np
import pandas as pd
import pytest
import study_folders as folders
from scipy import stats
from threadpoolctl import threadpool_limits

import graph_encoding
import models
from graph_data.study import (
    accuracy,
    agreement,
    correlation,
    estimators,
    importance,
    networks,
    predictors,
    ranking,
    regression,
    scoring,
    sensitivity,
    validation,
)
from metrics.degrees import local_connectivity

DENSE = 0.8
PLANTED = {"2-hop": 0.3, "cut-edges": -0.2, "sink_nodes": 0.1, "connected_components": 0.15}


@pytest.fixture(scope="module", autouse=True)
def single_thread():
    """Threads of small boosted trees wait for each other most of the time on a busy CPU."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def two_estimators(monkeypatch):
    """Of what is the same for all."""
    chosen = {name: estimators.ESTIMATORS[name] for name in ("ols", "trees")}
    monkeypatch.setattr(scoring, "ESTIMATORS", chosen)


@pytest.fixture(scope="module", autouse=True)
def few_resamples():
    with pytest.MonkeyPatch.context() as patch:
        for module in (validation, correlation):
            patch.setattr(module, "RESAMPLES", 200)
        yield


def load(folder, table, unrolled=None, layers=None, **choice):
    """A folder of networks, with dense ones of accuracy 0.8, as the study reads it."""
    dense = folders.runs(sorted(set(table["model"])), sorted(set(table["dataset"])), ("dense",))
    dense = dense[dense["seed"] == 0].drop_duplicates(["model", "dataset"])
    dense = dense.assign(accuracy=DENSE, sparsity=0.0)
    both = pd.concat([table, dense], ignore_index=True)
    graphs = None
    if unrolled is not None:
        more = folders.random(dense)
        graphs = folders.raw(pd.concat([unrolled, more], ignore_index=True))
    if layers is not None:
        more = folders.layers(dense)
        layers = [pd.concat(pair, ignore_index=True) for pair in zip(layers, more, strict=True)]
    folders.write(folder, both, graphs, None, layers, apart=False)
    found = networks.load(folder, **choice)
    assert len(found.runs) == len(table)  # the dense networks are no pruned ones
    return found


def run(tasks, collect, wanted=lambda label: True):
    """Do the tasks whose label is wanted, here."""
    results = [function(*args, **kwargs) for function, args, kwargs in tasks if wanted(args[0])]
    return collect(results)


def overall(label):
    return label["kind"] == "overall" and label.get("level", "joint") == "joint"


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The drop is a linear function of four unrolled topometrics, nearly."""
    table = folders.runs()
    unrolled = folders.random(table)
    noise = np.random.default_rng(7).normal(0, 0.002, len(table))
    drop = 0.3 + sum(weight * unrolled[name] for name, weight in PLANTED.items()) + noise
    table["accuracy"] = DENSE * (1 - drop)
    return load(tmp_path_factory.mktemp("planted"), table, unrolled), drop, unrolled


def test_drop_and_features_are_those_planted(planted):
    study, drop, unrolled = planted
    table = folders.runs().assign(drop=drop).join(unrolled)
    found = study.runs.merge(table, on=folders.RUN, suffixes=("", "_planted"))
    np.testing.assert_allclose(found["drop"], found["drop_planted"], rtol=1e-12)
    for name in folders.TOPOMETRICS:
        np.testing.assert_allclose(study.features["unrolled"][name], found[name], rtol=1e-12)


def test_linear_relation_is_recovered_on_networks_not_seen(planted):
    study, _, _ = planted
    scores = run(regression.tasks(study, 0), regression.collect, overall)["scores"]
    r2 = scores.set_index(["predictor", "estimator"])["r2"]
    # Noise of 0.002 beside a deviation of about 0.12.
    assert all(r2["unrolled", name] > 0.995 for name in ("ols", "ridge", "huber"))
    assert r2["unrolled", "trees"] > 0.8
    assert all(r2["sparsity", name] < 0.05 for name in estimators.ESTIMATORS)
    row = scores.iloc[0]
    assert row["r2_low"] <= row["r2"] <= row["r2_high"]
    assert row[["networks", "configurations", "metrics"]].tolist() == [420, 140, 16]
    assert row["adjusted_r2"] == pytest.approx(1 - (1 - row["r2"]) * 419 / (420 - 16 - 1))
    assert row["spearman"] > 0.99


@pytest.mark.usefixtures("two_estimators")
def test_held_out_datasets_and_models_are_predicted_too(planted):
    study, _, _ = planted
    found = run(
        regression.tasks(study, 0),
        regression.collect,
        lambda label: label["kind"].startswith("held-out") and label.get("level") == "joint",
    )["scores"]
    found = found[(found["predictor"] == "unrolled") & (found["estimator"] == "ols")]
    assert sorted(found["stratum"]) == sorted([*folders.MODELS, *folders.DATASETS])
    assert (found["r2"] > 0.99).all()
    assert (found["networks"] == 210).all()


@pytest.fixture(scope="module")
def planted_importance(planted):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importance, "REPEATS", 2)
        patch.setattr(importance, "SPLITS", 0)
        patch.setattr(importance, "PERMUTATIONS", 5)
        return run(importance.tasks(planted[0], 0), importance.collect, overall)


def test_importance_finds_the_planted_metrics_and_their_weights(planted, planted_importance):
    _, drop, unrolled = planted
    tables = planted_importance
    table = tables["importance"].set_index(["method", "metric"])
    assert set(table.index.get_level_values("method")) == set(importance.METHODS)
    for method in ("ols coefficient", "ridge coefficient"):
        for name in folders.TOPOMETRICS:
            truth = PLANTED.get(name, 0) * unrolled[name].std() / drop.std()
            row = table.loc[method, name]
            assert row["importance"] == pytest.approx(truth, abs=0.01), (method, name)
            if name in PLANTED:
                assert row["low"] - 0.02 <= truth <= row["high"] + 0.02
                assert row["same_sign"] == 1
    for method in importance.METHODS:
        ranks = table.loc[method]["rank"]
        assert sorted(ranks[list(PLANTED)]) == [1, 2, 3, 4]
        assert ranks["2-hop"] == 1
        assert table.loc[(method, "2-hop"), "low"] > 0
    # Permuting x of weight w loses 2 w^2 var(x) of the error, by the variance of the drop.
    expected = 2 * (0.3 * unrolled["2-hop"].std() / drop.std()) ** 2
    found = table.loc[("ridge permutation", "2-hop"), "importance"]
    assert found == pytest.approx(expected, rel=0.15)
    # Independent metrics.
    assert tables["collinearity"]["variance_inflation"].between(1, 1.5).all()


def test_metrics_without_relation_have_no_importance(planted_importance):
    table = planted_importance["importance"]
    table = table[~table["metric"].isin(PLANTED)]
    signed = table[table["method"] != "trees shapley"]
    assert (signed["importance"].abs() < 0.02).all()
    assert ((signed["low"] <= 0.001) & (signed["high"] >= -0.001)).mean() > 0.9
    assert (table[table["method"] == "trees shapley"]["importance"] < 0.06).all()


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """One metric alone makes the drop, with noise; another is nearly its copy and permuted."""
    table = folders.runs()
    unrolled = folders.random(table, seed=5)
    noise = np.random.default_rng(8).normal(0, 0.02, len(table))
    table["accuracy"] = DENSE * (0.9 - 0.6 * unrolled["k-core"] + noise)
    copy = unrolled["k-core"] + 0.001 * unrolled["strength"]
    unrolled["strength"] = np.random.default_rng(9).permutation(copy)
    return load(tmp_path_factory.mktemp("single"), table, unrolled)


def test_planted_metric_is_first_in_every_method_and_stratum(single, monkeypatch):
    monkeypatch.setattr(importance, "REPEATS", 1)
    monkeypatch.setattr(importance, "SPLITS", 0)
    monkeypatch.setattr(importance, "PERMUTATIONS", 4)
    chosen = [("overall", "all"), ("sparsity", "0.9")]
    tables = run(
        importance.tasks(single, 0),
        importance.collect,
        lambda label: (label["kind"], label["stratum"]) in chosen,
    )
    table = tables["importance"]
    first = table[table["rank"] == 1]
    assert len(first) == len(chosen) * len(importance.METHODS)
    assert (first["metric"] == "k-core").all()
    assert (first["low"] > 0).all()
    permuted = table[(table["metric"] == "strength") & (table["method"] != "trees shapley")]
    assert (permuted["importance"].abs() < 0.1).all()
    wide = permuted[permuted["kind"] == "overall"]
    assert ((wide["low"] <= 0.005) & (wide["high"] >= -0.005)).all()
    assert (table[table["metric"] == "k-core"]["group"] == "Strength").all()
    assert (table["folds"] == validation.FOLDS).all()


def test_one_fold_of_equal_drops_does_not_decide_the_permutation_importance():
    """The loss of R2 of that fold alone is its error by next to nothing."""
    stream = np.random.default_rng(15)
    x = pd.DataFrame(stream.normal(size=(40, 2)), columns=["k-core", "motifs"])
    y = x["k-core"].to_numpy() + 0.1 * stream.normal(size=40)
    y[:8] = 1e-6 * stream.normal(size=8)
    splits = [(np.setdiff1d(np.arange(40), test), test) for test in np.arange(40).reshape(5, 8)]
    _, table = importance.measure({}, x, y, np.arange(40), splits, 0)
    for method in ("ridge permutation", "trees permutation"):
        values = table[(table["method"] == method) & (table["metric"] == "k-core")]["value"]
        assert 0.1 < values.median() < 4
        assert values.abs().max() < 6


def test_shapley_values_add_up_to_the_prediction(single):
    import shap

    x, y = single.features["unrolled"].to_numpy(), single.runs["drop"].to_numpy()
    model = estimators.trees(x, y, np.arange(len(y)), 0)
    explained = shap.TreeExplainer(model).shap_values(x[:20])
    np.testing.assert_allclose(
        explained.sum(axis=1), model.predict(x[:20]) - model.predict(x).mean(), atol=0.01
    )
    np.testing.assert_allclose(importance.shapley(model, x[:20]), np.abs(explained).mean(axis=0))


def test_agreement_between_strata_is_1_where_importance_is_equal():
    names = ["sink_nodes", "1-hop", "motifs", "k-core", "cut-edges", "spectral-gap"]
    rows = [
        {"kind": "model", "stratum": s, "method": "m", "metric": name, "importance": value}
        for s, sign in (("a", 1), ("b", -2), ("c", 0))
        for i, name in enumerate(names)
        for value in [sign * (i + 1) if sign else 7 - i]
    ]
    table = agreement.between(pd.DataFrame(rows)).set_index(["first", "second"])
    assert table.loc[("a", "b"), "spearman"] == pytest.approx(1)
    assert table.loc[("a", "b"), "common_of_five"] == 5
    assert table.loc[("a", "c"), "spearman"] == pytest.approx(-1)
    assert table.loc[("b", "c"), "common_of_five"] == 4


def half_scores(strata, metrics=16, splits=2, noise=0.5, seed=0):
    """Importance in halves of strata: what is given for each, and noise."""
    truth = np.array(strata, dtype=float)[:, None, None]
    shape = (len(truth), splits, 2, metrics)
    values = truth + noise * np.random.default_rng(seed).standard_normal(shape)
    stratum, split, half, metric = np.indices(shape).reshape(4, -1)
    return pd.DataFrame(
        {
            "unit": "configurations",
            "kind": "model",
            "stratum": stratum.astype(str),
            "method": "m",
            "metric": metric.astype(str),
            "split": split,
            "half": half,
            "value": values.ravel(),
        }
    )


def test_halves_are_correlated_with_the_other_half_only():
    table = half_scores(np.random.default_rng(0).random((3, 16)))
    found = agreement.halves(table).set_index(["first", "second"])["spearman"]
    assert len(found) == 6
    value = table.set_index(["stratum", "split", "half", "metric"])["value"].abs()
    for first, second in found.index:
        each = [
            stats.spearmanr(value[first, split, half], value[second, split, 1 - half]).statistic
            for split in range(2)
            for half in range(2)
        ]
        assert found[first, second] == pytest.approx(np.mean(each))


def differences(*args, **kwargs):
    (row,) = agreement.differences(agreement.halves(half_scores(*args, **kwargs))).to_dict(
        "records"
    )
    return row


@pytest.mark.parametrize(("strata", "noise"), [(4, 0.2), (5, 1.0)])
def test_importance_of_equal_strata_is_as_alike_as_expected(strata, noise):
    """Whatever the noise; with intervals from as few strata as there are models."""
    random = np.random.default_rng(1)
    found = [
        differences([random.standard_normal(16) * 2] * strata, noise=noise, seed=seed)
        for seed in range(60)
    ]
    assert abs(np.mean([row["difference"] for row in found])) < 0.02
    assert np.mean([row["high"] < 0 for row in found]) < 0.1
    assert np.mean([row["low"] > 0 for row in found]) < 0.1


def test_importance_of_unlike_strata_is_less_alike_than_expected():
    random = np.random.default_rng(2)
    row = differences(np.exp(random.standard_normal((6, 16))), noise=0.2)
    assert (row["strata"], row["kind"], row["method"]) == (6, "model", "m")
    assert row["expected"] > 0.7
    assert abs(row["between"]) < 0.3
    assert row["difference"] == pytest.approx(row["between"] - row["expected"])
    assert row["low"] < row["difference"] < row["high"] < 0


def test_stratum_of_noise_does_not_make_the_others_differ():
    random = np.random.default_rng(3)
    one = np.exp(random.standard_normal(16))
    rows = [differences([one, one, one, 0 * one], noise=0.2, seed=seed) for seed in range(40)]
    assert abs(np.mean([row["difference"] for row in rows])) < 0.05


def test_interval_of_the_difference_of_strata_is_a_jackknife_of_the_strata():
    names = "abcd"
    own = dict(zip(names, (0.81, 0.64, 0.49, -0.04), strict=True))
    root = {"a": 0.9, "b": 0.8, "c": 0.7, "d": -0.2}
    pairs = dict(
        zip(itertools.combinations(names, 2), [0.1, 0.3, np.nan, -0.2, 0.5, 0.2], strict=True)
    )
    cells = {**pairs, **{(name, name): value for name, value in own.items()}}
    table = pd.DataFrame(
        [("configurations", "model", "m", *pair, value) for pair, value in cells.items()],
        columns=agreement.HALVES,
    )
    (row,) = agreement.differences(table).to_dict("records")
    known = {pair: value for pair, value in pairs.items() if value == value}
    assert (row["strata"], row["between"]) == (4, pytest.approx(0.18))
    assert row["expected"] == pytest.approx(np.mean([root[a] * root[b] for a, b in known]))
    gap = {(a, b): value - root[a] * root[b] for (a, b), value in known.items()}
    pseudo = []
    for name in names:
        rest = [value for pair, value in gap.items() if name not in pair]
        pseudo.append(4 * np.mean(list(gap.values())) - 3 * np.mean(rest))
    low, high = stats.ttest_1samp(pseudo, 0).confidence_interval()
    assert [row["low"], row["high"]] == pytest.approx([low, high])
    assert np.isnan(row["cluster_difference"])  # no halves by clusters

    both = pd.concat([table, table.assign(unit="clusters", spearman=table["spearman"] / 2)])
    (row,) = agreement.differences(both).to_dict("records")
    assert row["difference"] == pytest.approx(row["between"] - row["expected"])
    assert row["cluster_between"] == pytest.approx(row["between"] / 2)
    assert row["cluster_difference"] == pytest.approx(row["difference"] / 2)
    assert [row["cluster_low"], row["cluster_high"]] == pytest.approx([low / 2, high / 2])

    two = table[table["first"].isin(["a", "b"]) & table["second"].isin(["a", "b"])]
    (row,) = agreement.differences(two).to_dict("records")
    assert row["difference"] == pytest.approx(0.1 - 0.72)
    assert np.isnan(row["low"])
    assert not len(agreement.differences(table[table["first"] == "d"]))


@pytest.mark.parametrize("unit", agreement.UNITS)
def test_halves_of_a_stratum_share_no_configuration_or_no_cluster(planted, unit):
    study = planted[0].take(planted[0].runs["sparsity"] == 0.9)
    x, y = study.features["unrolled"], study.runs["drop"].to_numpy()
    parts = getattr(study, unit)
    seen = []

    def note(label, x, y, groups, splits, seed):
        seen.append(set(x.index))
        return "importance", pd.DataFrame([label | {"method": "m", "metric": "a", "value": 1.0}])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importance, "measure", note)
        for seed in range(3):
            name, table = importance.halve(
                {"kind": "k"}, x, y, study.configurations, parts, unit, seed
            )
            assert name == "halves"
            assert set(table["unit"]) == {unit}
            assert table["half"].tolist() == [0, 1]
    for first, second in zip(seen[::2], seen[1::2], strict=True):
        assert first | second == set(x.index)
        halves = [set(parts[list(rows)]) for rows in (first, second)]
        assert not halves[0] & halves[1]
        assert abs(len(halves[0]) - len(halves[1])) <= 1
    assert seen[0] != seen[2]


def test_collinear_metrics_are_named(tmp_path):
    table = folders.runs(sparsities=(0.9,)).assign(accuracy=0.5)
    unrolled = folders.random(table)
    unrolled["motifs"] = 1 - 0.5 * unrolled["1-hop"] + 0.01 * unrolled["strength"]
    study = load(tmp_path, table, unrolled)
    _, found = importance.collinearity({}, study.features["unrolled"])
    found = found.set_index("metric")
    assert found.loc["motifs", "closest"] == "1-hop"
    assert found.loc["1-hop", "closest"] == "motifs"
    assert found.loc["motifs", "r_with_closest"] < -0.99
    assert found.loc["motifs", "variance_inflation"] > 1e3
    assert found.loc["2-hop", "variance_inflation"] < 2


@pytest.mark.usefixtures("two_estimators")
def test_noise_predicts_nothing_though_seeds_are_alike(tmp_path):
    """Configurations differ at random, seeds hardly: seen seeds would give the answer away."""
    table = folders.runs()
    accuracy = folders.random(table, ["a"], seed=1, each_run=False)["a"]
    table["accuracy"] = 0.1 + 0.6 * accuracy
    unrolled = folders.random(table, seed=2, each_run=False)
    study = load(tmp_path, table, unrolled)
    scores = run(regression.tasks(study, 0), regression.collect, overall)["scores"]
    assert (scores["r2"] < 0.1).all()
    assert (scores["r2_low"] < 0).all()
    # The same trees where seeds are split between the folds, to see that this test can fail.
    x, y = study.features["unrolled"].to_numpy(), study.runs["drop"].to_numpy()
    each = np.arange(len(y))
    deep = validation.predict(estimators.trees, x, y, each, validation.folds(each, 0), 0)
    assert validation.r2(y, deep) > 0.3


@pytest.mark.usefixtures("two_estimators")
def test_differences_between_encodings_are_paired(tmp_path):
    table = folders.runs(sparsities=(0.9,), datasets=("CIFAR-10",))
    unrolled = folders.random(table)
    table["accuracy"] = DENSE * (0.9 - 0.5 * unrolled["motifs"])
    study = load(tmp_path, table, unrolled, folders.layers(table))
    tables = run(regression.tasks(study, 3), regression.collect, overall)
    scores = tables["scores"].set_index(["predictor", "estimator"])["r2"]
    differences = tables["differences"].set_index(["than", "estimator"])
    assert sorted(set(tables["differences"]["than"])) == ["density", "ramanujan", "sparsity"]
    for (than, estimator), row in differences.iterrows():
        expected = scores["unrolled", estimator] - scores[than, estimator]
        assert row["difference"] == pytest.approx(expected)
        assert row["low"] <= row["high"]
    assert (differences["low"] > 0).mean() > 0.9


def test_one_dataset_or_model_is_no_stratum_of_its_own(tmp_path):
    table = folders.runs(sparsities=(0.6, 0.9), datasets=("CIFAR-10",))
    table["accuracy"] = np.random.default_rng(5).random(len(table))
    study = load(tmp_path, table, folders.random(table))
    names = [(kind, name) for kind, name, _ in study.strata]
    assert names == [
        ("overall", "all"),
        ("sparsity", "0.6"),
        ("sparsity", "0.9"),
        ("model", "CONV-6"),
        ("model", "Resnet-20"),
    ]
    alone = study.take((study.runs["model"] == "CONV-6") & (study.runs["sparsity"] == 0.9))
    assert [kind for kind, *_ in alone.strata] == ["overall"]


# Section 4.1


@pytest.fixture(scope="module")
def correlated(tmp_path_factory):
    """The spectral gap is the accuracy, delta_r the density, imdb falls with accuracy."""
    table = folders.runs()
    table["accuracy"] = 0.1 + 0.7 * np.random.default_rng(11).random(len(table))
    layers = folders.layers(table)
    for layer in layers:
        layer["iterative_spectral_gap"] = table["accuracy"]
        layer["delta_r"] = layer["layer_density"]
        layer["imdb"] = 3 - 2 * table["accuracy"]
    layers[0]["iterative_spectral_gap"] += 0.1  # only the mean over the layers is exact
    layers[1]["iterative_spectral_gap"] -= 0.1
    layers[1].loc[::7, "imdb"] = np.nan  # undefined in a layer: the others count
    study = load(tmp_path_factory.mktemp("correlated"), table, None, layers)
    return study, run(correlation.tasks(study, 0), correlation.collect)


def test_metric_that_is_the_accuracy_beats_the_density(correlated):
    _, tables = correlated
    table = tables["correlations"]
    assert len(table) == 4 * 6 * 3 * 2  # cells, sparsities and all, metrics, methods
    for metric, sign in (("iterative_spectral_gap", 1), ("imdb", -1)):
        part = table[table["metric"] == metric]
        np.testing.assert_allclose(part["r"], sign, atol=1e-12)
        assert (part["difference"] > 0).all()
        assert (part["williams_p_holm"] < 0.01).all()
    summary = tables["summary"].set_index(["metric", "method", "scope"])
    for method in correlation.METHODS:
        row = summary.loc["iterative_spectral_gap", method, "one sparsity"]
        assert row[["groups", "better", "worse"]].tolist() == [20, 20, 0]
        assert row["low"] > 0
        assert summary.loc["imdb", method, "all sparsities"]["better"] == 4


def test_copy_of_the_density_is_neither_better_nor_worse(correlated):
    _, tables = correlated
    part = tables["correlations"]
    part = part[part["metric"] == "delta_r"]
    np.testing.assert_array_equal(part["r"], part["density_r"])
    np.testing.assert_array_equal(part["difference"], 0)
    np.testing.assert_array_equal(part["difference_low"], 0)
    np.testing.assert_array_equal(part["difference_high"], 0)
    assert (part["williams_p"].isna() | (part["williams_p"] > 0.99)).all()
    summary = tables["summary"]
    assert (summary[summary["metric"] == "delta_r"][["better", "worse"]] == 0).all(axis=None)


def test_correlations_are_scipys(correlated):
    study, tables = correlated
    table = tables["correlations"].set_index(["model", "dataset", "sparsity", "metric", "method"])
    runs = study.runs
    for sparsity in ("0.9", "all"):
        rows = (runs["model"] == "CONV-6") & (runs["dataset"] == "CIFAR-100")
        if sparsity != "all":
            rows &= runs["sparsity"] == 0.9
        row = table.loc["CONV-6", "CIFAR-100", sparsity]
        accuracy = runs.loc[rows, "accuracy"]
        density = study.features["density"].loc[rows, "layer_density"]
        for method, function in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
            expected = function(density, accuracy).statistic
            assert row.loc[("imdb", method), "density_r"] == pytest.approx(expected, abs=1e-12)
            assert row.loc[("imdb", method), "networks"] == rows.sum()


@pytest.mark.parametrize("method", correlation.METHODS)
def test_intervals_of_correlations_are_those_of_a_loop(monkeypatch, method):
    monkeypatch.setattr(correlation, "RESAMPLES", 50)
    stream = np.random.default_rng(12)
    x, density, accuracy = stream.normal(size=(3, 25)).round(1)  # with ties
    x[3] = np.nan
    groups = np.arange(25) // 3
    ramanujan = pd.DataFrame({predictors.RAMANUJAN[0]: x})
    found = correlation.correlate({}, ramanujan, density, accuracy, groups, [4, 7])
    row, sampled = next(pair for pair in found if pair[0]["method"] == method)
    known = ~np.isnan(x)
    function = stats.pearsonr if method == "pearson" else stats.spearmanr
    expected = []
    for draw in np.random.default_rng([4, 7]).multinomial(9, [1 / 9] * 9, 50):
        rows = np.concatenate(
            [np.flatnonzero((groups == g) & known).repeat(times) for g, times in enumerate(draw)]
        )
        expected.append([function(v[rows], accuracy[rows]).statistic for v in (x, density)])
    expected = np.array(expected)
    signs = np.sign([function(v[known], accuracy[known]).statistic for v in (x, density)])
    np.testing.assert_allclose(sampled, expected @ (signs * [1, -1]), atol=1e-12)
    ends = np.percentile(expected[:, 0], (2.5, 97.5))
    assert [row["r_low"], row["r_high"]] == pytest.approx(list(ends))
    assert row["networks"] == 24


def test_constant_metrics_and_too_few_networks_have_no_correlation():
    ramanujan = pd.DataFrame({name: np.full(8, 0.1) for name in predictors.RAMANUJAN})
    ramanujan["imdb"] = [1, 2, 3] + 5 * [np.nan]
    stream = np.random.default_rng(0)
    found = correlation.correlate(
        {"model": "a", "dataset": "b", "sparsity": "0.9"},
        ramanujan,
        *stream.random((2, 8)),
        np.arange(8),
        [0, 0],
    )
    table = pd.DataFrame([row for row, _ in found])
    assert table[["r", "difference", "williams_p", "r_low"]].isna().all(axis=None)
    tables = correlation.collect([found])
    assert (tables["summary"]["groups"] == 0).all()


def test_seeds_of_a_configuration_are_drawn_together():
    """Three equal seeds say no more than one: the interval must not be narrower for them."""
    stream = np.random.default_rng(13)
    once = stream.normal(size=(3, 12))
    widths = []
    for seeds in (1, 3):
        x, density, accuracy = once.repeat(seeds, axis=1)
        groups = np.arange(12).repeat(seeds)
        found = correlation.correlate({}, pd.DataFrame({"a": x}), density, accuracy, groups, [0, 0])
        widths += [row["difference_high"] - row["difference_low"] for row, _ in found]
    assert widths[:2] == pytest.approx(widths[2:])


def test_groups_of_networks_draw_by_themselves(tmp_path):
    """Noise of groups that are averaged must cancel: two cells with the same values."""
    table = folders.runs(models=("CONV-6", "Resnet-20"), datasets=("CIFAR-10",), sparsities=(0.9,))
    half = len(table) // 2
    stream = np.random.default_rng(14)
    table["accuracy"] = np.tile(stream.random(half), 2)
    layers = folders.layers(table, delta_r=np.tile(stream.random(half), 2))
    for layer in layers:
        layer["layer_density"] = np.tile(layer["layer_density"][:half], 2)
    study = load(tmp_path, table, None, layers)
    results = [f(*args) for f, args, _ in correlation.tasks(study, 5)]
    sampled = [
        difference
        for result in results
        for row, difference in result
        if (row["metric"], row["method"], row["sparsity"]) == ("delta_r", "pearson", "0.9")
    ]
    assert len(sampled) == 2
    assert abs(np.corrcoef(sampled)[0, 1]) < 0.3  # of 200 resamples


# Section 4.2.3


def ranked(tmp_path, directions, layers_of=None, **design):
    """Accuracy falls from pruner to pruner; "motifs" follows, in the direction of each dataset."""
    table = folders.runs(**({"seeds": (0, 1), "sparsities": (0.6, 0.9)} | design))
    place = table["pruning"].map({name: i for i, name in enumerate(folders.PRUNERS)})
    table["accuracy"] = 0.75 - 0.05 * place + 0.01 * table["seed"]
    cell = table.groupby(["model", "dataset"]).ngroup()
    # All other metrics are those of the cell: they say nothing.
    unrolled = folders.random(table).groupby(cell).transform("first")
    sign = table["dataset"].map(directions)
    unrolled["motifs"] = 5 + sign * (0.1 * place + 0.01 * table["seed"]) + cell
    layers = layers_of and layers_of(table, place)
    return load(tmp_path, table, unrolled, layers)


def cells_of(study):
    tables = run(ranking.tasks(study, 0), lambda results: ranking.collect(results), lambda _: True)
    return tables, tables["cells"].set_index(["predictor", "score"])


@pytest.mark.parametrize("sign", [1, -1])
def test_known_ranking_is_found_in_either_direction(tmp_path, sign):
    study = ranked(tmp_path, dict.fromkeys(folders.DATASETS, sign))
    tables, cells = cells_of(study)
    for score in ("motifs", "mixture"):
        found = cells.loc[("unrolled", score)]
        assert len(found) == 8
        np.testing.assert_allclose(found["tau"], 1)
        np.testing.assert_allclose(found["rbo"], 1)
        assert (found["pruners"] == 7).all()
    assert (cells.loc[("unrolled", "k-core"), "tau"] == 0).all()
    summary = tables["summary"].set_index(["sparsity", "predictor", "score"])
    assert set(summary.index.get_level_values("sparsity")) == {"0.6", "0.9", "all"}
    row = summary.loc["all", "unrolled", "mixture"]
    assert row[["cells", "tau", "tau_low", "tau_high"]].tolist() == pytest.approx([8, 1, 1, 1])
    # Depth d of 7: d shared in the mean d/7 of them, extrapolated by the last agreement, 1.
    chance = 0.1 * sum(0.9 ** (d - 1) * d / 7 for d in range(1, 8)) + 0.9**7
    assert row["rbo_of_chance"] == pytest.approx(chance)
    differences = tables["differences"].set_index(["sparsity", "score"])
    assert differences.loc[("all", "motifs"), "difference"] == pytest.approx(0)
    assert differences.loc[("all", "k-core"), "low"] == pytest.approx(1)


def test_intervals_of_rankings_are_of_means_over_cells(tmp_path):
    study = ranked(tmp_path, dict.fromkeys(folders.DATASETS, 1))
    study.runs["accuracy"] = np.random.default_rng(16).random(len(study.runs))
    tables, cells = cells_of(study)
    row = tables["summary"].set_index(["sparsity", "score"]).loc[("all", "motifs")]
    taus = cells.loc[("unrolled", "motifs"), "tau"].to_numpy()
    low, high = stats.ttest_1samp(taus, 0).confidence_interval()
    assert [row["tau_low"], row["tau_high"]] == pytest.approx([low, high])
    row = tables["differences"].set_index(["sparsity", "score"]).loc[("all", "motifs")]
    paired = cells.loc[("unrolled", "mixture"), "tau"].to_numpy() - taus
    low, high = stats.ttest_1samp(paired, 0).confidence_interval()
    assert [row["low"], row["high"]] == pytest.approx([low, high])


def test_penalty_of_a_mixture_is_from_folds_that_keep_cells_whole(tmp_path, monkeypatch):
    """A row of deviations follows from the others of its cell; and the seed reaches the folds."""
    seen = []

    def note(x, y, groups, seed):
        seen.append((y, groups, seed))
        return estimators.ridge(x, y, groups, seed)

    monkeypatch.setattr(ranking, "ridge", note)
    study = ranked(tmp_path, dict.fromkeys(folders.DATASETS, 1))
    run(ranking.tasks(study, 9), ranking.collect, lambda _: True)
    for y, groups, seed in seen:
        assert seed == 9
        assert len(np.unique(groups)) == 2  # models of the other dataset, at one sparsity
        np.testing.assert_allclose([y[groups == g].sum() for g in np.unique(groups)], 0, atol=1e-12)


def test_direction_is_learned_without_the_ranked_dataset(tmp_path):
    """Where the datasets disagree, what one teaches is wrong for the other."""
    study = ranked(tmp_path, {"CIFAR-10": 1, "CIFAR-100": -1})
    _, cells = cells_of(study)
    np.testing.assert_allclose(cells.loc[("unrolled", "motifs"), "tau"], -1)
    np.testing.assert_allclose(cells.loc[("unrolled", "mixture"), "tau"], -1)


def test_ramanujan_metrics_are_also_taken_as_proposed(tmp_path):
    def layers_of(table, place):
        return folders.layers(table, delta_r=place, imdb=-place, layer_density=0.1)

    study = ranked(tmp_path, dict.fromkeys(folders.DATASETS, 1), layers_of)
    _, cells = cells_of(study)
    for score, tau in (
        ("delta_r", 1),
        ("delta_r, larger is better", -1),
        ("imdb", 1),
        ("imdb, larger is better", 1),
    ):
        np.testing.assert_allclose(cells.loc[("ramanujan", score), "tau"], tau)
    assert (cells.loc[("density", "layer_density"), "tau"] == 0).all()


def test_taus_are_of_means_over_the_seeds(tmp_path):
    study = ranked(tmp_path, dict.fromkeys(folders.DATASETS, 1), seeds=(0, 1, 2))
    means, features = ranking.by_pruner(study)
    assert len(means) == len(study.runs) / 3
    expected = study.runs.groupby(["model", "dataset", "sparsity", "pruning"])["accuracy"].mean()
    np.testing.assert_allclose(means["accuracy"], expected)
    np.testing.assert_allclose(
        features["unrolled"]["motifs"],
        study.features["unrolled"]["motifs"]
        .groupby([study.runs[name] for name in ("model", "dataset", "sparsity", "pruning")])
        .mean(),
    )


def test_with_one_dataset_a_model_is_held_out(tmp_path):
    study = ranked(tmp_path, {"CIFAR-10": 1}, datasets=("CIFAR-10",))
    _, cells = cells_of(study)
    for score in ("motifs", "mixture"):
        found = cells.loc[("unrolled", score)]
        assert len(found) == 4  # two models, two sparsities
        np.testing.assert_allclose(found["tau"], 1)
    kinds = {kind for kind, *_ in regression.designs(study, 0)}
    assert "held-out dataset" not in kinds and "held-out model" in kinds


def test_direction_is_learned_without_the_ranked_model(tmp_path):
    """Where the models disagree, what one teaches is wrong for the other."""
    study = ranked(tmp_path, {"CIFAR-10": 1}, datasets=("CIFAR-10",))
    table = study.features["unrolled"]
    turned = study.runs["model"] == "CONV-6"
    table.loc[turned, "motifs"] = -table.loc[turned, "motifs"]
    _, cells = cells_of(study)
    np.testing.assert_allclose(cells.loc[("unrolled", "motifs"), "tau"], -1)
    np.testing.assert_allclose(cells.loc[("unrolled", "mixture"), "tau"], -1)


def test_one_model_and_dataset_have_nothing_to_learn_from(tmp_path):
    study = ranked(tmp_path, {"CIFAR-10": 1}, datasets=("CIFAR-10",), models=("CONV-6",))
    assert ranking.tasks(study, 0) == []


# Accuracy


def test_accuracy_by_pruner_and_how_it_falls(tmp_path):
    """erk loses 0.1 a sparsity, snip stays, er has one sparsity only."""
    table = folders.runs(("CONV-6",), ("CIFAR-10",), ("erk", "snip", "er"), (0.6, 0.8, 0.9))
    table = table[(table["pruning"] != "er") | (table["sparsity"] == 0.8)].reset_index(drop=True)
    lost = table["sparsity"].map({0.6: 0.0, 0.8: 0.1, 0.9: 0.2}) * (table["pruning"] == "erk")
    table["accuracy"] = 0.7 - lost + 0.01 * table["seed"]
    study = load(tmp_path, table, folders.random(table))
    tables = accuracy.collect([f(*args) for f, args, _ in accuracy.tasks(study, 0)])

    cells = tables["cells"].set_index(["pruning", "sparsity"])
    assert len(cells) == 7
    expected = [3, 0.61, 0.6, 0.62, DENSE]
    shown = ["networks", "accuracy", "least", "most", "dense_accuracy"]
    np.testing.assert_allclose(cells.loc[("erk", "0.8"), shown].astype(float), expected)

    falls = tables["falls"].set_index("pruning")
    assert sorted(falls.index) == ["erk", "snip"]
    assert falls.loc["erk", "lost"] == pytest.approx(0.2)
    half = stats.t.ppf(0.975, 4) * 0.01 * np.sqrt(2 / 3)  # Welch's
    assert falls.loc["erk", "lost_low"] == pytest.approx(0.2 - half)
    assert falls.loc["erk", "lost_high"] == pytest.approx(0.2 + half)
    assert falls.loc["snip", "lost"] == pytest.approx(0)
    assert falls.loc["snip", "lost_low"] < 0 < falls.loc["snip", "lost_high"]
    for pruner in falls.index:
        part = table[table["pruning"] == pruner]
        rho = stats.spearmanr(part["sparsity"], part["accuracy"]).statistic
        assert falls.loc[pruner, "spearman"] == pytest.approx(rho)
    assert falls.loc["erk", "spearman_low"] < falls.loc["erk", "spearman"]
    assert falls.loc["erk", "spearman_high"] < -0.6
    assert falls.loc["snip", "spearman_low"] < 0 < falls.loc["snip", "spearman_high"]


# Sensitivity


@pytest.mark.parametrize("name", list(sensitivity.PHANTOMS))
def test_phantoms_are_those_of_the_published_wiring_in_the_dense_network(name):
    network = models.build(name, 10)
    counts = {}
    for wiring in ("published", "exact"):
        (graph,) = graph_encoding.encode(network, "unrolled", wiring=wiring)
        counts[wiring] = local_connectivity(graph)
    for column, phantoms in sensitivity.PHANTOMS[name].items():
        assert counts["published"][column] - counts["exact"][column] == phantoms


def test_models_without_stride_2_blocks_have_no_phantoms():
    (one,), (two,) = (
        graph_encoding.encode(models.build("CONV-6", 10), "unrolled", wiring=wiring)
        for wiring in ("published", "exact")
    )
    assert local_connectivity(one) == local_connectivity(two)
    assert "CONV-6" not in sensitivity.PHANTOMS


def published_study(folder):
    table = folders.runs(models=("CONV-6", "Resnet-20", "Wide-Resnet-28-2"), sparsities=(0.9,))
    table["accuracy"] = np.random.default_rng(3).random(len(table))
    graphs = folders.raw(folders.random(table))
    graphs["nodes"] = 200_000
    graphs["sink_nodes"] = np.arange(len(table)) * 100
    graphs["source_nodes"] = 100_000 - np.arange(len(table)) * 100
    folders.write(folder, table, graphs, wiring="published")
    return networks.load(folder, wiring="published")


def test_phantoms_are_subtracted_from_sinks_and_sources(tmp_path):
    study = published_study(tmp_path)
    found = sensitivity.variants(study)
    both = "without motifs, phantoms subtracted"
    assert {"as given", "without motifs", "phantoms subtracted", both} <= set(found)
    given, changed = found["as given"], found["phantoms subtracted"]
    assert given.equals(study.features["unrolled"])
    for column, resnet, wide in (("sink_nodes", 1504, 3008), ("source_nodes", 2000, 4000)):
        phantoms = study.runs["model"].map(
            {"CONV-6": 0, "Resnet-20": resnet, "Wide-Resnet-28-2": wide}
        )
        raw = (given[column] * 200_000).round()
        expected = np.where(phantoms > raw, 0, raw - phantoms)
        np.testing.assert_allclose(changed[column] * 200_000, expected, atol=1e-6)
    others = [name for name in given if name not in ("sink_nodes", "source_nodes")]
    assert changed[others].equals(given[others])
    for with_motifs, without in (("as given", "without motifs"), ("phantoms subtracted", both)):
        assert found[without].equals(found[with_motifs].drop(columns="motifs"))
        assert "motifs" in found[with_motifs]


def test_exact_wiring_has_no_phantoms_to_subtract(planted):
    found = sensitivity.variants(planted[0])
    assert not [name for name in found if "phantoms" in name]
    weighted = {"strength", "spectral-gap", "spectral-radius"}
    assert set(found["without weighted metrics"]) == set(folders.TOPOMETRICS) - weighted


@pytest.mark.usefixtures("two_estimators")
def test_change_without_motifs(tmp_path):
    table = folders.runs(sparsities=(0.6, 0.9))
    unrolled = folders.random(table)
    table["accuracy"] = DENSE * (0.9 - 0.5 * unrolled["motifs"])
    study = load(tmp_path, table, unrolled)
    scores = run(sensitivity.tasks(study, 0), sensitivity.collect, overall)["scores"]
    scores = scores.set_index(["variant", "estimator"])
    assert (scores.loc["as given"]["change"] == 0).all()
    assert (scores.loc["as given"]["change_high"] == 0).all()
    lost = scores.loc["without motifs"].loc["ols"]
    assert lost["metrics"] == 15
    assert lost["change"] < -0.9
    assert lost["change_high"] < -0.8
    assert lost["change"] == pytest.approx(lost["r2"] - scores.loc["as given", "ols"]["r2"])


@pytest.mark.usefixtures("two_estimators")
def test_metrics_as_given_are_scored_as_in_the_regression(tmp_path):
    """On the same networks: those that have the other predictors too."""
    table = folders.runs(sparsities=(0.9,), datasets=("CIFAR-10",))
    table["accuracy"] = np.random.default_rng(4).uniform(0.3, 0.8, len(table))
    layers = folders.layers(table)
    for layer in layers:
        layer.loc[::7, "imdb"] = np.nan
    study = load(tmp_path, table, folders.random(table), layers)
    one, two = (
        run(section.tasks(study, 0), section.collect, overall)["scores"]
        for section in (regression, sensitivity)
    )
    one, two = one[one["predictor"] == "unrolled"], two[two["variant"] == sensitivity.AS_GIVEN]
    assert len(one) == len(two) == len(scoring.ESTIMATORS)
    columns = ["estimator", "networks", "r2", "r2_low", "r2_high"]
    assert one[columns].values.tolist() == two[columns].values.tolist()
