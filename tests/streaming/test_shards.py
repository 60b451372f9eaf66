"""Shards: the same guarantees however the rows were spread, here and on a Ray cluster; a head for states."""

from __future__ import annotations

import importlib.util
import os
import signal

import numpy as np
import pytest

from gnomon.asks import Reading, StateLayout, States
from gnomon.runs import StateStore
from gnomon.streaming import HingeSketch, InputError, StreamingHead, merge_tree, sketch_shards, stored_states


def rows(number):
    rng = np.random.default_rng([7, number])
    X = rng.uniform(-1, 1, (20_000, 1))
    return X, np.where(X[:, 0] + 0.3 * rng.normal(size=20_000) > 0, 1.0, -1.0)


def shard(number):
    def parts():
        X, y = rows(number)
        for at in range(0, len(X), 5000):
            yield X[at : at + 5000], y[at : at + 5000]

    return parts


def mortal(number, marker):
    """A shard whose first worker kills itself half way."""

    def parts():
        for at, part in enumerate(shard(number)()):
            if at == 2 and not os.path.exists(marker):
                with open(marker, "w") as file:
                    file.write("died")
                os.kill(os.getpid(), signal.SIGKILL)
            yield part

    return parts


def within_the_bound(sketch, numbers, k):
    X = np.concatenate([rows(number)[0] for number in numbers])
    y = np.concatenate([rows(number)[1] for number in numbers])
    rng = np.random.default_rng(0)
    theta, b = rng.normal(size=(200, 1)), rng.normal(size=200)
    true = np.array([np.maximum(0, 1 - y * (X @ t + c)).mean() for t, c in zip(theta, b, strict=True)])
    value = sketch.objective(theta, b)
    assert sketch.n_seen_ == len(X)
    assert (value.low <= true + 1e-9).all()
    assert (true <= value.high + 1e-9).all()
    assert (np.abs(value.estimate - true) <= 2 * np.abs(theta[:, 0]) * sketch.radius_ / k**2).all()


def test_shards_merged_by_a_tree_keep_the_bound():
    within_the_bound(sketch_shards([shard(n) for n in range(5)], k=64), range(5), 64)
    with pytest.raises(InputError, match="no sketches to merge"):
        merge_tree([])


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
@pytest.mark.filterwarnings("ignore")
def test_four_shards_on_a_cluster_one_of_whose_workers_is_killed(tmp_path):
    import sys

    import ray
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a module of the tests
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        marker = str(tmp_path / "died")
        shards = [shard(0), mortal(1, marker), shard(2), shard(3)]
        found = sketch_shards(shards, k=64, ray=True)
        assert os.path.exists(marker)
        within_the_bound(found, range(4), 64)
        here = sketch_shards([shard(n) for n in range(4)], k=64)
        assert found.solve(0.01).value == here.solve(0.01).value
    finally:
        ray.shutdown()
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def states(n=3000, width=40, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    return rng.normal(size=(n, width)) * np.linspace(3, 0.3, width) + 1.5 * y[:, None] * np.eye(width)[width - 1], y


@pytest.mark.parametrize("directions", [1, 2, 3])
def test_a_head_finds_a_weak_direction_in_states_that_pass_by(directions):
    H, y = states()
    head = StreamingHead(directions=directions)
    head.fit_parts(lambda: ((H[at : at + 100], y[at : at + 100]) for at in range(0, 3000, 100)))
    assert head.directions_.shape == (directions, 40)
    assert head.score(H, y) > 0.95
    assert 0 <= head.fit_result_.gap < 0.2
    np.testing.assert_allclose(head.project(H).std(axis=0), 1, atol=1e-6)
    whole = StreamingHead(directions=directions).fit(H, y)
    assert (whole.predict(H) == head.predict(H)).mean() > 0.99


def test_a_head_reads_the_store_of_states(tmp_path):
    rng = np.random.default_rng(0)
    layout = StateLayout(("0", "1"), 16, "float32", "last token")
    readings = [Reading(f"Is {n} even?", ("yes", "no")) for n in range(400)]
    y = np.arange(400) % 2
    with StateStore(tmp_path, fingerprint="m", layout=layout) as store:
        found = []
        for reading, label in zip(readings, y, strict=True):
            values = rng.normal(size=(2, 2, 16)).astype(np.float32)
            values[0, 1, 3] += 6 * label
            found.append((reading, States(values, (5, 5))))
        store.add(found)
        head = StreamingHead().fit_parts(stored_states(store, readings, y, "1", rows=64))
        difference = store.layer(readings, "1")
        assert head.score(difference[:, 0] - difference[:, 1], y) > 0.95
        with pytest.raises(InputError, match="labels of the shape"):
            stored_states(store, readings, y[:3], "1")
    with pytest.raises(InputError, match="a head tells two apart"):
        StreamingHead().fit(np.ones((4, 3)), [1, 1, 1, 1])
    with pytest.raises(InputError, match="there can be 1, 2 or 3"):
        StreamingHead(directions=4).fit(np.ones((4, 3)), [0, 1, 1, 1])


def test_shrinking_keeps_the_interval():
    X, y = rows(0)
    large = HingeSketch(k=256).partial_fit(X, y)
    small = large.shrunk(16)
    assert small.n_nodes_ < large.n_nodes_ / 8
    assert large.n_nodes_ > 256
    value = small.objective([2.0], 0.3)
    true = np.maximum(0, 1 - y * (2 * X[:, 0] + 0.3)).mean()
    assert value.low <= true <= value.high
    with pytest.raises(InputError, match="cannot be shrunk"):
        small.shrunk(17)
