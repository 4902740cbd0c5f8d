"""Pictures with faces in them, made on the fly: what the face finder is trained on.

    python recipes/face_finder_data.py DATA --out labels.json    # boxes and points on which two official detectors agree
    python recipes/face_finder_data.py DATA --labels labels.json --show sheet.png

Heads are cut out of clean-licence portraits (with hair and shoulders, as ovals, or as pictures in the picture), their faces
exchanged at times, their light, colour, pose and size varied, covered in part, and pasted onto photographs; the whole is then
greyed, darkened, blurred, made noisy and compressed. Textures, shoulders, scrambled and upside-down faces teach what no face is.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from assay.nets.face_finder import find
from assay.ops.detections import overlap

SIDE = 128  # of a picture made for training
BASE = 256  # pixels of a portrait kept in memory
SIZES = (9.0, 85.0)  # heights of pasted faces, in pixels
IGNORED, WANTED = 0, 1
SCENES = ("pristine/camera", "pristine/kodak", "pristine/gb82", "camera/native_crop")
FACES = ("faces/portraits", "faces/deepface", "faces/dlib", "faces/orl", "faces/gan_real", "faces/sg3")
Matrix = NDArray[np.float64]


def part(path: Path) -> str:
    """Which of three sets a file belongs to, by its name alone: held out, for choosing, or for training."""
    return {0: "test", 1: "interval"}.get(hashlib.sha256(path.name.encode()).digest()[0] % 5, "train")


@dataclass
class Head:
    """A portrait at several sizes, with the box and the five points of its face in pixels of the first."""

    sizes: list[Image.Image]
    box: Matrix
    points: Matrix


@dataclass
class Sample:
    """One picture; each face is centre x, y, width, height, ten numbers of points, and whether it is wanted or to be ignored."""

    image: NDArray[np.uint8]
    faces: Matrix


class Pool:
    """Makes samples from portraits and backgrounds held in memory."""

    def __init__(self, data: Path, labels: dict[str, Any], *, wanted: str = "train", swaps: int = 400, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.hard = 1.0  # how often and how far pictures are made difficult, from 0 to 1
        self.heads = [h for p in sorted((data / "faces/portraits").glob("*.jpg")) if part(p) == wanted for h in _head(p, data, labels)]
        self.backgrounds = backgrounds(data, labels, wanted)
        self.heads += [self._swapped() for _ in range(swaps)]

    def sample(self) -> Sample:
        """One picture of SIDE × SIDE with what is in it."""
        rng = self.rng
        canvas, faces = self._background(), list[Matrix]()
        if rng.random() < 0.9:
            biggest = float(np.exp(rng.uniform(*np.log(SIZES))))
            for _ in range(int(rng.integers(3))):
                self._decoy(canvas, biggest)
            for i in range(int(rng.choice([1, 3, 6, 10], p=[0.2, 0.3, 0.3, 0.2]))):
                self._paste(canvas, faces, biggest * (rng.uniform(0.6, 1.1) if i else 1))
        else:
            self._decoy(canvas, 60)
        x = self._seen(canvas)
        if rng.random() < 0.25:  # the picture ends within: what the finder shows the net is padded with middle grey
            x, faces = self._ends(x, faces)
        return Sample(x, np.array(faces).reshape(-1, 15))

    def _background(self) -> Image.Image:
        rng = self.rng
        if rng.random() < 0.15:  # a plain or graded wall
            a, b = rng.integers(0, 256, (2, 3))
            ramp = np.linspace(0, 1, SIDE)[:, None, None] if rng.random() < 0.5 else np.linspace(0, 1, SIDE)[None, :, None]
            wall = a * (1 - ramp) + b * ramp + rng.normal(0, rng.uniform(0, 8), (SIDE, SIDE, 1))
            return Image.fromarray(np.broadcast_to(wall.clip(0, 255), (SIDE, SIDE, 3)).astype(np.uint8))
        return self._texture(SIDE, SIDE)

    def _texture(self, w: int, h: int) -> Image.Image:
        """A piece of a photograph without faces."""
        rng = self.rng
        source = self.backgrounds[rng.integers(len(self.backgrounds))]
        scale = min(float(np.exp(rng.uniform(math.log(0.7), math.log(3.5)))), source.width / w, source.height / h)
        a, b = w * scale, h * scale
        x, y = rng.random(2) * (source.width - a, source.height - b)
        box = (max(0, x), max(0, y), min(x + a, source.width), min(y + b, source.height))
        piece = source.resize((w, h), Image.Resampling.BILINEAR, box=box, reducing_gap=1.5)
        return ImageOps.mirror(piece) if rng.random() < 0.5 else piece

    def _paste(self, canvas: Image.Image, faces: list[Matrix], size: float) -> None:
        """Put one head into the canvas and note where its face came to lie."""
        rng = self.rng
        head = self.heads[rng.integers(len(self.heads))]
        turn = float(
            rng.choice(
                [rng.normal(0, 14), rng.uniform(-50, 50), rng.uniform(-180, 180)],
                p=[1 - 0.25 * self.hard, 0.2 * self.hard, 0.05 * self.hard],
            )
        )
        inside = 0.5 * size if rng.random() < 0.8 else 0.05 * size
        at = rng.uniform(min(inside, SIDE / 2), max(SIDE - inside, SIDE / 2), 2)
        if any(abs(at - f[:2]).max() < 0.6 * (size + f[3]) for f in faces):
            return
        place, scale = self._placement(head, size, at, turn)
        style = rng.choice(["portrait", "shoulders", "oval", "tight", "square"], p=[0.3, 0.3, 0.15, 0.1, 0.15])
        layer, mask, corner = self._layer(head, place, scale, str(style))
        canvas.paste(layer, corner, mask)
        centre, pts = _through(place, (head.box[:2] + head.box[2:]) / 2), _through(place, head.points)
        w, h = scale[0] * (head.box[2] - head.box[0]), scale[1] * (head.box[3] - head.box[1])
        kind = WANTED if abs(turn) < 65 else IGNORED
        if abs(turn) < 115:
            faces.append(np.array([*centre, w, h, *pts.ravel(), kind]))
        if rng.random() < 0.2 * self.hard:
            self._cover(canvas, centre, size)

    def _placement(self, head: Head, size: float, at: Matrix, turn: float) -> tuple[Matrix, Matrix]:
        """From pixels of the portrait to pixels of the canvas, and the scale along both axes: pose, mirror, shear, perspective."""
        rng = self.rng
        k = size / (head.box[3] - head.box[1])
        scale = np.array([k * rng.uniform(0.82, 1.12), k])
        t = math.radians(turn)
        rotate = np.array([[math.cos(t), -math.sin(t), at[0]], [math.sin(t), math.cos(t), at[1]], [0, 0, 1]])
        lean = np.array([[1, rng.normal(0, 0.06), 0], [rng.normal(0, 0.04), 1, 0], [0, 0, 1]])
        far = np.eye(3)
        far[2, :2] = rng.normal(0, 0.12, 2) / size
        middle = (head.box[:2] + head.box[2:]) / 2
        shift = np.array([[scale[0], 0, -middle[0] * scale[0]], [0, scale[1], -middle[1] * scale[1]], [0, 0, 1]])
        place: Matrix = rotate @ lean @ far @ shift
        return place, scale

    def _layer(self, head: Head, place: Matrix, scale: Matrix, style: str) -> tuple[Image.Image, Image.Image, tuple[int, int]]:
        """The head as it comes to lie in the canvas, its soft mask, and the corner of both."""
        rng = self.rng
        outline = _through(place, self._outline(head, style))
        inside = np.clip(outline, -8, SIDE + 8)
        left, top = (int(v) for v in np.clip(np.floor(inside.min(0)) - 3, 0, SIDE - 1))
        right, bottom = (int(v) for v in np.clip(np.ceil(inside.max(0)) + 3, 1, SIDE))
        w, h = max(1, right - left), max(1, bottom - top)
        level = int(np.clip(np.floor(np.log2(1 / scale.max()) + 0.3), 0, len(head.sizes) - 1))
        down = np.diag([0.5**level, 0.5**level, 1.0])
        back = down @ np.linalg.inv(place) @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
        back = (back / back[2, 2]).ravel()[:8]
        layer = head.sizes[level].transform((w, h), Image.Transform.PERSPECTIVE, tuple(back), Image.Resampling.BILINEAR)
        mask = Image.new("L", (w, h))
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in outline], fill=255)
        soft = float(rng.uniform(0, 0.07) * scale[1] * (head.box[3] - head.box[1]))
        mask = mask.filter(ImageFilter.GaussianBlur(soft)) if soft > 0.5 else mask
        return Image.fromarray(self._lit(np.asarray(layer, np.float32))), mask, (left, top)

    def _outline(self, head: Head, style: str) -> Matrix:
        """What is cut out of the portrait, as a polygon."""
        rng = self.rng
        (x0, y0, x1, y1), n = head.box, BASE - 1
        w, h, x, y = x1 - x0, y1 - y0, (x0 + x1) / 2, (y0 + y1) / 2
        if style == "portrait":
            return np.array([[1, 1], [n, 1], [n, n], [1, n]], float)
        if style == "square":
            a, c, d, e = rng.uniform(0.05, 0.9, 4)
            box = np.clip([x0 - a * w, y0 - c * h, x1 + d * w, y1 + e * h], 1, n)
            return np.array([[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]]])
        grow = {"tight": rng.uniform(0.55, 0.65), "oval": rng.uniform(0.75, 0.95), "shoulders": rng.uniform(0.75, 0.95)}[style]
        angle = np.linspace(0, 2 * math.pi, 32, endpoint=False)
        ring = np.stack([x + grow * w * np.cos(angle), y - 0.06 * h + grow * h * np.sin(angle)], axis=1)
        if style != "shoulders":
            return np.asarray(np.clip(ring, 1, n))
        upper = ring[ring[:, 1] < y + 0.3 * h]
        upper = upper[np.argsort(upper[:, 0])]
        out, low, neck = rng.uniform(1.0, 1.8) * w, rng.uniform(0.35, 0.55) * h, y1 + 0.1 * h
        left = [[x - out, n], [x - out, y1 + low], [x - 0.75 * w, neck]]
        right = [[x + 0.75 * w, neck], [x + out, y1 + low], [x + out, n]]
        return np.clip(np.array([*left, *upper.tolist(), *right]), 1, n)

    def _lit(self, x: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Another light: colour, brightness, contrast, and a shadow from one side."""
        rng = self.rng
        if rng.random() < 0.7 * self.hard:
            x = x * rng.uniform(0.75, 1.25, 3).astype(np.float32)
            mean = x.mean()
            x = (x - mean) * np.float32(rng.uniform(0.5, 1.3)) + mean * np.float32(rng.uniform(0.55, 1.4))
        if rng.random() < 0.3 * self.hard:
            ramp = np.linspace(rng.uniform(0.25, 1), rng.uniform(0.6, 1.3), x.shape[1], dtype=np.float32)
            x = x * (ramp if rng.random() < 0.5 else ramp[::-1])[None, :, None]
        if rng.random() < 0.25:
            x = np.repeat(x @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=2)
        return np.asarray(x.clip(0, 255).astype(np.uint8))

    def _cover(self, canvas: Image.Image, centre: Matrix, size: float) -> None:
        """Hide a part of a face: its lower half, its eyes, or a patch at its side."""
        rng = self.rng
        w, h = size * rng.uniform(0.3, 1.0), size * rng.uniform(0.12, 0.42)
        if rng.random() < 0.4:
            w, h = h, w
        at = centre + rng.uniform(-0.5, 0.5, 2) * size
        box = [int(v) for v in (at[0] - w / 2, at[1] - h / 2, at[0] + w / 2 + 1, at[1] + h / 2 + 1)]
        size_of = (max(1, box[2] - box[0]), max(1, box[3] - box[1]))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        patch = Image.new("RGB", size_of, colour) if rng.random() < 0.5 else self._texture(*size_of)
        canvas.paste(patch, (box[0], box[1]))

    def _decoy(self, canvas: Image.Image, size: float) -> None:
        """What is no face but looks pasted, or is a part of one: textures, shoulders, scrambled and overturned faces."""
        rng = self.rng
        side = int(min(SIDE, max(12, size * rng.uniform(0.8, 2))))
        kind = rng.integers(3)
        if kind == 0:
            patch = self._texture(side, side)
        else:
            head = self.heads[rng.integers(len(self.heads))]
            x0, y0, x1, y1 = head.box
            if kind == 1:  # clothes, or a piece of hair and wall
                low = rng.random() < 0.6
                box = (x0 - 10, min(y1 + 0.15 * (y1 - y0), BASE - 40), x1 + 10, BASE) if low else (1, 1, max(30, x0 - 20), y0 + 20)
            else:
                box = (x0, y0, x1, y1)
            patch = head.sizes[0].resize((side, side), Image.Resampling.BILINEAR, box=tuple(np.clip(box, 0, BASE)), reducing_gap=1.5)
            if kind == 2:
                patch = _scrambled(patch, int(rng.integers(3)))
            patch = Image.fromarray(self._lit(np.asarray(patch, np.float32)))
        mask = Image.new("L", (side, side))
        (ImageDraw.Draw(mask).ellipse if rng.random() < 0.7 else ImageDraw.Draw(mask).rectangle)((0, 0, side - 1, side - 1), fill=255)
        mask = mask.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 0.06) * side)))
        canvas.paste(patch, tuple(int(v) for v in rng.uniform(-side / 3, SIDE - side * 2 / 3, 2)), mask)

    def _seen(self, canvas: Image.Image) -> NDArray[np.uint8]:
        """What a camera, an editor and a network do to it."""
        rng = self.rng
        if rng.random() < 0.25 * self.hard:
            k = rng.uniform(0.4, 0.9)
            canvas = canvas.resize((int(SIDE * k), int(SIDE * k)), Image.Resampling.BILINEAR).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        elif rng.random() < 0.2 * self.hard:
            canvas = canvas.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 1.8))))
        if rng.random() < 0.3 * self.hard:
            canvas = canvas.convert("L").convert("RGB")
        x = np.asarray(canvas, np.float32)
        if rng.random() < 0.6 * self.hard:
            x = 255 * (x / 255) ** np.float32(rng.uniform(0.5, 1.9)) * np.float32(rng.uniform(0.35, 1.25)) + np.float32(rng.uniform(0, 40))
        if rng.random() < 0.4 * self.hard:
            x = x * rng.uniform(0.8, 1.2, 3).astype(np.float32)
        if rng.random() < 0.3 * self.hard:
            x = x + rng.normal(0, rng.uniform(1, 14), (SIDE, SIDE, 1 if rng.random() < 0.5 else 3)).astype(np.float32)
        x = x.clip(0, 255).astype(np.uint8)
        if rng.random() < 0.4 * self.hard:
            file = io.BytesIO()
            Image.fromarray(x).save(file, "JPEG", quality=int(rng.integers(15, 90)))
            x = np.asarray(Image.open(file).convert("RGB"))
        return np.asarray(x)

    def _ends(self, x: NDArray[np.uint8], faces: list[Matrix]) -> tuple[NDArray[np.uint8], list[Matrix]]:
        """Cut one to three sides off, so that faces are halved, and fill with middle grey."""
        rng = self.rng
        cut = np.where(rng.random(4) < 0.5, rng.integers(0, SIDE // 3, 4), 0)
        full = np.full_like(x, 128)
        inside = (slice(cut[1], SIDE - cut[3]), slice(cut[0], SIDE - cut[2]))
        full[inside] = x[inside]
        for f in faces:
            low, high = np.maximum(f[:2] - f[2:4] / 2, cut[:2]), np.minimum(f[:2] + f[2:4] / 2, SIDE - cut[2:])
            seen = np.clip(high - low, 0, None).prod() / f[2:4].prod()
            f[14] = f[14] if seen > 0.45 else IGNORED
        return full, faces

    def _swapped(self) -> Head:
        """The head of one person with the face of another, laid over it by their points."""
        rng = self.rng
        a, b = (self.heads[i] for i in rng.choice(len(self.heads), 2, replace=False))
        source, target = np.c_[b.points, np.ones(5)], a.points
        affine = np.linalg.lstsq(np.c_[target, np.ones(5)], source[:, :2], rcond=None)[0].T
        face = b.sizes[0].transform((BASE, BASE), Image.Transform.AFFINE, tuple(affine.ravel()), Image.Resampling.BILINEAR)
        x, y = np.asarray(face, np.float32), np.asarray(a.sizes[0], np.float32)
        x0, y0, x1, y1 = (int(v) for v in a.box.clip(0, BASE))
        inside = (slice(y0, y1), slice(x0, x1))
        x = x + 0.8 * (y[inside].mean((0, 1)) - x[inside].mean((0, 1)))
        mask = Image.new("L", (BASE, BASE))
        ImageDraw.Draw(mask).ellipse((x0, y0 + 0.08 * (y1 - y0), x1, y1), fill=int(rng.uniform(120, 255)))
        alpha = np.asarray(mask.filter(ImageFilter.GaussianBlur(5)), np.float32)[..., None] / 255
        mixed = Image.fromarray((alpha * x + (1 - alpha) * y).clip(0, 255).astype(np.uint8))
        return Head(_sizes(ImageOps.mirror(mixed)), a.box[[2, 1, 0, 3]] * [-1, 1, -1, 1] + [BASE, 0, BASE, 0], _mirrored(a.points))


def _head(path: Path, data: Path, labels: dict[str, Any]) -> list[Head]:
    """The portrait and its mirror image, where both detectors agree on just one face."""
    found = labels.get(str(path.relative_to(data)), [])
    if len(found) != 1 or not found[0]["agree"]:
        return []
    image = Image.open(path).convert("RGB")
    k = BASE / image.width
    image = image.resize((BASE, BASE), Image.Resampling.LANCZOS)
    box, points = np.array(found[0]["box"]) * k, np.array(found[0]["points"]) * k
    other = box[[2, 1, 0, 3]] * [-1, 1, -1, 1] + [BASE, 0, BASE, 0]
    return [Head(_sizes(image), box, points), Head(_sizes(ImageOps.mirror(image)), other, _mirrored(points))]


def _mirrored(points: Matrix) -> Matrix:
    return np.asarray(points[[1, 0, 2, 4, 3]] * [-1, 1] + [BASE, 0])


def _sizes(image: Image.Image) -> list[Image.Image]:
    return [image, *(image.resize((BASE >> i, BASE >> i), Image.Resampling.BOX) for i in (1, 2, 3))]


def _scrambled(face: Image.Image, how: int) -> Image.Image:
    """Its parts in the wrong places: overturned, halves exchanged, or quarters turned about."""
    x = np.asarray(face)
    n = len(x) // 2
    if how == 0:
        return ImageOps.flip(face)
    if how == 1:
        return Image.fromarray(np.concatenate([x[n:], x[:n]]))
    return Image.fromarray(np.concatenate([np.concatenate([x[n:, n:], x[n:, :n]], 1), np.concatenate([x[:n, n:], x[:n, :n]], 1)]))


def _through(place: Matrix, points: Matrix) -> Matrix:
    p = np.c_[np.atleast_2d(points), np.ones(len(np.atleast_2d(points)))] @ place.T
    return np.asarray((p[:, :2] / p[:, 2:]).reshape(points.shape))


def backgrounds(data: Path, labels: dict[str, Any], wanted: str) -> list[Image.Image]:
    """Photographs of one part in which neither detector saw anything like a face."""
    found = []
    for folder in SCENES:
        for path in photographs(data / folder):
            key = str(path.relative_to(data))
            if part(path) == wanted and not labels.get(key) and key in labels:
                image = Image.open(path).convert("RGB")
                image.thumbnail((640, 640))
                found.append(image)
    return found


def labelled(path: Path) -> list[dict[str, Any]]:
    """The faces MTCNN finds, largest first, and whether RFB-320 agrees. Small pictures are enlarged first."""
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    zoom = 3 if max(image.size) < 200 else 1
    large = image.resize((image.width * zoom, image.height * zoom), Image.Resampling.BICUBIC)
    x, y = (torch.from_numpy(np.array(i)).permute(2, 0, 1)[None] for i in (large, image))
    (seen,) = find(x, model="mtcnn", confidence=0.7, smallest=18, turned=False)
    (other,) = find(y, model="rfb-320", confidence=0.5, smallest=6, turned=False)
    others = np.array([f.box for f in other]).reshape(-1, 4)
    return [
        {
            "box": [round(v / zoom, 2) for v in f.box],
            "points": [[round(v / zoom, 2) for v in p] for p in f.points],
            "confidence": round(f.confidence, 4),
            "agree": bool((overlap(np.array(f.box) / zoom, others) > 0.4).any()),
        }
        for f in seen
    ]


def photographs(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))


def show(pool: Pool, path: Path, columns: int = 8) -> None:
    """A sheet of samples with boxes and points drawn in."""
    sheet = Image.new("RGB", (columns * SIDE, 5 * SIDE))
    for i in range(columns * 5):
        s = pool.sample()
        image = Image.fromarray(s.image)
        draw = ImageDraw.Draw(image)
        for x, y, w, h, *points, kind in s.faces:
            draw.rectangle((x - w / 2, y - h / 2, x + w / 2, y + h / 2), outline=(0, 255, 0) if kind else (255, 0, 0))
            for a, b in np.reshape(points, (5, 2)):
                draw.point((a, b), fill=(255, 255, 0))
        sheet.paste(image, (i % columns * SIDE, i // columns * SIDE))
    sheet.save(path)


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("data", type=Path)
    cli.add_argument("--labels", type=Path)
    cli.add_argument("--show", type=Path)
    cli.add_argument("--out", type=Path)
    args = cli.parse_args()
    if args.out:
        folders = [args.data / f for f in (*FACES, *SCENES)]
        files = [p for folder in folders if folder.is_dir() for p in photographs(folder)]  # the sets for measuring may be absent
        args.out.write_text(json.dumps({str(p.relative_to(args.data)): labelled(p) for p in files}), "utf-8")
    if args.show:
        show(Pool(args.data, json.loads((args.labels or args.out).read_text("utf-8")), swaps=20), args.show)
