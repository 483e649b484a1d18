"""What is not CPU per request: memory, system calls, and the time an edit takes."""

import json
import re
import socket
import ssl
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import instructions
import l4
import load
import mesh
import peers as peer_files
import places
from peers import Peer
from processes import Stage, interrupt, memory_kib, tree, wait_for_line

PATH = "/api/v1/users/1k?id=42"
CONNECTIONS = 1000


def memory(peers: list[Peer]) -> dict:
    """Idle memory, and what an idle connection adds after one request. A fresh process for each figure."""
    rows = {}
    for peer in peers:
        row = {}
        for kind, port, wrap in [("plain", peer.plain, None), ("tls", peer.tls, tls_context())]:
            with Stage() as stage:
                stage.backend()
                process = stage.proxy(peer)
                time.sleep(1)  # Allocators and lazy start-up settle; nothing can be waited for from outside.
                idle = memory_kib(process.pid)
                row.setdefault("idle_rss_kib", idle["Rss"])
                held = [idle_connection(port, wrap) for _ in range(CONNECTIONS)]
                time.sleep(1)
                row[f"{kind}_kib"] = (memory_kib(process.pid)["Pss"] - idle["Pss"]) / CONNECTIONS
                for connection in held:
                    connection.close()
        rows[peer.name] = row
        print(f"{peer.name:14} idle {row['idle_rss_kib'] / 1024:.1f} MiB; an idle connection: "
              f"plain {row['plain_kib']:.2f} KiB, TLS {row['tls_kib']:.2f} KiB", flush=True)
    return rows


def tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def idle_connection(port: int, wrap: ssl.SSLContext | None) -> socket.socket:
    """A connection that has carried one request and is kept open."""
    connection = socket.create_connection(("127.0.0.1", port))
    if wrap:
        connection = wrap.wrap_socket(connection, server_hostname=places.HOST)
    connection.sendall(f"GET {PATH} HTTP/1.1\r\nHost: {places.HOST}\r\nAccept: */*\r\n\r\n".encode())
    received = b""
    while b"\r\n\r\n" not in received or len(received.split(b"\r\n\r\n", 1)[1]) < 1024:
        piece = connection.recv(65536)
        if not piece:
            raise SystemExit(f"the connection to port {port} was closed before its answer was complete")
        received += piece
    return connection


SECONDS_FEW, SECONDS_MANY = 1, 4


def syscalls(peers: list[Peer]) -> dict:
    """System calls per GET on connections that are open, counted by strace. Every run opens its connections; two runs
    of different length are subtracted from each other, so that what is left is what the GETs cost."""
    rows = {}
    for peer in peers:
        with Stage() as stage:
            stage.backend()
            process = stage.proxy(peer)
            load.wrk(f"http://127.0.0.1:{peer.plain}{PATH}", 1, 64)  # Pools fill first.
            few, many = (traced(stage, process, peer, seconds) for seconds in (SECONDS_FEW, SECONDS_MANY))
            rows[peer.name] = per_request(few, many)
        calls = ", ".join(f"{name} {count:.2f}" for name, count in rows[peer.name]["calls"].items())
        print(f"{peer.name:14} {rows[peer.name]['total']:.2f} per GET: {calls}", flush=True)
    return rows


def traced(stage: Stage, process: subprocess.Popen, peer: Peer, seconds: float) -> tuple[dict[str, int], int]:
    """Calls by name during a run of load, and the requests it completed."""
    output = places.WORK / f"strace.{peer.name}"
    attach = [word for pid in tree(process.pid) for word in ("-p", str(pid))]
    tracer = stage.start(["strace", "-c", "-f", "-o", str(output), *attach], places.CORE_LOAD, "strace")
    wait_for_line(tracer, places.WORK / "strace.err", "attached")
    served = load.wrk(f"http://127.0.0.1:{peer.plain}{PATH}", seconds, 64)
    # `taskset` replaces itself with strace, so the signal reaches strace.
    interrupt(tracer)
    return read_strace(output.read_text()), served.requests


def read_strace(text: str) -> dict[str, int]:
    """Calls by name."""
    rows = (line.split() for line in text.splitlines())
    rows = (words for words in rows if len(words) >= 5 and words[0][0].isdigit() and words[-1] != "total")
    return {words[-1]: int(words[3]) for words in rows}


def per_request(few: tuple[dict[str, int], int], many: tuple[dict[str, int], int]) -> dict:
    """What the longer run called more, by request, and the sum; without what happens less than once in a hundred."""
    requests = max(many[1] - few[1], 1)
    calls = {name: (count - few[0].get(name, 0)) / requests for name, count in many[0].items()}
    calls = {name: count for name, count in sorted(calls.items(), key=lambda item: -item[1]) if count >= 0.01}
    return {"total": sum(calls.values()), "calls": calls}


EDIT_HOSTS = 1000  # with five prefixes each: 5,000 routes
EDITS = 100
EDIT_RATE = 1000


def edit() -> dict:
    """One route edited among 5,000 under load: from the file's rename to the first answer that shows it, and the part
    of it from the beginning of the compile to every worker having it, as the gateway tells."""
    folder = places.CONFIGS / "edit"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gateway.yaml").write_text(peer_files.yaml(peer_files.selvedge_gateway(8430, log=False)))
    for host in places.hosts(EDIT_HOSTS):
        write_route(folder, host, None)
    peer = peer_files.selvedge_peer("selvedge-edit", 8430, folder)
    seconds = EDITS * 0.15 + 4
    waits = []
    with Stage() as stage:
        stage.backend()
        stage.proxy(peer)
        words = [f"127.0.0.1:{peer.plain}", "svc9.example.com", PATH, str(EDIT_RATE), str(seconds), "32"]
        client = stage.start([str(places.TOOLS / "latency"), *words], places.CORE_LOAD, "latency")
        time.sleep(2)
        for edition in range(EDITS):
            waits.append(seconds_until_served(folder, peer, edition))
            time.sleep(0.1)
        client.wait()
    outcome = json.loads((places.WORK / "latency.out").read_text())
    served = [wait * 1e3 for wait in waits]
    compiled = from_compile((places.WORK / f"{peer.name}.err").read_text())
    row = {
        "p50_ms": statistics.median(served),
        "p99_ms": percentile(served, 99),
        "compile_p50_ms": statistics.median(compiled),
        "compile_p99_ms": percentile(compiled, 99),
        "errors": outcome["refused"] + outcome["broken"],
        "requests": outcome["requests"],
        "latency": outcome,
    }
    print(f"an edit among {EDIT_HOSTS * len(places.PREFIXES)} routes is served after p50 {row['p50_ms']:.1f} ms, "
          f"p99 {row['p99_ms']:.1f} ms (from compile p50 {row['compile_p50_ms']:.1f} ms, "
          f"p99 {row['compile_p99_ms']:.1f} ms); {row['errors']} of {row['requests']} requests failed", flush=True)
    return {"selvedge": row}


def from_compile(text: str) -> list[float]:
    """Milliseconds of compiling and applying, from every line that tells of a change."""
    found = re.findall(r"applied change .*compile ([0-9.]+), apply ([0-9.]+)\)", text)
    return [float(compile) + float(apply) for compile, apply in found]


def percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def write_route(folder: Path, host: str, edition: int | None) -> None:
    """Written beside and renamed, as an editor does: nobody reads half a file."""
    name = host.split(".")[0]
    draft = folder / f".{name}.draft"
    draft.write_text(peer_files.yaml([peer_files.selvedge_route(host, edition)]))
    draft.rename(folder / f"{name}.yaml")


def seconds_until_served(folder: Path, peer: Peer, edition: int) -> float:
    wanted = f"x-edition: {edition}\r\n".encode()
    request = f"GET / HTTP/1.1\r\nHost: {places.HOST}\r\n\r\n".encode()
    connection = socket.create_connection(("127.0.0.1", peer.plain))
    connection.settimeout(5)
    start = time.monotonic()
    write_route(folder, places.HOST, edition)
    while time.monotonic() < start + 10:
        connection.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received or len(received.split(b"\r\n\r\n", 1)[1]) < 1024:
            piece = connection.recv(65536)
            if not piece:
                raise SystemExit("the gateway closed a connection because of an edit")
            received += piece
        if wanted in received.lower():
            connection.close()
            return time.monotonic() - start
    raise SystemExit(f"edition {edition} was not served within 10 s")


# Name, the peers it is run with (none: only our own binary), and what runs it.
ALL: dict[str, tuple[list[str], Callable]] = {
    "rss": (["selvedge", "nginx", "haproxy", "envoy"], memory),
    "syscalls": (["selvedge", "nginx", "haproxy", "envoy"], syscalls),
    "edit": ([], edit),
    "instructions": ([], instructions.measure),
    "l4": ([], l4.measure),
    "mesh": ([], mesh.measure),
}
