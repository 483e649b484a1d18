"""How long a description of an API takes to read and to lint: one megabyte of JSON and one of YAML, by the command that
people use, its start included. CPU time is compared, because the time on a clock depends on who else is there."""

import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import places

BYTES = 1_000_000
RUNS = 15
FIELDS = 8


def descriptions() -> dict:
    """CPU and memory of `selvedge api lint` over each file."""
    places.WORK.mkdir(parents=True, exist_ok=True)
    rows = {}
    for name, write in [("json", lambda value: json.dumps(value, indent=2)), ("yaml", yaml)]:
        path = places.WORK / f"description.{name}"
        operations, text = sized(write)
        path.write_text(text)
        runs = [lint(path) for _ in range(RUNS + 1)][1:]  # the first one warms up
        row = {"bytes": len(text), "operations": operations, "runs": RUNS,
               **{key: statistics.median(run[key] for run in runs) for key in runs[0]}}
        rows[name] = row
        print(f"{name}: {row['bytes']} bytes, {operations} operations: CPU {row['cpu_ms']:.0f} ms, "
              f"{row['wall_ms']:.0f} ms on the clock, {row['peak_kib'] / 1024:.0f} MiB at most", flush=True)
    return rows


def lint(path: Path) -> dict:
    command = ["taskset", "-c", str(places.CORE_PROXY), places.selvedge(), "api", "lint", str(path)]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) != 0 or "0 errors, " not in said:
        raise SystemExit(f"{path} was not linted as expected:\n{said}")
    return {"cpu_ms": (used.ru_utime + used.ru_stime) * 1e3, "wall_ms": wall * 1e3, "peak_kib": used.ru_maxrss}


def sized(write) -> tuple[int, str]:
    """A description that has the size, or a little more, with the number of its operations."""
    things, text = 100, write(description(100))
    while len(text) < BYTES:
        things = things * BYTES // len(text) + 1
        text = write(description(things))
    return 3 * things, text


def description(things: int) -> dict:
    """Some things that are listed, read and replaced, each of its own shape."""
    return {
        "openapi": "3.0.3",
        "info": {"title": "Things", "version": "1.0.0", "description": "Things of a warehouse, of many shapes."},
        "paths": {path: item for number in range(things) for path, item in paths(number).items()},
        "components": {"schemas": {f"Thing{number}": shape(number) for number in range(things)}},
    }


def paths(number: int) -> dict:
    one = {"$ref": f"#/components/schemas/Thing{number}"}
    failure = {"default": {"description": "What went wrong"}}

    def answer(words: str, schema: dict) -> dict:
        return {"200": {"description": words, "content": {"application/json": {"schema": schema}}}, **failure}

    identifier = {"name": "id", "in": "path", "required": True, "description": "Which of them",
                  "schema": {"type": "string", "format": "uuid"}}
    limit = {"name": "limit", "in": "query", "description": "How many at most",
             "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}}
    return {
        f"/things{number}": {"get": {
            "operationId": f"listThings{number}", "summary": f"Things of shape {number}", "parameters": [limit],
            "responses": answer("All of them", {"type": "array", "items": one})}},
        f"/things{number}/{{id}}": {
            "get": {"operationId": f"getThing{number}", "summary": "One of them", "parameters": [identifier],
                    "responses": answer("It", one)},
            "put": {"operationId": f"putThing{number}", "summary": "Another in its place", "parameters": [identifier],
                    "requestBody": {"required": True, "content": {"application/json": {"schema": one}}},
                    "responses": answer("As it is now", one)},
        },
    }


def shape(number: int) -> dict:
    words = {f"field{number}_{at}": {"type": "string", "description": f"What a thing of shape {number} has at {at}: a word",
                                     "minLength": 1, "maxLength": 40 + at, "example": "oak"} for at in range(FIELDS)}
    return {"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string", "pattern": "^[a-z]+$", "example": "chair"}, "weight": {"type": "number", "minimum": 0},
        "kind": {"type": "string", "enum": ["small", "large", f"of shape {number}"]}, **words}}


def yaml(value: object, indent: str = "") -> str:
    """As people write it: a line for each field."""
    lines = []
    for key, inner in value.items():
        if isinstance(inner, dict):
            lines += [f"{indent}{scalar(key)}:", yaml(inner, indent + "  ").rstrip("\n")]
        elif isinstance(inner, list) and all(isinstance(item, dict) for item in inner):
            lines.append(f"{indent}{scalar(key)}:")
            lines += [f"{indent}- {yaml(item, indent + '  ').strip()}" for item in inner]
        elif isinstance(inner, list):
            lines.append(f"{indent}{scalar(key)}:")
            lines += [f"{indent}- {scalar(item)}" for item in inner]
        else:
            lines.append(f"{indent}{scalar(key)}: {scalar(inner)}")
    return "\n".join(lines) + "\n"


def scalar(value: object) -> str:
    if isinstance(value, str) and value[0].isalpha() and ": " not in value or isinstance(value, str) and value.startswith("/"):
        return value
    return f"'{value}'" if isinstance(value, str) else json.dumps(value)
