"""The face finder: what must hold whatever it has learned, and on real faces what it must have learned."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from assay import weights
from assay.face.faces import faces as card
from assay.nets import face_finder, face_points
from assay.nets.face_finder import LEAST, STRIDE, decoded, find, tiles
from assay.nets.face_points import histograms, moved, off, settled
from assay.ops.detections import boxed, kept, overlap
from assay.types import BadInput, CannotAssess, Face, MissingWeights
from pictures import found as there

ANY = 0.02  # a confidence at which even noise holds faces, so that there is something to compare


@pytest.fixture(scope="module")
def noise():
    soft = torch.nn.functional.interpolate(torch.rand(2, 3, 20, 26, generator=torch.Generator().manual_seed(3)), (150, 203), mode="bicubic")
    return (soft.clamp(0, 1) * 255).to(torch.uint8)


def close(a, b, within=0.05, sure=1e-3):
    assert [len(t) for t in a] == [len(t) for t in b]
    for one, other in zip((f for t in a for f in t), (f for t in b for f in t), strict=True):
        np.testing.assert_allclose(one.box, other.box, atol=within)
        np.testing.assert_allclose(one.points, other.points, atol=within)
        assert one.confidence == pytest.approx(other.confidence, abs=sure)


def test_overlap_and_suppression():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30], [2, 2, 6, 6]], dtype=float)
    assert overlap(boxes[0], boxes) == pytest.approx([1, 81 / 119, 0, 0.16])
    assert overlap(boxes[0], boxes[3:], of="smaller") == pytest.approx([1])
    scores = np.array([0.5, 0.9, 0.7, 0.5])
    assert kept(boxes, scores, limit=0.4).tolist() == [1, 2, 3]
    assert kept(boxes, scores, limit=0.4, of="smaller").tolist() == [1, 2]
    assert kept(boxes, scores, limit=0.4, most=2).tolist() == [1, 2]
    assert kept(boxes[:0], scores[:0], limit=0.4).tolist() == []
    assert kept(boxes[[0, 0, 0]], scores[[0, 0, 0]], limit=0.4).tolist() == [0]


def test_decoding():
    raw = torch.zeros(1, 15, 4, 6)
    raw[0, 1:5, 2, 3] = torch.tensor([0.5, -0.25, 0.0, 1.0])
    raw[0, 5:7, 2, 3] = torch.tensor([-0.25, 0.5])
    seen = decoded(raw)[0, :, 2, 3]
    x, y, h = STRIDE * 3.5 + 4, STRIDE * 2.5 - 2, 16 * float(np.exp(1.0))
    assert seen[1:7].tolist() == pytest.approx([x, y, 16, h, x - 4, y + h / 2], rel=1e-5)


@pytest.mark.parametrize(("h", "w"), [(1, 1), (7, 90), (64, 64), (1500, 2300)])
def test_every_place_of_a_picture_is_answered_for_once(h, w):
    count = np.zeros((h, w), dtype=int)
    for (x, y), tile, (left, top, right, bottom) in tiles(torch.zeros(1, 1, h, w)):
        n, m = tile.shape[2:]
        assert n % 32 == 0
        assert m % 32 == 0
        at_x, at_y = (np.arange(0, k) + 0.5 for k in (m, n))
        mine_x, mine_y = at_x[(at_x >= left) & (at_x < right)] + x, at_y[(at_y >= top) & (at_y < bottom)] + y
        mine_x, mine_y = (v[(v > 0) & (v < k)].astype(int) for v, k in ((mine_x, w), (mine_y, h)))
        count[np.ix_(mine_y, mine_x)] += 1
    assert (count == 1).all()


def test_a_batch_is_a_loop_and_looking_twice_is_looking_once(noise):
    batch = find(noise, confidence=ANY)
    assert sum(map(len, batch)) > 0
    assert batch == [find(x[None], confidence=ANY)[0] for x in noise] == find(noise, confidence=ANY)
    floats = find(noise.float() / 255, confidence=ANY)  # bytes stay bytes when they are scaled, so these differ in rounding
    for faces, others in zip(batch, floats, strict=True):
        boxes = np.array([f.box for f in others])
        assert np.mean([overlap(np.array(f.box), boxes).max() > 0.8 for f in faces if f.confidence > 2 * ANY]) > 0.8
    for faces in batch:
        assert faces == sorted(faces, key=lambda f: -f.size)
        assert all(len(f.points) == 5 and 0 < f.confidence < 1 for f in faces)


def test_grey_is_three_equal_channels(noise):
    grey = noise[:, :1]
    close(find(grey, confidence=ANY), find(grey.expand(-1, 3, -1, -1).contiguous(), confidence=ANY))


def test_tiles_change_next_to_nothing(noise, monkeypatch):
    x = noise[:1].repeat(1, 1, 2, 2)
    with torch.no_grad():
        whole = face_finder.proposals(x[0], ANY, LEAST)
        monkeypatch.setattr(face_finder, "TILE", 128)
        tiled = face_finder.proposals(x[0], ANY, LEAST)
    boxes = np.array([f.box for f in tiled])
    sure = [f for f in whole if f.confidence > 2 * ANY]
    assert len(sure) > 5
    assert np.mean([overlap(np.array(f.box), boxes).max() > 0.9 for f in sure]) > 0.9


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (9, 5), (40, 31)])
def test_tiny_and_narrow_pictures(size):
    for faces in find(torch.rand(1, 3, *size), confidence=ANY):
        assert all(np.isfinite(f.box).all() and np.isfinite(f.points).all() for f in faces)


def test_a_huge_flat_picture_holds_no_face():
    assert find(torch.full((1, 1, 3000, 4000), 90, dtype=torch.uint8), smallest=60, turned=False) == [[]]


def test_no_more_than_five_hundred(noise):
    (faces,) = find(noise[:1].repeat(1, 1, 6, 6), confidence=1e-6, smallest=5, turned=False)
    assert 100 < len(faces) <= 500


def test_what_is_refused(noise):
    with pytest.raises(BadInput, match="NaN"):
        find(torch.full((1, 3, 32, 32), float("nan")))
    with pytest.raises(BadInput, match="N×C×H×W"):
        find(noise[0])
    with pytest.raises(BadInput, match="smallest must be at least 5 pixels; got 2"):
        find(noise, smallest=2)
    with pytest.raises(BadInput, match="confidence must lie between 0 and 1"):
        find(noise, confidence=50)
    with pytest.raises(BadInput, match="model must be one of assay, mtcnn"):
        find(noise, model="yunet")


def test_the_card(noise, monkeypatch):
    with pytest.raises(CannotAssess, match="No face was found"):
        card(torch.zeros(1, 3, 64, 64))
    face = Face((10.0, 20.0, 50.0, 70.0), ((20.0, 35.0), (40.0, 35.0), (30.0, 45.0), (22.0, 58.0), (38.0, 58.0)), 0.9)
    monkeypatch.setattr(face_finder, "find", lambda x, **_: [[face]] * len(x))
    one, _ = card(noise)
    assert one.evidence[0].says == "One face was found; it is 40 pixels wide, with 20 pixels between the eyes."
    assert one.data["faces"] == [
        {"box": [10, 20, 50, 70], "points": [list(p) for p in face.points], "confidence": 0.9, "size": 40, "eye_distance": 20}
    ]


def test_shipped_weights_are_small_and_half():
    paths = [weights.find(w) for w in (face_finder.MODEL, face_points.MODEL)]
    assert sum(p.stat().st_size for p in paths) <= 1_000_000
    assert {str(t.dtype) for p in paths for t in load_file(p).values()} <= {"torch.float16", "torch.int64"}


def test_points_move_in_the_frame_of_the_face():
    right = torch.tensor([(30.0, 40), (70, 38), (52, 62), (36, 85), (68, 84)], dtype=torch.float64)
    wrong = right + torch.tensor([(4.0, -3), (1, 2), (-5, 0), (2, 2), (0, -4)], dtype=torch.float64)
    face = Face((10.0, 10.0, 90.0, 110.0), tuple((float(a), float(b)) for a, b in wrong), 0.9)
    np.testing.assert_allclose(moved(face, off(wrong, right)).points, right)


def test_a_face_beyond_the_picture_keeps_its_points():
    face = Face((900.0, 10.0, 990.0, 110.0), ((930.0, 40.0), (970.0, 40.0), (950.0, 60.0), (935.0, 80.0), (965.0, 80.0)), 0.9)
    assert settled(torch.zeros(1, 100, 100), face) == face


def test_histograms_do_not_know_the_light():
    x = torch.rand(1, 1, 48, 48, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(histograms(0.4 * x + 0.3), histograms(x), atol=0.02, rtol=0)
    assert histograms(torch.zeros(2, 1, 48, 48)).isfinite().all()


def test_points_of_a_face_known_by_its_box_lie_in_order():
    (a, b, nose, c, d) = boxed(np.array([10, 10, 110, 150.0]), 0.5).points
    assert a[0] < nose[0] < b[0]
    assert c[0] < nose[0] < d[0]
    assert a[1] == b[1] < nose[1] < c[1] == d[1]


def pixels(path):
    return torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def portraits(data):
    """Some of the portraits that no net was trained on."""
    files = sorted(there(data / "faces/portraits").glob("*.jpg"))
    return [pixels(p) for p in files if hashlib.sha256(p.name.encode()).digest()[0] % 5 == 0][:24]


def upright(face, width, height):
    """Whether the face fills a fair part of a portrait and its points lie as they should."""
    (ax, ay), (bx, by), (_, ny), (_, cy), (_, dy) = face.points
    return ax < bx and max(ay, by) < ny < min(cy, dy) and face.size > 0.15 * min(width, height)


def test_portraits_are_found(portraits):
    hits = [any(upright(f, 512, 512) for f in find(x)[0]) for x in portraits]
    assert np.mean(hits) >= 0.9


def test_one_face_a_portrait(portraits):
    assert np.mean([len(find(x)[0]) for x in portraits]) < 1.3


def test_upside_down_and_turned(portraits):
    hits = []
    for x in portraits[:8]:
        for quarter in (1, 2, 3):
            for f in find(x.rot90(quarter, (2, 3)))[0][:1]:
                a, b = np.array(f.points[0]), np.array(f.points[1])
                along = {1: (0, -1), 2: (-1, 0), 3: (0, 1)}[quarter]  # where the second eye lies, seen from the first
                hits.append(np.dot(b - a, along) > 0.8 * f.eye_distance)
    assert np.mean(hits) >= 0.8
    assert len(hits) >= 0.8 * 24


def test_half_a_face_and_one_larger_than_the_picture(portraits):
    halves, close_up = [], []
    for x in portraits[:12]:
        faces = find(x)[0]
        if faces:
            x0, y0, x1, y1 = (int(v) for v in faces[0].box)
            halves.append(bool(find(x[:, :, :, : int(x0 + 0.65 * (x1 - x0))])[0]))
            close_up.append(bool(find(x[:, :, max(0, y0 + (y1 - y0) // 8) : y1 - (y1 - y0) // 12, max(0, x0 + 8) : x1 - 8])[0]))
    assert np.mean(halves) >= 0.6
    assert np.mean(close_up) >= 0.6


def test_official_files_agree_on_portraits(portraits, data):
    there(data / "weights")
    for model in ("mtcnn", "blazeface"):
        for x in portraits[:3]:
            (faces,) = find(x, model=model, confidence=0.7)
            assert upright(faces[0], 512, 512)


def test_rfb_needs_onnxruntime(portraits):
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        with pytest.raises(MissingWeights, match=r"pip install assay\[onnx\]"):
            find(portraits[0], model="rfb-320")
        return
    assert len(find(portraits[0], model="rfb-320")[0]) == 1


def test_the_cascade_finds_an_astronaut(photo):
    x = torch.from_numpy(photo[:220, 130:330].copy()).permute(2, 0, 1)[None]
    (face,) = find(x, model="lbp", smallest=60)[0][:1]
    assert overlap(np.array(face.box), np.array([[40.0, 60, 150, 170]]))[0] > 0.3
