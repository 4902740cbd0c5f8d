"""Runs the same work in several interpreters side by side and writes what it cost.

Each contestant lives in a process of its own, is set up once, and then all take turns (A B C A B C …), so that a busy
machine slows everyone alike. Measured: CPU seconds (user + system, all threads), wall seconds, peak memory, and the
value, because a fast wrong answer is worth nothing.

    rows = race([Contestant("assay", sys.executable, setup, "float(f(x))", "assay"), Contestant("peer", peers, …)])
    save(Path("speed/f.json"), what="f of a photo", cases={"512": rows})
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LEAST = 0.2  # seconds a turn should take, so that short calls are repeated within it


@dataclass(frozen=True)
class Contestant:
    """One way to do the work: an interpreter, code run once, and an expression that is timed."""

    name: str
    python: str
    setup: str
    statement: str  # an expression; its value must be a number
    package: str = ""  # the distribution whose version is written down


WORKER = r"""
import json, resource, sys, time
from importlib.metadata import PackageNotFoundError, version
job = json.loads(sys.stdin.readline())
out, sys.stdout = sys.stdout, sys.stderr  # whatever the setup prints must not mix with the answers
space = {}
def memory(field):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) / 1024 for line in f if line.startswith(field))
def answer(**row):
    print(json.dumps(row), file=out, flush=True)
def cpu():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
def run(times):
    c, w = cpu(), time.perf_counter()
    for _ in range(times):
        value = eval(code, space)
    return (cpu() - c) / times, (time.perf_counter() - w) / times, float(value)
def begin(job):
    global code, base
    exec(job["setup"], space)
    code = compile(job["statement"], "statement", "eval")
    base = memory("VmRSS")
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")  # forget the peak of the setup
    except OSError:
        pass
    run(1)  # warm: lazy imports and caches
    first = run(1)
    try:
        number = version(job["package"]) if job["package"] else ""
    except PackageNotFoundError:
        number = ""
    answer(version=number, seconds=first[1], python=sys.version.split()[0])
begin(job)
for line in sys.stdin:
    if line[0] == "{":
        begin(json.loads(line))
        continue
    c, w, value = run(int(line))
    answer(cpu_s=c, wall_s=w, value=value, base_mb=base, peak_mb=memory("VmHWM"))
"""


class Worker:
    """A contestant's process, waiting for its turns."""

    def __init__(self, who: Contestant, threads: int) -> None:
        limits = {f"{n}_NUM_THREADS": str(threads) for n in ("OMP", "MKL", "OPENBLAS", "NUMBA", "RAYON")}
        limits["OMP_WAIT_POLICY"] = "PASSIVE"  # a thread that waits sleeps; spinning is no work, and would be counted
        self.name = who.name
        self._process = subprocess.Popen(
            [who.python, "-W", "ignore", "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **limits},
            cwd=ROOT,
        )
        self.begin(who)

    def begin(self, who: Contestant) -> None:
        """Take up a contestant of the same interpreter; what an earlier one has imported stays."""
        self.name = who.name
        first = self._ask(json.dumps({"setup": who.setup, "statement": who.statement, "package": who.package}))
        self.version, self.python = first["version"], first["python"]
        self._times = max(1, min(200, int(LEAST / max(first["seconds"], 1e-6))))

    def run(self) -> dict[str, float]:
        return self._ask(str(self._times))

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, line: str) -> dict[str, Any]:
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        if pipe_in is None or pipe_out is None:
            raise RuntimeError("the worker has no pipes")
        pipe_in.write(line + "\n")
        pipe_in.flush()
        reply = pipe_out.readline()
        if not reply:
            raise RuntimeError(f"{self.name} ended with {self._process.wait()}; its error is above")
        row: dict[str, Any] = json.loads(reply)
        return row


def race(contestants: list[Contestant], *, rounds: int = 5, threads: int = 1) -> list[dict[str, Any]]:
    """Let all take turns, `rounds` times; one row each. `times_first` compares with the first, within each round."""
    workers: list[Worker] = []
    try:
        workers.extend(Worker(who, threads) for who in contestants)
        return rows_of(workers, rounds)
    finally:
        for w in workers:
            w.close()


def together(who: Contestant, *, rounds: int = 5, processes: int = 2) -> float:
    """How often a second so many processes, of one thread each, do it all at the same time: the median of the rounds."""
    workers: list[Worker] = []
    try:
        workers.extend(Worker(who, 1) for _ in range(processes))
        with ThreadPoolExecutor(processes) as pool:
            rates = [sum(1 / row["wall_s"] for row in pool.map(Worker.run, workers)) for _ in range(rounds)]
        return _figure(median(rates))
    finally:
        for w in workers:
            w.close()


def rows_of(workers: list[Worker], rounds: int) -> list[dict[str, Any]]:
    """What the workers that stand ready cost, in turns."""
    turns = [[w.run() for w in workers] for _ in range(rounds)]
    rows = []
    for i, w in enumerate(workers):
        mine = [turn[i] for turn in turns]
        rows.append(
            {
                "name": w.name,
                "version": w.version,
                "python": w.python,
                "cpu_ms": _figure(median(t["cpu_s"] for t in mine) * 1000),
                "wall_ms": _figure(median(t["wall_s"] for t in mine) * 1000),
                "cpu_ms_all": [_figure(t["cpu_s"] * 1000) for t in mine],
                "times_first": _figure(median(turn[i]["cpu_s"] / turn[0]["cpu_s"] for turn in turns)),
                "peak_mb": round(mine[-1]["peak_mb"]),
                "extra_mb": round(max(0.0, mine[-1]["peak_mb"] - mine[-1]["base_mb"])),
                "value": mine[-1]["value"],
            }
        )
    return rows


def save(path: Path, *, what: str, cases: dict[str, list[dict[str, Any]]], threads: int | str = 1, **more: Any) -> None:
    """Write the rows of every case, and `more`, with the machine, the commit and the command; and print them."""
    facts = {
        "what": what,
        "command": " ".join(["python", *(str(Path(a).name) if a.startswith("/") else a for a in sys.argv)]),
        "made_on": time.strftime("%Y-%m-%d"),
        "commit": _git("rev-parse", "--short", "HEAD") + ("+changes" if _git("status", "--porcelain", "-uno") else ""),
        "threads": threads,
        "machine": machine(),
        **more,
        "cases": cases,
    }
    path.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for case, rows in cases.items():
        print(f"\n{case}")
        for r in rows:
            print(f"  {r['name']:32} {r['cpu_ms']:>10} ms CPU  ×{r['times_first']:<8} +{r['extra_mb']} MB  {r['value']:.6f}")


def machine() -> dict[str, Any]:
    """The processor, its widest vectors, cores, memory and how busy it was."""
    info = Path("/proc/cpuinfo").read_text("utf-8") if Path("/proc/cpuinfo").exists() else ""
    lines = dict(line.split("\t: ", 1) for line in info.splitlines() if "\t: " in line)
    flags = next((v for k, v in lines.items() if k.strip() == "flags"), "").split()
    return {
        "cpu": next((v for k, v in lines.items() if k.strip() == "model name"), platform.processor()),
        "vectors": "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "",
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 1),
    }


def _figure(x: float) -> float:
    return float(f"{x:.4g}")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, cwd=ROOT, check=False).stdout.strip()
