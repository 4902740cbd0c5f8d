"""DIRE: how far a picture is from what a diffusion model makes of it."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from assay.catalog import carded
from assay.nets.adm import ADM, Shape
from assay.nets.imagenet import standardised
from assay.nets.resnet50 import ResNet50
from assay.ops import photo
from assay.ops.ddim import BETAS, TRAINED, Noise, reconstructed
from assay.types import BadInput, Evidence, EvidenceCard, Finding, MissingWeights, Picture, Weights
from assay.weights import others

DIFFUSION = Weights(
    file="256x256_diffusion_uncond.pt",
    sha256="unpublished",
    license="MIT",
    url="https://openaipublic.blob.core.windows.net/diffusion/jul-2021/256x256_diffusion_uncond.pt",
)
CLASSIFIER = Weights(
    file="lsun_adm.pth",
    sha256="unpublished",
    license="none stated; the repository has no licence at its root",
    url="https://github.com/ZhendongWang6/DIRE#news",
)
INSTEAD = "generated-assay"
Net = TypeVar("Net", bound=torch.nn.Module)
PROGRAMS = (".ts", ".torchscript")
SEEN = 224  # of DIRE, by the classifier
CAVEAT = (
    "It knows its own model's kind of picture best. Flat and soft photographs are reconstructed well too, and saving both kinds as JPEG "
    "of quality 95 brought the released classifier to chance."
)


@carded(
    EvidenceCard(
        name="dire",
        version="1",
        takes=("file",),
        paper="Wang et al. 2023 (DIRE), arXiv:2303.09295",
        weights=(DIFFUSION, CLASSIFIER),
        caveat=CAVEAT,
    )
)
def dire(picture: Picture, *, net: str = "", file: str = "", steps: int = 20, depth: int = 0) -> Finding:
    """How far a picture is from what a diffusion model makes of it: such a model repeats its own kind better than photographs. Slow.

    picture: its pixels as stored, brought to the net's size: the shorter side to 256 (64 for ours), then the middle.
    net: what sees the noise: 256x256_diffusion_uncond.pt or lsun_bedroom.pt of OpenAI's guided-diffusion (40 passes of 550 million
    parameters: minutes), the small one that recipes/small_diffusion.py makes, a folder that diffusers saved (a UNet2DModel over pixels),
    or a program, .ts, that takes pictures in [-1, 1] and steps of 0 to 999.
    file: the classifier of the authors, or another ResNet-50 with one output; without, only the error is told.
    steps: of the chain, there and back; depth: how many of them are gone, 0 for all.
    data: dire (the mean error, 8-bit steps), statistic (the classifier's logit, or without it minus the error; larger says "generated").
    map: the error, at the net's size; 0 outside the middle.
    Raises MissingWeights, and BadInput for files that do not fit.
    """
    noise, side = seeing(net)
    stored = picture.stored()
    square, frame = middle(stored if len(stored) in (1, 3) else picture.pixels, side)
    with torch.no_grad():
        error = (square - reconstructed(square[None], noise, steps=steps, depth=depth)[0]).abs() * 127.5
        mean = float(error.mean())
        data: dict[str, object] = {"dire": round(mean, 4), "statistic": round(-mean, 4)}
        says = f"A diffusion model comes back to within {mean:.1f} of 255 grey levels on average; smaller is likelier for its own kind."
        evidence = [Evidence(says, caveat=CAVEAT)]
        if file:
            logit = float(classifier(file)(pictured(error)))
            data["statistic"] = round(logit, 4)
            evidence.append(
                Evidence(f"The classifier of DIRE says {logit:+.2f}; its authors call a picture generated above 0.", caveat=CAVEAT)
            )
    drawn = torch.zeros(frame)
    top, left = ((n - side) // 2 for n in frame)
    drawn[top : top + side, left : left + side] = error.mean(0)
    return Finding(
        map=drawn,
        map_says="Grey levels between the picture and what the model made of it; a model repeats its own kind closely.",
        evidence=tuple(evidence),
        data=data,
    )


def middle(pixels: Tensor, side: int) -> tuple[Tensor, tuple[int, int]]:
    """C×H×W → 3×side×side in [-1, 1], and the size of the whole at that scale: halved by averages, then bicubic, as center_crop_arr."""
    array = photo.steps(pixels).round().byte().permute(1, 2, 0).expand(-1, -1, 3).contiguous().numpy()
    im = Image.fromarray(array)
    while min(im.size) >= 2 * side:
        im = im.resize((im.width // 2, im.height // 2), Image.Resampling.BOX)
    scale = side / min(im.size)
    im = im.resize((round(im.width * scale), round(im.height * scale)), Image.Resampling.BICUBIC)
    top, left = (im.height - side) // 2, (im.width - side) // 2
    part = np.asarray(im.crop((left, top, left + side, top + side)))
    return torch.from_numpy(part.copy()).permute(2, 0, 1).float() / 127.5 - 1, (im.height, im.width)


def pictured(error: Tensor) -> Tensor:
    """The error as the classifier was shown it: bytes, the shorter side 256, the middle 224, as ImageNet's pictures."""
    im = Image.fromarray(error.clamp(0, 255).byte().permute(1, 2, 0).numpy()).resize((256, 256), Image.Resampling.BILINEAR)
    cut = (256 - SEEN) // 2
    part = np.asarray(im.crop((cut, cut, cut + SEEN, cut + SEEN)))
    return standardised(torch.from_numpy(part.copy()).permute(2, 0, 1)[None].float() / 255)


@cache
def seeing(net: str) -> tuple[Noise, int]:
    """What tells the noise in a picture, and the side of the pictures that it knows."""
    path = Path(net)
    if not net or not path.exists():
        raise MissingWeights(
            f"{'there is no file ' + net if net else 'DIRE needs a diffusion model'}; give net=PATH of {DIFFUSION.file} "
            f"({DIFFUSION.url}, {DIFFUSION.license}), of one that recipes/small_diffusion.py made, or of a folder that diffusers saved. "
            f"Offline, {INSTEAD} answers the same question with what ships with assay."
        )
    if path.is_dir():
        return _of_diffusers(path)
    if path.suffix in PROGRAMS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch would rather export, but nets come in this format
            try:
                return torch.jit.load(path, map_location="cpu").eval(), Shape().side  # type: ignore[no-untyped-call]
            except (RuntimeError, ValueError) as e:
                raise BadInput(f"{net} is no TorchScript file: {str(e).splitlines()[0]}") from e
    kept, shape = others.tensors(path), _shape(path)
    with torch.device("meta"):  # 550 million numbers need no first values
        unet = ADM(shape)
    return others.filled(unet, kept, path, "ADM's U-Net").float(), shape.side


def _shape(path: Path) -> Shape:
    """What recipes/small_diffusion.py wrote beside the parameters; without that, the published size."""
    if path.suffix != ".safetensors":
        return Shape()
    from safetensors import safe_open

    with safe_open(path, "pt") as kept:
        told: dict[str, Any] = json.loads((kept.metadata() or {}).get("shape", "{}"))
    named: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()}
    return Shape(**named)


def _of_diffusers(folder: Path) -> tuple[Noise, int]:
    try:
        from diffusers import UNet2DModel
    except ImportError as e:
        raise BadInput(f"{folder} is a folder, which only diffusers can read: pip install assay[diffusion].") from e
    chain = folder / "scheduler/scheduler_config.json"
    told = json.loads(chain.read_text("utf-8")) if chain.is_file() else {}
    ours = {"beta_start": BETAS[0], "beta_end": BETAS[1], "beta_schedule": "linear", "num_train_timesteps": TRAINED}
    ours |= {"prediction_type": "epsilon"}
    if other := {k: told[k] for k, v in ours.items() if told.get(k, v) != v}:
        raise BadInput(f"{folder} was trained on another chain than DIRE's: {other}, wanted {ours}.")
    try:
        unet = UNet2DModel.from_pretrained(folder / "unet" if (folder / "unet").is_dir() else folder).eval().requires_grad_(False)
    except (OSError, ValueError, RuntimeError) as e:
        raise BadInput(f"{folder} holds no UNet2DModel over pixels: {str(e).splitlines()[0]}") from e

    def tell(x: Tensor, at: Tensor) -> Tensor:
        return unet(x, at).sample  # type: ignore[no-any-return]

    return tell, int(unet.config.sample_size)


@cache
def classifier(file: str) -> ResNet50:
    if not Path(file).is_file():
        raise MissingWeights(f"there is no file {file}; give the path of DIRE's classifier ({CLASSIFIER.url}).")
    return others.filled(ResNet50(), others.tensors(Path(file)), Path(file), "a ResNet-50 with one output")
