"""A GET as a customer of a product makes it: its key is judged, a plan's rate and a quota of which this gateway was lent
a part are charged, and the request is counted for its bill. Beside it, in the same run and with the same request, a GET
through ourselves and through nginx where nobody asks for any of that.

The gateway is a process of its own, as a product has it, and only its CPU counts: the control plane that lends to it and
takes its counts runs on the other core. The plan is so large that nothing is refused, and before anything is measured
the gateway has to refuse a request without a key and to speak of both limits.
"""

import http.client
import subprocess
import time
from pathlib import Path

import load
import peers as peer_files
import places
import workloads
from peers import Peer
from planes import API, Api
from processes import Stage, wait_for_line
from revocations import key, sold

BASE = 8430
NAME = "selvedge-product"
SENTENCE = "GET 1 KiB with a key, a plan's rate, a quota and metering"
PATH = workloads.USERS + "1k?id=42"
CONNECTIONS = 64
ROUNDS, SECONDS = 5, 3
PATIENCE_SECONDS = 20
# So many that nobody reaches them.
REQUESTS = 1_000_000_000
DESCRIPTION = """openapi: 3.1.0
info: { title: Users, version: '1' }
paths:
  /users/{name}:
    parameters: [{ name: name, in: path, required: true, schema: { type: string } }]
    get: { responses: { '200': { description: one } } }
"""


def measure(bare: list[Peer]) -> dict:
    """Every round's figures; `bare` are the proxies in which nobody asks for keys."""
    data = places.WORK / "products"
    subprocess.run(["rm", "-rf", str(data)], check=True)
    program = places.selvedge()
    with Stage() as stage:
        stage.backend()
        words = ["control", "--data", str(data), "--listen", f"127.0.0.1:{API}"]
        control = stage.start([program, *words], places.CORE_LOAD, "control")
        wait_for_line(control, places.WORK / "control.err", "ready")
        api = Api(data)
        fill(api)
        secret = key(api, 0)[1]
        peers = [gateway(program, data), *bare]
        started = {peer.name: [stage.proxy(peer)] for peer in peers}
        doors = {peer.name: f"http://127.0.0.1:{peer.plain}{PATH}" for peer in peers}
        wait_until_judged(peers[0], secret)
        for peer in bare:
            load.probe(doors[peer.name], places.HOST, workloads.KIB, "--http1.1")
        rows = workloads.alternate(
            started, lambda name: load.wrk(doors[name], SECONDS, CONNECTIONS, fields={"X-Api-Key": secret}), ROUNDS)
    workloads.show(SENTENCE, rows)
    return rows


def gateway(program: str, data: Path) -> Peer:
    command = [program, "gateway", "--control", f"https://127.0.0.1:{API}", "--token-file", str(data / "gateway.token"),
               "--cache", str(data / "gateway"), "--workers", "1", "--admin", f"127.0.0.1:{BASE + 9}"]
    return Peer(NAME, command, BASE + 1, BASE + 2, BASE + 1, program)


def wait_until_judged(peer: Peer, secret: str) -> None:
    """Nobody without a key, and with it both limits and the answer of the upstream."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with_key = without = None
    while time.monotonic() < deadline:
        without, with_key = ask(peer, {}), ask(peer, {"X-Api-Key": secret})
        if without[0] == 401 and with_key == (200, workloads.KIB, 2):
            return
        time.sleep(0.05)
    raise SystemExit(f"the gateway answered {without} without a key and {with_key} with it (status, bytes, limits told); "
                     "nothing was measured")


def ask(peer: Peer, fields: dict[str, str]) -> tuple[int, int, int]:
    connection = http.client.HTTPConnection("127.0.0.1", peer.plain, timeout=PATIENCE_SECONDS)
    connection.request("GET", PATH, headers={"Host": places.HOST, **fields})
    answer = connection.getresponse()
    told = len(answer.headers.get_all("ratelimit-policy") or [])
    size = len(answer.read())
    connection.close()
    return answer.status, size, told


def fill(api: Api) -> None:
    """The route table of the other proxies, in which one host is an API."""
    for document in peer_files.selvedge_gateway(BASE, log=False):
        api.create(document)
    for host in places.hosts():
        if host != places.HOST:
            api.create(peer_files.selvedge_route(host))
    upstream = {"backendRefs": [{"group": "mesh.selvedge.dev", "kind": "Backend", "name": "app"}]}
    quota = {"requests": REQUESTS, "per": "Month", "limit": "Hard", "whenUnknown": "Closed"}
    for document in [
        sold("API", "users", {"title": "Users"}),
        sold("APIRevision", "users-1", {"api": "users", "version": "users-v1",
                                        "documents": [{"name": "users.yaml", "content": DESCRIPTION}]}),
        sold("APIVersion", "users-v1", {"api": "users", "label": "v1", "state": "Published", "revision": "users-1",
                                        "parentRefs": [{"name": "edge"}], "hostnames": [places.HOST],
                                        "basePath": "/api/v1"}),
        sold("APIBinding", "users-v1", {"version": "users-v1", "default": upstream | {"path": "/api/v1"}}),
        sold("APIProduct", "users", {"state": "Published", "apis": [{"version": "users-v1"}]}),
        sold("Plan", "users-large", {"product": "users", "state": "Published", "quotas": [quota],
                                     "rates": [{"requests": REQUESTS, "per": "1s"}]}),
        sold("Application", "mobile", {}),
        sold("Subscription", "mobile-users", {"application": "mobile", "product": "users", "plan": "users-large"}),
    ]:
        api.create(document)
