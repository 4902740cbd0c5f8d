"""Builds the optional C kernels; everything else about the package is in pyproject.toml."""

import sys
from pathlib import Path

from setuptools import Extension, setup

FAST = ["-O3", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-fvisibility=hidden"]

setup(
    ext_modules=[
        Extension(
            "assay.kernels._kernels",
            sources=sorted(str(p) for p in Path("src/assay/kernels").glob("*.c")),
            depends=sorted(str(p) for p in Path("src/assay/kernels").glob("*.h")),
            extra_compile_args=["/O2"] if sys.platform == "win32" else FAST,
            optional=True,  # no compiler: the torch definitions run instead, and `assay doctor` says so
        )
    ]
)
