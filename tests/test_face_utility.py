"""Losses, nets and scores of face utility: the checks of their papers, and what must hold for any faces."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

from assay.catalog import get
from assay.face.embedding_robustness import robustness
from assay.nets.face_recogniser import embed, similarity
from assay.nets.vit_fiqa import SMALL, Shape, ViTFIQA
from assay.ops.align import TEMPLATE
from assay.ops.certainty import certainty, certainty_loss
from assay.ops.forest import Forest
from assay.ops.landmarks import FEATURES, geometry, profile
from assay.ops.sface import cosface, members, sface
from assay.types import BadInput, CannotAssess, Face, Finding
from pictures import found

SCORES = ("vit-fiqa-assay", "embedding_robustness", "landmark_forest")
AT = {name: i for i, name in enumerate(FEATURES)}


def cosines(*angles):
    return torch.tensor([angles], dtype=torch.float64).cos()


def weights_of(angles, label=0, **knobs):
    """What stands before each cosine, read off the gradient."""
    c = cosines(*angles).requires_grad_()
    sface(c, torch.tensor([label]), **knobs).backward()
    return (c.grad / 64)[0]


# SFace


def test_sface_weights_are_half_at_their_angles_and_steep_beside_them():
    assert weights_of([0.87, 1.2]).tolist() == pytest.approx([-0.5, 0.5])
    assert -float(weights_of([0.80, 1.2])[0]) == pytest.approx(0.0037, abs=5e-5)
    assert -float(weights_of([0.95, 1.2])[0]) == pytest.approx(0.9983, abs=5e-5)


def test_sface_value_of_one_sample_and_two_classes():
    # −.5·64·cos .87 + .5·64·cos 1.2 = −20.634 + 11.595
    assert float(sface(cosines(0.87, 1.2), torch.tensor([0]))) == pytest.approx(-9.04, abs=5e-3)


def test_sface_does_not_push_what_is_at_a_right_angle():
    push = weights_of([math.pi / 2] * 4)
    assert push[1:].abs().max() < 1e-12
    assert -float(push[0]) == pytest.approx(1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_sface_is_finite_where_faces_are_equal_or_opposite(dtype):
    c = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [1.0001, -1.0001]], dtype=dtype, requires_grad=True)
    loss = sface(c, torch.tensor([0, 0, 1]))
    loss.backward()
    assert loss.isfinite()
    assert c.grad.isfinite().all()


def test_sface_teaches_a_small_problem():
    torch.manual_seed(0)
    people = torch.randn(6, 16)
    x, labels = torch.cat([people + 0.3 * torch.randn(6, 16) for _ in range(8)]), torch.arange(6).repeat(8)
    net, centres = torch.nn.Linear(16, 8), torch.nn.Parameter(torch.randn(6, 8))
    optimiser = torch.optim.Adam([*net.parameters(), centres], lr=0.02)
    for _ in range(120):
        c = normalize(net(x)) @ normalize(centres).T
        optimiser.zero_grad()
        sface(c, labels, b=1.3).backward()
        optimiser.step()
    assert (c.argmax(1) == labels).double().mean() > 0.95


def test_cosface_is_cross_entropy_with_a_handicap():
    c = torch.tensor([[0.5, 0.1]])
    assert float(cosface(c, torch.tensor([0]), s=1, m=0.4)) == pytest.approx(math.log(2))


def test_labels_must_fit():
    with pytest.raises(BadInput, match="N×C cosines"):
        members(torch.zeros(3, 2), torch.zeros(2, dtype=torch.long))


# The certainty ratio


def test_certainty_of_the_paper():
    assert float(certainty(torch.tensor([[0.8, 0.2, -0.5]]), torch.tensor([0]))) == pytest.approx(0.6667, abs=5e-5)


def test_certainty_is_finite_beside_a_right_angle_and_needs_two_classes():
    assert float(certainty(torch.tensor([[0.8, 0.0]]), torch.tensor([0]))) == pytest.approx(0.8)
    with pytest.raises(BadInput, match="two classes"):
        certainty(torch.ones(1, 1), torch.tensor([0]))


def test_certainty_loss_is_square_then_straight():
    zero = torch.zeros(1)
    assert float(certainty_loss(zero + 0.1, zero)) == pytest.approx(10 * 0.01)
    assert float(certainty_loss(zero + 2, zero)) == pytest.approx(10 * 1.75)


# Nets


def test_the_published_net_has_its_published_size():
    with torch.device("meta"):
        net = ViTFIQA()
    assert sum(p.numel() for p in net.parameters()) == 76_025_856
    assert Shape().tokens == 144


def test_a_tenth_of_the_tokens_is_left_out_in_training_and_none_later():
    net = ViTFIQA(SMALL, drop=0.0)
    seen = []
    net.blocks[0].register_forward_hook(lambda *a: seen.append(a[2].shape[1]))
    x = torch.rand(4, 3, 64, 64)
    quality, found = net(x)
    assert quality.shape == (4,)
    assert found.shape == (4, SMALL.embedding)
    net.eval()
    torch.testing.assert_close(net(x)[0], net(x)[0], rtol=0, atol=0)
    assert seen == [59, 65, 65]


def test_embeddings_are_directions_and_slopes_are_finite():
    x = torch.rand(3, 3, 112, 112, generator=torch.Generator().manual_seed(0)).requires_grad_()
    e = embed(x)
    assert e.shape == (3, 128)
    torch.testing.assert_close(e.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(similarity(e, e), torch.ones(3))
    similarity(e[:1], e[1:2]).sum().backward()
    assert x.grad.isfinite().all()
    assert float(x.grad.abs().sum()) > 0
    flat = torch.full((1, 1, 64, 64), 0.5).requires_grad_()
    embed(flat).sum().backward()
    assert flat.grad.isfinite().all()


def test_embeddings_of_a_batch_are_those_of_its_items_and_light_counts_little():
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(embed(x), torch.cat([embed(x[:1]), embed(x[1:])]), rtol=1e-5, atol=1e-6)
    assert float(similarity(embed(x), embed(x * 0.5 + 0.2)).min()) > 0.98


def test_another_recogniser_is_asked_as_it_expects():
    asked = []
    found = embed(torch.zeros(1, 1, 64, 64), model=lambda x: asked.append(x) or x.mean(dim=(2, 3)))
    torch.testing.assert_close(found, torch.full((1, 3), -(3**-0.5)))
    assert asked[0].shape == (1, 3, 112, 112)
    with pytest.raises(BadInput, match="S at least 64"):
        embed(torch.zeros(1, 3, 32, 32))


# The robustness of an embedding


def test_equal_embeddings_are_the_best_and_opposite_ones_the_worst():
    assert float(robustness(torch.ones(5, 4))) == 1
    two = torch.tensor([[1.0, 0], [-1, 0]])
    assert float(robustness(two)) == pytest.approx(get("embedding_robustness").card.scale.worst)


# Landmarks and forest


def frontal(size=100.0, turn=0.0, x=200.0, y=150.0, **changes):
    """The template's face, made symmetric, wherever and however large; its box turns no more than boxes do."""
    p = torch.tensor(TEMPLATE, dtype=torch.float64)
    p[:, 0] -= p[:2, 0].mean()
    p[[0, 1]] = torch.stack([p[0] * 0 + torch.tensor([-17.6, 51.6]), torch.tensor([17.6, 51.6]).double()])
    p[2, 0], p[3], p[4] = 0, torch.tensor([-14.6, 92.3]), torch.tensor([14.6, 92.3])
    p[:, 1] -= 70
    p = p * size / 100
    c, s = math.cos(turn), math.sin(turn)
    p = p @ torch.tensor([[c, s], [-s, c]], dtype=torch.float64) + torch.tensor([x, y], dtype=torch.float64)
    box = (x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    return replace(Face(box, tuple(map(tuple, p.tolist())), 0.9), **changes)


def features(face, height=400, width=400):
    v = geometry([face], height, width)[0]
    assert v.shape == (24,)
    assert v.isfinite().all()
    return v


def differing(a, b):
    return {FEATURES[i] for i in (a - b).abs().gt(1e-6).nonzero()[:, 0].tolist()}


def test_geometry_knows_neither_place_nor_scale_nor_roll():
    v = features(frontal())
    assert differing(v, features(frontal(x=180, y=170))) <= {n for n in FEATURES if n.startswith("margin")}
    logs = {n for n in FEATURES if n.startswith("log2")}
    twice = features(frontal(size=200, x=400, y=300), 800, 800)
    assert differing(v, twice) == logs
    torch.testing.assert_close(twice[[AT[n] for n in logs]], v[[AT[n] for n in logs]] + 1)
    assert differing(v, features(frontal(turn=0.3))) == {"angle of the eyes"}
    assert float(features(frontal(turn=0.3))[AT["angle of the eyes"]]) == pytest.approx(0.3)


def test_a_frontal_face_has_no_yaw_and_a_mirror_turns_it_round():
    v = features(frontal())
    assert v[AT["nose beside the midline"]] == pytest.approx(0, abs=1e-9)
    assert v[AT["log of left by right eye to nose"]] == pytest.approx(0, abs=1e-9)
    points = list(frontal().points)
    points[2] = (points[2][0] + 7, points[2][1])
    turned = frontal(points=tuple(points))
    left, right, nose, ml, mr = ((400 - x, y) for x, y in points)
    mirrored = frontal(points=(right, left, nose, mr, ml))
    a, b = features(turned), features(mirrored)
    signed = [AT[n] for n in ("nose beside the midline", "log of left by right eye to nose")]
    torch.testing.assert_close(a[signed], -b[signed])
    assert float(a[signed[0]]) > 0.1
    same = [i for n, i in AT.items() if i >= 10 and i not in signed]
    torch.testing.assert_close(a[same], b[same], rtol=1e-6, atol=1e-9)


def test_eyes_that_nearly_meet_are_a_profile_and_still_have_numbers():
    points = ((200.0, 130.0), (200.0, 130.0), (215.0, 150.0), (200.0, 170.0), (204.0, 170.0))
    assert profile(frontal(points=points))
    features(frontal(points=points))
    assert not profile(frontal())
    with pytest.raises(CannotAssess, match="no area"):
        features(frontal(box=(1.0, 1.0, 1.0, 5.0)))


def test_a_forest_is_walked_to_its_leaves():
    # one tree: x0 <= .5 ? (x1 <= 2 ? 1 : 2) : 3, and one that is a leaf
    stored = {
        "feature": torch.tensor([0, 1, 0, 0, 0, 0], dtype=torch.uint8),
        "threshold": torch.tensor([0.5, 2.0, 0, 0, 0, 0]),
        "left": torch.tensor([1, 2, 2, 3, 4, 0], dtype=torch.int16),
        "right": torch.tensor([4, 3, 2, 3, 4, 0], dtype=torch.int16),
        "value": torch.tensor([0, 0, 1.0, 2.0, 3.0, 7.0]),
        "roots": torch.tensor([0, 5], dtype=torch.int32),
        "depth": torch.tensor(2),
    }
    x = torch.tensor([[0.5, 2.0], [0.0, 2.5], [1.0, 0.0]])
    assert Forest.of(stored).answers(x).tolist() == [[1, 7], [2, 7], [3, 7]]


def test_the_forest_refuses_made_up_points_and_says_how_sure_it_is():
    forest = get("landmark_forest")
    image = torch.rand(3, 400, 400)
    sure, small = forest(image, [frontal(), frontal(size=12)])
    assert 0 <= small.score < sure.score <= 1
    assert sure.data["spread"] > 0
    assert sure.data["profile"] is False
    with pytest.raises(CannotAssess, match="cannot be relied on"):
        forest(image, [frontal(confidence=0.3)])


def test_the_forest_is_blind_to_the_picture():
    forest = get("landmark_forest")
    assert forest(torch.zeros(3, 400, 400), [frontal()])[0].score == forest(torch.rand(3, 400, 400), [frontal()])[0].score


# All of them


def values(name, image, faces):
    return torch.tensor([float(v.score if isinstance(v, Finding) else v) for v in get(name)(image, faces)])


@pytest.mark.parametrize("name", SCORES)
def test_a_score_is_the_same_again_alone_grey_or_as_bytes(name):
    image = (torch.rand(3, 300, 400, generator=torch.Generator().manual_seed(0)) * 255).byte()
    faces = [frontal(), frontal(size=60, turn=0.2, x=100, y=200)]
    both = values(name, image, faces)
    assert both.isfinite().all()
    torch.testing.assert_close(values(name, image, faces), both, rtol=0, atol=0)
    torch.testing.assert_close(torch.cat([values(name, image, [f]) for f in faces]), both, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(values(name, image.float() / 255, faces), both, rtol=1e-5, atol=1e-5)
    assert values(name, image[:1], faces).isfinite().all()
    assert len(get(name)(image, [])) == 0


@pytest.mark.parametrize("name", SCORES)
def test_weights_are_small(name):
    from assay import weights

    assert all(weights.find(w).stat().st_size < 3_000_000 for w in get(name).card.weights)


def test_the_transformer_has_a_slope():
    image = torch.rand(3, 300, 300, requires_grad=True)
    get("vit-fiqa-assay")(image, [frontal(x=150)]).sum().backward()
    assert image.grad.isfinite().all()
    assert float(image.grad.abs().sum()) > 0


@pytest.mark.parametrize("name", ["vit-fiqa-assay", "embedding_robustness"])
def test_blur_lowers_the_utility_of_real_faces(name, data):
    from assay.degrade.gaussian_blur import gaussian_blur

    falls = []
    for n in (1, 5, 9, 13):
        with Image.open(found(data / f"faces/orl/s{n:02}_01.png")) as image:
            x = torch.from_numpy(np.array(image))[None, None]
        face = Face((12, 20, 80, 108), ((30.0, 50.0), (60.0, 50.0), (45.0, 68.0), (33.0, 86.0), (57.0, 86.0)), 1.0)
        steps = [float(values(name, gaussian_blur(x, sigma=s)[0], [face])) for s in (0, 2, 5)]
        falls.append(steps[0] > steps[2])
    assert sum(falls) >= 3
