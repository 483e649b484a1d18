"""Writes `bench/RESULTS.md` from the JSON of all runs: the goals, what was measured, and what was missed."""

import json
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mesh
import places
import products
import workloads


@dataclass
class Goal:
    """One figure that must be reached, the one that is aimed at, and how it is computed from the results."""

    sentence: str
    must: float
    aim: float
    value: Callable[[dict], float | None]
    unit: str = ""


def ratio(workload: str, ours: str, theirs: str, key: str = "total") -> Callable[[dict], float | None]:
    """Our median by theirs, both from one run; of CPU per request, unless another figure is named."""
    def value(results: dict) -> float | None:
        rows = results.get(workload, {}).get("rows", {})
        medians = [median(rows.get(name, {}).get(key, [])) for name in (ours, theirs)]
        return medians[0] / medians[1] if all(medians) else None
    return value


def field(workload: str, name: str, key: str, scale: float = 1) -> Callable[[dict], float | None]:
    def value(results: dict) -> float | None:
        found = results.get(workload, {}).get("rows", {}).get(name, {}).get(key)
        return None if found is None else found / scale
    return value


def inverse(workload: str, key: str) -> Callable[[dict], float | None]:
    """Milliseconds for one of so many a second."""
    def value(results: dict) -> float | None:
        found = field(workload, "selvedge", key)(results)
        return 1000 / found if found else None
    return value


def growth(shape: str) -> Callable[[dict], float | None]:
    """Instructions at 100,000 routes by those at 10."""
    def value(results: dict) -> float | None:
        rows = results.get("instructions", {}).get("rows", {})
        few, many = rows.get(f"match {shape} 10"), rows.get(f"match {shape} 100000")
        return many / few if few and many else None
    return value


GOALS = [
    Goal("GET 1 KiB ÷ nginx", 0.75, 0.63, ratio("get1k", "selvedge", "nginx")),
    Goal("GET 1 KiB with access logs ÷ nginx with access logs", 0.85, 0.63,
         ratio("get1k-log", "selvedge-log", "nginx-log")),
    Goal("GET 1 KiB ÷ Envoy", 0.25, 0.20, ratio("get1k", "selvedge", "envoy")),
    Goal("POST 16 KiB ÷ nginx", 0.80, 0.55, ratio("post16k", "selvedge", "nginx")),
    Goal("GET 100 KiB ÷ nginx", 1.0, 0.80, ratio("get100k", "selvedge", "nginx")),
    Goal("four chunks ÷ nginx", 0.70, 0.50, ratio("chunked", "selvedge", "nginx")),
    Goal("TLS 1.3 keep-alive ÷ nginx", 0.60, 0.48, ratio("tls", "selvedge", "nginx")),
    Goal("full ECDSA handshakes ÷ nginx", 0.65, 0.57, ratio("hs", "selvedge", "nginx")),
    Goal("HTTP/2 client to HTTP/1 upstream ÷ HAProxy", 1.0, 0.8, ratio("h2", "selvedge", "haproxy")),
    Goal("gRPC unary ÷ Envoy", 0.40, 0.30, ratio("grpc", "selvedge", "envoy")),
    Goal("a plain TCP tunnel, CPU per GB ÷ nginx", 0.60, 0.50, ratio("l4", "selvedge", "nginx")),
    Goal("two hops with mutual TLS ÷ an Envoy pair", 0.25, 0.17, ratio("mesh", "selvedge", "envoy")),
    Goal("two hops with mutual TLS ÷ an nginx pair", 0.60, 0.46, ratio("mesh", "selvedge", "nginx")),
    Goal("p99 that two hops with mutual TLS add at 1,000 requests/s ÷ an Envoy pair", 0.50, 0.50,
         ratio("mesh", "selvedge", "envoy", "added_p99_us")),
    Goal("a GET with a key, a rate, a quota and metering ÷ a bare GET of nginx", 1.0, 0.85,
         ratio("product", products.NAME, "nginx")),
    Goal("the same ÷ a bare GET of ours", 1.3, 1.15, ratio("product", products.NAME, "selvedge")),
    Goal("system calls per GET", 4.1, 4.0, field("syscalls", "selvedge", "total")),
    Goal("resident memory, idle", 16, 9, field("rss", "selvedge", "idle_rss_kib", 1024), "MiB"),
    Goal("an idle plain connection", 5, 3, field("rss", "selvedge", "plain_kib"), "KiB"),
    Goal("an idle TLS connection", 16, 12, field("rss", "selvedge", "tls_kib"), "KiB"),
    Goal("resident memory of a sidecar, idle", 16, 16, field("sidecar", "selvedge", "idle_rss_kib", 1024), "MiB"),
    Goal("what 1,000 reachable endpoints add to it", 2, 2, field("sidecar", "selvedge", "grown_kib", 1024), "MiB"),
    Goal("requests that failed at 1,000 a second while the root of the mesh was rotated", 0, 0,
         field("rotation", "selvedge", "failed")),
    Goal("one of 10,000 endpoints changed, until the last concerned of 300 proxies has it, p99", 1000, 1000,
         field("mesh-discovery", "selvedge", "p99_ms"), "ms"),
    Goal("memory of the control plane for each of 300 connected proxies", 200, 200,
         field("mesh-discovery", "selvedge", "kib_a_proxy"), "KiB"),
    Goal("the same for one more proxy, when others like it are there", 200, 200,
         field("mesh-discovery", "selvedge", "kib_one_more"), "KiB"),
    Goal("route match at 100,000 routes, 10 a host ÷ at 10, instructions", 1.5, 1.2, growth("spread")),
    Goal("route match at 100,000 routes under one host ÷ at 10, instructions", 1.5, 1.2, growth("one host")),
    Goal("an edit among 5,000 routes under load, from compile to served, p99", 20, 5,
         field("edit", "selvedge", "compile_p99_ms"), "ms"),
    Goal("the same from the write of its file to the first answer, p99", 50, 50,
         field("edit", "selvedge", "p99_ms"), "ms"),
    Goal("requests that failed during those edits", 0, 0, field("edit", "selvedge", "errors")),
    Goal("an edit through the API of another process, among 5,000 routes under load, from its answer to served, p99", 50, 10,
         field("planes", "selvedge", "p99_ms"), "ms"),
    Goal("requests that failed during those edits", 0, 0, field("planes", "selvedge", "errors")),
    Goal("resident memory of a control plane with 5,000 routes and one proxy", 60, 60,
         field("planes", "selvedge", "control_rss_kib", 1024), "MiB"),
    Goal("requests that failed while the control plane was dead", 0, 0, field("planes", "selvedge", "outage_errors")),
    Goal("CPU to read and lint a description of 1 MB of JSON, the start of the command included", 200, 100,
         field("import", "json", "cpu_ms"), "ms"),
    Goal("the same of YAML", 200, 100, field("import", "yaml", "cpu_ms"), "ms"),
    Goal("an edit among 5,000 routes, until the last of 300 proxies has it, p99", 1000, 500,
         field("discovery", "selvedge", "edit_p99_ms"), "ms"),
    Goal("CPU of that edit with 300 interested proxies ÷ with 30 (proxies that are not interested cost nothing)", 10, 10,
         field("discovery", "selvedge", "cpu_ratio")),
    Goal("2,000 proxies that come back at once, until all have the next edit", 60, 30,
         field("discovery", "selvedge", "return_seconds"), "s"),
    Goal("peak memory of the control plane while they do, 10,000 routes", 1024, 512,
         field("discovery", "selvedge", "return_peak_kib", 1024), "MiB"),
    Goal("all 10,000 routes edited at once, until the last of 2,000 proxies has its 1,000", 60, 30,
         field("discovery", "selvedge", "push_seconds"), "s"),
    Goal("1 ÷ durable writes a second through the API, eight clients, on SQLite (3.33 ms are 300/s)", 3.33, 1,
         inverse("writes", "sqlite_per_s"), "ms"),
    Goal("the same on PostgreSQL", 3.33, 1, inverse("writes", "postgres_per_s"), "ms"),
    Goal("from a revocation to the 401 of the last of three gateways, p99", 1000, 1000,
         field("revocations", "selvedge", "p99_ms"), "ms"),
]


def write() -> None:
    results = {path.stem: json.loads(path.read_text()) for path in sorted(places.RESULTS.glob("*.json"))}
    (places.BENCH / "RESULTS.md").write_text(page(results, machine()))


def page(results: dict, about: list[str]) -> str:
    parts = [HEAD, *about, "", *goals(results), "", "## CPU per request, µs", "", *costs(results)]
    parts += ["", "## Memory", "", *memory(results), "", "## System calls per GET", "", *calls(results)]
    parts += ["", "## Instructions", "", *instructions(results), "", "## When", "", *runs(results), ""]
    return "\n".join(parts)


HEAD = """<!-- Written by `cargo xtask bench`; do not edit. -->

# Results

How it is measured: [README.md](README.md). One worker each, all peers in one run, medians of alternating rounds;
ratios are of CPU per request, smaller is better. A goal that was missed is called missed.
"""


def goals(results: dict) -> list[str]:
    lines = ["## Goals", "", "| work | must reach | aim | measured | |", "|---|---:|---:|---:|---|"]
    for goal in GOALS:
        value = goal.value(results)
        unit = f" {goal.unit}" if goal.unit else ""
        shown = "–" if value is None else f"{value:.2f}{unit}"
        lines.append(f"| {goal.sentence} | ≤ {goal.must:g}{unit} | {goal.aim:g}{unit} | {shown} | {verdict(goal, value)} |")
    return lines


def verdict(goal: Goal, value: float | None) -> str:
    if value is None:
        return "not measured"
    if value > goal.must:
        return "**missed**"
    return "aim reached" if value <= goal.aim else "reached"


def costs(results: dict) -> list[str]:
    names = ["selvedge", "nginx", "haproxy", "envoy"]
    lines = ["| work | Selvedge | nginx | HAProxy | Envoy | errors |", "|---|---:|---:|---:|---:|---:|"]
    sentences = {name: workload.sentence for name, workload in workloads.ALL.items()}
    sentences |= {"mesh": mesh.SENTENCE, "product": products.SENTENCE}
    for name, sentence in sentences.items():
        rows = results.get(name, {}).get("rows")
        if rows is None:
            continue
        # A variant such as `nginx-log` stands in its product's column, before what it is compared with.
        of = {key.split("-")[0]: row for key, row in sorted(rows.items())}
        cells = [cost(of[peer]["total"]) if peer in of else "–" for peer in names]
        errors = sum(row["errors"] for row in rows.values())
        lines.append(f"| {sentence} | {' | '.join(cells)} | {errors} |")
    return lines


def cost(totals: list[float]) -> str:
    middle = median(totals)
    return "–" if middle is None else f"{middle:.1f} ({min(totals):.1f}–{max(totals):.1f})"


def memory(results: dict) -> list[str]:
    lines = ["| proxy | idle, MiB | plain connection, KiB | TLS connection, KiB |", "|---|---:|---:|---:|"]
    for name, row in results.get("rss", {}).get("rows", {}).items():
        lines.append(f"| {name} | {row['idle_rss_kib'] / 1024:.1f} | {row['plain_kib']:.2f} | {row['tls_kib']:.2f} |")
    return lines


def calls(results: dict) -> list[str]:
    lines = ["| proxy | total | calls |", "|---|---:|---|"]
    for name, row in results.get("syscalls", {}).get("rows", {}).items():
        each = ", ".join(f"`{call}` {count:.2f}" for call, count in row["calls"].items())
        lines.append(f"| {name} | {row['total']:.2f} | {each} |")
    return lines


def instructions(results: dict) -> list[str]:
    lines = ["| what | instructions |", "|---|---:|"]
    for name, count in results.get("instructions", {}).get("rows", {}).items():
        lines.append(f"| {name} | {count:.0f} |")
    return lines


def runs(results: dict) -> list[str]:
    lines = ["| workload | at | commit | rounds × seconds |", "|---|---|---|---|"]
    for name, result in results.items():
        lines.append(f"| {name} | {result['at']} | `{result['commit']}` | {result['rounds']} × {result['seconds']:g} |")
    return lines


def median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def machine() -> list[str]:
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    cores = info.count("processor\t")
    memory_kib = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
    return [
        f"- written {time.strftime('%Y-%m-%d', time.gmtime())}, commit `{commit()}`",
        f"- {model[1] if model else platform.machine()}, {cores} cores, {memory_kib // 1024 // 1024} GiB, "
        f"Linux {platform.release()}",
        *versions(),
        f"- {places.HOSTS} hosts × {len(places.PREFIXES)} prefixes in every proxy",
    ]


def versions() -> list[str]:
    asked = [
        ("nginx", ["nginx", "-v"], r"nginx/([\d.]+)"),
        ("HAProxy", ["haproxy", "-v"], r"version ([\w.+~-]+)"),
        ("Envoy", [places.envoy(), "--version"], r"/(\d+\.\d+\.\d+)/"),
        ("wrk", ["wrk", "-v"], r"wrk (\S+)"),
        ("h2load", ["h2load", "--version"], r"nghttp2/([\d.]+)"),
    ]
    found = [f"{name} {answer(command, pattern)}" for name, command, pattern in asked]
    return [f"- {', '.join(found)}"]


def answer(command: list[str], pattern: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "(not installed)"
    match = re.search(pattern, done.stdout + done.stderr)
    return match[1] if match else "(version unknown)"


def commit() -> str:
    """The commit, marked when the tree has changes that it does not contain."""
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=places.ROOT, capture_output=True, text=True, check=False).stdout.strip()
    changed = [line for line in git("status", "--porcelain").splitlines() if not line.endswith("bench/RESULTS.md")]
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + ("+changes" if changed else "")
