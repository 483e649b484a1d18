"""Starting programs on a chosen core, and reading what the kernel knows about them."""

import os
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

import places
from peers import Peer

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
READY_SECONDS = 20


class Stage:
    """Everything that was started; leaving it ends everything."""

    def __enter__(self) -> "Stage":
        # A thousand connections need a thousand descriptors, on both sides.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        places.WORK.mkdir(parents=True, exist_ok=True)
        self.started: list[subprocess.Popen] = []
        return self

    def __exit__(self, *_) -> None:
        for process in self.started:
            end(process)

    def start(self, command: list[str], core: int, name: str) -> subprocess.Popen:
        """Starts it pinned to a core; its output goes to `work/NAME.out` and `work/NAME.err`."""
        with open(places.WORK / f"{name}.out", "wb") as out, open(places.WORK / f"{name}.err", "wb") as err:
            process = subprocess.Popen(["taskset", "-c", str(core), *command], stdout=out, stderr=err)
        self.started.append(process)
        return process

    def backend(self) -> None:
        refuse_taken(places.BACKEND)
        self.start([str(places.TOOLS / "backend"), f"127.0.0.1:{places.BACKEND}"], places.CORE_LOAD, "backend")
        wait_for_port(places.BACKEND)

    def grpc_backend(self) -> None:
        refuse_taken(places.GRPC_BACKEND)
        self.start([str(places.TOOLS / "grpc"), f"127.0.0.1:{places.GRPC_BACKEND}"], places.CORE_LOAD, "grpc")
        wait_for_port(places.GRPC_BACKEND)

    def proxy(self, peer: Peer) -> subprocess.Popen:
        for port in {peer.plain, peer.tls, peer.h2c}:
            refuse_taken(port)
        process = self.start(peer.command, places.CORE_PROXY, peer.name)
        if peer.ready:
            wait_for_line(process, places.WORK / f"{peer.name}.err", peer.ready)
        wait_for_port(peer.plain)
        return process


def end(process: subprocess.Popen) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def refuse_taken(port: int) -> None:
    """Another program on our port would be measured in the place of the one we start."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            raise SystemExit(f"127.0.0.1:{port} is taken by another program ({problem.strerror}); nothing was measured")


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"nothing listens on 127.0.0.1:{port} after {READY_SECONDS} s")


def wait_for_line(process: subprocess.Popen, path: Path, word: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        text = path.read_text(errors="replace")
        if word in text:
            return
        if process.poll() is not None:
            raise SystemExit(f"{path.stem} ended before it was ready:\n{text}")
        time.sleep(0.02)
    raise SystemExit(f"{path.stem} did not say `{word}` within {READY_SECONDS} s:\n{text}")


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        found += [descendant for child in children for descendant in tree(int(child))]
    return found


def cpu_seconds(pid: int) -> tuple[float, float]:
    """User and system time of the process tree."""
    user = system = 0
    for member in tree(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
        user += int(fields[11])
        system += int(fields[12])
    return user / TICKS_PER_SECOND, system / TICKS_PER_SECOND


def memory_kib(pid: int) -> dict[str, int]:
    """Resident and proportional set size of the process tree."""
    total = {"Rss": 0, "Pss": 0}
    for member in tree(pid):
        for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            name = line.split(":")[0]
            if name in total:
                total[name] += int(line.split()[1])
    return total


def interrupt(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGINT)
    process.wait()
