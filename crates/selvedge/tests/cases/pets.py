"""A service of pets that speaks version 1 or version 2 of its API, and nothing else.

What does not keep to the version is refused, so that a client of the other one would be noticed.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

VERSION = sys.argv[1]
PETS = {1: ("Rex", "open"), 2: ("Mia", "sold"), 3: ("Tom", "open")}
STATES = {"open": "AVAILABLE", "sold": "SOLD"}


def shown(number):
    """A pet as this version writes it."""
    name, state = PETS[number]
    if VERSION == "v1":
        return {"id": number, "name": name, "state": state}
    return {"id": str(number), "title": name, "status": STATES[state], "species": "cat"}


def taken(pet):
    """Takes a pet in, as this version writes it."""
    if VERSION == "v1":
        assert sorted(pet) == ["id", "name", "state"] and isinstance(pet["id"], int), pet
        assert pet["state"] in STATES, pet
        PETS[pet["id"]] = (pet["name"], pet["state"])
        return pet["id"]
    assert sorted(pet) == ["id", "species", "status", "title"] and isinstance(pet["id"], str), pet
    assert pet["species"] in ("cat", "dog"), pet
    states = {word: state for state, word in STATES.items()}
    PETS[int(pet["id"])] = (pet["title"], states[pet["status"]])
    return int(pet["id"])


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value=None):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        if body:
            self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-served-by", VERSION)
        self.end_headers()
        self.wfile.write(body)

    def one(self, text):
        number = int(text)
        return self.answer(200, shown(number)) if number in PETS else self.answer(404)

    def do_GET(self):
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        root, size = ("/pets", "limit") if VERSION == "v1" else ("/v2/animals", "page-size")
        if set(query) - {size, "version"} or (VERSION == "v2" and url.path == root and size not in query):
            return self.answer(400, {"unknown": sorted(query)})
        if url.path == root:
            found = [shown(number) for number in sorted(PETS)][: int(query.get(size, ["100"])[0])]
            return self.answer(200, found if VERSION == "v1" else {"data": found})
        if url.path.startswith(root + "/"):
            return self.one(url.path[len(root) + 1 :])
        return self.answer(400, {"unknown": url.path})

    def put(self, method, path, status):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if (self.command, urlsplit(self.path).path) != (method, path):
            return self.answer(400, {"unknown": self.path})
        try:
            return self.answer(status, shown(taken(body)))
        except (AssertionError, KeyError) as wrong:
            return self.answer(422, {"wrong": repr(wrong)})

    def do_POST(self):
        self.put("POST", "/pets" if VERSION == "v1" else "nowhere", 200)

    def do_PUT(self):
        self.put("PUT", "/v2/animals" if VERSION == "v2" else "nowhere", 201)

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(server.server_address[1], flush=True)
server.serve_forever()
