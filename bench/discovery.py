"""What a mesh of 300 proxies costs its control plane: the example `discovery_mesh` of crate `tests`, which holds the control
plane and, in a process of their own, the proxies. `bench/DISCOVERY.md` says what stands for what."""

import json
import os
import subprocess

import places

EDITS = 200


def discovery() -> dict:
    """One endpoint after the other is changed, each until the last concerned proxy has it."""
    program = os.environ.get("DISCOVERY_MESH", str(places.ROOT / "target" / "fast" / "examples" / "discovery_mesh"))
    if not places.is_there(program):
        raise SystemExit(f"there is no `{program}`; `cargo xtask bench discovery` builds it")
    told = subprocess.run([program, str(EDITS)], check=True, capture_output=True, text=True).stdout
    rows = [line for line in told.splitlines() if line.startswith("{")]
    print(told, flush=True)
    return {"selvedge": json.loads(rows[-1])}
