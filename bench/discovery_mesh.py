"""What a mesh of 300 proxies costs its control plane: the example `discovery_mesh` of crate `tests`, which holds the control
plane and, in a process of their own, the proxies. `bench/DISCOVERY.md` says what stands for what."""

import json
import subprocess

import places

PROGRAM = places.ROOT / "target" / "fast" / "examples" / "discovery_mesh"
EDITS = 200


def measure() -> dict:
    """One endpoint after the other is changed, each until the last concerned proxy has it."""
    told = subprocess.run([str(PROGRAM), str(EDITS)], check=True, capture_output=True, text=True, timeout=1800).stdout
    print(told, flush=True)
    rows = [line for line in told.splitlines() if line.startswith("{")]
    return {"selvedge": json.loads(rows[-1])}
