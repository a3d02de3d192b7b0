"""The study's statistics against published examples, brute force and other code."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV

from graph_data.study import estimators, intervals, validation
from graph_data.study.statistics import (
    expected_overlap,
    holm,
    rank_biased_overlap,
    variance_inflation,
    williams,
)


def test_williams_is_the_published_example():
    # R package psych, r.test(n=103, r12=.4, r13=.5, r23=.1): t = -0.89, p = 0.37
    t, p = williams(0.4, 0.5, 0.1, 103)
    assert round(t, 2) == -0.89
    assert p == pytest.approx(0.37, abs=0.005)
    assert williams(0.5, 0.4, 0.1, 103) == (-t, p)


@pytest.mark.parametrize("between", [-0.3, 0.3, 0.8])
def test_williams_p_is_uniform_where_both_correlate_equally(between):
    r = np.array([[1, 0.4, 0.4], [0.4, 1, between], [0.4, between, 1]])
    draws = np.random.default_rng(3).multivariate_normal(np.zeros(3), r, (1500, 40))
    values = []
    for draw in draws:
        found = np.corrcoef(draw, rowvar=False)
        values.append(williams(found[0, 1], found[0, 2], found[1, 2], 40)[1])
    assert stats.kstest(values, "uniform").pvalue > 0.01
    assert np.mean(np.array(values) < 0.05) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize(
    "case", [(0.5, 0.5, 1.0, 50), (0.2, 0.4, 0.1, 3), (np.nan, 0.4, 0.1, 50), (0.4, 0.1, np.nan, 9)]
)
def test_williams_is_undefined(case):
    assert np.isnan(williams(*case)).all()


def overlap_of_lists(first, second, p):
    """Webber, Moffat and Zobel 2010, equation 32 with l = s = k."""
    k = len(first)
    shared = [len(set(first[:d]) & set(second[:d])) for d in range(1, k + 1)]
    total = sum(shared[d - 1] / d * p**d for d in range(1, k + 1))
    return shared[-1] / k * p**k + (1 - p) / p * total


def orders(scores):
    """Every ranking, the best first, that the scores allow: ties broken in all ways."""
    groups = [
        [i for i, score in enumerate(scores) if score == value]
        for value in sorted(set(scores), reverse=True)
    ]
    for broken in product(*(permutations(group) for group in groups)):
        yield [i for group in broken for i in group]


@given(st.integers(1, 12).flatmap(lambda n: st.permutations(range(n))), st.floats(0.05, 0.99))
def test_overlap_of_permutations_is_webbers(second, p):
    first = list(range(len(second)))
    (one,), (two,) = list(orders(first)), list(orders(second))
    assert rank_biased_overlap(first, second, p) == pytest.approx(overlap_of_lists(one, two, p))


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.tuples(*[st.lists(st.integers(0, 2), min_size=n, max_size=n)] * 2)
    ),
    st.floats(0.05, 0.99),
)
def test_overlap_with_ties_is_the_mean_over_all_ways_to_break_them(pair, p):
    first, second = pair
    ways = [overlap_of_lists(a, b, p) for a in orders(first) for b in orders(second)]
    assert rank_biased_overlap(first, second, p) == pytest.approx(np.mean(ways))


def test_overlap_of_equal_and_of_opposite_rankings():
    assert rank_biased_overlap([3.0, 1.0, 2.0], [0.3, 0.1, 0.2]) == pytest.approx(1, abs=1e-15)
    opposite = rank_biased_overlap(np.arange(7), -np.arange(7))
    assert opposite < rank_biased_overlap(np.arange(7), [0, 1, 2, 3, 4, 6, 5]) < 1


@pytest.mark.parametrize("n", range(1, 7))
def test_expected_overlap_is_the_mean_over_all_permutations(n):
    first = list(range(n))
    values = [overlap_of_lists(first, second, 0.9) for second in permutations(first)]
    assert expected_overlap(n) == pytest.approx(np.mean(values))
    values = [overlap_of_lists(first, second, 0.5) for second in permutations(first)]
    assert expected_overlap(n, 0.5) == pytest.approx(np.mean(values))


def test_variance_inflation_is_from_the_r2_of_the_others():
    stream = np.random.default_rng(0)
    features = stream.normal(size=(80, 5)) * [1, 1e-6, 1e6, 3, 1] + [0, 1, -1e6, 5, 1e3]
    features[:, 3] += features[:, 0] * 4
    expected = []
    for column in range(5):
        others = np.delete(features, column, axis=1)
        others = (others - others.mean(axis=0)) / others.std(axis=0)
        fit = LinearRegression().fit(others, features[:, column])
        expected.append(1 / (1 - fit.score(others, features[:, column])))
    assert variance_inflation(features) == pytest.approx(expected, rel=1e-6)


def test_variance_inflation_of_constants_and_of_exact_combinations():
    stream = np.random.default_rng(1)
    a, b, free = stream.normal(size=(3, 60))
    features = np.stack([a, b, 1e5 * (2 * a - 3 * b) + 7, free, np.full(60, 0.1)], axis=1)
    found = variance_inflation(features)
    assert np.isinf(found[:3]).all()
    assert 1 <= found[3] < 1.5
    assert np.isnan(found[4])
    assert variance_inflation(a[:, None]) == pytest.approx([1])


def test_holm_by_hand():
    # 4 x .005, 3 x .01, 2 x .03, and 1 x .04 which must not fall below 2 x .03
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.7])) == pytest.approx([1, 1])


def test_holm_does_not_count_what_is_undefined():
    found = holm(np.array([np.nan, 0.01, np.nan, 0.04]))
    assert found == pytest.approx([np.nan, 0.02, np.nan, 0.04], nan_ok=True)
    assert np.isnan(holm(np.array([np.nan, np.nan]))).all()
    assert len(holm(np.array([]))) == 0


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(0, 5))
def test_folds_keep_configurations_whole(groups, seed):
    groups = np.array(groups)
    splits = validation.folds(groups, seed)
    count = len(set(groups))
    assert len(splits) == (min(5, count) if count > 1 else 0)
    for train, test in splits:
        assert not set(groups[train]) & set(groups[test])
        assert sorted([*train, *test]) == list(range(len(groups)))
        assert len(train) and len(test)
    if splits:
        tested = np.concatenate([test for _, test in splits])
        assert sorted(tested) == list(range(len(groups)))


class Memory:
    """Predicts 1 for what it was fitted on, 0 for the rest."""

    def fit(self, x, y):
        assert len(x) == len(y)
        self.seen = set(x[:, 0])
        return self

    def predict(self, x):
        return np.array([value in self.seen for value in x[:, 0]], dtype=float)


def test_predictions_are_of_models_that_did_not_see_the_configuration():
    groups = np.repeat(np.arange(20), 3)
    splits = validation.folds(groups, 0)
    x = groups[:, None].astype(float)

    def fit(x, y, groups, seed):
        assert groups.tolist() == x[:, 0].tolist()
        return Memory().fit(x, y)

    predicted = validation.predict(fit, x, np.zeros(60), groups, splits, 0)
    assert (predicted == 0).all()
    predicted = validation.predict(fit, x, np.zeros(60), groups, splits[:2], 0)
    assert np.isnan(predicted).sum() == 60 - len(splits[0][1]) - len(splits[1][1])


def test_r2_and_adjusted_r2():
    stream = np.random.default_rng(2)
    y, predicted = stream.normal(size=(2, 50))
    assert validation.r2(y, predicted) == pytest.approx(r2_score(y, predicted))
    assert validation.r2(y, y) == 1
    assert np.isnan(validation.r2(np.ones(5), predicted[:5]))
    error, total = ((y - predicted) ** 2).sum() / (50 - 3 - 1), y.var(ddof=1)
    assert validation.adjusted(r2_score(y, predicted), 50, 3) == pytest.approx(1 - error / total)
    assert np.isnan(validation.adjusted(0.5, 4, 3))


def test_bootstrap_is_that_of_a_loop_over_configurations(monkeypatch):
    monkeypatch.setattr(validation, "RESAMPLES", 60)
    stream = np.random.default_rng(4)
    names = np.array(["b", "a", "c", "e", "d"])[stream.integers(0, 5, 40)]
    y = stream.normal(size=40) + 5
    predicted = y + stream.normal(size=40)
    found = validation.bootstrap_r2(y, predicted, names, seed=9)

    each = sorted(set(names))
    draws = np.random.default_rng(9).multinomial(len(each), [1 / len(each)] * len(each), 60)
    expected = []
    for draw in draws:
        rows = []
        for name, times in zip(each, draw, strict=True):
            rows += list(np.flatnonzero(names == name)) * times
        expected.append(r2_score(y[rows], predicted[rows]))
    assert found == pytest.approx(expected)


def test_bootstrap_draws_are_paired():
    stream = np.random.default_rng(5)
    y, error = stream.normal(size=(2, 60))
    groups = np.repeat(np.arange(20), 3)
    one = validation.bootstrap_r2(y, y + error, groups, seed=1)
    two = validation.bootstrap_r2(y, y - 2 * error, groups, seed=1)
    assert (1 - two) == pytest.approx(4 * (1 - one))  # resample by resample
    assert not np.allclose(one, validation.bootstrap_r2(y, y + error, groups, seed=2))


def test_interval():
    assert intervals.interval(np.arange(1001.0)) == pytest.approx((25, 975))
    assert intervals.interval(np.array([np.nan, 3.0])) == (3, 3)
    assert np.isnan(intervals.interval(np.full(4, np.nan))).all()


def test_intervals_of_means_are_scipys():
    stream = np.random.default_rng(7)
    for n in (2, 3, 15):
        values, others = stream.normal(size=n), 3 * stream.normal(size=n + 2)
        expected = stats.ttest_1samp(values, 0).confidence_interval()
        assert intervals.of_mean(values) == pytest.approx(tuple(expected))
        expected = stats.ttest_ind(values, others, equal_var=False).confidence_interval()
        assert intervals.of_difference(values, others) == pytest.approx(tuple(expected))
        without = np.array([np.delete(values, i).mean() for i in range(n)])
        found = intervals.of_jackknife(values.mean(), without)
        assert found == pytest.approx(intervals.of_mean(values))
    assert np.isnan(intervals.of_mean(values[:1])).all()
    assert np.isnan(intervals.of_difference(values[:1], others)).all()
    assert intervals.of_mean(np.ones(4)) == (1, 1)
    assert intervals.of_difference(np.ones(4), np.zeros(3)) == (1, 1)


def test_interval_of_a_mean_of_few_covers_as_often_as_it_says():
    """Percentiles of bootstrap means do not: 15 values as a mean over the digits has, and 5."""
    stream = np.random.default_rng(8)
    for n, bootstrap_covers in ((15, 0.94), (5, 0.88)):
        covered = np.zeros(2)
        for values in stream.normal(size=(1500, n)):
            draws = values[stream.integers(0, n, (200, n))].mean(axis=1)
            for method, (low, high) in enumerate(
                (intervals.of_mean(values), intervals.interval(draws))
            ):
                covered[method] += low <= 0 <= high
        assert covered[0] / 1500 == pytest.approx(0.95, abs=0.015)
        assert covered[1] / 1500 < bootstrap_covers


def test_interval_of_spearman_has_it_in_it_and_covers_the_truth():
    stream = np.random.default_rng(9)
    truth = 6 / np.pi * np.arcsin(0.6 / 2)  # of normal variables with Pearson's correlation 0.6
    covered = 0
    for _ in range(600):
        x, noise = stream.normal(size=(2, 24))
        r = stats.spearmanr(x, 0.6 * x + 0.8 * noise).statistic
        low, high = intervals.of_spearman(r, 24)
        assert low < r < high
        covered += low <= truth <= high
    assert covered / 600 == pytest.approx(0.95, abs=0.025)
    assert intervals.of_spearman(1.0, 9) == (1, 1)
    assert np.isnan(intervals.of_spearman(0.5, 3)).all()


def test_ridge_takes_the_penalty_that_serves_configurations_not_seen():
    """Seeds are alike: parted by the folds, they would tell for hardly any penalty."""
    stream = np.random.default_rng(10)
    groups = np.repeat(np.arange(30), 3)
    x = stream.normal(size=(30, 16))[groups] + 1e-3 * stream.normal(size=(90, 16))
    y = stream.normal(size=30)[groups]  # x says nothing of it
    assert estimators.ridge(x, y, groups, 0)[-1].alpha == estimators.PENALTIES.max()
    assert estimators.ridge(x, y, np.arange(90), 0)[-1].alpha < 100


def test_penalty_is_that_of_a_search(monkeypatch):
    stream = np.random.default_rng(11)
    groups = np.repeat(np.arange(20), 3)
    x = stream.normal(size=(60, 8))
    y = x @ stream.normal(size=8) + 10 * stream.normal(size=60)
    splits = validation.folds(groups, 3)
    search = GridSearchCV(
        Ridge(), {"alpha": estimators.PENALTIES}, scoring="neg_mean_squared_error", cv=splits
    )
    assert estimators.penalty(x, y, splits) == search.fit(x, y).best_params_["alpha"]
    assert estimators.PENALTIES.min() < estimators.penalty(x, y, splits)
    assert estimators.penalty(x, y, []) == estimators.PENALTIES.max()


def test_bootstrap_interval_covers_the_true_value_about_as_often_as_it_says(monkeypatch):
    """Seeds of a configuration are alike: rows drawn one by one would give too narrow intervals."""
    monkeypatch.setattr(validation, "RESAMPLES", 200)
    stream = np.random.default_rng(6)
    groups = np.repeat(np.arange(60), 3)
    covered = 0
    for _ in range(150):
        signal, noise = np.repeat(stream.normal(size=(2, 60)), 3, axis=1)
        low, high = intervals.interval(
            validation.bootstrap_r2(signal + noise, signal, groups, seed=0)
        )
        covered += low <= 0.5 <= high
    assert 0.87 <= covered / 150 <= 0.99
