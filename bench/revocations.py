"""How soon a key that was revoked is refused: from the command to the 401 at the last of several gateways, one after
another while nothing else happens. What counts is what a caller sees, so nobody is asked but the gateways themselves."""

import http.client
import os
import re
import statistics
import subprocess
import time
import urllib.request

import peers as peer_files
import places
from planes import API, Api
from processes import Stage, wait_for_line
from single import percentile

PORT = 8450
ADMIN = 8459
GROUP = "product.selvedge.dev/v1alpha1"
CUSTOMERS = f"/apis/{GROUP}/namespaces/default"
GATEWAYS = 3
REVOCATIONS = int(os.environ.get("BENCH_REVOCATIONS", "300"))
PATIENCE_SECONDS = 30
PATH = "/pets/pets"
DESCRIPTION = """openapi: 3.1.0
info: { title: Pets, version: '1' }
paths:
  /pets: { get: { responses: { '204': { description: all } } } }
"""


def revocations() -> dict:
    """Keys of one application that are revoked one by one, as every gateway sees it."""
    data = places.WORK / "revocations"
    subprocess.run(["rm", "-rf", str(data)], check=True)
    program = places.selvedge()
    with Stage() as stage:
        words = ["control", "--data", str(data), "--listen", f"127.0.0.1:{API}"]
        control = stage.start([program, *words], places.CORE_LOAD, "control")
        wait_for_line(control, places.WORK / "control.err", "ready")
        api = Api(data)
        fill(api)
        keys = [key(api, number) for number in range(REVOCATIONS)]
        for number in range(GATEWAYS):
            stage.start(gateway_command(program, data, number), places.CORE_PROXY, f"gateway-{number}")
        doors = [Door(f"127.0.0.{number + 1}") for number in range(GATEWAYS)]
        for door in doors:
            door.wait_for(keys[-1][1], 204)
        waits = [seconds_until_refused(api, doors, *pair) * 1e3 for pair in keys]
        told = max(door.told() for door in doors)
    row = {"p50_ms": statistics.median(waits), "p99_ms": percentile(waits, 99), "max_ms": max(waits),
           "told_max_ms": told, "revocations": len(waits), "gateways": GATEWAYS}
    print(f"{len(waits)} keys revoked: 401 at all of {GATEWAYS} gateways after p50 {row['p50_ms']:.1f} ms, "
          f"p99 {row['p99_ms']:.1f} ms, at most {row['max_ms']:.1f} ms; they say at most {told:.0f} ms", flush=True)
    return {"selvedge": row}


def seconds_until_refused(api: Api, doors: list["Door"], name: str, key: str) -> float:
    """From before the command is sent until the last gateway refuses."""
    began = time.perf_counter()
    api.ask("PATCH", f"{CUSTOMERS}/credentials/{name}/status", {"status": {"state": "Revoked"}},
            "application/merge-patch+json")
    for door in doors:
        door.wait_for(key, 401)
    return time.perf_counter() - began


class Door:
    """A gateway, over one connection."""

    def __init__(self, address: str):
        self.address = address
        self.connection = http.client.HTTPConnection(address, PORT, timeout=PATIENCE_SECONDS)

    def wait_for(self, key: str, status: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                self.connection.request("GET", PATH, headers={"x-api-key": key})
                answer = self.connection.getresponse()
                answer.read()
                if answer.status == status:
                    return
            except OSError:
                self.connection.close()
                time.sleep(0.02)
        raise SystemExit(f"{self.address} did not answer {status} within {PATIENCE_SECONDS} s")

    def told(self) -> float:
        """What the gateway itself has measured, at most."""
        with urllib.request.urlopen(f"http://{self.address}:{ADMIN}/metrics", timeout=PATIENCE_SECONDS) as answer:
            text = answer.read().decode()
        found = re.search(r"^selvedge_customers_propagation_milliseconds_max(?:{.*})? ([0-9.]+)", text, re.MULTILINE)
        return float(found.group(1)) if found else 0.0


def gateway_command(program: str, data, number: int) -> list[str]:
    address = f"127.0.0.{number + 1}"
    return [program, "gateway", "--name", f"edge-{number}", "--control", f"https://127.0.0.1:{API}", "--token-file",
            str(data / "gateway.token"), "--bind", address, "--workers", "1", "--admin", f"{address}:{ADMIN}"]


def key(api: Api, number: int) -> tuple[str, str]:
    """The name of a new key, and the key."""
    made = api.create(sold("Credential", f"mobile-{number}", {"application": "mobile"}))
    return made["metadata"]["name"], made["status"]["key"]


def sold(kind: str, name: str, spec: dict) -> dict:
    return peer_files.resource(GROUP, kind, name, spec=spec)


def fill(api: Api) -> None:
    for document in [
        {"apiVersion": peer_files.GATEWAY_API, "kind": "GatewayClass", "metadata": {"name": "selvedge"},
         "spec": {"controllerName": "selvedge.dev/gateway-controller"}},
        peer_files.resource(peer_files.GATEWAY_API, "Gateway", "edge", spec={
            "gatewayClassName": "selvedge", "listeners": [{"name": "plain", "port": PORT, "protocol": "HTTP"}]}),
        sold("API", "pets", {"title": "Pets"}),
        sold("APIRevision", "pets-1", {"api": "pets", "version": "pets-v1",
                                       "documents": [{"name": "pets.yaml", "content": DESCRIPTION}]}),
        sold("APIVersion", "pets-v1", {"api": "pets", "label": "v1", "state": "Published", "revision": "pets-1",
                                       "parentRefs": [{"name": "edge"}]}),
        sold("APIBinding", "pets-v1", {"version": "pets-v1", "default": {"mock": {}}}),
        sold("APIProduct", "pets", {"state": "Published", "apis": [{"version": "pets-v1"}]}),
        sold("Plan", "pets-free", {"product": "pets", "state": "Published"}),
        sold("Application", "mobile", {}),
        sold("Subscription", "mobile-pets", {"application": "mobile", "product": "pets", "plan": "pets-free"}),
    ]:
        api.create(document)
