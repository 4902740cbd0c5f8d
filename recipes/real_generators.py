"""What pictures of real generators teach a judge, asked honestly: leave one generator out. docs/generated.md tells the figures.

    python recipes/real_generators.py features DATA --out FEATURES.npz
    python recipes/real_generators.py features DATA --out FEATURES.npz --kinds other --net NET.safetensors     # of recipes/generated.py
    python recipes/real_generators.py report FEATURES.npz --out docs/real-generators.json [--bank BANK --net NET.safetensors]
    python recipes/real_generators.py report FEATURES.npz --out docs/real-generators.json --tables

DATA holds faces/gan_real, faces/sg3, mos/avt_ai (research only: nothing that is made here ships) and pristine/ and camera/original.
A judge learns from the pictures of all generators but one, and of photographs; it is asked for pictures of the generator left out and
photographs that it has not seen. Faces bring photographs of their own (PGGAN CelebA-HQ, StyleGAN others, StyleGAN 3 FFHQ), which
are left out with them, so that neither the generator nor the source of its photographs is known. The five generators of avt_ai share
photographs: its authors' nine, which are never learned from, and Kodak, gb82 and camera originals, reduced to 512 and saved as WebP
of the same quantiser (base index 8), half of them by name to learn from. Both classes go all of WAYS, in learning and in the asking.

NET is one that learned from harmonised pairs (`bank --harmonised` of recipes/reconstructions.py); it is set beside the shipped one.
Features: `body` (mean and deviation over places of what the body of `generated-assay` sees), `hand` (assay.ops.finedetail), both
together. Judge: ridge logistic regression on standardised numbers, generators counting alike and sources of photographs counting
alike; how strong the ridge is, is chosen by leaving generators out among those that are learned from. `the files alone` is a control
that knows a file's format, size, bytes a pixel and quantiser, and never looks at the pixels.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from scipy.optimize import minimize

from assay.nets.generated import MODEL, SIDE, Generated, loaded
from assay.nets.generated import statistics as net_statistics
from assay.ops import photo
from assay.ops.finedetail import statistics
from generated_report import GENERATORS, figures, large, read, reconstructed

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
NETS = ("body", "other")  # kinds that end with the net's own logit
WAYS = ("as is", "q90", "q75", "x.75")
QUALITY = 93  # of WebP: the quantiser that the files of avt_ai have
CROPS = 9  # for the net's features
RIDGES = (0.01, 0.1, 1.0, 10.0, 100.0)  # of linear discriminants
TIMES = 200  # resamples for intervals
HALF_RIDGE = 0.1  # where half of a generator's pictures are known
RIDGE, CUT = 0.03, 5.0  # of logistic regressions, as `assay train authenticity`; deviations


def even(name: str) -> bool:
    """Which half a picture belongs to, by its name."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def pictures(data: Path) -> Iterator[tuple[str, str, Path, int]]:
    """Source, class ("real" or "fake"), file, and the side it is reduced to and saved as WebP (0: it stays as it is)."""
    faces = {"PGGAN": "ai_pggan*", "StyleGAN": "ai_stylegan*", "CelebA-HQ": "real_celebahq*", "photographs of faces": "real_crop-hi*"}
    for source, like in faces.items():
        for p in sorted((data / "faces/gan_real").glob(like)):
            if large(p, 256):
                yield source, "fake" if like.startswith("ai") else "real", p, 0
    for source, like in {"StyleGAN 3": "ai*", "FFHQ": "real*"}.items():
        for p in sorted((data / "faces/sg3").glob(like)):
            yield source, "real" if like == "real*" else "fake", p, 0
    for source in ("own", *GENERATORS):
        for p in sorted((data / "mos/avt_ai" / source).iterdir()):
            yield source, "real" if source == "own" else "fake", p, 0
    for folder in ("pristine/kodak", "pristine/gb82", "camera/original"):
        for p in sorted((data / folder).iterdir()):
            if large(p):
                yield "cameras", "real", p, 512


def prepared(path: Path, side: int) -> tuple[Bytes, list[float]]:
    """Pixels, and what the file alone tells."""
    if side:
        out = io.BytesIO()
        Image.fromarray(read(path, side)).save(out, "WEBP", quality=QUALITY)
        data = out.getvalue()
    else:
        data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as im:
        tables = getattr(im, "quantization", None)
        a = np.asarray(im.convert("RGB"))
        facts = [im.format == "JPEG", im.format == "WEBP", im.width, im.height, len(data) / im.width / im.height]
    return a, [float(x) for x in (*facts, sum(tables[0]) if tables else 0)]


def ways(a: Bytes) -> list[Bytes]:
    im = Image.fromarray(a)

    def jpeg(quality: int) -> Bytes:
        out = io.BytesIO()
        im.save(out, "JPEG", quality=quality)
        return np.asarray(Image.open(out).convert("RGB"))

    small = im.resize((round(im.width * 0.75), round(im.height * 0.75)), Image.Resampling.BICUBIC)
    return [a, jpeg(90), jpeg(75), np.asarray(small)]


@cache
def net_of(file: str) -> Generated:
    """A net that recipes/generated.py exported; the shipped one for ""."""
    if not file:
        return loaded()
    net = Generated()
    net.load_state_dict({k: v.float() for k, v in load_file(file).items()})
    return net.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


@torch.no_grad()
def body(a: Bytes, file: str = "") -> Floats:
    """Means of what a net's body sees over crops, and the mean logit last."""
    x = torch.from_numpy(np.array(a)).permute(2, 0, 1)
    net, crops = net_of(file), photo.patches(x, side=SIDE, most=CROPS * SIDE**2)
    mean = torch.cat([net_statistics(net, part.float() / 255)[0] for part in torch.split(crops, 6)]).mean(0)
    logit = net.head.weight.ravel() @ mean[: net.head.in_channels] + net.head.bias
    return torch.cat([mean, logit]).double().numpy()  # type: ignore[no-any-return]


def job(given: tuple[Path, int, tuple[str, ...], str]) -> dict[str, Any]:
    torch.set_num_threads(1)
    a, facts = prepared(*given[:2])
    how = {"hand": statistics, "body": body, "other": lambda w: body(w, given[3])}
    return {"files": facts} | {k: np.stack([how[k](w) for w in ways(a)]) for k in given[2]}


def features(data: Path, out: Path, workers: int, kinds: Sequence[str], net: str) -> None:
    """What `kinds` say of all pictures; others that are in the file already stay."""
    rows = list(pictures(data))
    with ProcessPoolExecutor(workers) as pool:
        told = list(pool.map(job, [(p, side, tuple(kinds), net) for _, _, p, side in rows], chunksize=4))
    kept = dict(np.load(out)) if out.exists() else {}
    names = {"source": [s for s, *_ in rows], "fake": [c == "fake" for _, c, *_ in rows], "name": [p.name for _, _, p, _ in rows]}
    np.savez(out, **(kept | names | {k: np.stack([t[k] for t in told]) for k in ("files", *kinds)}))
    print({s: names["source"].count(s) for s in dict.fromkeys(names["source"])})


# --- judges ----------------------------------------------------------------------------------------------------------------------------

FACES = {"PGGAN": "CelebA-HQ", "StyleGAN": "photographs of faces", "StyleGAN 3": "FFHQ"}  # and their own photographs
SETS = (*FACES, *GENERATORS)


class Rows:
    """Features of one kind and what is known of them."""

    def __init__(self, kept: dict[str, Any], kind: str) -> None:
        parts = [kept[k][..., :-1] if k in NETS else kept[k] for k in kind.split("+")]
        whole = np.concatenate([p if p.ndim == 3 else np.repeat(p[:, None], len(WAYS), 1) for p in parts], axis=2)
        self.x: Floats = whole.astype(np.float64)
        self.source, self.fake = kept["source"], kept["fake"]
        self.half = np.array([even(n) for n in kept["name"]])  # those learned from where a source is on both sides

    def where(self, *sources: str) -> NDArray[np.bool_]:
        return np.isin(self.source, sources)


def weights(source: NDArray[Any], fake: NDArray[np.bool_]) -> Floats:
    """Sources of a class count alike, classes count alike."""
    w = np.zeros(len(source))
    for c in (True, False):
        for s in (names := np.unique(source[fake == c])):
            at = (source == s) & (fake == c)
            w[at] = 0.5 / len(names) / at.sum()
    return w


def moments(x: Floats, w: Floats) -> tuple[Floats, Floats, Floats]:
    """Pictures × ways × numbers → rows × numbers standardised and cut at 5 deviations, mean and deviation."""
    flat, share = x.reshape(-1, x.shape[2]), np.repeat(w, x.shape[1]) / x.shape[1]
    mean = share @ flat
    scale = np.sqrt(share @ (flat - mean) ** 2) + 1e-6
    return np.clip((flat - mean) / scale, -CUT, CUT), mean, scale


def linear(x: Floats, fake: NDArray[np.bool_], w: Floats, ridges: Sequence[float]) -> list[tuple[Floats, Floats, Floats]]:
    """A shrunk linear discriminant for every ridge: weights (the bias last), mean and deviation of the numbers."""
    z, mean, scale = moments(x, w)
    z = np.c_[z, np.ones(len(z))]
    share, y = np.repeat(w, x.shape[1]) / x.shape[1], np.repeat(np.where(fake, 1.0, -1.0), x.shape[1])
    gram, pull = (z * share[:, None]).T @ z, z.T @ (share * y)
    damp = np.eye(len(gram))
    damp[-1, -1] = 0
    return [(np.linalg.solve(gram + r * damp, pull), mean, scale) for r in ridges]


def logistic(x: Floats, fake: NDArray[np.bool_], w: Floats, ridge: float) -> tuple[Floats, Floats, Floats]:
    """The regression of `assay train authenticity`, with weights for its rows."""
    z, mean, scale = moments(x, w)
    share, y = np.repeat(w, x.shape[1]) / x.shape[1], np.repeat(fake, x.shape[1])

    def loss(b: Floats) -> tuple[float, Floats]:
        margin = z @ b[:-1] + b[-1]
        slope = share * (1 / (1 + np.exp(-margin)) - y)
        value = share @ np.logaddexp(0, np.where(y, -margin, margin)) + ridge * b[:-1] @ b[:-1]
        return float(value), np.concatenate([z.T @ slope + 2 * ridge * b[:-1], [slope.sum()]])

    return minimize(loss, np.zeros(z.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 200}).x, mean, scale


def said(x: Floats, judge: tuple[Floats, Floats, Floats]) -> Floats:
    """Pictures × ways."""
    weight, mean, scale = judge
    return np.clip((x - mean) / scale, -CUT, CUT) @ weight[:-1] + weight[-1]  # type: ignore[no-any-return]


def split(rows: Rows, out: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Who is learned from and who is asked when the generators `out` are left out."""
    avt = [g for g in out if g in GENERATORS]
    own = [FACES[g] for g in out if g in FACES]
    learn = ~rows.where(*out, *own, "own") & ~(rows.where("cameras") & ~rows.half)
    asked = rows.where(*out, *own)
    if avt:
        asked |= rows.where("own") | (rows.where("cameras") & ~rows.half)
    if all(g in out for g in GENERATORS):
        learn &= ~rows.where("cameras")
        asked |= rows.where("cameras")
    return learn, asked


def auc(score: Floats, fake: NDArray[np.bool_]) -> float:
    return float((score[fake][:, None] > score[~fake]).mean() + 0.5 * (score[fake][:, None] == score[~fake]).mean())


def ridge_for(rows: Rows, out: Sequence[str]) -> float:
    """The ridge that does best on each of the other generators when it is left out as well."""
    worth = np.zeros(len(RIDGES))
    for g in (s for s in SETS if s not in out):
        learn, asked = split(rows, [*out, g])
        asked &= ~rows.where(*out, *(FACES[o] for o in out if o in FACES))
        for i, judge in enumerate(linear(rows.x[learn], rows.fake[learn], weights(rows.source[learn], rows.fake[learn]), RIDGES)):
            score = said(rows.x[asked], judge)
            worth[i] += np.mean([auc(score[:, k], rows.fake[asked]) for k in range(len(WAYS))])
    return RIDGES[int(worth.argmax())]


def judged(rows: Rows, learn: NDArray[np.bool_], ridge: float) -> Floats:
    """What a judge says of all pictures after all ways; ridge 0: the logistic regression of `assay train authenticity`."""
    x, fake = rows.x[learn], rows.fake[learn]
    w = weights(rows.source[learn], fake)
    return said(rows.x, linear(x, fake, w, [ridge])[0] if ridge else logistic(x, fake, w, RIDGE))


# --- figures ---------------------------------------------------------------------------------------------------------------------------


def told(rows: Rows, score: Floats, learn: NDArray[np.bool_], fake: NDArray[np.bool_], real: NDArray[np.bool_]) -> dict[str, Any]:
    """By way: AUC and share found at 5 % with intervals; and at the threshold that 1 % of the photographs learned from pass."""
    found = {}
    for k, way in enumerate(WAYS):
        limit = np.quantile(score[learn & ~rows.fake][:, k], 0.99)
        kept = figures(score[real, k], score[fake, k], TIMES)
        found[way] = {n: kept[n] for n in ("auc", "tpr@0.05", "photographs", "generated") if n in kept}
        found[way] |= {"found at the threshold": mean(score[fake, k] > limit), "alarms at the threshold": mean(score[real, k] > limit)}
    return found


def beside_own(rows: Rows, score: Floats, fake: NDArray[np.bool_]) -> dict[str, list[float]]:
    """AUC by way against the nine photographs that the authors of avt_ai prepared as they did the generated ones; empty for faces."""
    if rows.source[fake][0] in FACES:
        return {}
    nine = fake | rows.where("own")
    return {"against the authors' nine": [round(auc(score[nine, k], rows.fake[nine]), 3) for k in range(len(WAYS))]}


def mean(x: Any) -> float:
    return round(float(np.mean(x)), 3)


def left_out(kept: dict[str, Any], kind: str) -> dict[str, Any]:
    """Every generator left out, alone and with all of its kin."""
    rows, found = Rows(kept, kind), {}
    logistic_only = kind in (*NETS, "files")
    whole = {g: (g,) for g in SETS} | {"all of avt_ai": GENERATORS, "all faces": tuple(FACES)}
    for name, out in whole.items():
        ridge = 0.0 if logistic_only else ridge_for(rows, out)
        learn, asked = split(rows, out)
        score = judged(rows, learn, ridge)
        for g in out:
            real = asked & ~rows.fake & (rows.where(FACES[g]) if g in FACES else rows.where("own", "cameras"))
            key = g if name == g else f"{g}, {name} left out"
            found[key] = told(rows, score, learn, rows.where(g), real) | {"ridge": ridge or RIDGE}
            found[key] |= beside_own(rows, score, rows.where(g))
        print(kind, name, {g: [found[g if name == g else f"{g}, {name} left out"][w]["auc"][0] for w in WAYS] for g in out}, flush=True)
    several = {"left out": found, "half of all": halves(rows, 0.0 if logistic_only else HALF_RIDGE, alone=False)}
    several |= {f"half of its own, {n}": halves(rows, r, alone=True) for n, r in {"logistic": 0.0, "linear": HALF_RIDGE}.items()}
    for name, by in list(several.items()):
        aucs = np.array([[by[g][w]["auc"][0] for w in WAYS] for g in SETS])
        several[name] = {"by generator": by, "mean": aucs.mean(0).round(3).tolist(), "worst": aucs.min(0).round(3).tolist()}
    print(kind, {n: several[n]["mean"] for n in several}, flush=True)
    return several


def halves(rows: Rows, ridge: float, *, alone: bool) -> dict[str, Any]:
    """Judges that met half of the pictures, asked for the other half: one judge of all generators, or each of one alone."""
    found = {}
    for g in SETS:
        near = rows.where(g, FACES[g]) if g in FACES else rows.where(g, "cameras")
        learn = rows.half & ~rows.where("own") & (near if alone else True)
        if g == SETS[0] or alone:
            score = judged(rows, learn, ridge)
        asked = ~rows.half | rows.where("own")
        real = asked & ~rows.fake & (rows.where(FACES[g]) if g in FACES else rows.where("own", "cameras"))
        found[g] = told(rows, score, learn, asked & rows.where(g), real) | beside_own(rows, score, asked & rows.where(g))
    return found


def nets(kept: dict[str, Any]) -> dict[str, Any]:
    """The shipped net and another, nothing of real generators learned: AUC on pictures by which a choice may be made, on others, on all."""
    rows = Rows(kept, "files")
    score = {k: kept[k][..., -1] for k in NETS}
    found: dict[str, Any] = {k: {} for k in NETS}
    for g in SETS:
        real = rows.where(FACES[g]) if g in FACES else rows.where("own", "cameras")
        for k in NETS:
            found[k][g] = {w: figures(score[k][real, i], score[k][rows.where(g), i], TIMES)["auc"] for i, w in enumerate(WAYS)}
    for name, part in {"to choose by": rows.half, "to report": ~rows.half, "all": np.ones(len(rows.half), bool)}.items():
        found[f"mean AUC, {name}"] = {k: means(rows, score[k], part) for k in NETS}
        found[f"other less shipped, {name}"] = gained(rows, score, part)
    return found


def means(rows: Rows, score: Floats, part: NDArray[np.bool_], dice: np.random.Generator | None = None) -> list[float]:
    """The mean AUC over generators by way; of a resample of pictures, if there are dice."""
    at = np.flatnonzero(part)
    if dice:
        at = np.concatenate([dice.choice(own, len(own)) for s in np.unique(rows.source) if len(own := at[rows.source[at] == s])])
    known, by = rows.source[at], []
    for g in SETS:
        real = np.isin(known, [FACES[g]] if g in FACES else ["own", "cameras"])
        both = real | (known == g)
        by.append([auc(score[at[both], k], rows.fake[at[both]]) for k in range(len(WAYS))])
    return [round(float(x), 3) for x in np.mean(by, axis=0)]


def gained(rows: Rows, score: dict[str, Floats], part: NDArray[np.bool_]) -> list[list[float]]:
    """By way: by how much the other net's mean AUC is larger, and the 95 % interval over resamples of pictures."""

    def less(seed: int | None) -> Floats:
        a, b = (means(rows, score[k], part, None if seed is None else np.random.default_rng(seed)) for k in NETS)
        return np.array(b) - a

    low, high = np.quantile([less(i) for i in range(TIMES)], (0.025, 0.975), axis=0)
    return [[round(float(x), 3) for x in row] for row in zip(less(None), low, high, strict=True)]


def decoders(bank: Path, net: str) -> dict[str, Any]:
    """AUC of the shipped net and of another on test crops and what unseen decoders made of them, as they are and after JPEG 75."""
    found: dict[str, Any] = {}
    known: dict[tuple[str, int], Floats] = {}
    for name, (real, made) in reconstructed(bank):
        if "unseen" not in name:
            continue
        found[name] = {}
        for kind, file in zip(NETS, ("", net), strict=True):
            for at in (0, 2):
                if (kind, at) not in known:
                    known[kind, at] = np.array([body(ways(f())[at], file)[-1] for f in real])
                asked = np.array([body(ways(f())[at], file)[-1] for f in made])
                row = figures(known[kind, at], asked, 1)["auc"][0]
                found[name].setdefault(kind, {})[WAYS[at]] = row
        print(name, found[name], flush=True)
    return found


def report(file: Path, out: Path, bank: Path | None, net: str) -> None:
    kept = dict(np.load(file))
    kinds = [k for k in ("body", "other", "hand", "body+hand", "files") if all(p in kept for p in k.split("+"))]
    found: dict[str, Any] = {"ways": WAYS, "numbers": {k: Rows(kept, k).x.shape[2] for k in kinds}, "shipped net": MODEL.sha256}
    found["pictures"] = {str(s): int((kept["source"] == s).sum()) for s in dict.fromkeys(kept["source"])}
    if all(k in kept for k in NETS):
        found["nets"] = nets(kept)
    if bank:
        found["decoders"] = decoders(bank, net)
    found["judges"] = {kind: left_out(kept, kind) for kind in kinds}
    out.write_text(json.dumps(found, separators=(",", ":")), "utf-8")


def tables(found: dict[str, Any]) -> str:
    """The figures as they stand in docs/generated.md."""
    lines, judges = [], found["judges"]
    for way in ("as is", "q90"):
        lines += [f"Each generator left out, `{way}`: AUC, and the share found at 5 % false alarms.", ""]
        lines += ["| left out | " + " | ".join(judges) + " |", "|---" * (len(judges) + 1) + "|"]
        for g in next(iter(judges.values()))["left out"]["by generator"]:
            cells = []
            for kind in judges:
                row = judges[kind]["left out"]["by generator"][g][way]
                cells.append(ranged(row["auc"]) + (f"; {row['tpr@0.05'][0]:.2f}" if "tpr@0.05" in row and kind != "files" else ""))
            lines.append(f"| {g} | " + " | ".join(cells) + " |")
        lines.append("")
    head = ["learned from", *(f"{k}, {w}" for k in judges for w in ("as is", "q75")), *(f"{k}, the nine" for k in judges)]
    lines += [
        "Mean (worst) AUC of the eight; and of the five of avt_ai against their authors' nine photographs alone:",
        "",
        "| " + " | ".join(head) + " |",
        "|---" * len(head) + "|",
    ]
    names = {
        "left out": "the others",
        "half of all": "half of all eight",
        **{f"half of its own, {n}": f"half of its own alone ({n})" for n in ("logistic", "linear")},
    }
    for key, name in names.items():
        cells = [f"{judges[k][key]['mean'][i]:.2f} ({judges[k][key]['worst'][i]:.2f})" for k in judges for i in (0, 2)]
        nine = {k: [judges[k][key]["by generator"][g]["against the authors' nine"][0] for g in GENERATORS] for k in judges}
        cells += [f"{np.mean(nine[k]):.2f}" for k in judges]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    if "nets" in found:
        both = found["nets"]
        lines += [
            "",
            "| AUC of the net alone | " + " | ".join(f"{n}, {w}" for w in found["ways"] for n in ("shipped", "harmonised")) + " |",
        ]
        lines.append("|---" * (2 * len(found["ways"]) + 1) + "|")
        for g in both["body"]:
            lines.append(f"| {g} | " + " | ".join(f"{both[k][g][w][0]:.2f}" for w in found["ways"] for k in NETS) + " |")
        for name in ("to choose by", "to report", "all"):
            mean = both[f"mean AUC, {name}"]
            lines.append(f"| mean, pictures {name} | " + " | ".join(f"{mean[k][i]:.3f}" for i in range(len(WAYS)) for k in NETS) + " |")
    if "decoders" in found:
        head = [f"{n}, {w}" for w in ("as is", "q75") for n in ("shipped", "harmonised")]
        lines += ["", "| AUC of the net alone | " + " | ".join(head) + " |", "|---" * 5 + "|"]
        for name, row in found["decoders"].items():
            lines.append(f"| {name} | " + " | ".join(f"{row[k][w]:.2f}" for w in ("as is", "q75") for k in NETS) + " |")
    return "\n".join(lines)


def ranged(x: Sequence[float]) -> str:
    return f"{x[0]:.2f} ({x[1]:.2f}-{x[2]:.2f})"


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("act", choices=("features", "report"))
    ask.add_argument("source", type=Path)
    ask.add_argument("--out", type=Path)
    ask.add_argument("--kinds", default="hand,body")
    ask.add_argument("--net", default="", help="a net of recipes/generated.py, whose body is asked for the kind `other`")
    ask.add_argument("--bank", type=Path, help="of recipes/reconstructions.py: on whose test part both nets are measured too")
    ask.add_argument("--workers", type=int, default=1)
    ask.add_argument("--tables", action="store_true", help="only print what --out holds")
    given = ask.parse_args()
    if given.act == "features":
        features(given.source, given.out, given.workers, given.kinds.split(","), given.net)
    elif given.tables:
        print(tables(json.loads(given.out.read_text("utf-8"))))
    else:
        report(given.source, given.out, given.bank, given.net)


if __name__ == "__main__":
    main()
