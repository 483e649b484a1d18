"""What many proxies cost a control plane: one edit among 5,000 routes with 30, 100 and 300 proxies that are interested,
and 2,000 proxies that come at once.

The proxies are simulated by `crates/tests/examples/discovery_*.rs`: real connections over TLS, the proxy's own end of the
stream, nothing compiled and nothing served.
"""

import json
import resource
import subprocess

import places

EXAMPLES = places.ROOT / "target" / "fast" / "examples"


def measure() -> dict:
    # Two thousand connections need as many descriptors.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cost, herd = told("discovery_cost"), told("discovery_herd")
    curve = {row["interested"]: row for row in cost["curve"]}
    for row in curve.values():
        print(f"{row['interested']} of {cost['proxies']} proxies: an edit is live at all of them after p50 "
              f"{row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms; {row['cpu_ms']:.2f} ms of CPU", flush=True)
    for what in ("join", "return", "push"):
        row = herd[what]
        print(f"{herd['proxies']} proxies, {herd['routes']} routes, {what}: {row['seconds']:.1f} s, {row['cpu_s']:.1f} s "
              f"of CPU, at most {row['peak_kib'] / 1024:.0f} MiB (alone {herd['alone_kib'] / 1024:.0f} MiB)", flush=True)
    most, least = curve[max(curve)], curve[min(curve)]
    row = {"edit_p99_ms": most["p99_ms"], "edit_p50_ms": most["p50_ms"],
           "cpu_ratio": most["cpu_ms"] / least["cpu_ms"], "curve": cost["curve"], "herd": herd}
    row |= {f"{what}_{key}": herd[what][key] for what in ("join", "return", "push") for key in ("seconds", "peak_kib", "cpu_s")}
    return {"selvedge": row}


def told(example: str) -> dict:
    """The figures on the last line of what a program prints."""
    done = subprocess.run([str(EXAMPLES / example)], check=True, capture_output=True, text=True, timeout=1800)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
