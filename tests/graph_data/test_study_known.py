"""What is known of a row beside its metrics, and what topology adds to it: planted answers."""

import math

import numpy as np
import pandas as pd
import pytest
import study_folders as folders
from scipy import stats
from sklearn.linear_model import LinearRegression
from threadpoolctl import threadpool_limits

from graph_data import measured
from graph_data.study import (
    added,
    claims,
    correlation,
    estimators,
    further,
    intervals,
    networks,
    paper,
    predictors,
    ranking,
    rows,
    scoring,
    statistics,
    subsets,
    validation,
)
from metrics.registry import Column, Metric
from runs import results
from runs.columns import CONFIGURATION
from runs.measures import MEASURES, Measure

MODELS = ("CONV-6", "Resnet-20", "Resnet-32")
DATASETS = ("CIFAR-10", "CIFAR-100", "tinyimagenet")


@pytest.fixture(scope="module", autouse=True)
def quick():
    with threadpool_limits(1), pytest.MonkeyPatch.context() as patch:
        for module in (validation, correlation):
            patch.setattr(module, "RESAMPLES", 200)
        patch.setattr(scoring, "ESTIMATORS", {"ols": estimators.ols})
        yield


def run(section, study, seed=0):
    return section.collect([f(*args, **kwargs) for f, args, kwargs in section.tasks(study, seed)])


# Rows


@pytest.mark.parametrize(("images", "count"), [(360, 40), (5000, 40), (10_000, 60)])
def test_granularity_is_the_number_of_images(images, count):
    right = np.random.default_rng(images).integers(0, images + 1, count)
    assert rows.granularity(pd.Series(right / images)) == images
    assert rows.granularity(pd.Series((right / images).round(10))) == images
    assert math.isnan(rows.granularity(pd.Series(np.random.default_rng(0).random(count))))


def test_test_sets_are_told_by_model_data_set_and_pruner():
    random = np.random.default_rng(0)
    table = folders.runs(("a",), ("d", "e"), ("snip", "erk", "er"), seeds=(0, 1, 2))
    images = np.where((table["pruning"] == "snip") & (table["dataset"] == "d"), 500, 1000)
    table["accuracy"] = random.integers(0, images) / images
    # Too few rows to tell: the whole data set's.
    table = table[(table["pruning"] != "er") | (table["sparsity"] == 0.6)]
    found = rows.test_images(table, table, one_set=False)
    assert found.tolist() == images[table.index].tolist()
    assert set(rows.test_images(table, table, one_set=True)) == {1000}


def test_achieved_sparsity_is_a_files_or_that_of_its_layers():
    runs = folders.runs(("a",), ("d",), ("snip", "er"), (0.6,), (0, 1, 2))
    runs["accuracy"] = 0.5
    layers = pd.concat([runs, runs], ignore_index=True)
    layers["no_params"] = [100] * 6 + [300] * 6
    layers["no_weights"] = [40, 41, 42, 43, 44, 45] + [100] * 6
    said = runs.iloc[[0, 3]].assign(achieved_sparsity=[0.7, np.nan])
    found = rows.achieved({"one": said, "two": layers.iloc[[0, 1, 3, 6, 7, 9]]}, runs)
    kept = [0.3, 141 / 400, None, 143 / 400, None, None]
    expected = [math.nan if share is None else 1 - share for share in kept]
    np.testing.assert_allclose(found, expected)


def test_stated_sparsity_stands_in_only_with_a_note(tmp_path):
    folders.write_small(tmp_path, models=("CONV-6",), datasets=("CIFAR-10",))
    known = networks.load(tmp_path)
    assert not [note for note in known.notes if "achieved" in note]
    folders.strip(tmp_path, ["achieved_sparsity", "no_params"])
    found = networks.load(tmp_path)
    assert [
        n for n in found.notes if n.startswith("achieved sparsity: no file has it for 16 of 16")
    ]
    assert (found.runs["achieved_sparsity"] == found.runs["sparsity"]).all()


def test_achieved_sparsity_is_the_predictor_and_the_best_network_is_named(tmp_path):
    table = folders.runs(("CONV-6",), ("CIFAR-10",), ("snip", "rigl"), (0.6, 0.9), (0, 1))
    table["accuracy"] = np.where(table["pruning"] == "rigl", 0.9, 0.5) - 0.1 * table["sparsity"]
    folders.write(tmp_path, table, folders.raw(folders.random(table)))
    for file in tmp_path.rglob("*.csv"):
        text = pd.read_csv(file)
        text["achieved_sparsity"] = text["sparsity"] + 0.01
        text.to_csv(file, index=False)
    found = networks.load(tmp_path, pruners=["snip"])
    expected = found.runs["sparsity"] + 0.01
    np.testing.assert_allclose(found.features["sparsity"]["achieved_sparsity"], expected)
    (note,) = found.notes
    assert note.startswith("best_sparse_accuracy is what the drop is measured from for 1 models")
    assert note.endswith("rigl at 0.6 (1).")


# Intervals


def test_expanded_percentiles_are_students_interval_of_a_mean():
    """Of resamples of few values: as wide as Student's, which percentiles are not."""
    values = np.random.default_rng(1).standard_normal(12)
    times = validation.draws(12, 0, 20_000)
    found = intervals.of_clustered(times @ values / 12, 12)
    low, high = intervals.of_mean(values)
    assert found[1] - found[0] == pytest.approx(high - low, rel=0.03)
    least, most = intervals.interval(times @ values / 12)
    assert most - least < 0.9 * (high - low)
    assert np.isnan(intervals.of_clustered(times @ values, 5)).all()


def test_cluster_means_have_students_interval_and_the_error_is_added():
    random = np.random.default_rng(2)
    cluster = np.repeat(np.arange(7), 5)
    values = np.repeat(random.standard_normal(7), 5) + 0.1 * random.standard_normal(35)
    order = random.permutation(35)
    found = intervals.of_cluster_means(values[order], cluster[order])
    means = values.reshape(7, 5).mean(axis=1)
    low, high = stats.ttest_1samp(means, 0).confidence_interval()
    assert found == pytest.approx((low, high))
    wider = intervals.of_cluster_means(values, cluster, error=0.3)
    half = math.hypot((high - low) / 2, stats.norm.ppf(0.975) * 0.3)
    assert wider == pytest.approx((means.mean() - half, means.mean() + half))
    assert np.isnan(intervals.of_cluster_means(values[:25], cluster[:25])).all()


def test_resampled_clusters_are_those_of_a_loop(monkeypatch):
    monkeypatch.setattr(validation, "RESAMPLES", 40)
    random = np.random.default_rng(3)
    y, groups = random.random(90), np.repeat(np.arange(30), 3)
    predicted, clusters = y + 0.2 * random.standard_normal(90), groups % 6
    found = scoring.resampled(y, predicted, groups, clusters, 5)
    assert found.count == 6
    for times, value in zip(validation.draws(6, 5, 40).astype(int), found.clusters, strict=True):
        taken = np.concatenate([np.flatnonzero(clusters == c) for c in np.repeat(range(6), times)])
        assert value == pytest.approx(validation.r2(y[taken], predicted[taken]))
    assert found.ends["cluster_low"] == intervals.of_clustered(found.clusters, 6)[0]


def test_clusters_that_agree_within_make_only_the_clustered_interval_wide(tmp_path):
    """Of 9 cells of model and data set 4 rank as the metric does, at all sparsities, 5 opposite."""
    study = ranked(
        tmp_path, lambda cell: np.where(cell % 2 == 0, -1, 1), sparsities=(0.6, 0.8, 0.9)
    )
    row = run(ranking, study)["summary"].set_index(["sparsity", "score"]).loc[("all", "motifs")]
    assert row["cells"] == 27 and row["clusters"] == 9
    assert row["tau_cluster_high"] - row["tau_cluster_low"] > 1.8 * (
        row["tau_high"] - row["tau_low"]
    )


# Rankings


def ranked(tmp_path, direction, accuracy=None, **design):
    """Accuracy falls from pruner to pruner, and "motifs" with it or against it, by cell."""
    few = {"seeds": (0,), "sparsities": (0.6, 0.9)}
    table = folders.runs(MODELS, DATASETS, **(few | design))
    place = table["pruning"].map({name: i for i, name in enumerate(folders.PRUNERS)})
    table["accuracy"] = 0.5 - 0.01 * place if accuracy is None else accuracy(table, place)
    cell = table.groupby(["model", "dataset"]).ngroup()
    few = folders.random(table, ("motifs", "k-core", "strength"))
    unrolled = few.groupby(cell).transform("first")
    unrolled["motifs"] = 5 - 0.1 * direction(cell) * place
    folders.write(tmp_path, table, folders.raw(unrolled), apart=False)
    return networks.load(tmp_path)


@pytest.mark.parametrize("seed", range(5))
def test_vectorised_tau_is_scipys(seed):
    random = np.random.default_rng(seed)
    score = random.integers(0, 5, 7).astype(float)
    values = random.integers(0, 4, (20, 7)).astype(float)
    values[0] = 1
    expected = np.nan_to_num([stats.kendalltau(score, row).statistic for row in values])
    np.testing.assert_allclose(statistics.kendall(score, values), expected, atol=1e-12)


@pytest.mark.parametrize("n", [3, 7])
def test_cosine_of_ranks_and_of_chance(n):
    random = np.random.default_rng(n)
    one, many = random.random(n), [random.permutation(n) for _ in range(2_000)]
    found = [statistics.cosine_of_ranks(one, other) for other in many]
    assert np.mean(found) == pytest.approx(statistics.expected_cosine(n), abs=0.02)
    ranks = [stats.rankdata(-scores) for scores in (one, many[0])]
    expected = ranks[0] @ ranks[1] / np.prod([np.linalg.norm(r) for r in ranks])
    assert found[0] == pytest.approx(expected)
    assert statistics.cosine_of_ranks(one, one) == pytest.approx(1)


def test_other_test_images_are_in_the_clustered_interval_of_a_ranking(tmp_path, monkeypatch):
    """A shift of all accuracies of one test set against the other's, however many models there are;
    none where all pruners of a cell have one."""
    study = ranked(tmp_path, lambda cell: 1 + 0 * cell, lambda t, place: 0.5 - 0.001 * place)
    alone = run(ranking, study)["summary"].set_index(["sparsity", "score"]).loc[("all", "motifs")]
    assert alone["test_sets"] == 0
    other = study.runs["pruning"].isin(["snip", "synflow"])
    for images, size in ((500, 0.0224), (5000, 0.0071)):
        study.runs["test_images"] = np.where(other, images, 10_000.0)
        found = run(ranking, study)["summary"].set_index(["sparsity", "score"])
        row = found.loc[("all", "motifs")]
        # Brute force: the two sets' deviates, the same in all cells.
        random = np.random.default_rng(images)
        ranks = np.arange(7)
        changes = []
        for _ in range(400):
            accuracy = 0.5 - 0.001 * ranks + 0.005 * random.standard_normal()
            accuracy[[0, 2]] = 0.5 - 0.001 * ranks[[0, 2]] + size * random.standard_normal()
            changes.append(stats.kendalltau(-ranks, accuracy).statistic - 1)
        expected = np.sqrt(np.mean(np.square(changes)))
        assert row["test_sets"] == pytest.approx(expected, rel=0.15)
        half = (row["tau_cluster_high"] - row["tau_cluster_low"]) / 2
        assert half == pytest.approx(stats.norm.ppf(0.975) * row["test_sets"])  # all taus are 1
        assert row["tau_low"] == row["tau_high"] == pytest.approx(1)


# What topology adds


def explained(tmp_path, accuracy_of, motifs_of, **design):
    """Networks of nine cells, whose accuracy and one metric are given; other metrics are noise.

    Dense networks are alike, so that drops differ between data sets as accuracies do.
    """
    few = {"sparsities": (0.6, 0.9), "seeds": (0, 1)}
    table = folders.runs(MODELS, DATASETS, ("snip", "erk", "synflow", "er"), **(few | design))
    dense = folders.runs(MODELS, DATASETS, ("dense",), (0.0,), (0,))
    table = pd.concat([table, dense], ignore_index=True)
    random = np.random.default_rng(7)
    level = table["dataset"].map({"CIFAR-10": 0.0, "CIFAR-100": 0.3, "tinyimagenet": 0.6})
    own = pd.Series(random.random(len(table)), table.index)
    table["accuracy"] = accuracy_of(level, own) + 0.01 * random.standard_normal(len(table))
    table.loc[table["pruning"] == "dense", "accuracy"] = 0.9
    unrolled = folders.random(table)
    unrolled["motifs"] = motifs_of(level, own)
    bipartite = [folders.raw(folders.random(table, seed=s), s) for s in (1, 2)]
    layers = folders.layers(table)
    folders.write(tmp_path, table, folders.raw(unrolled), bipartite, layers, apart=False)
    return networks.load(tmp_path)


def test_metric_that_only_tells_the_data_set_adds_nothing_to_it(tmp_path):
    study = explained(tmp_path, lambda level, own: 0.9 - level, lambda level, own: level + 0.1)
    tables = run(added, study)
    r2 = tables["scores"].set_index(["known", "estimator", "predictor"])["r2"]
    assert r2[claims.NOTHING, "ols", "unrolled"] > 0.9 > 0.1 > r2[claims.NOTHING, "ols", "rolled"]
    between = tables["differences"].set_index(["known", "estimator", "than"])
    assert (between.loc[claims.NOTHING]["cluster_low"] > 0).all()
    assert (between.loc[claims.EACH]["cluster_low"] < 0.01).all()
    assert abs(between.loc[(claims.EACH, "ols", "rolled"), "difference"]) < 0.01
    gains = tables["gains"].set_index(["known", "estimator", "predictor"])
    assert gains.loc[(claims.EACH, "ols", "unrolled"), "gain"] < 0.01
    said = added.verdict(tables)
    assert f"**{claims.CLAIMS['a, bipartite topometrics'].text}: holds" not in said


def test_metric_that_tells_networks_of_a_cell_apart_adds_to_all_that_is_known(tmp_path):
    study = explained(
        tmp_path, lambda level, own: 0.9 - level - 0.2 * own, lambda level, own: 1 + own
    )
    tables = run(added, study)
    between = tables["differences"].set_index(["known", "estimator", "than"])
    assert (between.loc[claims.EACH]["cluster_low"] > 0).all()
    gains = tables["gains"].set_index(["known", "estimator", "predictor"])
    for known in (claims.EACH, claims.CELL):
        row = gains.loc[(known, "ols", "unrolled")]
        assert 0 < row["cluster_low"] < row["gain"] < row["cluster_high"]
    assert set(tables["scores"].loc[tables["scores"]["known"] == claims.CELL, "estimator"]) == {
        "ols"
    }
    for name in ("a, bipartite topometrics", "a, Ramanujan metrics"):
        assert f"**{claims.CLAIMS[name].text}: holds.**" in added.verdict(tables)


def test_known_cell_is_its_mean_and_the_gain_is_the_difference_of_nested_models(tmp_path):
    """On networks not seen: the mean of the others of the cell, by hand."""
    study = explained(tmp_path, lambda level, own: 0.9 - level, lambda level, own: own + 1)
    found = run(added, study, seed=4)
    scores = found["scores"].set_index(["known", "estimator", "predictor"])["r2"]
    y, groups = study.runs["drop"].to_numpy(), study.configurations
    cells = study.runs.groupby(["model", "dataset", "sparsity"]).ngroup().to_numpy()
    predicted = np.empty(len(y))
    for train, test in validation.folds(groups, 4):
        sums = np.bincount(cells[train], y[train]) / np.bincount(cells[train])
        predicted[test] = sums[cells[test]]
    alone = scores[claims.CELL, "ols", added.NO_METRICS]
    assert alone == pytest.approx(validation.r2(y, predicted), abs=1e-9)
    gains = found["gains"].set_index(["known", "estimator", "predictor"])["gain"]
    expected = scores[claims.CELL, "ols", "unrolled"] - alone
    assert gains[claims.CELL, "ols", "unrolled"] == pytest.approx(expected)


def test_what_was_kept_in_truth_is_known_with_the_sparsity():
    runs = folders.runs(("a", "b"), ("d",), ("er",), (0.5, 0.9), (0,))
    runs["achieved_sparsity"] = [0.5, 0.92, 0.55, 0.9]
    x = added.design(runs, claims.EACH)
    np.testing.assert_allclose(x[:, -1], np.log([1, 0.8, 0.9, 1]), atol=1e-12)
    assert x[:, :-1].tolist() == [
        [1, 1, 0, 1, 0],
        [1, 1, 0, 0, 1],
        [1, 0, 1, 1, 0],
        [1, 0, 1, 0, 1],
    ]
    assert added.design(runs, claims.NOTHING).shape == (4, 0)


# Sensitivity


def test_doubtful_pruners_and_data_sets_are_left_out_one_after_the_other(tmp_path):
    study = ranked(tmp_path, lambda cell: 1 + 0 * cell)
    assert subsets.subsets(study) == {}
    runs = study.runs
    runs.loc[(runs["pruning"] == "er") & (runs["sparsity"] == 0.9), "achieved_sparsity"] = 0.91
    runs["test_images"] = 10_000.0
    runs.loc[(runs["pruning"] == "erk") & (runs["dataset"] == "tinyimagenet"), "test_images"] = 50
    found = subsets.subsets(study)
    assert list(found) == ["all networks", "without er", "without tinyimagenet"]
    assert (found["without er"] == (runs["pruning"] != "er")).all()
    assert (found["without tinyimagenet"] == (runs["dataset"] != "tinyimagenet")).all()
    tables = run(subsets, study)
    rankings = tables["rankings"].set_index(["subset", "score"])
    np.testing.assert_allclose(rankings.xs("motifs", level="score")["tau"], 1)
    assert rankings.xs("motifs", level="score")["cells"].tolist() == [18, 18, 12]
    counts = tables["scores"].groupby("subset")["networks"].first()
    assert counts.to_dict() == {"all networks": 126, "without er": 108, "without tinyimagenet": 84}
    alone = run(added, study.take(found["without er"]))["scores"]
    both = tables["scores"][tables["scores"]["subset"] == "without er"]
    assert both["r2"].tolist() == alone["r2"].tolist()
    assert "without tinyimagenet" in subsets.text(tables)


# The paper's statistics


def test_the_papers_adjusted_r2_and_strongest_metrics(tmp_path):
    study = explained(tmp_path, lambda level, own: 0.8 - 0.4 * own, lambda level, own: 1 + own)
    tables = run(paper, study)
    fits = tables["fits"].set_index(["stratum", "predictor"])
    part = study.take((study.runs["sparsity"] == 0.6).to_numpy())
    x, y = part.features["unrolled"].to_numpy(), part.runs["drop"].to_numpy()
    score = LinearRegression().fit(x, y).score(x, y)
    n, k = x.shape
    expected = 1 - (1 - score) * (n - 1) / (n - k - 1)
    assert fits.loc[("0.6", "unrolled"), "adjusted_r2"] == pytest.approx(expected)
    of_metrics = tables["metrics"].set_index(["stratum", "metric"])
    r = stats.pearsonr(part.features["unrolled"]["motifs"], y).statistic
    assert of_metrics.loc[("0.6", "motifs"), "pearson"] == pytest.approx(r)
    lines = [line for line in paper.text(tables).splitlines() if line.startswith("| sparsity |")]
    assert len(lines) == 2
    assert all(line.count(" motifs +") == 2 for line in lines)


# Metrics that are none of the paper's

MADE_UP = Measure(
    (
        Metric("Made up", "nowhere:nothing", (Column("twin", "", divisor="nodes"),)),
        Metric("Made up", "nowhere:nothing", (Column("news", ""),)),
    ),
    "made_up/{encoding}",
)


def write_made_up(folder, table, values):
    """Result files of main.py of a made-up measure of unrolled graphs."""
    columns = (*CONFIGURATION, *MADE_UP.columns)
    for (model, dataset), part in table.groupby(["model", "dataset"]):
        lines = [
            dict.fromkeys(columns)
            | {"encoding": "unrolled", "wiring": "exact", "training": True, **folders.SCHEDULE}
            | {"achieved_sparsity": run["sparsity"], "as_released": "", "rounds": None}
            | {**run, **values.loc[index]}
            for index, run in part.iterrows()
        ]
        lines = [{name: line[name] for name in columns} for line in lines]
        file = MADE_UP.file(folder, "unrolled", dataset, model)
        results.append(file, columns, lines)


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """One made-up metric is a topometric again, the other tells what no topometric does."""
    monkeypatch.setitem(MEASURES, "made_up", MADE_UP)
    table = folders.runs(MODELS[:2], DATASETS, ("snip", "erk", "synflow"))
    unrolled = folders.random(table)
    news = np.random.default_rng(8).random(len(table))
    table["accuracy"] = (0.8 - 0.3 * unrolled["motifs"] - 0.3 * news).round(4)
    raw = folders.raw(unrolled)
    folders.write(tmp_path, table, raw)
    values = pd.DataFrame({"twin": 3 * unrolled["motifs"] * raw["nodes"], "news": news})
    write_made_up(tmp_path, table[:-45], values)  # not of one data set of one model
    return tmp_path, table


def test_a_measure_is_a_predictor_by_its_line_in_the_registry(made_up):
    folder, table = made_up
    registered = predictors.registry()
    assert registered["unrolled + made_up"] == ("unrolled", "made_up", ("twin", "news"), "unrolled")
    assert "unrolled + made_up" in measured.read_all(folder)
    study = networks.load(folder)
    assert "unrolled + made_up" not in study.features  # which all comparisons need
    assert len(study.complete().runs) == len(table)
    twin = study.further["unrolled + made_up"]["twin"]
    known = twin.notna()
    assert known.sum() == len(table) - 45
    motifs = study.features["unrolled"]["motifs"]
    np.testing.assert_allclose(twin[known], 3 * motifs[known])
    assert "unrolled + made_up: 45 of 270 networks are not in the files." in study.notes


def test_what_a_measure_adds_and_what_topometrics_say_of_it_already(made_up):
    folder, _ = made_up
    tables = run(further, networks.load(folder))
    assert set(tables["scores"]["networks"]) == {225}
    gains = tables["gains"].set_index(["known", "estimator"])
    assert (gains.loc[claims.NOTHING, "gain"] > 0.2).all()
    assert (gains.loc[claims.NOTHING, "low"] > 0).all()
    collinear = tables["collinearity"].set_index("metric")
    assert collinear.loc["twin", "explained"] == pytest.approx(1)
    assert collinear.loc["news", "explained"] < 0.3
    assert collinear.loc["twin", "condition_of_all"] > 1e6
    assert collinear.loc["twin", "condition_of_topometrics"] < 3
    assert "unrolled + made_up: 225" in further.text(tables)


def test_without_other_measures_there_is_nothing_to_add(tmp_path):
    folders.write_small(tmp_path, unrolled_only=True, models=("CONV-6",))
    assert further.tasks(networks.load(tmp_path), 0) == []


def test_explained_and_condition_number_by_hand():
    random = np.random.default_rng(9)
    x = random.standard_normal((60, 3))
    y = x @ [1, -2, 0.5] + random.standard_normal(60)
    assert statistics.explained(x, y) == pytest.approx(LinearRegression().fit(x, y).score(x, y))
    assert math.isnan(statistics.explained(x, np.full(60, 0.1)))
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    expected = np.linalg.cond(scaled)
    assert statistics.condition_number(x * [1, 1e6, 1e-6]) == pytest.approx(expected)
    constant = np.column_stack([x, np.full(60, 0.3)])
    assert statistics.condition_number(constant) == pytest.approx(expected)
    assert statistics.condition_number(np.column_stack([x, x.sum(axis=1)])) > 1e9
    assert math.isnan(statistics.condition_number(np.full((5, 2), 0.1)))
