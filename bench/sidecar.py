"""The memory of a sidecar: alone in its mesh, and with a thousand endpoints that it may call.

Each figure is that of a fresh process, resident memory as the kernel counts it, once it is a member of the mesh and has its
configuration. The control plane is a process of its own.
"""

import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import places
from planes import API, Api
from processes import Stage, memory_kib, wait_for_line

ADMIN, DOOR = 8460, 8461
SERVICES, REPLICAS = 100, 10
NAMESPACE = "bench"
MESH = "mesh.selvedge.dev/v1alpha1"


def measure() -> dict:
    """Resident memory of a sidecar that reaches nobody, and of one that reaches a hundred Services of ten replicas."""
    data, program = places.WORK / "sidecar", places.selvedge()
    subprocess.run(["rm", "-rf", str(data)], check=True)
    with Stage() as stage:
        words = ["control", "--data", str(data), "--listen", f"127.0.0.1:{API}"]
        control = stage.start([program, *words], places.CORE_LOAD, "control")
        wait_for_line(control, places.WORK / "control.err", "ready")
        api = Api(data)
        for document in the_mesh():
            api.create(document)
        token = ["token", "create", "-n", NAMESPACE, "--service-account", "idle", "--ttl", "1h", "--data", str(data)]
        subprocess.run([program, *token, "--out", str(data / "idle.token")], check=True, capture_output=True)
        row = {"idle_rss_kib": resident(stage, program, data, 0)}
        for document in endpoints():
            api.create(document)
        row["reaching_rss_kib"] = resident(stage, program, data, SERVICES)
    row["grown_kib"] = row["reaching_rss_kib"] - row["idle_rss_kib"]
    print(f"a sidecar: idle {row['idle_rss_kib'] / 1024:.1f} MiB; with {SERVICES * REPLICAS} endpoints behind {SERVICES} "
          f"Services {row['grown_kib'] / 1024:.2f} MiB more", flush=True)
    return {"selvedge": row}


def resident(stage: Stage, program: str, data: Path, services: int) -> int:
    """Of a fresh sidecar that has its identity and finds so many Services."""
    folder = data / f"idle-{services}"
    words = ["sidecar", "--workload", f"{NAMESPACE}/idle-1", "--service-account", "idle", "--health", "off"]
    words += ["--control", f"https://127.0.0.1:{API}", "--token-file", str(data / "idle.token"), "--data", str(folder)]
    words += ["--address", "127.0.0.1", "--mesh-port", str(DOOR), "--admin", f"127.0.0.1:{ADMIN}"]
    words += ["--dns", "127.0.0.1:0", "--dns-others", "off", "--services", "127.130.0.0/16"]
    process = stage.start([program, *words], places.CORE_PROXY, "sidecar")
    wait_for_line(process, places.WORK / "sidecar.err", "a member of the mesh as")
    wait_until_found(folder / "hosts", services)
    ask_ready()
    time.sleep(3)  # Allocators settle, and old configurations are let go of; nothing can be waited for from outside.
    found = memory_kib(process.pid)["Rss"]
    process.terminate()
    process.wait()
    return found


def wait_until_found(hosts: Path, services: int) -> None:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        lines = hosts.read_text().splitlines() if hosts.exists() else []
        if sum(line.startswith("127.") for line in lines) >= services:
            return
        time.sleep(0.1)
    raise SystemExit(f"the sidecar did not find {services} Services within 60 s; it says:\n"
                     + (places.WORK / "sidecar.err").read_text())


def ask_ready() -> None:
    """Waits until it is ready, and asks what people's scrapers ask, so that the code for it is in memory as it would be."""
    limit = time.monotonic() + 60
    while not answered("ready") and time.monotonic() < limit:
        time.sleep(0.1)
    if not answered("ready") or not answered("metrics"):
        raise SystemExit("the sidecar is not ready after 60 s; it says:\n" + (places.WORK / "sidecar.err").read_text())


def answered(path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}/{path}", timeout=10) as answer:
            return bool(answer.read())
    except urllib.error.URLError:
        return False


def the_mesh() -> list[dict]:
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": MESH, "kind": "Mesh", "metadata": {"name": "default"}, "spec": {"trustDomain": "bench.example"}},
    ]


def endpoints() -> list[dict]:
    documents = []
    for service in range(SERVICES):
        documents.append({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s{service}", "namespace": NAMESPACE},
            "spec": {"selector": {"app": f"s{service}"}, "ports": [{"name": "http", "port": 8080}]},
        })
        documents += [replica(service, number) for number in range(REPLICAS)]
    return documents


def replica(service: int, number: int) -> dict:
    return {
        "apiVersion": MESH, "kind": "Workload",
        "metadata": {"name": f"s{service}-{number}", "namespace": NAMESPACE, "labels": {"app": f"s{service}"}},
        "spec": {
            "address": f"10.0.{service}.{number + 1}", "serviceAccount": f"s{service}", "sidecar": {},
            "ports": [{"name": "http", "port": 8080, "protocol": "HTTP"}],
        },
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
