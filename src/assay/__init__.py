"""Assay: how good is this picture, is it real, and where did it come from?

Importing this package loads nothing; each name below is fetched when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.catalog import get as get
    from assay.description import compare as compare
    from assay.description import describe as describe
    from assay.io.decode import read as read
    from assay.runner import assess as assess
    from assay.runner import find_faces as find_faces
    from assay.runner import inspect as inspect
    from assay.runner import run as run
    from assay.types import AssayError as AssayError
    from assay.types import BadInput as BadInput
    from assay.types import CannotAssess as CannotAssess
    from assay.types import Face as Face
    from assay.types import Finding as Finding
    from assay.types import MissingWeights as MissingWeights
    from assay.types import Picture as Picture
    from assay.types import Result as Result

__version__ = "0.1.0"

_AT = {
    "get": "assay.catalog",
    "read": "assay.io.decode",
    **dict.fromkeys(("compare", "describe"), "assay.description"),
    **dict.fromkeys(("assess", "find_faces", "inspect", "run"), "assay.runner"),
    **dict.fromkeys(("AssayError", "BadInput", "CannotAssess", "Face", "Finding", "MissingWeights", "Picture", "Result"), "assay.types"),
}
__all__ = sorted([*_AT, "__version__"])


def __getattr__(name: str) -> object:
    if name not in _AT:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    return getattr(import_module(_AT[name]), name)
