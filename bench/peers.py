"""The proxies that are measured, each with a configuration one would put into production.

The same in all of them: one worker, keep-alive to the upstream, the same hosts and prefixes, a request id made and
sent both ways, forwarded headers set, TLS 1.2 and 1.3 with one P-256 certificate. Access logs are off, except in
the variants whose name ends in `-log`, which write one line per request into a file.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import places
from places import BACKEND, CERTIFICATES, CONFIGS, GRPC_BACKEND, GRPC_HOST, PREFIXES, WORK


@dataclass
class Peer:
    """A proxy: how it is started and where it listens."""

    name: str
    command: list[str]
    plain: int
    tls: int
    h2c: int
    program: str
    grpc: bool = False
    ready: str | None = None  # what it writes to stderr when it is ready; else a port that answers is enough


def all_peers(hosts: list[str]) -> dict[str, Peer]:
    """Writes every configuration and returns the peers by name."""
    CONFIGS.mkdir(parents=True, exist_ok=True)
    peers = [
        selvedge("selvedge", 8400, hosts, log=False),
        selvedge("selvedge-log", 8410, hosts, log=True),
        nginx("nginx", 8100, hosts, log=False),
        nginx("nginx-log", 8110, hosts, log=True),
        haproxy("haproxy", 8200, hosts),
        envoy("envoy", 8300, hosts),
    ]
    return {peer.name: peer for peer in peers}


def write(name: str, text: str) -> Path:
    path = CONFIGS / name
    path.write_text(text)
    return path


# Selvedge


def selvedge(name: str, base: int, hosts: list[str], log: bool) -> Peer:
    documents = selvedge_gateway(base, log) + [selvedge_route(host) for host in hosts] + [selvedge_grpc()]
    path = write(f"{name}.yaml", yaml(documents))
    return selvedge_peer(name, base, path)


def selvedge_peer(name: str, base: int, path: Path) -> Peer:
    program = places.selvedge()
    command = [program, "up", "-f", str(path), "--workers", "1", "--listen", "off",
               "--admin", f"127.0.0.1:{base + 9}"]
    return Peer(name, command, base + 1, base + 2, base + 1, program, grpc=True, ready="ready")


def yaml(documents: list[dict]) -> str:
    """JSON is YAML, and one document a line keeps the files readable for a diff."""
    return "".join(f"---\n{json.dumps(document)}\n" for document in documents)


def resource(version: str, kind: str, name: str, **content) -> dict:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "default"}, **content}


GATEWAY_API = "gateway.networking.k8s.io/v1"
OURS = "mesh.selvedge.dev/v1alpha1"


def selvedge_gateway(base: int, log: bool) -> list[dict]:
    certificate = {
        "tls.crt": (CERTIFICATES / "server.pem").read_text(),
        "tls.key": (CERTIFICATES / "server.key").read_text(),
    }
    return [
        {
            "apiVersion": GATEWAY_API,
            "kind": "GatewayClass",
            "metadata": {"name": "selvedge"},
            "spec": {"controllerName": "selvedge.dev/gateway-controller"},
        },
        resource(OURS, "GatewayParameters", "edge", spec={"accessLog": log}),
        resource("v1", "Secret", "edge", type="kubernetes.io/tls", stringData=certificate),
        resource(OURS, "Backend", "app", spec={"endpoints": [f"127.0.0.1:{BACKEND}"]}),
        resource(OURS, "Backend", "grpc", spec={"endpoints": [f"127.0.0.1:{GRPC_BACKEND}"], "protocol": "http2"}),
        resource(GATEWAY_API, "Gateway", "edge", spec={
            "gatewayClassName": "selvedge",
            "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
            "infrastructure": {"parametersRef": {
                "group": "mesh.selvedge.dev", "kind": "GatewayParameters", "name": "edge",
            }},
            "listeners": [
                {"name": "plain", "port": base + 1, "protocol": "HTTP"},
                {"name": "tls", "port": base + 2, "protocol": "HTTPS",
                 "tls": {"certificateRefs": [{"name": "edge"}]}},
            ],
        }),
    ]


def selvedge_route(host: str, edition: int | None = None) -> dict:
    """One host with its prefixes; an edition, if given, is shown in a response header."""
    backend = [{"group": "mesh.selvedge.dev", "kind": "Backend", "name": "app"}]
    rules = []
    for prefix in PREFIXES:
        value = prefix.rstrip("/") or "/"
        rules.append({"matches": [{"path": {"type": "PathPrefix", "value": value}}], "backendRefs": backend})
    if edition is not None:
        header = {"set": [{"name": "x-edition", "value": str(edition)}]}
        rules[-1]["filters"] = [{"type": "ResponseHeaderModifier", "responseHeaderModifier": header}]
    spec = {"parentRefs": [{"name": "edge"}], "hostnames": [host], "rules": rules}
    return resource(GATEWAY_API, "HTTPRoute", host.split(".")[0], spec=spec)


def selvedge_grpc() -> dict:
    backend = [{"group": "mesh.selvedge.dev", "kind": "Backend", "name": "grpc"}]
    spec = {"parentRefs": [{"name": "edge"}], "hostnames": [GRPC_HOST], "rules": [{"backendRefs": backend}]}
    return resource(GATEWAY_API, "HTTPRoute", "grpc", spec=spec)


# nginx


def nginx(name: str, base: int, hosts: list[str], log: bool) -> Peer:
    servers = "".join(nginx_server(base, host, is_first=host == hosts[0]) for host in hosts)
    path = write(f"{name}.conf", NGINX.format(
        work=WORK, name=name, certificates=CERTIFICATES, backend=BACKEND, servers=servers,
        log=f"{WORK}/{name}.access.log line buffer=32k flush=1s" if log else "off",
    ))
    return Peer(name, ["nginx", "-c", str(path)], base + 1, base + 2, base + 3, "nginx")


NGINX = """worker_processes 1;
daemon off;
pid {work}/{name}.pid;
error_log {work}/{name}.error.log warn;
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; }}
http {{
  log_format line escape=json '{{"time":"$time_iso8601","id":"$request_id","client":"$remote_addr",'
    '"method":"$request_method","host":"$host","path":"$request_uri","status":$status,"bytes":$body_bytes_sent,'
    '"seconds":$request_time,"upstream":"$upstream_addr","agent":"$http_user_agent"}}';
  access_log {log};
  server_tokens off;
  sendfile on;
  tcp_nodelay on;
  keepalive_timeout 75s;
  keepalive_requests 100000000;
  client_body_buffer_size 64k;
  proxy_buffer_size 16k;
  proxy_buffers 16 16k;
  proxy_busy_buffers_size 64k;
  proxy_max_temp_file_size 0;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  proxy_set_header X-Request-ID $request_id;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
  add_header X-Request-ID $request_id;
  proxy_next_upstream error timeout;
  proxy_connect_timeout 5s;
  proxy_read_timeout 60s;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:sessions:10m;
  ssl_certificate {certificates}/server.pem;
  ssl_certificate_key {certificates}/server.key;
  upstream app {{ server 127.0.0.1:{backend}; keepalive 256; keepalive_requests 100000000; }}
{servers}}}
"""


def nginx_server(base: int, host: str, is_first: bool) -> str:
    # Options of the socket itself may be given once only.
    once = " backlog=4096" if is_first else ""
    listens = f"listen 127.0.0.1:{base + 1}{once}; listen 127.0.0.1:{base + 2} ssl http2{once}; " \
              f"listen 127.0.0.1:{base + 3} http2{once};"
    locations = " ".join(f"location {prefix} {{ proxy_pass http://app; }}" for prefix in PREFIXES)
    return f"  server {{ {listens} server_name {host}; {locations} }}\n"


# HAProxy


def haproxy(name: str, base: int, hosts: list[str]) -> Peer:
    routes = write("haproxy.map", "".join(f"{host}{prefix} app\n" for host in hosts for prefix in PREFIXES))
    rules = HAPROXY_RULES.format(routes=routes)
    frontends = [
        f"frontend plain\n  bind 127.0.0.1:{base + 1} backlog 4096\n",
        f"frontend tls\n  bind 127.0.0.1:{base + 2} backlog 4096 ssl crt {CERTIFICATES}/server.combined.pem "
        "alpn h2,http/1.1\n",
        f"frontend h2c\n  bind 127.0.0.1:{base + 3} backlog 4096 proto h2\n",
    ]
    backend = f"backend app\n  server one 127.0.0.1:{BACKEND} maxconn 1024 pool-max-conn 512\n"
    path = write("haproxy.cfg", HAPROXY + "".join(start + rules for start in frontends) + backend)
    return Peer(name, ["haproxy", "-db", "-f", str(path)], base + 1, base + 2, base + 3, "haproxy")


HAPROXY = """global
  nbthread 1
  maxconn 6000
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 60s
  timeout http-request 60s
  timeout http-keep-alive 75s
  option http-keep-alive
  http-reuse always
  retry-on conn-failure empty-response
"""

HAPROXY_RULES = """  option forwardfor
  unique-id-format %[uuid()]
  unique-id-header X-Request-ID
  http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  http-response set-header X-Request-ID %[unique-id]
  use_backend %[base,map_beg({routes})]
"""


# Envoy


def envoy(name: str, base: int, hosts: list[str]) -> Peer:
    bootstrap = {"static_resources": {
        "listeners": [
            envoy_listener("plain", base + 1, hosts, tls=False),
            envoy_listener("tls", base + 2, hosts, tls=True),
        ],
        "clusters": [envoy_cluster("app", BACKEND, http2=False), envoy_cluster("grpc", GRPC_BACKEND, http2=True)],
    }}
    path = write("envoy.json", json.dumps(bootstrap, indent=1))
    program = places.envoy()
    command = [program, "-c", str(path), "--concurrency", "1", "-l", "error", "--use-dynamic-base-id"]
    return Peer(name, command, base + 1, base + 2, base + 1, program, grpc=True)


ENVOY_TYPE = "type.googleapis.com/envoy.extensions."


def envoy_listener(name: str, port: int, hosts: list[str], tls: bool) -> dict:
    virtual_hosts = [envoy_host(host, PREFIXES, "app") for host in hosts] + [envoy_host(GRPC_HOST, ["/"], "grpc")]
    manager = {
        "@type": ENVOY_TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "AUTO",
        "use_remote_address": True,
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "route_config": {"name": "routes", "virtual_hosts": virtual_hosts},
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": ENVOY_TYPE + "filters.http.router.v3.Router"},
        }],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    if tls:
        pair = {
            "certificate_chain": {"filename": str(CERTIFICATES / "server.pem")},
            "private_key": {"filename": str(CERTIFICATES / "server.key")},
        }
        context = {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificates": [pair],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
        }
        typed = {
            "@type": ENVOY_TYPE + "transport_sockets.tls.v3.DownstreamTlsContext", "common_tls_context": context,
        }
        chain["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": typed}
    return {"name": name, "address": envoy_address(port), "filter_chains": [chain]}


def envoy_host(host: str, prefixes: list[str], cluster: str) -> dict:
    routes = [
        {"match": {"prefix": prefix}, "route": {"cluster": cluster, "timeout": "60s"}} for prefix in prefixes
    ]
    return {"name": host, "domains": [host], "routes": routes}


def envoy_address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def envoy_cluster(name: str, port: int, http2: bool) -> dict:
    endpoint = {"endpoint": {"address": envoy_address(port)}}
    cluster = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [
            {"max_connections": 10000, "max_pending_requests": 10000, "max_requests": 10000},
        ]},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if http2:
        cluster["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": ENVOY_TYPE + "upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            },
        }
    return cluster
