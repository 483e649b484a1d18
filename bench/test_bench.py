"""What is read from other programs' output, and what is concluded from it."""

import json
import socket
import tempfile
import unittest
from pathlib import Path

import certificates
import descriptions
import instructions
import load
import peers
import places
import processes
import report
import single
import workloads


class Reading(unittest.TestCase):
    def test_a_count_belongs_to_the_benchmark_named_before_it(self):
        counts = instructions.read_counts(
            "codec::codec::request_head ten_fields:(request())\n"
            "  Instructions:                      3517|3551                 (-0.95748%)\n"
            "  L1 Hits:                           4606|N/A                  (*********)\n"
            "matching::matching::a_thousand_matches one_host_10:(one_host(10))\n"
            "  Instructions:                    850435|N/A                  (*********)\n"
        )
        self.assertEqual(counts, {"request head ten fields": 3517, "match one host 10": 850.435})

    def test_wrk_counts_requests_and_every_kind_of_error(self):
        served = load.read_wrk(
            "  1500 requests in 2.10s, 3.00MB read\n"
            "  Socket errors: connect 1, read 2, write 3, timeout 4\n"
            "  Non-2xx or 3xx responses: 5\n"
        )
        self.assertEqual((served.requests, served.errors), (1500, 15))
        self.assertAlmostEqual(served.seconds, 2.1)

    def test_an_edit_counts_from_its_compile(self):
        lines = "applied change 2: 1 route, 1 gateway in 9.0 ms (read 6.5, compile 2.0, apply 0.5)\nerror: other\n"
        self.assertEqual(single.from_compile(lines), [2.5])

    def test_wrk_without_a_count_is_an_error_and_not_zero(self):
        with self.assertRaises(SystemExit):
            load.read_wrk("unable to connect")

    def test_h2load_counts_only_answers_with_2xx(self):
        served = load.read_h2load(
            "finished in 500.00ms, 2000 req/s\n"
            "requests: 1000 total, 1000 started, 1000 done, 1000 succeeded, 0 failed, 0 errored, 0 timeout\n"
            "status codes: 990 2xx, 0 3xx, 0 4xx, 10 5xx\n"
        )
        self.assertEqual((served.requests, served.errors), (990, 10))
        self.assertAlmostEqual(served.seconds, 0.5)

    def test_strace_names_every_call_but_the_total(self):
        calls = single.read_strace(
            "% time     seconds  usecs/call     calls    errors syscall\n"
            "------ ----------- ----------- --------- --------- ----------------\n"
            " 60.00    0.100000           1      2000           recvfrom\n"
            " 39.00    0.090000           1      1990        10 sendto\n"
            "100.00    0.190010           1      3990        10 total\n"
        )
        self.assertEqual(calls, {"recvfrom": 2000, "sendto": 1990})

    def test_calls_are_those_of_the_longer_run_without_what_both_runs_do_once(self):
        few = ({"recvfrom": 2064, "sendto": 2000, "accept4": 64}, 1000)
        many = ({"recvfrom": 8064, "sendto": 8000, "accept4": 64, "mmap": 3}, 4000)
        row = single.per_request(few, many)
        self.assertEqual(row, {"total": 4, "calls": {"recvfrom": 2, "sendto": 2}})


class Making(unittest.TestCase):
    def test_a_description_has_the_size_that_is_measured(self):
        for write in (descriptions.yaml, json.dumps):
            operations, text = descriptions.sized(write)
            self.assertTrue(descriptions.BYTES <= len(text) < 1.01 * descriptions.BYTES)
            self.assertEqual(text.count("operationId"), operations)


class Starting(unittest.TestCase):
    def test_a_port_that_somebody_else_has_is_refused_before_anything_is_measured(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            with self.assertRaisesRegex(SystemExit, "taken"):
                processes.refuse_taken(other.getsockname()[1])


class Measuring(unittest.TestCase):
    def test_everybody_serves_in_turn_and_the_first_round_only_warms_up(self):
        turns = []

        def run(name: str) -> load.Served:
            turns.append(name)
            return load.Served(10, 1.0, 0)

        rows = workloads.alternate({"a": [], "b": []}, run, 2)

        self.assertEqual(turns, ["b", "a", "a", "b", "b", "a"])
        self.assertEqual([len(row["total"]) for row in rows.values()], [2, 2])


class Concluding(unittest.TestCase):
    def test_a_request_of_a_customer_stands_in_our_column_beside_the_bare_ones_of_others(self):
        row = {"total": [9.0], "errors": 0}
        results = {"product": {"rows": {"selvedge-product": row, "selvedge": row | {"total": [7.0]}, "nginx": row}}}
        lines = [line for line in report.costs(results) if "metering" in line]
        self.assertEqual(len(lines), 1)
        self.assertIn("| 9.0 (9.0–9.0) | 9.0 (9.0–9.0) | – | – | 0 |", lines[0])

    def test_a_ratio_is_of_medians(self):
        results = {"get1k": {"rows": {"selvedge": {"total": [9, 10, 30]}, "nginx": {"total": [20, 20, 21]}}}}
        self.assertAlmostEqual(report.ratio("get1k", "selvedge", "nginx")(results), 0.5)

    def test_a_missed_goal_is_called_missed_and_an_absent_one_not_measured(self):
        goal = report.Goal("x", 0.75, 0.63, lambda results: None)
        self.assertEqual(report.verdict(goal, None), "not measured")
        self.assertEqual(report.verdict(goal, 0.76), "**missed**")
        self.assertEqual(report.verdict(goal, 0.75), "reached")
        self.assertEqual(report.verdict(goal, 0.60), "aim reached")

    def test_the_page_can_be_written_when_nothing_was_measured(self):
        text = report.page({}, ["- a machine"])
        self.assertEqual(text.count("not measured"), len(report.GOALS))


class Configuring(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        for module, name in [(peers, "CONFIGS"), (peers, "CERTIFICATES"), (certificates, "CERTIFICATES")]:
            before = getattr(module, name)
            setattr(module, name, Path(self.folder.name))
            self.addCleanup(setattr, module, name, before)
        self.addCleanup(self.folder.cleanup)
        certificates.make()

    def test_every_peer_has_the_same_routes(self):
        hosts = places.hosts(3)
        peers.all_peers(hosts)
        routes = len(hosts) * len(places.PREFIXES)

        nginx = (Path(self.folder.name) / "nginx.conf").read_text()
        haproxy = (Path(self.folder.name) / "haproxy.map").read_text()
        envoy = json.loads((Path(self.folder.name) / "envoy.json").read_text())
        ours = (Path(self.folder.name) / "selvedge.yaml").read_text()
        documents = [json.loads(part) for part in ours.split("---\n") if part]

        self.assertEqual(nginx.count("location "), routes)
        self.assertEqual(len(haproxy.splitlines()), routes)
        manager = envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        in_envoy = sum(len(host["routes"]) for host in manager["route_config"]["virtual_hosts"])
        self.assertEqual(in_envoy, routes + 1, "and the gRPC route")
        rules = [len(one["spec"]["rules"]) for one in documents if one["kind"] == "HTTPRoute"]
        self.assertEqual(sum(rules), routes + 1, "and the gRPC route")

    def test_an_edition_shows_in_the_last_rule_only(self):
        rules = peers.selvedge_route("svc7.example.com", 3)["spec"]["rules"]
        self.assertEqual([rule.get("filters") is not None for rule in rules], [False] * 4 + [True])


if __name__ == "__main__":
    unittest.main()
