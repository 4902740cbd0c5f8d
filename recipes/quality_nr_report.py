"""What `assay-q` is worth, beside other judges without a reference: the table on its card's page.

    python recipes/quality_nr_report.py BANK [--rated DATA/manifest.csv] --out docs/assay-q.json [--judges assay-q,niqe-assay,…]

On photographs held out of training (quality_nr_data.part), with damage known and damage held out: how often the order of two
levels of one damage, and of two damages of one photograph, is right; rank correlation with the full-reference consensus; which
kind of damage is named first; how well a damaged rectangle is found. On rated pictures: rank correlation with people. All
intervals: 95 %, bootstrap over photographs.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.stats import spearmanr
from torch import Tensor

from assay.catalog import get
from assay.nets.assay_q import KINDS
from assay.types import AssayError, Finding, ScoreCard
from quality_nr import Bank
from quality_nr_data import FAMILY

JUDGES = ("assay-q", "niqe", "niqe-assay", "brisque", "il_niqe", "il_niqe-assay", "piqe")
APART = 10.0  # points of consensus between two pictures whose order should be clear
LARGE = (4320, 7680)
HEIGHT = 1024  # rated pictures of many sizes are brought to one, as viewers saw them
Row = dict[str, Any]


def judge(name: str, x: Tensor) -> float:
    """Higher is better, NaN where there is no answer."""
    fn: Any = get(name)
    card: ScoreCard = fn.card
    try:
        got = fn(x)[0]
    except AssayError:
        return float("nan")
    value = float(got.score if isinstance(got, Finding) else got)
    return value if card.scale.best > card.scale.worst else -value


def able(names: list[str]) -> list[str]:
    """Those whose parameters are on this machine."""
    return [
        n for n in names if np.isfinite(judge(n, (torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 255).byte()))
    ]


def bootstrap(figure: Callable[[np.ndarray], float], who: np.ndarray, times: int = 300) -> list[float]:
    """The figure, and its 95 % interval over draws of photographs."""
    dice = np.random.default_rng(0)
    places = [np.flatnonzero(who == w) for w in np.unique(who)]
    drawn = [figure(np.concatenate([places[i] for i in dice.integers(0, len(places), len(places))])) for _ in range(times)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return [round(float(v), 3) for v in (figure(np.arange(len(who))), low, high)]


def srcc(got: np.ndarray, want: np.ndarray, who: np.ndarray) -> list[float]:
    got = np.where(np.isfinite(got), got, np.nanmedian(got))

    def figure(i: np.ndarray) -> float:
        return float(spearmanr(got[i], want[i])[0])

    return bootstrap(figure, who)


def ordered(got: np.ndarray, bank: Bank, pick: np.ndarray) -> list[float]:
    """Share of pairs of levels of one damage on one crop whose order is right; a missing answer is wrong half the time."""
    right, who = [], []
    groups: dict[tuple[str, int, int], list[int]] = {}
    for at, i in enumerate(pick):
        if bank.group[i] >= 0:
            groups.setdefault((bank.photo[i], int(bank.crop[i]), int(bank.group[i])), []).append(at)
    for key, places in groups.items():
        for a in places:
            for b in places:
                if bank.level[pick[a]] < bank.level[pick[b]]:
                    d = got[a] - got[b]
                    right.append(0.5 if not np.isfinite(d) or d == 0 else float(d > 0))
                    who.append(key[0])
    values = np.array(right)
    return bootstrap(lambda i: float(values[i].mean()), np.array(who))


def across(got: np.ndarray, bank: Bank, pick: np.ndarray, wanted: Callable[[int, int], bool]) -> list[float]:
    """Share of pairs of one photograph with different damage whose order is the consensus's, where that differs by APART or more."""
    right, who = [], []
    for photo in sorted({bank.photo[i] for i in pick}):
        places = [at for at, i in enumerate(pick) if bank.photo[i] == photo]
        for n, a in enumerate(places):
            for b in places[n + 1 :]:
                apart = float(bank.target[pick[a]] - bank.target[pick[b]])
                if abs(apart) < APART or bank.kinds[pick[a]] == bank.kinds[pick[b]] or not wanted(pick[a], pick[b]):
                    continue
                d = float(got[a] - got[b])
                right.append(0.5 if not np.isfinite(d) or d == 0 else float((d > 0) == (apart > 0)))
                who.append(photo)
    values = np.array(right)
    return bootstrap(lambda i: float(values[i].mean()), np.array(who))


def on_bank(bank: Bank, names: list[str], limit: int) -> Row:
    whole = np.flatnonzero((bank.group >= -1) & bank.scored)
    keys = sorted({(bank.photo[i], int(bank.crop[i]), int(bank.group[i])) for i in whole})
    keep = {keys[j] for j in np.random.default_rng(1).permutation(len(keys))[: limit // 5]}
    pick = np.array([i for i in whole if (bank.photo[i], int(bank.crop[i]), int(bank.group[i])) in keep])
    who, known = np.array(bank.photo)[pick], bank.seen[pick]
    out: Row = {"pictures": len(pick), "photographs": len(set(who))}
    for name in names:
        got = np.array([judge(name, bank.pixels[int(i)][None]) for i in pick])
        out[name] = {
            "answers": round(float(np.isfinite(got).mean()), 3),
            "order, known damage": ordered(got[known], bank, pick[known]),
            "order, damage held out": ordered(got[~known], bank, pick[~known]),
            "order over types, known damage": across(got, bank, pick, lambda a, b: bool(bank.seen[a] and bank.seen[b])),
            "order over types, damage held out": across(got, bank, pick, lambda a, b: not (bank.seen[a] and bank.seen[b])),
            "consensus, known damage": srcc(got[known], bank.target[pick][known], who[known]),
            "consensus, damage held out": srcc(got[~known], bank.target[pick][~known], who[~known]),
        }
        print(name, json.dumps(out[name]), flush=True)
    return out


def seen(x: Tensor) -> Finding:
    fn: Any = get("assay-q")
    found: Finding = fn(x)[0]
    return found


def identified(bank: Bank, limit: int) -> Row:
    """How often the family of a single damage at level 3 or more is named first."""
    out: Row = {}
    for name, known in (("known damage", True), ("damage held out", False)):
        single = [i for i in np.flatnonzero((bank.level >= 3) & (bank.group >= 0) & (bank.seen == known)) if "+" not in str(bank.kinds[i])]
        pick = np.random.default_rng(2).permutation(single)[:limit]
        right, inside, errors = [], [], []
        for i in pick:
            f = seen(bank.pixels[int(i)][None])
            strengths: Any = f.data["strengths"]
            right.append(float(max(strengths, key=strengths.get) == KINDS[FAMILY[str(bank.kinds[i])]]))
            low, high = f.interval or (0, 100)
            if bank.scored[i]:
                inside.append(float(low <= bank.target[i] <= high))
                errors.append(abs(float(f.score or 0) - bank.target[i]))
        values = np.array(right)
        out[name] = {
            "named first": bootstrap(lambda i, v=values: float(v[i].mean()), np.array(bank.photo)[pick]),
            "of": len(pick),
            "chance": round(1 / len(KINDS), 3),
            "consensus inside the 90 % interval": round(float(np.mean(inside)), 3),
            "mean absolute error": round(float(np.mean(errors)), 1),
        }
    return out


def localised(bank: Bank, limit: int) -> Row:
    """Intersection over union of the damaged rectangle and the map under the middle between its 10th and 90th percentile; and AUC."""
    pick = np.random.default_rng(3).permutation(np.flatnonzero((bank.group == -3) & bank.scored & (bank.target < 90)))[:limit]
    ious, aucs = [], []
    for i in pick:
        drawn = torch.as_tensor(seen(bank.pixels[int(i)][None]).map)
        m = torch.nn.functional.interpolate(drawn[None, None], bank.pixels.shape[2:], mode="bilinear")[0, 0].numpy()
        top, left, bottom, right = bank.box[i]
        truth = np.zeros(m.shape, bool)
        truth[top:bottom, left:right] = True
        found = m < np.percentile(m, [10, 90]).mean()
        ious.append(float((found & truth).sum() / (found | truth).sum()))
        ranks = np.argsort(np.argsort(-m.ravel()))
        n = int(truth.sum())
        aucs.append(float((ranks[truth.ravel()].sum() - n * (n - 1) / 2) / (n * (truth.size - n))))
    who = np.array(bank.photo)[pick]
    both = [np.array(ious), np.array(aucs)]
    return {k: bootstrap(lambda i, v=v: float(v[i].mean()), who) for k, v in zip(("IoU", "AUC"), both, strict=True)} | {"of": len(pick)}


def steady(bank: Bank, limit: int) -> Row:
    """How much the score moves, in points, when nothing about the quality has changed."""
    pick = np.random.default_rng(4).permutation(np.flatnonzero((bank.group >= -1) & bank.scored))[:limit]
    moves: dict[str, list[float]] = {}
    for i in pick:
        x = bank.pixels[int(i)][None]
        s = float(seen(x).score or 0)
        other = bank.pixels[int(pick[0])][None]
        fn: Any = get("assay-q")
        for what, y in (
            ("mirrored", x.flip(3)),
            ("upside down", x.flip(2)),
            ("turned by 90°", torch.rot90(x, 1, (2, 3))),
            ("cropped to 240×240", x[:, :, 8:248, 8:248]),
            ("cropped to 97 %, odd", x[:, :, 3:252, 4:253]),
        ):
            moves.setdefault(what, []).append(abs(float(seen(y.contiguous()).score or 0) - s))
        moves.setdefault("in a batch", []).append(abs(float(fn(torch.cat([other, x]))[1].score) - s))
    return {
        k: {"median": round(float(np.median(v)), 4), "95 %": round(float(np.percentile(v, 95)), 3), "most": round(max(v), 3)}
        for k, v in moves.items()
    }


def memory(height: int, width: int) -> Row:
    """The most memory that a process of its own held while `assay-q` judged a picture, MB; and before it began, with all loaded.

    Linux's own mark, since what getrusage says begins with the memory of the process that started this one.
    """
    code = f"""
import torch
from pathlib import Path
from assay.catalog import get
judge = get("assay-q")
used = lambda: next(int(k.split()[1]) // 1024 for k in Path("/proc/self/status").read_text().splitlines() if k.startswith("VmHWM"))
judge(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
x = torch.randint(0, 256, (1, 3, {height}, {width}), dtype=torch.uint8)
before = used()
judge(x)
print(before, used())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, most = map(int, done.stdout.split())
    return {"picture": f"{width}×{height}", "before, MB": before, "most, MB": most}


def rated(manifest: Path, names: list[str]) -> Row:
    """Rank correlation with people. avt_hires is brought to one height first; avt_ai is as it is."""
    text = manifest.read_bytes().decode("utf-8", "replace")
    out: Row = {}
    for group, value in (("mos/avt_hires/", float), ("mos/avt_ai/", lambda v: float(json.loads(v)["quality"]))):
        rows = [
            r for r in csv.DictReader(io.StringIO(text)) if r["file"].startswith(group) and (manifest.parent / r["file"]).suffix != ".csv"
        ]
        people, who, scores = [], [], {n: [] for n in names}
        for r in rows:
            try:
                mos = value(r["value"])
            except (ValueError, KeyError):
                continue
            with Image.open(manifest.parent / r["file"]) as im:
                rgb = im.convert("RGB")
                if "hires" in group:
                    rgb = rgb.resize((HEIGHT * rgb.width // rgb.height, HEIGHT), Image.Resampling.BICUBIC)
                x = torch.from_numpy(np.ascontiguousarray(np.asarray(rgb).transpose(2, 0, 1)))[None]
            people.append(mos)
            who.append(Path(r["file"]).name.split("_")[0])
            for n in names:
                scores[n].append(judge(n, x))
        out[group.strip("/").split("/")[1]] = {"pictures": len(people)} | {
            n: srcc(np.array(v), np.array(people), np.array(who)) for n, v in scores.items()
        }
        print(group, json.dumps(out[group.strip("/").split("/")[1]]), flush=True)
    return out


def table(rows: Row, columns: list[str]) -> list[str]:
    """Markdown: a line for each judge; a figure with its interval."""

    def shown(v: object) -> str:
        return f"{v[0]:.3f} ({v[1]:.3f} to {v[2]:.3f})" if isinstance(v, list) else "" if v is None else str(v)

    lines = [f"| judge | {' | '.join(columns)} |", "|---|" + "--:|" * len(columns)]
    return lines + [f"| {name} | {' | '.join(shown(row.get(c)) for c in columns)} |" for name, row in rows.items()]


def merge(into: Row, other: Row) -> None:
    """What `other` says and `into` does not."""
    for key, value in other.items():
        if key not in into:
            into[key] = value
        elif isinstance(value, dict):
            merge(into[key], value)


def page(told: Row) -> str:
    """The figures as a page."""
    bank = told["damaged photographs held out"]
    judges = {k: v for k, v in bank.items() if isinstance(v, dict)}
    people = told.get("people, rank correlation", {})
    rated_by = {j: {s: v.get(j) for s, v in people.items()} for j in judges}
    out = ["# What `assay-q` is worth", "", "Written by `recipes/quality_nr_report.py`; in brackets 95 % intervals over photographs.", ""]
    out += [f"## Damage to {bank['photographs']} photographs that it was not trained on, {bank['pictures']} pictures", ""]
    out += ["Order: the share of pairs of levels of one damage that are put in the right order; over types: of pairs of different"]
    out += ["damages of one photograph that the consensus holds 10 points or more apart. Consensus: rank correlation with five"]
    out += ["full-reference metrics. Changes of light and colour are named, never scored, and are left out of both.", ""]
    out += table(judges, [c for c in next(iter(judges.values())) if c != "answers"])
    out += ["", "## People", "", "Rank correlation with mean opinions, none of which was used in training.", ""]
    out += table(rated_by, list(people))
    out += [
        "",
        "## What it sees, and where",
        "",
        "```json",
        json.dumps(
            {k: told[k] for k in ("damage named", "damage found", "steadiness, points", "memory") if k in told},
            indent=1,
            ensure_ascii=False,
        ),
        "```",
    ]
    return "\n".join(out) + "\n"


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("bank", type=Path)
    ask.add_argument("--rated", type=Path)
    ask.add_argument("--judges", default=",".join(JUDGES))
    ask.add_argument("--pictures", type=int, default=2000)
    ask.add_argument("--merge", type=Path, nargs="*", default=[], help="figures of other judges on the same pictures")
    ask.add_argument("--memory", action="store_true", help="also measure the memory that a picture of 7680×4320 takes")
    ask.add_argument("--out", type=Path, required=True)
    given = ask.parse_args()
    names = able(given.judges.split(","))
    bank = Bank(given.bank, "test", pixels=True)
    told: Row = {"recipe": "recipes/quality_nr_report.py", "damaged photographs held out": on_bank(bank, names, given.pictures)}
    told["damage named"] = identified(bank, given.pictures // 4)
    told["damage found"] = localised(bank, given.pictures // 8)
    told["steadiness, points"] = steady(bank, 40)
    if given.memory:
        told["memory"] = memory(*LARGE)
        print("memory", json.dumps(told["memory"], ensure_ascii=False), flush=True)
    if given.rated:
        told["people, rank correlation"] = rated(given.rated, names)
    for other in given.merge:
        for part in ("damaged photographs held out", "people, rank correlation"):
            merge(told.get(part, {}), json.loads(other.read_text("utf-8")).get(part, {}))
    given.out.with_suffix(".md").write_text(page(told), "utf-8")
    given.out.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(json.dumps(told, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
