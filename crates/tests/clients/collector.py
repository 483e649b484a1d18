"""A collector of traces with the official schema (PyPI `opentelemetry-proto`).

Listens where its first argument says (`host:port`), and writes one line of JSON for each span: its fields, its attributes
and those of its resource. With a second argument it answers the first so many messages with 503 (over gRPC:
UNAVAILABLE), and counts them in a line `{"refused": n}`. With a third and a fourth, files with a certificate and its key,
it speaks gRPC over TLS, and writes with each span what its call has shown.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

HOST, PORT = sys.argv[1].rsplit(":", 1)
REFUSES = int(sys.argv[2]) if len(sys.argv) > 2 else 0
refused = 0


def value(found):
    return getattr(found, found.WhichOneof("value"))


def attributes(found):
    keys = [one.key for one in found]
    assert len(keys) == len(set(keys)), f"an attribute stands twice: {keys}"
    return {one.key: value(one.value) for one in found}


def unknown(message, place):
    """A field that the schema does not know would be kept by the library and written again."""
    copy = type(message)()
    copy.CopyFrom(message)
    before = len(copy.SerializeToString())
    copy.DiscardUnknownFields()
    assert len(copy.SerializeToString()) == before, f"unknown fields in {place}"


def refuses():
    """Whether this message is refused."""
    global refused
    if refused >= REFUSES:
        return False
    refused += 1
    print(json.dumps({"refused": refused}), flush=True)
    return True


def tell_all(request, shown):
    unknown(request, "the request")
    for told in request.resource_spans:
        resource = attributes(told.resource.attributes)
        for scope in told.scope_spans:
            assert scope.scope.name == "selvedge", scope.scope
            for span in scope.spans:
                tell(span, resource, shown)


def tell(span, resource, shown):
    assert len(span.trace_id) == 16 and len(span.span_id) == 8, span
    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano, span
    line = {
        **shown,
        "resource": resource,
        "trace": span.trace_id.hex(),
        "span": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "state": span.trace_state,
        "name": span.name,
        "kind": span.SpanKind.Name(span.kind),
        "flags": span.flags,
        "status": span.status.code,
        "nanos": span.end_time_unix_nano - span.start_time_unix_nano,
        "attributes": attributes(span.attributes),
    }
    print(json.dumps(line), flush=True)


class OverHttp(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if refuses():
            return self.answer(503, b"")
        assert self.headers["content-type"] == "application/x-protobuf", self.headers
        tell_all(ExportTraceServiceRequest.FromString(body), {"path": self.path})
        self.answer(200, ExportTraceServiceResponse().SerializeToString())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class OverGrpc(trace_service_pb2_grpc.TraceServiceServicer):
    def Export(self, request, context):
        if refuses():
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        tell_all(request, {"shown": dict(context.invocation_metadata())})
        return ExportTraceServiceResponse()


if len(sys.argv) > 3:
    certificate, key = (Path(file).read_bytes() for file in sys.argv[3:5])
    server = grpc.server(ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(OverGrpc(), server)
    port = server.add_secure_port(sys.argv[1], grpc.ssl_server_credentials([(key, certificate)]))
    server.start()
    print(json.dumps({"listens": port}), flush=True)
    server.wait_for_termination()
else:
    server = ThreadingHTTPServer((HOST, int(PORT)), OverHttp)
    print(json.dumps({"listens": server.server_address[1]}), flush=True)
    server.serve_forever()
