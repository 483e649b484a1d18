"""Plans trips by the weather: asks for a forecast and says where to go.

It has no key. Who it is stands in the certificate of its sidecar, and by that the weather knows which subscription it has.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WEATHER = os.environ["WEATHER_STATION_URL"] + "/weather/v1"
TIMEOUT_SECONDS = 5


class Planner(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/healthz":
            return self.answer(200, "well\n")
        try:
            cities = asked("/cities")
            warmest = max(cities, key=lambda city: asked(f"/forecasts/{city}?days=1")["days"][0]["high"])
        except urllib.error.HTTPError as error:
            return self.answer(502, f"the weather answered {error.code}: {error.read().decode()}\n")
        except OSError as error:
            return self.answer(502, f"the weather cannot be reached: {error}\n")
        self.answer(200, f"go to {warmest}\n")

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """The sidecar writes the access log."""


def asked(path):
    with urllib.request.urlopen(WEATHER + path, timeout=TIMEOUT_SECONDS) as answer:
        return json.load(answer)


if __name__ == "__main__":
    address, port = sys.argv[1].rsplit(":", 1)
    ThreadingHTTPServer((address, int(port)), Planner).serve_forever()
