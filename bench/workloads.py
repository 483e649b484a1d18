"""What is measured as CPU per request: one table of workloads, one way to run them.

CPU per request = (user + system time of the proxy's process tree) / completed requests. Wall-clock rates on a
shared machine move by a factor of two; this moves by a few per cent. Every round runs all peers, the order is
reversed each round, the first round only warms up, and medians are compared.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import load
import places
from load import Served
from peers import Peer
from processes import Stage, cpu_seconds

USERS = "/api/v1/users/"
KIB = 1024


@dataclass
class Workload:
    """One kind of request."""

    name: str
    sentence: str
    peers: list[str]
    run: Callable[[Peer, float], Served]
    probe: Callable[[Peer], None]
    grpc: bool = False


def plain(peer: Peer, path: str) -> str:
    return f"http://127.0.0.1:{peer.plain}{path}"


def tls(peer: Peer, path: str) -> str:
    return f"https://127.0.0.1:{peer.tls}{path}"


def http1(name: str, sentence: str, url: Callable[[Peer, str], str], path: str, size: int,
          peers: list[str] | None = None, **options) -> Workload:
    connections = options.pop("connections", 64)
    return Workload(
        name, sentence, peers or EVERYONE,
        run=lambda peer, seconds: load.wrk(url(peer, path), seconds, connections, **options),
        probe=lambda peer: load.probe(url(peer, path), places.HOST, size, "--http1.1"),
    )


def h2_url(peer: Peer, path: str) -> str:
    return f"http://127.0.0.1:{peer.h2c}{path}"


def http2(name: str, sentence: str, url: Callable[[Peer, str], str]) -> Workload:
    path = USERS + "1k?id=42"
    return Workload(
        name, sentence, EVERYONE,
        run=lambda peer, seconds: load.h2load(url(peer, path), int(seconds * 20_000), places.HOST),
        probe=lambda peer: load.probe(url(peer, path), places.HOST, KIB, *H2_CURL[url]),
    )


def unary() -> Workload:
    path = "/bench.Echo/Unary"
    headers = {"content-type": "application/grpc", "te": "trailers", "user-agent": "grpc-bench/1"}
    body = places.WORK / "grpc.body"

    def run(peer: Peer, seconds: float) -> Served:
        body.write_bytes(b"\0" + (128).to_bytes(4, "big") + b"x" * 128)
        url = h2_url(peer, path)
        return load.h2load(url, int(seconds * 10_000), places.GRPC_HOST, body=body, headers=headers)

    def probe(peer: Peer) -> None:
        options = ["--http2-prior-knowledge", "-X", "POST", "-H", "content-type: application/grpc", "-H", "te: trailers"]
        load.probe(h2_url(peer, path), places.GRPC_HOST, KIB + 5, *options)

    return Workload("grpc", "gRPC unary, 128 B there and 1 KiB back, HTTP/2 on both sides", ["selvedge", "envoy"],
                    run, probe, grpc=True)


EVERYONE = ["selvedge", "nginx", "haproxy", "envoy"]
H2_CURL = {h2_url: ["--http2-prior-knowledge"], tls: ["--http2"]}
POST_SCRIPT = Path(__file__).parent / "post16k.lua"

ALL = {workload.name: workload for workload in [
    http1("get1k", "GET 1 KiB, keep-alive, 64 connections", plain, USERS + "1k?id=42", KIB),
    http1("get1k-log", "the same with a JSON access log", plain, USERS + "1k?id=42", KIB,
          peers=["selvedge-log", "nginx-log"]),
    http1("get100k", "GET 100 KiB", plain, USERS + "100k", 100 * KIB),
    http1("chunked", "GET of four 1 KiB chunks", plain, USERS + "chunked", 4 * KIB),
    http1("post16k", "POST 16 KiB", plain, USERS + "up", KIB, script=POST_SCRIPT),
    http1("tls", "GET 1 KiB over TLS 1.3, keep-alive", tls, USERS + "1k?id=42", KIB),
    http1("tls100k", "GET 100 KiB over TLS 1.3", tls, USERS + "100k", 100 * KIB),
    http1("hs", "a full ECDSA handshake for each GET", tls, USERS + "1k?id=42", KIB, connections=32, close=True),
    http1("conn", "a new connection for each GET", plain, USERS + "1k?id=42", KIB, connections=32, close=True),
    http2("h2", "HTTP/2 (prior knowledge) to an HTTP/1.1 upstream", h2_url),
    http2("h2tls", "HTTP/2 over TLS to an HTTP/1.1 upstream", tls),
    unary(),
]}


def measure(workload: Workload, peers: list[Peer], rounds: int, seconds: float) -> dict:
    """Runs a workload and returns every round's figures for each peer."""
    by_name = {peer.name: peer for peer in peers}
    with Stage() as stage:
        if workload.grpc:
            stage.grpc_backend()
        else:
            stage.backend()
        started = {peer.name: [stage.proxy(peer)] for peer in peers}
        for peer in peers:
            workload.probe(peer)
        return alternate(started, lambda name: workload.run(by_name[name], seconds), rounds)


def alternate(started: dict[str, list[Popen]], run: Callable[[str], Served], rounds: int) -> dict:
    """Has everybody serve in turn, the order reversed each round, and returns what the processes of each have spent."""
    rows = {name: {"total": [], "user": [], "system": [], "rate": [], "errors": 0} for name in started}
    for number in range(rounds + 1):
        for name in list(started) if number % 2 else reversed(started):
            before = spent(started[name])
            served = run(name)
            after = spent(started[name])
            if number:
                note(rows[name], before, after, served)
    return rows


def spent(processes: list[Popen]) -> tuple[float, float]:
    """User and system time of all of them, in seconds."""
    times = [cpu_seconds(process.pid) for process in processes]
    return sum(user for user, _ in times), sum(system for _, system in times)


def note(row: dict, before: tuple, after: tuple, served: Served) -> None:
    row["errors"] += served.errors
    if not served.requests:
        return
    user, system = ((then - now) * 1e6 / served.requests for now, then in zip(before, after))
    row["user"].append(user)
    row["system"].append(system)
    row["total"].append(user + system)
    row["rate"].append(served.requests / served.seconds)


def show(sentence: str, rows: dict) -> None:
    print(f"== {sentence}; CPU µs per request")
    first = statistics.median(rows["selvedge"]["total"]) if rows.get("selvedge", {}).get("total") else None
    for name, row in rows.items():
        if not row["total"]:
            print(f"{name:14} no request completed, {row['errors']} errors")
            continue
        total = statistics.median(row["total"])
        ratio = f"selvedge ÷ this {first / total:.2f}" if first and name != "selvedge" else ""
        print(f"{name:14} {total:8.2f}  ({min(row['total']):.2f} to {max(row['total']):.2f})  "
              f"user {statistics.median(row['user']):.2f} system {statistics.median(row['system']):.2f}  "
              f"{statistics.median(row['rate']):.0f}/s  errors {row['errors']}  {ratio}", flush=True)
