"""An external authorizer: Envoy's `Authorization/Check` served by grpcio with Envoy's own definitions, and the same over HTTP.

Usage: `authorizer.py grpc|http host:port xds-folder`. Both say what the request asks them to, in `x-verdict`: `allow`, `deny`,
`slow`, `status` (it cannot say), `garbage`, `closes`, `huge`, `framing`, `empty`, and a few more below. What they were shown
stands in a file of JSON lines, named by the environment's `SHOWN`.
"""

import json
import os
import sys
import threading
import time

SPOKEN, ADDRESS, XDS = sys.argv[1:4]
HOST, PORT = ADDRESS.rsplit(":", 1)
SHOWN = os.environ["SHOWN"]
lock = threading.Lock()


def shown(what):
    with lock, open(SHOWN, "a") as file:
        file.write(json.dumps(what) + "\n")


def over_grpc():
    sys.path.insert(0, XDS)
    import google

    google.__path__ = [folder + "/google" for folder in sys.path]
    from concurrent import futures

    import grpc
    from envoy.config.core.v3 import base_pb2
    from envoy.service.auth.v3 import external_auth_pb2 as auth
    from envoy.service.auth.v3 import external_auth_pb2_grpc
    from google.protobuf import json_format
    from google.protobuf.wrappers_pb2 import BoolValue
    from google.rpc import status_pb2

    def field(name, value, append=None, action=0):
        option = base_pb2.HeaderValueOption(header=base_pb2.HeaderValue(key=name, value=value), append_action=action)
        if append is not None:
            option.append.CopyFrom(BoolValue(value=append))
        return option

    def answer(code, **which):
        return auth.CheckResponse(status=status_pb2.Status(code=code), **which)

    class Authorizer(external_auth_pb2_grpc.AuthorizationServicer):
        def Check(self, request, context):
            shown(json_format.MessageToDict(request, preserving_proto_field_name=True))
            http = request.attributes.request.http
            verdict = http.headers.get("x-verdict", "deny")
            ok = auth.OkHttpResponse()
            if verdict == "allow":
                ok.headers.extend(
                    [
                        field("X-User", "kim", append=False),
                        field("x-role", "reader", append=True),
                        field("x-once", "authorizer", action=1),
                        field("x-never", "authorizer", action=3),
                    ]
                )
                ok.headers_to_remove.extend(["x-secret"])
                ok.response_headers_to_add.extend([field("x-checked", "yes", append=False), field("x-note", "1", append=True)])
                ok.query_parameters_to_set.add(key="tenant", value="a&b")
                ok.query_parameters_to_remove.append("debug")
                return answer(0, ok_response=ok)
            if verdict == "plain":
                return answer(0)
            if verdict == "empty":
                return auth.CheckResponse()
            if verdict == "deny":
                denied = auth.DeniedHttpResponse(
                    headers=[field("Location", "/login"), field("content-length", "7"), field("x-why", "no\r\nx: y")],
                    body="who are you?",
                )
                denied.status.code = 302
                return answer(7, denied_response=denied)
            if verdict == "forbidden":
                return answer(16)
            if verdict == "framing":
                ok.headers.append(field("content-length", "0"))
                return answer(0, ok_response=ok)
            if verdict == "splits":
                ok.headers.append(field("x-a", "b\r\nx-admin: yes"))
                return answer(0, ok_response=ok)
            if verdict == "huge":
                ok.headers.extend(field(f"x-{at}", "a" * 100) for at in range(300))
                return answer(0, ok_response=ok)
            if verdict == "enormous":
                ok.headers.append(field("x-a", "a" * 200_000))
                return answer(0, ok_response=ok)
            if verdict == "slow":
                time.sleep(600)
            if verdict == "garbage":
                raise RuntimeError("an answer that cannot be serialised")
            context.abort(grpc.StatusCode.UNAVAILABLE, "it cannot say")

    server = grpc.server(futures.ThreadPoolExecutor(16))
    external_auth_pb2_grpc.add_AuthorizationServicer_to_server(Authorizer(), server)
    server.add_insecure_port(ADDRESS)
    server.start()
    server.wait_for_termination()


def over_http():
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def check(self):
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length).decode("latin-1")
            fields = [[name.lower(), value] for name, value in self.headers.items()]
            shown({"method": self.command, "path": self.path, "fields": fields, "body": body})
            verdict = self.headers.get("x-verdict", "deny")
            if verdict == "allow":
                return self.answer(200, [("X-User", "kim"), ("X-Role", "a"), ("X-Role", "b"), ("X-Other", "1"), ("Set-Cookie", "s=1")])
            if verdict == "created":
                return self.answer(201, [("X-User", "kim")])
            if verdict == "deny":
                return self.answer(401, [("WWW-Authenticate", "Login"), ("X-Why", "nobody"), ("Set-Cookie", "s=2")], b"who are you?")
            if verdict == "status":
                return self.answer(500, [], b"it cannot say")
            if verdict == "garbage":
                self.wfile.write(b"HTTP/9 200 what\r\n\r\n")
            elif verdict == "huge":
                return self.answer(200, [(f"X-{at}", "a" * 100) for at in range(600)])
            elif verdict == "enormous":
                return self.answer(403, [], b"a" * 10_000_000)
            elif verdict == "slow":
                time.sleep(600)
            self.close_connection = True

        def answer(self, status, fields, content=b""):
            self.send_response(status)
            for name, value in fields:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_HEAD = do_PATCH = check

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer((HOST, int(PORT)), Handler)
    server.daemon_threads = True
    server.serve_forever()


{"grpc": over_grpc, "http": over_http}[SPOKEN]()
