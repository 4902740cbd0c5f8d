"""What the tests share: where the optional data lies, and small images made on the spot."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("ASSAY_TEST_DATA", ROOT.parent / "shared" / "data"))


if (DATA / "weights").is_dir():
    os.environ.setdefault("ASSAY_WEIGHTS", str(DATA / "weights"))  # official parameters, for comparisons


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real photographs and official parameters that some tests compare against; skips without it."""
    if not DATA.is_dir():
        pytest.skip(f"no test data at {DATA}; set ASSAY_TEST_DATA to use it")
    return DATA


@pytest.fixture(scope="session")
def photo() -> NDArray[np.uint8]:
    """A real photograph, 512×512×3 uint8 (scikit-image's astronaut)."""
    skimage = pytest.importorskip("skimage.data", reason="needs the demo extra: pip install assay[demo]")
    return np.asarray(skimage.astronaut())


@pytest.fixture(autouse=True)
def _same_seed() -> None:
    torch.manual_seed(0)
