"""The weather: forecasts for a few cities. Who may ask, how often, and who has asked is nothing it knows of."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SKIES = ["sun", "clouds", "rain"]
CITIES = {"bern": 18, "lima": 22, "oslo": 9}
DAYS = 3
DAYS_MAX = 7


class Station(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/healthz":
            return self.answer(200, "well")
        if url.path == "/cities":
            return self.answer(200, sorted(CITIES))
        city = url.path.removeprefix("/forecasts/")
        if city not in CITIES:
            return self.answer(404, {"title": "There is no such city", "status": 404})
        days = parse_qs(url.query).get("days", [str(DAYS)])[0]
        days = min(int(days), DAYS_MAX) if days.isdecimal() else DAYS
        self.answer(200, {"city": city, "days": [forecast(city, day) for day in range(days)]})

    def answer(self, status, value):
        body = json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("content-type", "application/json" if status == 200 else "application/problem+json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """The sidecar writes the access log."""


def forecast(city, day):
    return {"sky": SKIES[(len(city) + day) % len(SKIES)], "high": CITIES[city] + day % 4}


if __name__ == "__main__":
    address, port = sys.argv[1].rsplit(":", 1)
    ThreadingHTTPServer((address, int(port)), Station).serve_forever()
