"""Groups, samplers and subjects for images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnomon.errors import UsageError
from gnomon.importance import Infill, Patches, PCAGaussian, Vision, boxes, grid, irt, osft, superpixels


def rng(seed=0):
    return np.random.default_rng(seed)


def pictures(n=60, seed=0):
    """Smooth noise: pixels depend on their neighbours."""
    noise = rng(seed).normal(size=(n, 12, 12, 3))
    smooth = noise + np.roll(noise, 1, 1) + np.roll(noise, 1, 2) + np.roll(noise, (1, 1), (1, 2))
    return np.clip(128 + 30 * smooth, 0, 255).astype(np.uint8)


def test_a_grid_covers_the_image_once():
    cells = grid(3, 5)(np.zeros((12, 12, 3)))
    assert len(cells) == 15
    assert (np.sum([cell.at for cell in cells], axis=0) == 1).all()
    with pytest.raises(UsageError, match="finer than"):
        grid(20, 2)(np.zeros((12, 12)))


def test_boxes_may_overlap_and_must_lie_inside():
    one, other = boxes([(0, 0, 4, 4), (2, 2, 12, 12)])(np.zeros((12, 12)))
    assert (one.at & other.at).sum() == 4
    with pytest.raises(UsageError, match="does not lie in"):
        boxes([(0, 0, 13, 4)])(np.zeros((12, 12)))
    assert boxes([(3, 3, 3, 9)])(np.zeros((12, 12)))[0].empty


def test_superpixels_cover_the_image_once():
    pytest.importorskip("skimage")
    image = np.zeros((32, 32, 3), dtype=np.uint8)
    image[:, 16:] = (200, 30, 30)
    image[20:] = (10, 220, 30)
    parts = superpixels(6)(image)
    assert len(parts) > 1
    assert (np.sum([part.at for part in parts], axis=0) == 1).all()


@pytest.mark.parametrize("law", [Patches(k=10), PCAGaussian(components=20)], ids=["patches", "pca"])
def test_samplers_keep_what_stays_and_their_type(law):
    X = pictures()
    law.fit(X[10:])
    group = grid(3, 3)(X[0])[4]
    drawn = law.sample(X[0], group, 8, rng())
    assert drawn.dtype == np.uint8
    assert (drawn[:, ~group.at] == X[0][~group.at]).all()
    assert (drawn[:, group.at] != X[0][group.at]).mean() > 0.5
    assert (law.sample(X[0], group, 8, rng()) == drawn).all()
    with pytest.raises(UsageError, match="none of the"):
        law.sample(np.zeros((5, 5, 3)), boxes([(0, 0, 2, 2)])(np.zeros((5, 5, 3)))[0], 1, rng())


def test_the_pca_conditional_is_that_of_the_dense_normal():
    random = rng(1)
    basis = random.normal(size=(16, 3))
    X = (random.normal(size=(4000, 3)) @ basis.T + 0.3 * random.normal(size=(4000, 16))).reshape(4000, 4, 4)
    law = PCAGaussian(components=3).fit(X)
    dense = law.basis_ @ law.basis_.T + law.noise_ * np.eye(16)
    (group,) = boxes([(0, 0, 2, 1)])(X[0])
    inside, stays = [0, 1], list(range(2, 16))
    W = np.linalg.solve(dense[np.ix_(stays, stays)], dense[np.ix_(stays, inside)]).T
    mean = law.mean_[inside] + W @ (X[0].reshape(-1)[stays] - law.mean_[stays])
    rest = dense[np.ix_(inside, inside)] - W @ dense[np.ix_(stays, inside)]
    drawn = law.sample(X[0], group, 40_000, rng()).reshape(40_000, 16)[:, inside]
    assert np.allclose(drawn.mean(axis=0), mean, atol=0.03)
    assert np.allclose(np.cov(drawn.T), rest, atol=0.03)


def test_a_users_in_filler_is_called_with_copies_and_checked():
    X = pictures(3)
    group = grid(2, 2)(X[0])[0]

    def fill(image, mask, n, random):
        image[:] = 0  # its own copy
        return np.repeat(random.integers(0, 255, size=(n, 1, 1, 1)), 12, 1).repeat(12, 2).repeat(3, 3)

    before = X.copy()
    drawn = Infill(fill).sample(X[0], group, 5, rng())
    assert np.array_equal(X, before)
    assert (drawn[:, ~group.at] == X[0][~group.at]).all()
    with pytest.raises(UsageError, match="gave shape"):
        Infill(lambda image, mask, n, random: image).sample(X[0], group, 5, rng())
    with pytest.raises(UsageError, match="needs a callable"):
        Infill().sample(X[0], group, 5, rng())
    fixed = Infill(lambda image, mask, n, random: np.zeros((n, *image.shape)), deterministic=True)
    with pytest.raises(UsageError, match="same counterfactual"):
        irt(Vision(_net()), X, fixed, grid(2, 2), draws=9)
    assert osft(Vision(_net()), X, fixed, lambda x: grid(2, 2)(x)[:1], side="one").selected.shape == (3,)


def _net():
    """Looks at the upper left quarter alone."""
    net = torch.nn.Linear(12 * 12 * 3, 2, bias=False)
    weight = torch.zeros(2, 3, 12, 12)
    weight[1, :, :6, :6] = 1.0
    net.weight.data = weight.reshape(2, -1)
    return torch.nn.Sequential(torch.nn.Flatten(), net)


def test_a_network_is_explained_by_the_part_that_it_looks_at():
    X = pictures(80)
    unusual = X[:8].copy()
    unusual[:, :6, :6] = 250
    found = irt(Vision(_net()), unusual, Patches(k=30).fit(X[8:]), grid(2, 2), draws=99, q=0.1)
    assert found.table((8, 4)).sum(axis=0).tolist() == [8, 0, 0, 0]
    assert any("edges" in one for one in found.guarantee)
