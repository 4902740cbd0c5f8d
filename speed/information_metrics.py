"""CPU time of the information- and wavelet-based metrics beside their peers, one thread, RGB uint8 in.

python speed/information_metrics.py PEERS_PYTHON [name …]   writes speed/information_metrics.json
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness import Contestant, race, save

PAIR = """
import numpy as np, torch
torch.set_num_threads(1)
rng = np.random.default_rng(0)
h, w = {h}, {w}
rows, columns = np.mgrid[:h, :w]
waves = sum(np.sin(rows / a + k) * np.cos(columns / b - k) for k, (a, b) in enumerate([(3, 5), (11, 7), (40, 23), (90, 200)]))
soft = 128 + 25 * waves
ref = np.stack([soft, 0.8 * soft + 20, 220 - 0.7 * soft], 2) + rng.normal(0, 6, (h, w, 3))
x = ref + rng.normal(0, 8, ref.shape)
ref, x = (torch.from_numpy(np.clip(np.round(a), 0, 255).astype(np.uint8)).permute(2, 0, 1)[None].contiguous() for a in (ref, x))
"""
OURS = "from assay.quality.{name} import {name} as f\n"
PIQ = "import piq\nrf, xf = ref.float() / 255, x.float() / 255\n"
PYIQA = (
    "import importlib\nrf, xf = ref.float() / 255, x.float() / 255\n"
    "f = getattr(importlib.import_module('pyiqa.archs.{module}'), '{cls}')({options})\nf.eval()\ntorch.set_grad_enabled(False)\n"
)
PEERS = {
    "vif_p": ("piq", PIQ, "piq.vif_p(xf, rf)"),
    "iw_ssim": ("piq", PIQ, "piq.information_weighted_ssim(xf, rf)"),
    "vif": ("pyiqa", PYIQA.format(module="vif_arch", cls="VIF", options=""), "f(xf, rf)"),
    "cw_ssim": ("pyiqa", PYIQA.format(module="ssim_arch", cls="CW_SSIM", options=""), "f(xf, rf)"),
    "nlpd": ("pyiqa", PYIQA.format(module="nlpd_arch", cls="NLPD", options=""), "f(xf, rf)"),
    "mad": ("pyiqa", PYIQA.format(module="mad_arch", cls="MAD", options="test_y_channel=True"), "f(xf, rf)"),
    "uqi": (
        "torchmetrics",
        "from torchmetrics.functional.image import universal_image_quality_index as f\nrf, xf = ref / 255, x / 255\n",
        "f(xf, rf)",
    ),
}
SIZES = {"512×512": (512, 512), "3840×2160": (2160, 3840)}
TOO_LONG = {(name, "3840×2160") for name in ("mad", "vif", "iw_ssim")}  # the peer takes minutes, or several gigabytes


def main(peers: str, names: list[str]) -> None:
    cases = {}
    for name in names or PEERS:
        package, setup, statement = PEERS[name]
        for size, (h, w) in SIZES.items():
            pair = PAIR.format(h=h, w=w)
            row = [Contestant("assay", sys.executable, pair + OURS.format(name=name), "float(f(x, ref=ref)[0])", "assay")]
            if (name, size) not in TOO_LONG:
                row.append(Contestant(package, peers, pair + setup, f"float({statement})", package))
            cases[f"{name} {size}"] = race(row, rounds=5 if h == 512 else 2)
    save(Path(__file__).with_suffix(".json"), what="CPU time of one pair of RGB pictures, 8 bits", cases=cases)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
