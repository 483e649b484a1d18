"""CPU per gigabyte through a plain TCP tunnel: `l4` of `run.py`.

Run by itself it is the load: `l4.py serve PORT` gives bytes to whoever connects, for as long as they are taken;
`l4.py get PORT BYTES CONNECTIONS` takes that many in all and prints the seconds it took.
"""

import socket
import statistics
import subprocess
import sys
import threading
import time

import places
from processes import Stage, cpu_seconds, wait_for_port

GIGABYTES = 2
CONNECTIONS = 4
PIECE_BYTES = 1 << 20
SOURCE = 9001


def serve(port: int) -> None:
    piece = bytes(PIECE_BYTES)

    def give(connection: socket.socket) -> None:
        with connection:
            try:
                while True:
                    connection.sendall(piece)
            except OSError:
                return  # Whoever took them has had enough.

    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=give, args=(connection,), daemon=True).start()


def get(port: int, total: int, connections: int) -> None:
    def take() -> None:
        room, left = bytearray(PIECE_BYTES), total // connections
        with socket.create_connection(("127.0.0.1", port)) as connection:
            while left > 0:
                count = connection.recv_into(room)
                if not count:
                    raise SystemExit("the connection ended early")
                left -= count

    began = time.monotonic()
    takers = [threading.Thread(target=take) for _ in range(connections)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    print(time.monotonic() - began)


def peers() -> dict[str, tuple[list[str], int]]:
    """Commands and ports."""
    places.CONFIGS.mkdir(parents=True, exist_ok=True)
    ours, theirs = places.CONFIGS / "selvedge-l4.yaml", places.CONFIGS / "nginx-l4.conf"
    ours.write_text(SELVEDGE.format(port=8406, source=SOURCE))
    theirs.write_text(NGINX.format(port=8106, source=SOURCE, work=places.WORK))
    command = [places.selvedge(), "up", "-f", str(ours), "--workers", "1", "--listen", "off",
               "--admin", "127.0.0.1:8416"]
    return {"selvedge": (command, 8406), "nginx": (["nginx", "-c", str(theirs)], 8106)}


SELVEDGE = """
{{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {{"name": "selvedge"}},
 "spec": {{"controllerName": "selvedge.dev/gateway-controller"}}}}
---
{{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {{"name": "edge"}},
 "spec": {{"gatewayClassName": "selvedge", "addresses": [{{"type": "IPAddress", "value": "127.0.0.1"}}],
           "listeners": [{{"name": "bytes", "port": {port}, "protocol": "TCP"}}]}}}}
---
{{"apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Backend", "metadata": {{"name": "source"}},
 "spec": {{"endpoints": ["127.0.0.1:{source}"]}}}}
---
{{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "TCPRoute", "metadata": {{"name": "bytes"}},
 "spec": {{"parentRefs": [{{"name": "edge"}}], "rules": [{{"backendRefs": [
   {{"group": "mesh.selvedge.dev", "kind": "Backend", "name": "source"}}]}}]}}}}
"""

NGINX = """load_module /usr/lib/nginx/modules/ngx_stream_module.so;
worker_processes 1;
daemon off;
pid {work}/nginx-l4.pid;
error_log {work}/nginx-l4.error.log warn;
events {{ worker_connections 1024; }}
stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{source}; tcp_nodelay on; }} }}
"""


def measure(rounds: int = 5) -> dict:
    """Runs all peers side by side; the first round warms up. CPU in milliseconds per gigabyte."""
    rows = {name: {"total": []} for name in peers()}
    with Stage() as stage:
        stage.start([sys.executable, __file__, "serve", str(SOURCE)], places.CORE_LOAD, "l4-source")
        wait_for_port(SOURCE)
        started = {}
        for name, (command, port) in peers().items():
            started[name] = (stage.start(command, places.CORE_PROXY, f"{name}-l4"), port)
            wait_for_port(port)
        for number in range(rounds + 1):
            for name in list(rows) if number % 2 else list(rows)[::-1]:
                process, port = started[name]
                before = sum(cpu_seconds(process.pid))
                take = [sys.executable, __file__, "get", str(port), str(GIGABYTES * 10**9), str(CONNECTIONS)]
                subprocess.run(["taskset", "-c", str(places.CORE_LOAD), *take], check=True, capture_output=True)
                if number:
                    rows[name]["total"].append((sum(cpu_seconds(process.pid)) - before) * 1000 / GIGABYTES)
    first = statistics.median(rows["selvedge"]["total"])
    for name, row in rows.items():
        middle = statistics.median(row["total"])
        print(f"{name:14} {middle:8.1f} ms/GB  ({min(row['total']):.1f} to {max(row['total']):.1f})  "
              f"selvedge ÷ this {first / middle:.2f}", flush=True)
    return rows


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        get(*(int(word) for word in sys.argv[2:5]))
