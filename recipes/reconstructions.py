"""Makes pairs for the detector of generated pictures: photographs, and what decoders of many kinds make of them.

    python recipes/reconstructions.py train DATA --out BANK [--only vae,vq]
    python recipes/reconstructions.py bank DATA --out BANK [--parts train,validate,test] [--harmonised]

DATA holds pristine/, camera/native_crop/ and faces/portraits/. `train` fits seven small decoders on one thread,
a file each as it is done. `bank` writes for each part of the photographs (train, validate, test) one array of bytes for the
photographs and one for each decoder, crops × 3 × SIDE × SIDE. It leaves out what is there already.

Only decoders leave the traces that are sought, so no encoder is trained: the code of a picture is the leading principal
components of its STRIDE×STRIDE squares, a little disturbed (noise as in a VAE, or the nearest of a few words as in a VQ-VAE).
A decoder learns pixels and, by the logarithm of local energies in eight 3×3 DCT bands, texture: without that all of them would
blur, and blur would be what the detector learns. `linear` decoders are solved for by least squares, 24 of them, seconds in all;
`enlarge` reduces a picture by half, repeats or spreads its pixels and sharpens by the best 5×5 filter.
HELD_OUT families never meet the detector before it is tested.

So that a pair differs by the decoder alone: photographs that came as JPEG are either reduced before (which removes their grid), or
their reconstruction is saved as JPEG on the same grid with the same tables. Borders of a decoder's field are cut off.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import fft
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, fold, interpolate, pixel_shuffle, pixel_unshuffle, relu, unfold

Bytes = NDArray[np.uint8]
SIDE, MARGIN = 192, 16  # pixels of a crop that is kept, and around it while it is reconstructed
PATCH, BATCH, RATE = 96, 8, 2e-3
NOISE = 0.05  # of the code, in standard deviations
RIVAL, RIVAL_FROM = 0.3, 100  # its pull beside that of the other losses, and the step at which it joins
TEXTURE, FLOOR = 0.02, (2 / 255) ** 2  # weight of the loss of local energies; energy below which nothing is told apart


@dataclass(frozen=True)
class Kind:
    """How a decoder is built."""

    name: str
    family: str
    up: str  # "deconv4", "deconv3", "nearest", "bilinear", "shuffle", "fir"
    stride: int = 4
    code: int = 16  # channels
    norm: bool = False  # GroupNorm and SiLU as in latent diffusion, else ReLU
    words: int = 0  # of a codebook for every four channels; 0 means noise instead
    grain: bool = False  # noise is added after each layer, as in StyleGAN
    skip: bool = False  # a small picture is enlarged beside, and added, as in StyleGAN 2
    steps: int = 300  # of training
    deep: bool = False  # blocks of two convolutions at every size, the linear picture beside, and a rival that tells it from photographs


KINDS = (
    Kind("deconv4", "deconv", "deconv4", steps=397),
    Kind("deconv3", "deconv", "deconv3", stride=2, code=6, grain=True, steps=694),
    Kind("shuffle", "shuffle", "shuffle", stride=2, code=8, steps=625),
    Kind("vae", "vae", "nearest", code=24, norm=True, skip=True, steps=260),
    Kind("bilinear", "bilinear", "bilinear", stride=2, code=8, skip=True, steps=332),
    Kind("vq", "vq", "nearest", stride=2, code=8, norm=True, words=512, steps=138),
    Kind("style", "style", "fir", stride=2, code=8, grain=True, skip=True, steps=184),
)
LATER = (Kind("sd4", "sd", "nearest", code=8, norm=True, steps=500, deep=True),)  # not what the shipped net learned from
TURN = np.array([[0.299, 0.5, 0.5], [0.587, -0.5, 0.0], [0.114, 0.0, -0.5]])  # RGB to luma and two differences of colours
BANDS, STEEP, QUIET = 24, 30.0, 30.0  # rings below half the sampling rate; most that a power is multiplied by; power that is added
SHARES = (0.8, 1.2)  # of the way to the photograph's spectrum
LINEAR, ENLARGE = 24, 6  # how many decoders of these families there are
LINES = 2  # linear reconstructions of each crop, beside one of every learned decoder
HELD = 100  # crops for validation and for test
HELD_OUT = ("shuffle", "vq", "enlarge")


def part(name: str) -> str:
    """Where a photograph belongs, by its file name: the same picture in another folder goes the same way."""
    return {0: "test", 1: "validate"}.get(hashlib.sha256(name.encode()).digest()[0] % 5, "train")


def photographs(data: Path, wanted: str) -> list[Path]:
    folders = ("pristine/kodak", "pristine/gb82", "pristine/camera", "camera/native_crop", "faces/portraits")
    every = (p for f in folders for p in sorted((data / f).iterdir()) if p.suffix in (".png", ".webp", ".jpg"))
    return [p for p in every if part(p.name) == wanted and readable(p)]


def readable(path: Path) -> bool:
    try:
        with Image.open(path):
            return True
    except OSError:
        return False


def crops(path: Path) -> list[tuple[Bytes, Callable[[Bytes], Bytes]]]:
    """Squares of one photograph with MARGIN around, and what must be done to a reconstruction of each to give it the same history."""
    dice, side = random.Random(f"crops of {path.name} {path.parent.name}"), SIDE + 2 * MARGIN
    with Image.open(path) as im:
        tables = getattr(im, "quantization", None)
        photo = im.convert("RGB")
    lossless, portrait = tables is None, path.parent.name == "portraits"
    factors = [dice.uniform(0.5, 0.62)] if portrait else [1.0, dice.uniform(0.6, 0.9)]
    if min(photo.size) >= 420 and not portrait:
        factors.append(dice.uniform(side / min(photo.size) + 0.01, 0.8))
    found: list[tuple[Bytes, Callable[[Bytes], Bytes]]] = []
    for factor in factors:
        size = tuple(max(side, round(n * factor)) for n in photo.size)
        how = dice.choice((Image.Resampling.LANCZOS, Image.Resampling.BICUBIC))
        view = photo.resize(size, how) if factor < 1 else photo
        left, top = (dice.randrange((n - side) // 8 + 1) * 8 for n in view.size)  # on the grid, so that a saved copy meets it again
        square = np.asarray(view.crop((left, top, left + side, top + side)))
        same = (lambda a: a) if lossless or factor < 1 else (lambda a, t=tables: _saved(a, t))
        found.append((square, same))
    return found


def _saved(a: Bytes, tables: dict[int, list[int]]) -> Bytes:
    out = io.BytesIO()
    Image.fromarray(a).save(out, "JPEG", qtables=tables, subsampling=0)
    return np.asarray(Image.open(out))


class Code:
    """What a picture is reduced to: principal components of squares, disturbed."""

    def __init__(self, samples: Tensor, stride: int, channels: int, words: int = 0, noise: float = NOISE) -> None:
        flat = pixel_unshuffle(samples, stride).transpose(0, 1).flatten(1)
        self.stride, self.noise, self.mean = stride, noise, flat.mean(1)
        spread, axes = torch.linalg.eigh((flat - self.mean[:, None]).mm((flat - self.mean[:, None]).T) / flat.shape[1])
        self.axes, self.scale = axes[:, -channels:].flip(1), spread[-channels:].flip(0).clamp_min(1e-8).sqrt()
        self.words: list[Tensor] = []
        if words:
            z = self._plain(samples).transpose(0, 1).flatten(1).T
            self.words = [_means(part, words) for part in z.split(4, dim=1)]

    def _plain(self, x: Tensor) -> Tensor:
        z = pixel_unshuffle(x, self.stride) - self.mean[:, None, None]
        return torch.einsum("nchw,ck->nkhw", z, self.axes / self.scale)

    def picture(self, z: Tensor) -> Tensor:
        """What the components alone give."""
        told = torch.einsum("nkhw,ck->nchw", z, self.axes * self.scale) + self.mean[:, None, None]
        return pixel_shuffle(told, self.stride)

    def __call__(self, x: Tensor, dice: torch.Generator) -> Tensor:
        z = self._plain(x)
        if not self.words:
            return z + self.noise * torch.randn(z.shape, generator=dice)
        rows = z.permute(0, 2, 3, 1)
        told = [w[torch.cdist(p.reshape(-1, p.shape[-1]), w).argmin(1)] for p, w in zip(rows.split(4, dim=-1), self.words, strict=True)]
        return torch.cat(told, dim=1).view(rows.shape).permute(0, 3, 1, 2)


def _means(z: Tensor, count: int, rounds: int = 8) -> Tensor:
    """k-means."""
    dice = torch.Generator().manual_seed(0)
    z = z[torch.randperm(len(z), generator=dice)[:20000]]
    words = z[:count].clone()
    for _ in range(rounds):
        near = torch.cdist(z, words).argmin(1)
        total = torch.zeros_like(words).index_add_(0, near, z)
        much = torch.bincount(near, minlength=count)[:, None]
        words = torch.where(much > 0, total / much.clamp_min(1), words)
    return words


class Up(nn.Module):
    """Twice the size, in one of the ways that generators use."""

    def __init__(self, way: str, inside: int, outside: int) -> None:
        super().__init__()
        self.way = way
        if way.startswith("deconv"):
            k = int(way[-1])
            self.conv: nn.Module = nn.ConvTranspose2d(inside, outside, k, stride=2, padding=1, output_padding=int(k == 3))
        else:
            self.conv = nn.Conv2d(inside, outside * (4 if way == "shuffle" else 1), 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if self.way.startswith("deconv"):
            return self.conv(x)  # type: ignore[no-any-return]
        if self.way == "shuffle":
            return pixel_shuffle(self.conv(x), 2)
        if self.way == "fir":  # zeros between the pixels, then the filter of StyleGAN 2
            taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
            each = (taps[:, None] * taps)[None, None].repeat(x.shape[1], 1, 1, 1)
            return self.conv(conv_transpose2d(x, each, stride=2, padding=1, groups=x.shape[1]))  # type: ignore[no-any-return]
        more = {"mode": "bilinear", "align_corners": False} if self.way == "bilinear" else {"mode": "nearest"}
        return self.conv(interpolate(x, scale_factor=2, **more))  # type: ignore[no-any-return,arg-type]


class Grain(nn.Module):
    """Noise with a strength of its own for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.full((channels, 1, 1), 0.02))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.strength * torch.randn(len(x), 1, *x.shape[2:])


class Step(nn.Module):
    """Two convolutions added to their input, as in latent diffusion."""

    def __init__(self, channels: int, after: Callable[[int], list[nn.Module]]) -> None:
        super().__init__()
        layers = [m for _ in range(2) for m in (*after(channels), nn.Conv2d(channels, channels, 3, padding=1))]
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)  # type: ignore[no-any-return]


def rival() -> nn.Module:
    """Tells photographs from reconstructions by their residuals, place by place."""
    sizes = ((12, 32, 2), (32, 48, 2), (48, 48, 1))
    layers: list[nn.Module] = [m for i, o, s in sizes for m in (nn.Conv2d(i, o, 3, s, 1), nn.LeakyReLU(0.2))]
    return nn.Sequential(*layers, nn.Conv2d(48, 1, 3, padding=1))


def rough(x: Tensor) -> Tensor:
    """What a rival sees: differences of neighbours, down, across and both, and the picture."""
    down, across = x[:, :, 1:, 1:] - x[:, :, :-1, 1:], x[:, :, 1:, 1:] - x[:, :, 1:, :-1]
    return torch.cat([x[:, :, 1:, 1:], 8 * down, 8 * across, 8 * (down - (x[:, :, 1:, :-1] - x[:, :, :-1, :-1]))], dim=1)


class Decoder(nn.Module):
    """Code in, pixels out."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        width = {2: 32, 4: 64, 8: 96}[kind.stride]

        def after(channels: int) -> list[nn.Module]:
            rest: list[nn.Module] = [nn.GroupNorm(8, channels), nn.SiLU()] if kind.norm else [nn.LeakyReLU(0.2)]
            return [*([Grain(channels)] if kind.grain else []), *rest]

        layers: list[nn.Module] = [nn.Conv2d(kind.code, width, 3, padding=1), *after(width)]
        layers += [nn.Conv2d(width, width, 3, padding=1), *after(width)]
        steps = {2: (16,), 4: (32, 16), 8: (64, 32, 16)}[kind.stride]
        for channels in steps:
            layers += [Up(kind.up, width, channels), *(() if kind.deep else after(channels))]
            if kind.deep:
                layers += [Step(channels, after)]
            elif channels > 16:
                layers += [nn.Conv2d(channels, channels, 3, padding=1), *after(channels)]
            width = channels
        last = nn.Conv2d(width, 3, 3, padding=1)
        self.body = nn.Sequential(*layers, *(after(width) if kind.deep else ()), last)
        small = nn.Conv2d(kind.code, 3, 3, padding=1)
        self.skip = nn.Sequential(small, *(Up(kind.up, 3, 3) for _ in steps)) if kind.skip else None

    def forward(self, z: Tensor) -> Tensor:
        z = z.to(memory_format=torch.channels_last)
        seen = 0.5 + self.body(z)
        return seen if self.skip is None else seen + self.skip(z)


def energies(x: Tensor) -> Tensor:
    """Logarithms of the local energy of luma in the eight 3×3 DCT bands that are not the mean."""
    luma = (x * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    rows = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    rows = rows / rows.norm(dim=1, keepdim=True)
    bank = torch.einsum("ia,jb->ijab", rows, rows).reshape(9, 1, 3, 3)[1:]
    return (avg_pool2d(conv2d(luma, bank).square(), 8) + FLOOR).log()


def samples(data: Path) -> Tensor:
    """All crops for training, in [0, 1]."""
    rows = [square for p in photographs(data, "train") for square, _ in crops(p)]
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2)


def decoded(kind: Kind, code: Code, net: Decoder, z: Tensor) -> Tensor:
    return net(z) - 0.5 + code.picture(z) if kind.deep else net(z)


def fit(kind: Kind, photos: Tensor) -> tuple[Code, Decoder, float]:
    """Train one decoder; how many decibels it reaches comes back with it."""
    torch.manual_seed(len(kind.name) + kind.stride)
    dice = torch.Generator().manual_seed(1)
    some = torch.randperm(len(photos), generator=dice)[:150]
    code = Code(photos[some].float() / 255, kind.stride, kind.code, kind.words)
    net: Decoder = Decoder(kind).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if kind.deep:
        nn.init.zeros_(net.body[-1].weight), nn.init.zeros_(net.body[-1].bias)
    wheel = torch.optim.Adam(net.parameters(), lr=RATE, betas=(0.9, 0.98))
    critic = rival().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learns = torch.optim.Adam(critic.parameters(), lr=RATE / 2, betas=(0.5, 0.98))
    error, start, batch = 0.0, time.monotonic(), BATCH // (1 + kind.deep)
    for step in range(kind.steps):
        for g in wheel.param_groups:
            g["lr"] = RATE * min(1, (step + 1) / 30) * (0.51 + 0.49 * float(np.cos(np.pi * step / kind.steps)))
        rows = torch.randint(len(photos), (batch,), generator=dice)
        y, x = torch.randint(SIDE + 2 * MARGIN - PATCH, (2,), generator=dice).tolist()
        want = photos[rows, :, y : y + PATCH, x : x + PATCH].float() / 255
        with torch.no_grad():
            z = code(want, dice)
        got = decoded(kind, code, net, z)
        lost = (got - want).abs().mean() + TEXTURE * (energies(got) - energies(want)).abs().mean()
        (pull,) = torch.autograd.grad(lost, got)
        if kind.deep and step >= RIVAL_FROM:
            told = critic(rough(torch.cat([want, got.detach()])))
            learns.zero_grad()
            (relu(1 - told[:batch]).mean() + relu(1 + told[batch:]).mean()).backward()
            learns.step()
            seen = got.detach().requires_grad_()
            (push,) = torch.autograd.grad(-critic(rough(seen)).mean(), seen)
            pull = pull + RIVAL * push * pull.norm() / push.norm().clamp_min(1e-12)
        wheel.zero_grad()
        got.backward(pull)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        wheel.step()
        error += max(0.02, 1 / (step + 1)) * (float((got - want).detach().square().mean()) - error)
        if step % 100 == 99:
            print(f"{kind.name}: {step + 1}, {-10 * np.log10(error):.1f} dB, {(time.monotonic() - start) / 60:.1f} min", flush=True)
    print(f"{kind.name}: {kind.steps} steps, {-10 * np.log10(error):.1f} dB", flush=True)
    return code, net.eval().requires_grad_(False), float(-10 * np.log10(error))


def train(data: Path, out: Path, only: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    photos = samples(data)
    print(f"{len(photos)} crops", flush=True)
    for kind in (*KINDS, *LATER):
        file = out / f"{kind.name}.pt"
        if file.exists() or kind.name not in only:
            continue
        code, net, level = fit(kind, photos)
        kept = {"kind": asdict(kind), "level": level, "net": net.state_dict(), "axes": code.axes, "scale": code.scale, "mean": code.mean}
        torch.save(kept | {"words": code.words}, file)


Maker = Callable[[Tensor, int], Tensor]  # N×3×h×w in [0, 1] and a seed → the same, reconstructed


def learned(file: Path) -> Maker:
    kept: dict[str, Any] = torch.load(file, weights_only=True)
    kind = Kind(**kept["kind"])
    code = Code.__new__(Code)
    code.stride, code.noise, code.words = kind.stride, NOISE, kept["words"]
    code.mean, code.axes, code.scale = kept["mean"], kept["axes"], kept["scale"]
    net = Decoder(kind)
    net.load_state_dict(kept["net"])
    net = net.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def make(x: Tensor, seed: int) -> Tensor:
        torch.manual_seed(seed)
        return decoded(kind, code, net, code(x, torch.Generator().manual_seed(seed)))

    return make


def solved(a: Tensor, b: Tensor) -> Tensor:
    """Least squares, a little damped: a N×p, b N×q → p×q."""
    gram = a.T @ a
    return torch.linalg.solve(gram + 1e-4 * gram.diagonal().mean() * torch.eye(len(gram)), a.T @ b)


def linear(photos: Tensor, number: int) -> Maker:
    """A transposed convolution solved for by least squares: stride 2, 4 or 8, one or three squares wide, noise in the code."""
    dice = random.Random(f"linear {number}")
    stride, wide = dice.choice((2, 4, 4, 8)), dice.choice((1, 3))
    channels = max(3, round(3 * stride**2 * dice.uniform(0.2, 0.6)))
    code = Code(photos, stride, channels, 0, dice.uniform(0.02, 0.3))

    def around(z: Tensor) -> Tensor:
        z = torch.cat([z, torch.ones_like(z[:, :1])], dim=1)
        return unfold(z, wide, padding=wide // 2).transpose(1, 2)

    z = code(photos, torch.Generator().manual_seed(number))
    weight = solved(around(z).flatten(0, 1), pixel_unshuffle(photos, stride).flatten(2).transpose(1, 2).flatten(0, 1))

    def make(x: Tensor, seed: int) -> Tensor:
        z = code(x, torch.Generator().manual_seed(seed))
        told = (around(z) @ weight).transpose(1, 2)
        return pixel_shuffle(told.reshape(len(x), -1, *z.shape[2:]), stride)

    return make


def enlarge(photos: Tensor, number: int) -> Maker:
    """Half the size, each pixel repeated or spread by zeros, then the 5×5 filter that comes closest to the photograph."""

    def rough(x: Tensor) -> Tensor:
        small = avg_pool2d(x, 2) if number % 3 else interpolate(x, scale_factor=0.5, mode="bicubic", antialias=True, align_corners=False)
        big = interpolate(small, scale_factor=2, mode="nearest")
        if number % 2:
            big = big * torch.tensor([[4.0, 0.0], [0.0, 0.0]]).repeat(*(n for n in small.shape[2:]))
        return unfold(big, 5, padding=2).transpose(1, 2)

    weight = solved(rough(photos).flatten(0, 1), photos.flatten(2).transpose(1, 2).flatten(0, 1))

    def make(x: Tensor, seed: int) -> Tensor:  # noqa: ARG001 - as all makers are called
        told = (rough(x) @ weight).transpose(1, 2)
        return fold(told, x.shape[2:], 1)

    return make


def harmonised(photo: Bytes, made: Bytes, share: float = 1.0) -> Bytes:
    """A reconstruction with the radial power spectrum of its photograph, H×W×3 each, so that lost detail tells nothing.

    Luma and two colour differences are treated alike. share: 1 equals the powers, less or more goes part of the way or beyond.
    """
    both = np.stack([photo, made]).astype(np.float32)
    told = np.pad(np.einsum("nhwc,cd->ndhw", both, TURN.astype(np.float32)), ((0, 0), (0, 0), (MARGIN,) * 2, (MARGIN,) * 2), "reflect")
    size = told.shape[2:]
    f = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])) * 2 * BANDS
    ring = np.minimum(f.astype(int), int(BANDS * 1.4)).ravel()
    window = (np.hanning(size[0])[:, None] * np.hanning(size[1])).astype(np.float32)
    seen = fft.rfft2((told - told.mean((2, 3), keepdims=True)) * window)
    power = seen.real**2 + seen.imag**2
    back = fft.rfft2(told[1])
    for c in range(3):
        rings = [np.bincount(ring, power[i, c].ravel()) / np.bincount(ring) + QUIET for i in range(2)]
        gain = np.clip(rings[0] / rings[1], 1 / STEEP, STEEP) ** (share / 2)
        gain[0] = 1
        smooth = np.convolve(np.pad(gain, 1, "edge"), (0.25, 0.5, 0.25), "valid")
        back[c] *= np.interp(f, np.arange(len(smooth)) + 0.5, smooth)
    filtered = fft.irfft2(back, size)[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    rounded: Bytes = np.clip(np.round(np.einsum("dhw,dc->hwc", filtered, np.linalg.inv(TURN))), 0, 255).astype(np.uint8)
    return rounded


@torch.no_grad()
def bank(data: Path, out: Path, parts: list[str], most: int, *, alike: bool) -> None:
    """Write the pairs: one array for each decoder that is trained and has none yet; `alike`: with their photographs' spectra."""
    photos = samples(data)
    few = photos[torch.randperm(len(photos), generator=torch.Generator().manual_seed(2))[:32]].float() / 255
    lines: list[Maker] = []
    for wanted in parts:
        folder = out / wanted
        folder.mkdir(parents=True, exist_ok=True)
        todo = [(p, *c) for p in photographs(data, wanted) for c in crops(p)]
        random.Random(0).shuffle(todo)
        todo = todo[: len(todo) if wanted == "train" else HELD]
        names = [k.name for k in (*KINDS, *LATER) if (out / f"{k.name}.pt").exists() and (wanted == "test" or k.family not in HELD_OUT)]
        names = ["photograph", *(f"linear {i}" for i in range(LINES)), *names, *(["enlarge"] if wanted == "test" else [])]
        for name in (n for n in names if not (folder / f"{n}.npy").exists()):
            if name.startswith("linear"):
                lines = makers = lines or [linear(few, i) for i in range(LINEAR)]
            elif name == "enlarge":
                makers = [enlarge(few[:16], i) for i in range(ENLARGE)]
            else:
                makers = [] if name == "photograph" else [learned(out / f"{name}.pt")]
            some = todo[: most if makers else None]
            rows, level = np.empty((len(some), 3, SIDE, SIDE), np.uint8), 0.0
            for i, (path, square, same) in enumerate(some):
                dice, made = random.Random(f"{name} of {path.name} {i}"), square
                if makers:
                    x = torch.from_numpy(square.copy()).permute(2, 0, 1)[None].float() / 255
                    made = _byte(dice.choice(makers)(x, dice.randrange(1 << 30)))
                    made = same(harmonised(square, made, dice.uniform(*SHARES)) if alike and wanted != "test" else made)
                    level -= 10 * float(np.log10(np.square(made / 255.0 - square / 255.0).mean() + 1e-9)) / len(some)
                rows[i] = made[MARGIN:-MARGIN, MARGIN:-MARGIN].transpose(2, 0, 1)
            with (folder / f"{name}.part").open("wb") as f:
                np.save(f, rows)
            (folder / f"{name}.part").rename(folder / f"{name}.npy")
            print(f"{wanted}: {len(rows)} of {name}, {level:.1f} dB", flush=True)


def _byte(x: Tensor) -> Bytes:
    return (x[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("act", choices=("train", "bank"))
    ask.add_argument("data", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--only", default=",".join(k.name for k in KINDS), help="decoders to train, by name, with commas between")
    ask.add_argument("--parts", default="train,validate,test")
    ask.add_argument("--crops", type=int, default=10**9, help="that a decoder reconstructs, at most")
    ask.add_argument("--harmonised", action="store_true", help="reconstructions get their photographs' spectra, but in the test part")
    given = ask.parse_args()
    torch.set_num_threads(1)
    if given.act == "train":
        train(given.data, given.out, given.only.split(","))
    else:
        bank(given.data, given.out, given.parts.split(","), given.crops, alike=given.harmonised)


if __name__ == "__main__":
    main()
