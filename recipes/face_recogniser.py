"""Trains the small face recogniser with the SFace loss.

    python recipes/face_recogniser.py DATA --labels points.json --minutes 35 --out run.pt
    python recipes/face_recogniser.py --export run.pt --out src/assay/weights/face_recogniser.safetensors

DATA/faces/portraits: official portraits, one of each person; the training part alone is used (face_views.part), and a validation
part to watch. What the net is worth on other people: recipes/face_recogniser_report.py.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from assay.nets.face_recogniser import MODEL, SIZE, FaceRecogniser
from assay.ops.sface import sface
from face_views import composites, faces, portraits, views

BATCH, RATE, DECAY = 64, 0.1, 5e-4  # the published recipe's rate and decay
HARD = 0.7  # of the damage: a face of which nothing is left teaches nothing
A, B = 0.7, 1.35  # few classes: the push wants a larger angle than the published 1.2


def watch(net: FaceRecogniser, wide: Tensor) -> dict[str, float]:
    """On people never trained on: how often the hard view is nearest to the person's own easy view, and the mean cosines."""
    generator = torch.Generator().manual_seed(0)
    net.eval()
    with torch.no_grad():
        easy, hard = (normalize(net(views(wide, generator, hard=h))) for h in (0.0, 1.0))
    net.train()
    likeness = hard @ easy.T
    own = likeness.diag()
    other = likeness[~torch.eye(len(wide), dtype=torch.bool)]
    auc = (own[:, None] > other[None]).float().mean()
    return {"auc": float(auc), "first": float((likeness.argmax(1) == torch.arange(len(wide))).float().mean()), "own": float(own.mean()), "other": float(other.mean())}  # fmt: skip


def train(wide: Tensor, held: Tensor, minutes: float, out: Path, seed: int = 0) -> None:
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = FaceRecogniser()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    centres = nn.Parameter(torch.empty(len(wide), SIZE))
    nn.init.xavier_normal_(centres, gain=2)
    plain = [p for p in net.parameters() if p.ndim < 2]
    heavy = [p for p in net.parameters() if p.ndim >= 2]
    groups = [{"params": plain, "weight_decay": 0.0}, {"params": [*heavy, centres], "weight_decay": DECAY}]
    optimiser = torch.optim.SGD(groups, lr=RATE, momentum=0.9, nesterov=True)
    start, step, saved = time.monotonic(), 0, time.monotonic()
    while (gone := (time.monotonic() - start) / 60 / minutes) < 1:
        rate = RATE * min(1, (step + 1) / 50) * min(1.0, 2 * (1 - gone)) ** 1.5
        for group in optimiser.param_groups:
            group["lr"] = rate
        labels = torch.randint(len(wide), (BATCH,), generator=generator)
        with torch.no_grad():
            x = views(wide[labels], generator, hard=HARD)
        cosines = normalize(net(x.contiguous(memory_format=torch.channels_last))) @ normalize(centres).T
        loss = sface(cosines, labels, a=A, b=B)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*net.parameters(), centres], 5.0)
        optimiser.step()
        step += 1
        if step % 50 == 0:
            with torch.no_grad():
                angles = cosines.clamp(-1, 1).acos()
                own = angles.gather(1, labels[:, None]).mean()
                hit = (cosines.argmax(1) == labels).float().mean()
                flat = normalize(centres)
                between = ((flat @ flat.T).sum() - len(flat)) / (len(flat) * (len(flat) - 1))
            print(json.dumps({"step": step, "minute": round(gone * minutes, 2), "own": float(own), "all": float(angles.mean()), "hit": float(hit), "centres": float(between)}), flush=True)  # fmt: skip
        if time.monotonic() - saved > 150 or step == 100:
            saved = time.monotonic()
            save(net, centres, out)
            print(json.dumps({"step": step} | watch(net, held)), flush=True)
    save(net, centres, out)
    print(json.dumps({"step": step} | watch(net, held)), flush=True)


def save(net: FaceRecogniser, centres: Tensor, out: Path) -> None:
    torch.save({"net": net.state_dict(), "centres": centres.detach()}, out)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path, nargs="?")
    ask.add_argument("--labels", type=Path)
    ask.add_argument("--minutes", type=float, default=35)
    ask.add_argument("--composites", type=int, default=300)
    ask.add_argument("--export", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    a = ask.parse_args()
    if a.export:
        state = torch.load(a.export, weights_only=True)["net"]
        half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
        save_file(half, a.out)
        print(f"{a.out}: {a.out.stat().st_size} bytes; declare its sha256 in {MODEL.recipe.replace('recipes', 'nets')}")
        return
    torch.set_num_threads(1)
    labels = faces(a.labels)
    _, wide = portraits(a.data, labels, "train")
    _, held = portraits(a.data, labels, "validation")
    made = composites(wide, a.composites) if a.composites else wide[:0]
    print(f"{len(wide)} people and {len(made)} made ones to train on, {len(held)} to watch", flush=True)
    train(torch.cat([wide, made]), held, a.minutes, a.out)


if __name__ == "__main__":
    main()
