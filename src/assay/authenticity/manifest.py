"""Content Credentials: the signed C2PA manifest inside a file."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from assay.catalog import carded
from assay.ops import declared
from assay.types import BadInput, CannotAssess, Evidence, EvidenceCard, Finding, Picture

OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
SIGNED = "A signature proves who signed and that nothing changed since; not that what was signed is true."
UNKNOWN = "The signer is on no trust list given here: anybody can make such a signature, also in another's name."
BROKEN = "Any program that re-saves a signed file without signing again breaks the seal, most often innocently."
EDITS = {  # actions of the C2PA specification 2.2, section 18, that change what a picture shows; the rest leaves it alone
    "c2pa.edited": "edited",
    "c2pa.color_adjustments": "changed in colour",
    "c2pa.adjustedColor": "changed in colour",
    "c2pa.cropped": "cropped",
    "c2pa.drawing": "drawn upon",
    "c2pa.enhanced": "enhanced",
    "c2pa.filtered": "filtered",
    "c2pa.placed": "composed of several pictures",
    "c2pa.removed": "freed of a part",
    "c2pa.redacted": "redacted",
    "c2pa.resized": "resized",
    "c2pa.resized.proportional": "resized",
    "c2pa.orientation": "turned",
    "c2pa.watermarked": "watermarked",
    "c2pa.addedText": "given text",
}
HARMLESS = {"c2pa.resized", "c2pa.resized.proportional", "c2pa.orientation", "c2pa.watermarked", "c2pa.redacted"}


@carded(
    EvidenceCard(
        name="manifest",
        version="1",
        takes=("file",),
        needs="c2pa",
        paper="C2PA Technical Specification 2.2, https://spec.c2pa.org",
        caveat="Absence proves nothing: most websites strip manifests. A valid signature vouches for the signer's claim only.",
    )
)
def manifest(picture: Picture, *, trust: str = "") -> Finding:
    """Content Credentials (C2PA): who signed the file, what they declare about its making, and whether the seal holds.

    picture: one file.  trust: certificates of the authorities you trust, in PEM form; without it no signer is trusted.
    Nothing is fetched: a manifest that lies elsewhere is named, not followed. `data`: state ("trusted", "valid",
    "invalid", "remote", "none"), signer, time, claim generator, actions, source types, failures.
    Raises CannotAssess without the c2pa extra, for an array in memory, or where the manifest cannot be parsed.
    """
    if not picture.data:
        raise CannotAssess("a manifest lives in a file, and this picture came from memory: there is no file to read.")
    try:
        import c2pa
    except (ImportError, OSError) as missing:
        raise CannotAssess("reading C2PA manifests needs an extra: pip install assay[c2pa]") from missing
    try:
        store = _read(c2pa, picture.data, trust)
    except c2pa.C2paError.ManifestNotFound:
        caveat = "Absence proves nothing: most programs write none, and most websites strip them."
        return Finding(evidence=(Evidence("The file carries no C2PA manifest.", caveat=caveat),), data={"state": "none"})
    except c2pa.C2paError as error:
        return _unreadable(str(error))
    data = _facts(store)
    return Finding(evidence=_evidence(data), data=data)


def _read(c2pa: Any, data: bytes, trust: str) -> dict[str, Any]:
    settings = OFFLINE | ({"trust": {"user_anchors": trust}} if trust else {})
    try:
        context = c2pa.Context(c2pa.Settings.from_dict(settings))
    except c2pa.C2paError as refused:
        raise BadInput(f"the certificates in `trust` were refused: {refused}. They must be in PEM form.") from refused
    with context, c2pa.Reader(BytesIO(data), context=context) as reader:
        return dict(json.loads(reader.json()))


def _unreadable(error: str) -> Finding:
    kind, _, rest = error.partition(": ")
    if kind == "Remote":
        url = rest.rpartition(" ")[2]
        caveat = "It was not fetched: whoever hosts it would learn that you look, and may answer anything."
        says = f"The file's C2PA manifest lies elsewhere ({url[:200]})."
        return Finding(evidence=(Evidence(says, caveat=caveat),), data={"state": "remote", "url": url[:2000]})
    if kind == "NotSupported":
        raise CannotAssess("files of this format carry no C2PA manifest that can be read.")
    raise CannotAssess(f"the file could not be searched for a C2PA manifest: {error[:300]}")


def _facts(store: dict[str, Any]) -> dict[str, object]:
    manifests = store.get("manifests") or {}
    active = manifests.get(store.get("active_manifest")) or {}
    signature = active.get("signature_info") or {}
    # The active manifest first, then those of its ingredients: a picture edited from a generated one says so there.
    chain = [active, *(m for label, m in manifests.items() if label != store.get("active_manifest"))]
    actions = [_action(a, n > 0) for n, m in enumerate(chain) for a in _actions(m)][:200]
    results = store.get("validation_results") or {}
    status = (results.get("activeManifest") or {}).get("failure") or []
    return {
        "state": str(store.get("validation_state", "invalid")).lower(),
        "signer": signature.get("issuer") or "",
        "signer_name": signature.get("common_name") or "",
        "time": signature.get("time") or "",
        "generator": ", ".join(filter(None, (_program(g) for g in active.get("claim_generator_info") or [])))
        or active.get("claim_generator", ""),
        "actions": actions,
        "source_types": sorted({a["source"] for a in actions if a["source"]}),
        "ingredients": len(active.get("ingredients") or []),
        "failures": [{"code": f.get("code", ""), "explanation": f.get("explanation", "")} for f in status],
    }


def _actions(one: dict[str, Any]) -> list[dict[str, Any]]:
    found = [a.get("data") for a in one.get("assertions") or [] if str(a.get("label", "")).startswith("c2pa.actions")]
    return [a for d in found if isinstance(d, dict) for a in d.get("actions") or [] if isinstance(a, dict)]


def _action(action: dict[str, Any], inherited: bool) -> dict[str, Any]:
    source = action.get("digitalSourceType")
    return {
        "action": str(action.get("action", "")),
        "source": declared.source(source)[0] if isinstance(source, str) else "",
        "program": _program(action.get("softwareAgent")),
        "when": str(action.get("when") or ""),
        "inherited": inherited,
    }


def _program(agent: object) -> str:
    if isinstance(agent, dict):
        return " ".join(str(agent[k]) for k in ("name", "version") if agent.get(k))
    return str(agent or "")


def _evidence(data: dict[str, Any]) -> tuple[Evidence, ...]:
    by = f"“{data['signer'] or data['signer_name'] or 'an unnamed signer'}”"
    with_ = f", made with {data['generator']}" if data["generator"] else ""
    if data["state"] not in ("trusted", "valid"):
        broken = "; ".join(dict.fromkeys(f["explanation"] or f["code"] for f in data["failures"])) or "no reason given"
        says = f"The C2PA seal of {by} is broken ({broken[:300]}): file or manifest were changed after signing."
        return (Evidence(says, "edited", "hint", BROKEN),)
    trusted = data["state"] == "trusted"
    caveat = SIGNED if trusted else f"{UNKNOWN} {SIGNED}"
    when = f" on {data['time']}" if data["time"] else ""
    says = f"Signed by {by}{when}{with_}; {'a trusted signer' if trusted else 'the signer is not on a trust list'}. Nothing changed since."
    return (Evidence(says, caveat=caveat), *_claims(data, trusted, caveat))


def _claims(data: dict[str, Any], trusted: bool, caveat: str) -> list[Evidence]:
    """What the signer declares: the source of the picture, and what was done to it."""
    claims = []
    for code in data["source_types"]:
        meaning = declared.source(code)[1]
        if meaning is None:
            continue
        # A signer whom nobody knows can still not gain by admitting AI; that he shows the plain truth is another matter.
        vouched = trusted or meaning.points_to != "camera original"
        weight = "strong" if trusted and meaning.weight == "hint" and meaning.points_to == "camera original" else meaning.weight
        points_to = meaning.points_to if vouched else None
        says = f"The manifest declares the source as “{meaning.name}” ({code})."
        claims.append(Evidence(says, points_to, weight if vouched else "note", caveat))
    done = {a["action"] for a in data["actions"]} & set(EDITS)
    if done:
        words = ", ".join(sorted({EDITS[d] for d in done}))
        edited = bool(done - HARMLESS)
        claims.append(
            Evidence(f"The manifest says the picture was {words}.", "edited" if edited else None, "hint" if edited else "note", caveat)
        )
    return claims
