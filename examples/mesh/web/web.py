"""The front of the shop: asks the catalog and shows what there is.

Of the mesh it knows one thing: SHOP_CATALOG_URL, which its sidecar has set. What is called there is its own sidecar, and
that carries the request to a catalog, encrypted and with the identity of this service.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CATALOG = os.environ["SHOP_CATALOG_URL"]
TIMEOUT_SECONDS = 5


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/healthz":
            return self.answer(200, "well\n")
        if self.path != "/":
            return self.answer(404, "there is only /\n")
        try:
            with urllib.request.urlopen(CATALOG + "/goods", timeout=TIMEOUT_SECONDS) as answer:
                goods = json.load(answer)
        except urllib.error.HTTPError as error:
            return self.answer(502, f"the catalog answered {error.code}: {error.read().decode()}")
        except OSError as error:
            return self.answer(502, f"the catalog cannot be reached: {error}\n")
        self.answer(200, table(goods))

    do_HEAD = do_GET

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments):
        """The sidecar writes the access log."""


def table(goods):
    rows = [f"{good['name']:<12}{good['price']:>8.2f}{good['amount']:>8} in stock" for good in goods["goods"]]
    return "\n".join(rows + ["", f"from {goods['from']}", ""])


if __name__ == "__main__":
    address, port = sys.argv[1].rsplit(":", 1)
    ThreadingHTTPServer((address, int(port)), Shop).serve_forever()
