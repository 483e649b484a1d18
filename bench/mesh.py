"""The mesh: client -> A -mutual TLS-> B -> application, as pairs of one product each.

CPU per request is that of both hops together; A and B share the proxy's core, so that a pair has what one proxy has in
the other workloads. Both verify each other, connections between them are kept, and every answer says that it crossed
both. The added latency is what a hop through the pair costs at a constant 1,000 requests a second, beyond asking the
application itself in the same round. Ours is the bare data path on configs made in code (`examples/serve_mesh` of the proxy), with the identities of a
mesh; the others' B asks for a certificate of the authority, which is less than an identity.
"""

import json
import statistics
import subprocess
from dataclasses import dataclass

import certificates
import load
import peers
import places
import workloads
from peers import Peer
from places import BACKEND, CERTIFICATES
from processes import Stage

PATH = "/api/v1/users/1k?id=42"
SENTENCE = "GET 1 KiB over two hops with mutual TLS between them, both hops together"
CONNECTIONS = 64
ROUNDS, SECONDS = 5, 3
# Constant rate, requests/s; the connections are enough that none of them waits for another.
RATE, PACED_CONNECTIONS = 1000, 16


@dataclass
class Pair:
    """Two proxies of a product; clients ask the first."""

    name: str
    sides: list[Peer]


def all_pairs() -> list[Pair]:
    return [selvedge(8420), nginx(8120), envoy(8320)]


def measure() -> dict:
    """Every round's figures for each pair."""
    certificates.make_members()
    build()
    pairs = [pair for pair in all_pairs() if all(places.is_there(side.program) for side in pair.sides)]
    doors = {pair.name: url(pair) for pair in pairs}
    with Stage() as stage:
        stage.backend()
        # The second first: the first may look for it.
        started = {pair.name: [stage.proxy(side) for side in reversed(pair.sides)] for pair in pairs}
        for pair in pairs:
            load.probe(url(pair), places.HOST, workloads.KIB, "--http1.1")
        rows = workloads.alternate(started, lambda name: load.wrk(doors[name], SECONDS, CONNECTIONS), ROUNDS)
        for name, delays in added_latency(pairs).items():
            rows[name]["added_p99_us"] = delays
    for name, row in rows.items():
        print(f"{name:14} {statistics.median(row['total']):8.2f} µs  errors {row['errors']}  "
              f"added p99 {statistics.median(row['added_p99_us']):.0f} µs", flush=True)
    return rows


def added_latency(pairs: list[Pair]) -> dict[str, list[float]]:
    """Microseconds at the 99th percentile that each pair adds, round by round."""
    added = {pair.name: [] for pair in pairs}
    for number in range(ROUNDS + 1):
        direct = paced_p99(BACKEND)
        for pair in pairs if number % 2 else pairs[::-1]:
            through = paced_p99(pair.sides[0].plain)
            if number:
                added[pair.name].append(through - direct)
    return added


def paced_p99(port: int) -> float:
    told = load.paced(port, PATH, RATE, SECONDS, PACED_CONNECTIONS)
    if told["answered"] != told["requests"] or told["refused"]:
        raise SystemExit(f"not every paced request was answered: {told}")
    return told["p99"]


def url(pair: Pair) -> str:
    return f"http://127.0.0.1:{pair.sides[0].plain}{PATH}"


def build() -> None:
    command = ["cargo", "build", "--quiet", "--release", "--package", "selvedge-proxy", "--example",
               "serve_mesh"]
    subprocess.run(command, cwd=places.ROOT, check=True)


def side(name: str, command: list[str], port: int) -> Peer:
    return Peer(name, command, port, port, port, command[0])


def selvedge(base: int) -> Pair:
    program = str(places.ROOT / "target" / "release" / "examples" / "serve_mesh")
    rest = [str(places.HOSTS), str(CERTIFICATES)]
    a = [program, "gateway", f"127.0.0.1:{base}", f"127.0.0.1:{base + 1}", *rest]
    b = [program, "sidecar", f"127.0.0.1:{base + 1}", f"127.0.0.1:{BACKEND}", *rest]
    return Pair("selvedge", [side("selvedge-mesh-a", a, base), side("selvedge-mesh-b", b, base + 1)])


# nginx

NGINX_TO_B = """proxy_ssl_certificate {certificates}/web.pem; proxy_ssl_certificate_key {certificates}/web.key;
  proxy_ssl_trusted_certificate {certificates}/ca.pem; proxy_ssl_verify on; proxy_ssl_session_reuse off;
  proxy_ssl_name cart-1.shop.bench.example; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.3;"""
NGINX_FROM_A = """ssl_certificate {certificates}/cart.pem; ssl_certificate_key {certificates}/cart.key;
  ssl_client_certificate {certificates}/ca.pem; ssl_verify_client on; ssl_protocols TLSv1.3;"""


def nginx(base: int) -> Pair:
    a = nginx_side("nginx-mesh-a", base, "", "https", base + 1, NGINX_TO_B)
    b = nginx_side("nginx-mesh-b", base + 1, " ssl", "http", BACKEND, NGINX_FROM_A)
    return Pair("nginx", [a, b])


def nginx_side(name: str, port: int, options: str, scheme: str, onward: int, tls: str) -> Peer:
    def server(host: str) -> str:
        once = " backlog=4096" if host == places.hosts()[0] else ""
        locations = " ".join(f"location {prefix} {{ proxy_pass {scheme}://app; }}" for prefix in places.PREFIXES)
        return f"  server {{ listen 127.0.0.1:{port}{options}{once}; server_name {host}; {locations} }}\n"

    text = peers.NGINX.format(
        work=places.WORK, name=name, certificates=CERTIFICATES, backend=onward, log="off",
        servers="  " + tls.format(certificates=CERTIFICATES) + "\n" + "".join(map(server, places.hosts())),
    )
    # The pair of a usual server stands in the template; here each side shows its own.
    for line in ("ssl_certificate {c}/server.pem;", "ssl_certificate_key {c}/server.key;",
                 "ssl_protocols TLSv1.2 TLSv1.3;"):
        text = text.replace("  " + line.format(c=CERTIFICATES) + "\n", "", 1)
    return side(name, ["nginx", "-c", str(peers.write(f"{name}.conf", text))], port)


# Envoy


def envoy(base: int) -> Pair:
    a = envoy_side("envoy-mesh-a", base, base + 1, onward_tls=envoy_tls("Upstream", "web"))
    b = envoy_side("envoy-mesh-b", base + 1, BACKEND, own_tls=envoy_tls("Downstream", "cart"))
    return Pair("envoy", [a, b])


def envoy_side(name: str, port: int, onward: int, own_tls: dict | None = None, onward_tls: dict | None = None) -> Peer:
    listener = peers.envoy_listener(name, port, places.hosts(), tls=False)
    if own_tls:
        listener["filter_chains"][0]["transport_socket"] = own_tls
    cluster = peers.envoy_cluster("app", onward, http2=False)
    if onward_tls:
        cluster["transport_socket"] = onward_tls
    clusters = [cluster, peers.envoy_cluster("grpc", places.GRPC_BACKEND, http2=True)]
    bootstrap = {"static_resources": {"listeners": [listener], "clusters": clusters}}
    path = peers.write(f"{name}.json", json.dumps(bootstrap, indent=1))
    command = [places.envoy(), "-c", str(path), "--concurrency", "1", "-l", "error", "--use-dynamic-base-id"]
    return side(name, command, port)


def envoy_tls(direction: str, account: str) -> dict:
    """Both sides verify the chain and the other's SPIFFE trust domain."""
    expected = "spiffe://bench.example/"
    context = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificates": [{
            "certificate_chain": {"filename": str(CERTIFICATES / f"{account}.pem")},
            "private_key": {"filename": str(CERTIFICATES / f"{account}.key")},
        }],
        "validation_context": {
            "trusted_ca": {"filename": str(CERTIFICATES / "ca.pem")},
            "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"prefix": expected}}],
        },
    }
    typed = {
        "@type": f"{peers.ENVOY_TYPE}transport_sockets.tls.v3.{direction}TlsContext", "common_tls_context": context,
    }
    if direction == "Downstream":
        typed["require_client_certificate"] = True
    else:
        typed["sni"] = "8080.cart.shop.svc.bench.example"
    return {"name": "envoy.transport_sockets.tls", "typed_config": typed}
