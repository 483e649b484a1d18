"""The load generators: what they are told, and what is read from what they print."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import places

# The headers of an ordinary browser request: a proxy's work is mostly headers.
HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) bench/1.0",
    "Accept": "application/json, text/plain, */*",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "en-US,en;q=0.9",
    "Authorization": "Bearer abcdefghijklmnopqrstuvwxyz0123456789ABCDEF",
    "Cookie": "session=0123456789abcdef0123456789abcdef; theme=dark",
}


@dataclass
class Served:
    """What a run of load completed."""

    requests: int
    seconds: float
    errors: int


def wrk(url: str, seconds: float, connections: int, close: bool = False, script: Path | None = None,
        fields: dict[str, str] | None = None) -> Served:
    """HTTP/1.1, closed loop; `fields` are sent beside the usual ones."""
    headers = {"Host": places.HOST, **HEADERS, **(fields or {})}
    if close:
        headers["Connection"] = "close"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{int(seconds)}s"]
    command += [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    if script:
        command += ["-s", str(script)]
    return read_wrk(on_load_core([*command, url]))


def read_wrk(text: str) -> Served:
    done = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", text)
    if not done:
        raise SystemExit(f"wrk said nothing of requests:\n{text}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    errors = sum(int(number) for found in (refused, broken) if found for number in found.groups())
    return Served(int(done[1]), float(done[2]) * UNIT_SECONDS[done[3]], errors)


def h2load(url: str, requests: int, host: str, connections: int = 8, streams: int = 8, body: Path | None = None,
           headers: dict[str, str] | None = None) -> Served:
    """HTTP/2, closed loop; a body makes it POST."""
    command = ["h2load", "-t1", "-n", str(requests), "-c", str(connections), "-m", str(streams)]
    fields = {":authority": host, **(HEADERS if headers is None else headers)}
    command += [word for name, value in fields.items() for word in ("-H", f"{name.lower()}: {value}")]
    if body:
        command += ["-d", str(body)]
    return read_h2load(on_load_core([*command, url]))


def read_h2load(text: str) -> Served:
    time = re.search(r"finished in ([\d.]+)(us|ms|s|m)", text)
    total = re.search(r"requests: (\d+) total, .*? (\d+) done, (\d+) succeeded", text)
    status = re.search(r"status codes: (\d+) 2xx", text)
    if not time or not total or not status:
        raise SystemExit(f"h2load said nothing of requests:\n{text}")
    good = min(int(total[3]), int(status[1]))
    return Served(good, float(time[1]) * UNIT_SECONDS[time[2]], int(total[1]) - good)


UNIT_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


def on_load_core(command: list[str]) -> str:
    command = ["taskset", "-c", str(places.CORE_LOAD), *command]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def probe(url: str, host: str, bytes_wanted: int, *options: str) -> None:
    """One request with curl first: a proxy that answers errors quickly must not look fast."""
    command = ["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", "-H", f"Host: {host}"]
    text = subprocess.run([*command, *options, url], capture_output=True, text=True, check=False).stdout
    if text != f"200 {bytes_wanted}":
        raise SystemExit(f"{url} answered `{text}` instead of `200 {bytes_wanted}`; nothing was measured")


def paced(port: int, path: str, rate: int, seconds: float, connections: int) -> dict:
    """HTTP/1.1 at a constant rate, whatever the proxy does; microseconds, and how many were answered."""
    command = [str(places.TOOLS / "latency"), f"127.0.0.1:{port}", places.HOST, path, str(rate), str(seconds),
               str(connections)]
    return json.loads(on_load_core(command))
