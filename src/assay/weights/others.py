"""Parameter files that others made and whose content nobody published: where they are looked for, and how they are opened."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, TypeVar

from assay.types import BadInput, MissingWeights, Weights

if TYPE_CHECKING:
    from torch import Tensor, nn

Net = TypeVar("Net", bound="nn.Module")
UNDER = ("state_dict", "model", "model_state_dict", "net")  # where training scripts put the parameters


def place(w: Weights, given: str = "", *, instead: str, folder: str = "", more: str = "") -> Path:
    """Where a file is: as given, else in ASSAY_WEIGHTS (there in `folder`) under the name that its authors gave it.

    instead: an algorithm that answers the same question offline. more: what else helps, a clause.  Raises MissingWeights.
    """
    if given:
        if not Path(given).is_file():
            raise MissingWeights(f"there is no file {given}; give the path of {w.file}: {w.url} (licence: {w.license}).")
        return Path(given)
    holds = os.environ.get("ASSAY_WEIGHTS")
    path = Path(holds or ".") / folder / w.file
    if holds and path.is_file():
        return path
    there = f"a folder {folder} in a folder" if folder else "a folder"
    raise MissingWeights(
        f"{w.file} is not on this machine. It can be had from {w.url} (licence: {w.license}). Put it into {there}, set ASSAY_WEIGHTS to "
        f"that folder, or give its path{more}. Offline, {instead} answers the same question with what ships with assay."
    )


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a state dict that torch.save wrote, by name; nothing in it is run.

    A state dict may lie under one of UNDER, and its names may begin with "module.".  Raises BadInput.
    """
    import torch

    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(path))
        except SafetensorError as e:
            raise BadInput(f"{path} is no safetensors file: {e}") from e
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a program was met: it is refused, and said below
            kept = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError, ValueError) as e:
        raise BadInput(f"{path} holds more than tensors, or none; save its state_dict() ({type(e).__name__}).") from e
    for name in UNDER:
        kept = kept.get(name, kept) if isinstance(kept, dict) else {}
    found = {k.removeprefix("module."): v for k, v in kept.items() if isinstance(k, str) and isinstance(v, torch.Tensor)}
    if not found:
        raise BadInput(f"{path} holds no tensors by name.")
    return found


def filled(net: Net, kept: dict[str, Tensor], path: Path, what: str) -> Net:
    """The net with these parameters, ready to answer.  Raises BadInput where they are not `what`'s."""
    try:
        net.load_state_dict(kept, assign=any(p.is_meta for p in net.parameters()))
    except RuntimeError as e:
        raise BadInput(f"{path} does not hold the parameters of {what}: {str(e).splitlines()[-1].strip()}") from e
    return net.eval().requires_grad_(False)
