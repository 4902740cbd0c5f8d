"""What to do for a better picture of a face, in plain words with the numbers that say so.

Left and right are those of the picture, as its viewer sees it: the light from the left of the picture reaches the cheek on the left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.types import Result

Facts = dict[str, float]


@dataclass(frozen=True)
class Advice:
    """below: the component's value under which it speaks. says: a sentence from the measurement and its companions."""

    below: float
    says: Callable[[float, Facts], str]


def _side(angle: float) -> str:
    return "right" if angle > 0 else "left"


def _edge(where: str) -> Callable[[float, Facts], str]:
    return lambda x, _: f"Leave more room {where} of the picture: it is {x:.2g} eye distances from the far eye to the edge; 1.2 are wanted."


def _margin(where: str, wanted: float) -> Callable[[float, Facts], str]:
    return lambda x, _: f"Leave more room {where} the face: there is {x:.2g} times the distance from eyes to chin; {wanted:g} is wanted."


def _light(_: float, facts: Facts) -> str:
    left, right = facts["left"], facts["right"]
    if abs(left - right) < 0.1 * max(left, right):
        return f"Light both cheeks alike: their tones differ, though both have about {left:.2f} of white."
    darker = "left" if left < right else "right"
    low, high = sorted((left, right))
    return f"Light the face from the {darker} of the picture too: that cheek has {low:.2f} of white, the other {high:.2f}."


def _luminance(x: float, _: Facts) -> str:
    what = "more" if x < 0.5 else "less"
    return f"Give the face {what} light: its mean luminance is {x:.2f} of white; 0.35 to 0.65 is best."


def _contrast(x: float, _: Facts) -> str:
    if x < 1 / 60:
        return f"Light the face less flatly: its luminance varies by {x**0.5:.2f} of white; 0.13 is best."
    return f"Soften the light: the luminance of the face varies by {x**0.5:.2f} of white; 0.13 is best."


def _size(x: float, _: Facts) -> str:
    way = "Move closer, or crop" if x < 0.45 else "Move back"
    return f"{way}: from eyes to chin the head takes {100 * x:.0f} % of the picture's height; 45 % is best."


ADVICE = {
    "head_pose_yaw": Advice(90, lambda x, _: f"Turn the head {abs(x):.0f}° to the camera: it looks to the {_side(x)} of the picture."),
    "head_pose_pitch": Advice(
        90, lambda x, _: f"{'Lower' if x > 0 else 'Raise'} the chin by {abs(x):.0f}°: the face looks {'up' if x > 0 else 'down'}."
    ),
    "head_pose_roll": Advice(90, lambda x, _: f"Straighten the head by {abs(x):.0f}°: it leans to the {_side(x)} of the picture."),
    "inter_eye_distance": Advice(73, lambda x, _: f"Move closer, or use more pixels: the eyes are {x:.0f} px apart; 90 are wanted."),
    "head_size": Advice(50, _size),
    "crop_left": Advice(75, _edge("on the left")),
    "crop_right": Advice(75, _edge("on the right")),
    "margin_above": Advice(75, _margin("above", 1.6)),
    "margin_below": Advice(75, _margin("below", 2)),
    "single_face_present": Advice(
        90, lambda x, _: f"Photograph one person alone: another face is {100 * x:.0f} % as large as this one."
    ),
    "illumination_uniformity": Advice(60, _light),
    "luminance_mean": Advice(75, _luminance),
    "luminance_variance": Advice(60, _contrast),
    "under_exposure_prevention": Advice(
        90, lambda x, _: f"Brighten the shadows: {100 * x:.0f} % of the face is nearly black."
    ),
    "over_exposure_prevention": Advice(50, lambda x, _: f"Use less light or exposure: {100 * x:.1f} % of the face is burnt out to white."),
    "dynamic_range": Advice(70, lambda x, _: f"Give the face more tones: it is drawn in {x:.1f} bits of brightness; 6 are wanted."),
    "natural_colour": Advice(
        75,
        lambda _, facts: (
            f"Check the white balance: the skin's colour (a* {facts['a']:.0f}, b* {facts['b']:.0f}) is not one that skin has in "
            "plain light (5 to 25, 5 to 35)."
        ),
    ),
    "background_uniformity": Advice(60, lambda x, _: f"Choose a calmer background: its mean gradient is {x:.0f} steps; 40 is calm."),
    "face_sharpness": Advice(60, lambda x, _: f"Focus on the eyes and hold still: the face is blurred (σ {x:.1f} px; under 1 is sharp)."),
    "compression_artifacts": Advice(
        95, lambda x, _: f"Save with less compression: about {x:.2f} of the face's structure (SSIM) is left; over 0.6 is wanted."
    ),
    "mouth_closed": Advice(
        85, lambda x, _: f"Close the mouth: the lips are {100 * x:.0f} % of the distance from eyes to chin apart."
    ),
    "face_occlusion_prevention": Advice(
        65, lambda x, _: f"Uncover the face: {100 * x:.0f} % of it does not look like its skin."
    ),
}  # fmt: skip


def advice(results: Sequence[Result]) -> tuple[str, ...]:
    """What to fix, the worst first: sentences from the components of one face, each with the measurement it rests on.

    Results that are no components, or good enough, say nothing.
    """
    told: list[tuple[float, str]] = []
    for result in results:
        known = ADVICE.get(result.name)
        if known and result.value is not None and result.value < known.below:
            facts = {k: float(v) for k, v in result.data.items() if isinstance(v, int | float)}
            told.append((result.value / known.below, known.says(facts["raw"], facts)))
    return tuple(says for _, says in sorted(told))
