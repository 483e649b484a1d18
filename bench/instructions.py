"""Instructions: they hold still on a shared machine, where seconds do not, so a change of one per cent can be seen.

Parts (codec, route match) are counted by gungraun, whose benchmarks are the crate `bench/instructions`. The whole
pipeline is counted by callgrind over a process that holds nothing but the data path (`examples/serve` of the proxy):
client and upstream are here, outside of what is counted, and two run lengths are subtracted from each other, so that
what is left is what one request costs.
"""

import os
import re
import signal
import socket
import subprocess
import threading

import places

REQUESTS_FEW, REQUESTS_MANY = 500, 2500
HEAD = "HTTP/1.1\r\nHost: svc7.example.com\r\nUser-Agent: bench/1\r\n"
GET = (f"GET /api/v1/users/1k?id=42 {HEAD}Accept: application/json\r\nAccept-Encoding: gzip\r\n"
       "Authorization: Bearer abc\r\nCookie: a=b\r\n\r\n").encode()
POST = f"POST /api/v1/users/up {HEAD}Content-Length: 16384\r\n\r\n".encode() + b"x" * 16384
ANSWER = (b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n"
          + b"y" * 1024)


def measure() -> dict:
    """Every count, by name."""
    rows = parts() | pipeline()
    for name, count in rows.items():
        print(f"{name:40} {count:8.0f} instructions", flush=True)
    return rows


def parts() -> dict:
    """What `cargo bench` says of the crate `instructions`: one line names a benchmark, a later one counts it."""
    runner = places.ROOT / "target" / "gungraun" / "bin" / "gungraun-runner"
    command = ["cargo", "bench", "--quiet", "--manifest-path", str(places.BENCH / "instructions" / "Cargo.toml"),
               "--target-dir", str(places.ROOT / "target" / "instructions")]
    environment = os.environ | {"GUNGRAUN_RUNNER": str(runner), "GUNGRAUN_COLOR": "never"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    counts = read_counts(done.stdout)
    if done.returncode != 0 or not counts:
        raise SystemExit(f"the instruction benchmarks failed; `cargo xtask setup bench` installs their runner\n"
                         f"{done.stdout}{done.stderr}")
    return counts


def read_counts(text: str) -> dict:
    counts, name = {}, None
    for line in text.splitlines():
        if named := re.match(r"\w+::\w+::(\w+) (\w+):", line):
            name = f"{named[1]} {named[2]}".replace("_", " ")
        elif name and (counted := re.match(r"\s+Instructions:\s+(\d+)", line)):
            # A match is counted a thousand at a time.
            scale = 1000 if name.startswith("a thousand matches") else 1
            counts[name.replace("a thousand matches", "match")] = int(counted[1]) / scale
    return counts


def pipeline() -> dict:
    """What a worker does for one request, from its head to the last byte of its answer."""
    command = ["cargo", "build", "--quiet", "--profile", "fast", "--package", "selvedge-proxy", "--example", "serve"]
    subprocess.run(command, cwd=places.ROOT, check=True)
    upstream = listen()
    threading.Thread(target=serve, args=(upstream,), daemon=True).start()
    rows = {}
    for name, request in [("pipeline GET 1 KiB", GET), ("pipeline POST 16 KiB", POST)]:
        few, many = (collected(upstream, request, count) for count in (REQUESTS_FEW, REQUESTS_MANY))
        rows[name] = (many - few) / (REQUESTS_MANY - REQUESTS_FEW)
    return rows


def collected(upstream: socket.socket, request: bytes, count: int) -> int:
    """Instructions of a proxy that serves so many requests and is then told to end."""
    with listen() as free:
        proxy = f"127.0.0.1:{free.getsockname()[1]}"
    serve_program = places.ROOT / "target" / "fast" / "examples" / "serve"
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(serve_program), proxy,
               f"127.0.0.1:{upstream.getsockname()[1]}", str(places.HOSTS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()  # It says where it listens once it does.
    ask(proxy, request, count)
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[1]
    found = re.search(r"Collected : (\d+)", said)
    if not found:
        raise SystemExit(f"callgrind counted nothing:\n{said}")
    return int(found[1])


def ask(proxy: str, request: bytes, count: int) -> None:
    host, port = proxy.split(":")
    with socket.create_connection((host, int(port))) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            client.sendall(request)
            received = b""
            while not received.endswith(ANSWER[-1024:]):
                piece = client.recv(65536)
                if not piece:
                    raise SystemExit("the proxy closed a connection that it should keep")
                received += piece
            if not received.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"the proxy answered {received[:100]!r}")


def listen() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def serve(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection: socket.socket) -> None:
    """Answers every whole request with the same kibibyte."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
        while (end := received.find(b"\r\n\r\n")) >= 0:
            length = re.search(rb"(?i)content-length: *(\d+)", received[:end])
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(received) < whole:
                break
            received = received[whole:]
            connection.sendall(ANSWER)
