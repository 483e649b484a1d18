#!/usr/bin/env python3
"""Measures Selvedge beside its peers: `python3 bench/run.py [WORKLOAD…] [-n ROUNDS] [-d SECONDS] [--peers a,b]`.

Without a workload it runs all of them. Each run leaves `WORKLOAD.json` in the folder of results; `bench/RESULTS.md` is
written from what lies there, so that a single workload can be repeated without losing the others.
"""

import argparse
import json
import time

import certificates
import descriptions
import discovery
import discovery_mesh
import places
import planes
import products
import report
import revocations
import rotation
import sidecar
import single
import workloads
import writes
from peers import all_peers

# What is not CPU per request.
OTHERS = {
    **single.ALL,
    "import": ([], descriptions.descriptions),
    "discovery": ([], discovery.measure),
    "planes": ([], planes.planes),
    "product": (["selvedge", "nginx"], products.measure),
    "revocations": ([], revocations.revocations),
    "sidecar": ([], sidecar.measure),
    "writes": ([], writes.measure),
    "rotation": ([], rotation.rotation),
    "mesh-discovery": ([], discovery_mesh.measure),
}


def main() -> None:
    options = arguments()
    certificates.make()
    peers = all_peers(places.hosts())
    for name in options.workloads or [*workloads.ALL, *OTHERS]:
        wanted = workloads.ALL[name].peers if name in workloads.ALL else OTHERS[name][0]
        if options.peers:
            wanted = [peer for peer in wanted if peer in options.peers.split(",")]
        present = [peers[peer] for peer in wanted if places.is_there(peers[peer].program)]
        for peer in wanted:
            if peers[peer] not in present:
                print(f"-- {peer}: `{peers[peer].program}` is not installed; run `cargo xtask setup bench`")
        keep(name, run(name, present, options), options)
    report.write()


def run(name: str, peers: list, options: argparse.Namespace) -> dict:
    if name in workloads.ALL:
        rows = workloads.measure(workloads.ALL[name], peers, options.rounds, options.seconds)
        workloads.show(f"{name}: {workloads.ALL[name].sentence}", rows)
        return rows
    print(f"== {name}")
    takes_peers, function = OTHERS[name]
    return function(peers) if takes_peers else function()


def keep(name: str, rows: dict, options: argparse.Namespace) -> None:
    places.RESULTS.mkdir(parents=True, exist_ok=True)
    result = {
        "workload": name,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "hosts": places.HOSTS,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": report.commit(),
        "rows": rows,
    }
    (places.RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join([*workloads.ALL, *OTHERS]))
    parser.add_argument("-n", dest="rounds", type=int, default=5, help="counted rounds (5)")
    parser.add_argument("-d", dest="seconds", type=float, default=3, help="seconds of load in a round (3)")
    parser.add_argument("--peers", help="only these, separated by commas")
    options = parser.parse_intermixed_args()
    unknown = [name for name in options.workloads if name not in workloads.ALL and name not in OTHERS]
    if unknown:
        parser.error(f"no workload is called {', '.join(unknown)}")
    return options


if __name__ == "__main__":
    main()
