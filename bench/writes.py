"""Durable writes a second: several clients that create objects through the API, each over one connection, on SQLite and on
PostgreSQL. A write counts when it is answered, so when it is on the disk."""

import os
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import places
from planes import API, Api
from processes import Stage, wait_for_line

CLIENTS = 8
SECONDS = float(os.environ.get("BENCH_WRITES", "5"))


def measure() -> dict:
    row = {"sqlite_per_s": of([])}
    programs = postgres()
    if programs is None:
        print("-- postgres: no /usr/lib/postgresql; install `postgresql`")
    else:
        with Database(programs) as url:
            row["postgres_per_s"] = of(["--database", url])
    told = ", ".join(f"{row[key]:.0f}/s on {name}" for key, name in NAMES.items() if key in row)
    print(f"durable writes of {CLIENTS} clients: {told}", flush=True)
    return {"selvedge": row}


NAMES = {"sqlite_per_s": "SQLite", "postgres_per_s": "PostgreSQL"}


def of(more: list[str]) -> float:
    """Writes a second of a fresh control plane."""
    data = places.WORK / "writes"
    subprocess.run(["rm", "-rf", str(data)], check=True)
    with Stage() as stage:
        words = ["control", "--data", str(data), "--listen", f"127.0.0.1:{API}", *more]
        control = stage.start([places.selvedge(), *words], places.CORE_PROXY, "control")
        wait_for_line(control, places.WORK / "control.err", "ready")
        apis = [Api(data) for _ in range(CLIENTS)]
        began = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            writers = [pool.submit(write, api, number, began + SECONDS) for number, api in enumerate(apis)]
            done = sum(writer.result() for writer in writers)
        return done / (time.monotonic() - began)


def write(api: Api, number: int, until: float) -> int:
    done = 0
    while time.monotonic() < until:
        api.create({"apiVersion": "v1", "kind": "ConfigMap", "data": {"text": "x" * 500},
                    "metadata": {"name": f"w{number}-{done}", "namespace": "default"}})
        done += 1
    return done


def postgres() -> Path | None:
    """The programs of the newest server that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return found[-1] if found else None


class Database:
    """A server of its own, with its own port and folder. It does not run as root, so it is given another user there."""

    def __init__(self, programs: Path):
        self.programs, self.folder = programs, Path("/tmp") / f"selvedge-bench-postgres-{os.getpid()}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def __enter__(self) -> str:
        self.folder.mkdir(mode=0o700)
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self.run("initdb", "-A", "trust", "-U", "selvedge", "-E", "UTF8", "--locale=C.UTF-8")
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self.run("pg_ctl", "-w", "-l", str(self.folder / "server.log"), "-o", options, "start")
        subprocess.run([self.programs / "createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "selvedge", "selvedge"],
                       check=True)
        return f"postgres://selvedge@127.0.0.1:{self.port}/selvedge"

    def __exit__(self, *_) -> None:
        self.run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def run(self, program: str, *words: str) -> None:
        command = [str(self.programs / program), "-D", str(self.folder / "data"), *words]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)
