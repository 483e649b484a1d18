"""A control plane and a gateway as two processes: how soon an edit is served, what they need, and what becomes of
requests when the control plane is killed."""

import base64
import http.client
import json
import os
import socket
import ssl
import statistics
import subprocess
import time
from pathlib import Path

import peers as peer_files
import places
from processes import Stage, cpu_seconds, memory_kib, wait_for_line, wait_for_port
from single import EDIT_HOSTS, EDIT_RATE, PATH, percentile

BASE = 8440
API = 8448
EDITS = 100
# How long requests are sent after the control plane was killed. The goal speaks of 600.
OUTAGE_SECONDS = float(os.environ.get("BENCH_OUTAGE", "60"))


class Api:
    """The API of a control plane, over one connection."""

    def __init__(self, data: Path, port: int = 0):
        config = json.loads((data / "admin.kubeconfig").read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        self.connection = http.client.HTTPSConnection("127.0.0.1", port or API, context=context, timeout=10)
        self.token = user["token"]

    def ask(self, method: str, path: str, body: dict, kind: str) -> dict:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        self.connection.request(method, path, json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise SystemExit(f"{method} {path} was answered with {answer.status}: {text[:400]!r}")
        return json.loads(text)

    def create(self, document: dict) -> dict:
        version, namespace = document["apiVersion"], document["metadata"].get("namespace")
        group = "/api/v1" if version == "v1" else f"/apis/{version}"
        inside = f"/namespaces/{namespace}" if namespace else ""
        return self.ask("POST", f"{group}{inside}/{PLURALS[document['kind']]}", document, "application/json")

    def edit(self, host: str, edition: int) -> None:
        """Only the rules are sent, as a merge patch."""
        rules = peer_files.selvedge_route(host, edition)["spec"]["rules"]
        path = f"/apis/{peer_files.GATEWAY_API}/namespaces/default/httproutes/{host.split('.')[0]}"
        self.ask("PATCH", path, {"spec": {"rules": rules}}, "application/merge-patch+json")


PLURALS = {
    "GatewayClass": "gatewayclasses", "GatewayParameters": "gatewayparameters", "Secret": "secrets",
    "Backend": "backends", "ConfigMap": "configmaps", "Gateway": "gateways", "HTTPRoute": "httproutes", "API": "apis", "APIRevision": "apirevisions",
    "APIVersion": "apiversions", "APIBinding": "apibindings", "APIProduct": "apiproducts", "Plan": "plans",
    "Application": "applications", "Subscription": "subscriptions", "Credential": "credentials",
    "Namespace": "namespaces", "Service": "services", "Mesh": "meshes", "Workload": "workloads",
}


def planes() -> dict:
    """One route edited through the API among 5,000 under load, from the API's answer to the first answer that shows
    it; the memory of both processes; and requests after the control plane was killed."""
    data = places.WORK / "planes"
    subprocess.run(["rm", "-rf", str(data)], check=True)
    program, row = places.selvedge(), {}
    with Stage() as stage:
        stage.backend()
        words = ["control", "--data", str(data), "--listen", f"127.0.0.1:{API}"]
        control = stage.start([program, *words], places.CORE_LOAD, "control")
        wait_for_line(control, places.WORK / "control.err", "ready")
        api = Api(data)
        fill(api)
        gateway = stage.start(gateway_command(program, data), places.CORE_PROXY, "gateway")
        wait_for_port(BASE + 1)
        time.sleep(2)  # Allocators settle; nothing can be waited for from outside.
        row["control_rss_kib"], row["gateway_rss_kib"] = (memory_kib(each.pid)["Rss"] for each in (control, gateway))
        row |= edits(stage, api, control)
        row |= outage(stage, control)
    print(f"an edit through the API among {EDIT_HOSTS * len(places.PREFIXES)} routes is served after "
          f"p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms; {row['errors']} of {row['requests']} requests failed; "
          f"control plane {row['control_rss_kib'] / 1024:.1f} MiB, gateway {row['gateway_rss_kib'] / 1024:.1f} MiB; "
          f"{row['outage_errors']} of {row['outage_requests']} requests failed in {OUTAGE_SECONDS:.0f} s without it",
          flush=True)
    return {"selvedge": row}


def fill(api: Api) -> None:
    for document in peer_files.selvedge_gateway(BASE, log=False):
        api.create(document)
    for host in places.hosts(EDIT_HOSTS):
        api.create(peer_files.selvedge_route(host))


def gateway_command(program: str, data: Path) -> list[str]:
    return [program, "gateway", "--control", f"https://127.0.0.1:{API}", "--token-file", str(data / "gateway.token"),
            "--cache", str(data / "cache"), "--workers", "1", "--admin", f"127.0.0.1:{BASE + 9}"]


def edits(stage: Stage, api: Api, control: subprocess.Popen) -> dict:
    client = load(stage, EDITS * 0.15 + 4)
    time.sleep(2)
    before = sum(cpu_seconds(control.pid))
    waits = []
    for edition in range(EDITS):
        waits.append(seconds_until_served(api, edition) * 1e3)
        time.sleep(0.1)
    spent = sum(cpu_seconds(control.pid)) - before
    outcome = finish(client)
    return {
        "p50_ms": statistics.median(waits),
        "p99_ms": percentile(waits, 99),
        "control_cpu_ms": spent / EDITS * 1e3,
        "errors": outcome["refused"] + outcome["broken"],
        "requests": outcome["requests"],
        "latency": outcome,
    }


def outage(stage: Stage, control: subprocess.Popen) -> dict:
    client = load(stage, OUTAGE_SECONDS)
    time.sleep(1)
    control.kill()
    control.wait()
    outcome = finish(client)
    return {"outage_seconds": OUTAGE_SECONDS, "outage_errors": outcome["refused"] + outcome["broken"],
            "outage_requests": outcome["requests"]}


def load(stage: Stage, seconds: float) -> subprocess.Popen:
    words = [f"127.0.0.1:{BASE + 1}", "svc9.example.com", PATH, str(EDIT_RATE), str(seconds), "32"]
    return stage.start([str(places.TOOLS / "latency"), *words], places.CORE_LOAD, "latency")


def finish(client: subprocess.Popen) -> dict:
    client.wait()
    return json.loads((places.WORK / "latency.out").read_text())


def seconds_until_served(api: Api, edition: int) -> float:
    """From the API's answer to the beginning of the first answer that shows the edition."""
    wanted = f"x-edition: {edition}\r\n".encode()
    request = f"GET / HTTP/1.1\r\nHost: {places.HOST}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", BASE + 1)) as connection:
        connection.settimeout(5)
        api.edit(places.HOST, edition)
        start = time.monotonic()
        while time.monotonic() < start + 10:
            connection.sendall(request)
            received = b""
            while b"\r\n\r\n" not in received or len(received.split(b"\r\n\r\n", 1)[1]) < 1024:
                piece = connection.recv(65536)
                if not piece:
                    raise SystemExit("the gateway closed a connection because of an edit")
                received += piece
            if wanted in received.lower():
                return time.monotonic() - start
    raise SystemExit(f"edition {edition} was not served within 10 s")
