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
    line, parts = _ancestry(active, manifests)
    actions = [_action(a, inherited) for m, inherited in line for a in _actions(m)][:200]
    results = store.get("validation_results") or {}
    status = (results.get("activeManifest") or {}).get("failure") or []
    programs = [p for g in active.get("claim_generator_info") or [] if (p := _program(g))]
    return {
        "state": str(store.get("validation_state", "invalid")).lower(),
        "signer": signature.get("issuer") or "",
        "signer_name": signature.get("common_name") or "",
        "time": signature.get("time") or "",
        "generator": ", ".join(programs) or active.get("claim_generator") or "",
        "actions": actions,
        "source_types": sorted({a["source"] for a in actions} - {""}),
        "part_source_types": sorted({_action(a, True)["source"] for m in parts for a in _actions(m)} - {""}),
        "ingredients": len(active.get("ingredients") or []),
        "failures": [{"code": f.get("code", ""), "explanation": f.get("explanation", "")} for f in status],
    }


def _ancestry(active: dict[str, Any], manifests: dict[str, Any]) -> tuple[list[tuple[dict[str, Any], bool]], list[dict[str, Any]]]:
    """The manifests this picture descends from, itself first, each with "is an ancestor"; and those of parts placed in it."""
    line, parts, seen = [(active, False)], [], {active.get("label")}
    for one, _ in line:  # grows while it is read
        for ingredient in one.get("ingredients") or []:
            label = ingredient.get("active_manifest")
            if label not in manifests or label in seen:
                continue
            seen.add(label)
            if ingredient.get("relationship") == "parentOf":
                line.append((manifests[label], True))
            else:
                parts.append(manifests[label])
    return line, parts


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
    if data["state"] not in ("trusted", "valid"):
        return (_broken(data, by), *(Evidence(e.says, caveat=BROKEN) for e in _claims(data, BROKEN)))
    caveat = SIGNED if data["state"] == "trusted" else f"{UNKNOWN} {SIGNED}"
    program = f", made with {data['generator']}" if data["generator"] else ""
    when = f" on {data['time']}" if data["time"] else ""
    known = "a trusted signer" if data["state"] == "trusted" else "the signer is on no trust list"
    return (Evidence(f"Signed by {by}{when}{program}; {known}. The file is unchanged since.", caveat=caveat), *_claims(data, caveat))


def _broken(data: dict[str, Any], by: str) -> Evidence:
    why = "; ".join(dict.fromkeys(f["explanation"] or f["code"] for f in data["failures"])) or "no reason given"
    if any("mismatch" in f["code"] or "missing" in f["code"] for f in data["failures"]):
        says = f"The C2PA seal of {by} is broken ({why[:300]}): the file or its manifest was changed after signing."
        return Evidence(says, "edited", "hint", BROKEN)
    return Evidence(f"The C2PA manifest of {by} does not verify ({why[:300]}).", caveat=BROKEN)


def _claims(data: dict[str, Any], caveat: str) -> list[Evidence]:
    """What the signer declares: the source of the picture, and what was done to it."""
    claims = []
    trusted = data["state"] == "trusted"
    done = {a["action"] for a in data["actions"]} & set(EDITS)
    edited = bool(done - HARMLESS)
    for code in data["source_types"]:
        meaning = declared.source(code)[1]
        if meaning is None or code == "empty":
            continue
        says, points_to, weight = f"The manifest declares the source as “{meaning.name}” ({code}).", meaning.points_to, meaning.weight
        if points_to == "camera original":  # a claim that flatters the picture needs a signer one can trust
            points_to, weight = (points_to, "strong") if trusted and not edited else (None, "note")
        claims.append(Evidence(says, points_to, weight, caveat))
    if {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"} & set(data["part_source_types"]):
        claims.append(Evidence("A part that was placed in the picture is declared as made by generative AI.", "edited", "strong", caveat))
    if done:
        says = f"The manifest says the picture was {', '.join(sorted({EDITS[d] for d in done}))}."
        claims.append(Evidence(says, "edited" if edited else None, ("strong" if trusted else "hint") if edited else "note", caveat))
    return claims
