"""Roots of a mesh replaced under a constant rate of requests: how many of them failed.

A control plane, two sidecars and an application, each a process. A client asks the application through both sidecars at
1,000 requests a second, whatever they do; meanwhile the root is rotated, until nobody believes the old one. Certificates
last a minute, so that all of a rotation happens within the run: every proxy hears of the new root, renews its
certificate under it, and forgets the old one.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import load
import places
import planes
from processes import Stage, wait_for_line
from sidecar import wait_until_found
from single import PATH

API = int(os.environ.get("BENCH_ROTATION_API", "8470"))
DOORS = {"cart": API + 1, "web": API + 2}
BLOCKS = {"cart": "127.131.0.0/28", "web": "127.131.0.16/28"}
RATE, CONNECTIONS = 1_000, 16
# Longest time for a rotation; the client asks for so long.
SECONDS = int(os.environ.get("BENCH_ROTATION_SECONDS", "120"))
NAMESPACE, MESH = "bench", "mesh.selvedge.dev/v1alpha1"


def rotation() -> dict:
    """Requests, failures and what a request took, from before a rotation to after it."""
    data, program = places.WORK / "rotation", places.selvedge()
    subprocess.run(["rm", "-rf", str(data)], check=True)
    with Stage() as stage:
        stage.backend()
        words = ["control", "--data", str(data), "--listen", f"127.0.0.1:{API}"]
        control = stage.start([program, *words], places.CORE_LOAD, "control")
        wait_for_line(control, places.WORK / "control.err", "ready")
        api = planes.Api(data, API)
        for document in the_mesh():
            api.create(document)
        for name in DOORS:
            member(stage, program, data, name)
        host, port = found(data / "web", "cart")
        tell_whether_answered(host, port)
        row = under_load(program, data, f"{host}:{port}")
    print(f"a rotation of {row['rotated_seconds']:.0f} s under {row['rate']:.0f} requests/s: {row['failed']} of "
          f"{row['requests']} failed; p99 {row['p99'] / 1000:.1f} ms", flush=True)
    return {"selvedge": row}


def under_load(program: str, data: Path, address: str) -> dict:
    command = [str(places.TOOLS / "latency"), address, places.HOST, PATH, str(RATE), str(SECONDS), str(CONNECTIONS)]
    began = time.monotonic()
    client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    time.sleep(3)  # Before the rotation there is load already.
    words = ["mesh", "rotate", "--timeout", str(SECONDS - 10), "--data", str(data)]
    rotated = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    took = time.monotonic() - began - 3
    told = json.loads(client.communicate()[0])
    if rotated.returncode:
        raise SystemExit(f"the rotation did not end: {rotated.stdout}{rotated.stderr}")
    if took + 3 > SECONDS:
        raise SystemExit(f"the rotation took {took:.0f} s, longer than there was load")
    # What was not answered in time has failed as well.
    failed = told["requests"] - told["answered"] + told["refused"]
    return {"requests": told["requests"], "failed": failed, "rate": told["answered"] / SECONDS,
            "rotated_seconds": took, "p50": told["p50"], "p99": told["p99"], "p999": told["p999"]}


def member(stage: Stage, program: str, data: Path, name: str) -> None:
    token = ["token", "create", "-n", NAMESPACE, "--service-account", name, "--ttl", "1h", "--data", str(data)]
    subprocess.run([program, *token, "--out", str(data / f"{name}.token")], check=True, capture_output=True)
    words = ["sidecar", "--workload", f"{NAMESPACE}/{name}-1", "--service-account", name, "--health", "off"]
    words += ["--control", f"https://127.0.0.1:{API}", "--token-file", str(data / f"{name}.token")]
    words += ["--data", str(data / name), "--address", "127.0.0.1", "--mesh-port", str(DOORS[name])]
    words += ["--admin", "127.0.0.1:0", "--dns", "127.0.0.1:0", "--dns-others", "off", "--services", BLOCKS[name]]
    process = stage.start([program, *words], places.CORE_PROXY, f"sidecar-{name}")
    wait_for_line(process, places.WORK / f"sidecar-{name}.err", "a member of the mesh as")


def found(folder: Path, service: str) -> tuple[str, str]:
    """Where an application finds a Service, by what its sidecar tells everybody."""
    wait_until_found(folder / "hosts", 1)
    lines = dict(line.split("=", 1) for line in (folder / "services.env").read_text().splitlines() if "=" in line)
    start = f"{NAMESPACE}_{service}_".upper()
    return lines[f"{start}HOST"], lines[f"{start}PORT"]


def tell_whether_answered(host: str, port: str) -> None:
    """The first calls may come before the other sidecar is ready."""
    url = f"http://{host}:{port}{PATH}"
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        answer = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url],
                                capture_output=True, text=True, check=False).stdout
        if answer == "200":
            return
        time.sleep(0.2)
    load.probe(url, places.HOST, 1024)


def the_mesh() -> list[dict]:
    port = {"name": "http", "port": 8080, "protocol": "HTTP", "targetPort": places.BACKEND}
    replica = {
        "apiVersion": MESH, "kind": "Workload",
        "metadata": {"name": "cart-1", "namespace": NAMESPACE, "labels": {"app": "cart"}},
        "spec": {"address": "127.0.0.1", "serviceAccount": "cart", "sidecar": {"port": DOORS["cart"]}, "ports": [port]},
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": MESH, "kind": "Mesh", "metadata": {"name": "default"},
         "spec": {"trustDomain": "bench.example", "certificates": {"lifetime": "60s"}}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart", "namespace": NAMESPACE},
         "spec": {"selector": {"app": "cart"}, "ports": [{"name": "http", "port": 8080, "targetPort": "http"}]}},
        replica,
    ]


if __name__ == "__main__":
    print(json.dumps(rotation(), indent=1))
