"""An issuer of opaque tokens with the introspection endpoint of Authlib (RFC 7662).

Listens where its first argument says (`host:port`), and knows one client, `gateway` with the secret `s3cr:t & more`. What is
issued is what was asked for: `POST /issue` takes the answer about a token as JSON and returns the token; `POST /revoke` takes a
token. `GET /asked` tells how often the endpoint was asked. `POST /slow` has it wait so many seconds from then on, `POST /answer`
has it answer that text instead.
"""

import json
import os
import secrets
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote_plus

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.oauth2 import AuthorizationServer, OAuth2Request  # noqa: E402
from authlib.oauth2.rfc7662 import IntrospectionEndpoint  # noqa: E402

HOST, PORT = sys.argv[1].rsplit(":", 1)
SECRET = "s3cr:t & more"
tokens, revoked = {}, set()
state = {"asked": 0, "slow": 0.0, "answer": None}
lock = threading.Lock()


class Client:
    client_id = "gateway"

    def check_client_secret(self, secret):
        # RFC 6749 section 2.3.1: what stands in Basic was form-encoded before.
        return secrets.compare_digest(unquote_plus(secret), SECRET)

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "client_secret_basic"


class Token:
    def __init__(self, text):
        self.text, self.said = text, tokens[text]

    def is_expired(self):
        return self.said.get("exp", time.time() + 60) < time.time()

    def is_revoked(self):
        return self.text in revoked


class Introspection(IntrospectionEndpoint):
    def query_token(self, text, hint):
        return Token(text) if text in tokens else None

    def check_permission(self, token, client, request):
        return client.client_id == "gateway"

    def introspect_token(self, token):
        return dict(token.said)


class Request(OAuth2Request):
    def __init__(self, handler, body):
        super().__init__(handler.command, f"http://{HOST}:{PORT}{handler.path}", headers=handler.headers)
        self._form = dict(parse_qsl(body, keep_blank_values=True))

    @property
    def form(self):
        return self._form


class Issuer(AuthorizationServer):
    def query_client(self, client_id):
        return Client() if client_id == Client.client_id else None

    def create_oauth2_request(self, request):
        return request

    def handle_response(self, status, payload, headers):
        return status, payload, headers


issuer = Issuer()
issuer.register_endpoint(Introspection)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        if self.path == "/introspect":
            with lock:
                state["asked"] += 1
            time.sleep(state["slow"])
            if state["answer"] is not None:
                return self.answer(200, state["answer"].encode())
            assert self.headers["content-type"] == "application/x-www-form-urlencoded", self.headers
            status, payload, _ = issuer.create_endpoint_response("introspection", Request(self, body))
            return self.answer(status, json.dumps(payload).encode() if isinstance(payload, dict) else payload)
        if self.path == "/issue":
            text = secrets.token_urlsafe(32)
            tokens[text] = json.loads(body)
            return self.answer(200, text.encode())
        if self.path == "/revoke":
            revoked.add(body)
        elif self.path == "/slow":
            state["slow"] = float(body)
        elif self.path == "/answer":
            state["answer"] = body or None
        elif self.path == "/moved":
            self.send_response(307)
            self.send_header("location", f"http://{HOST}:{PORT}/introspect")
            self.send_header("content-length", "0")
            return self.end_headers()
        self.answer(200, b"")

    def do_GET(self):
        self.answer(200, str(state["asked"]).encode())

    def answer(self, status, content):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer((HOST, int(PORT)), Handler)
server.daemon_threads = True
server.serve_forever()
