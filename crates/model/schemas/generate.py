#!/usr/bin/env python3
"""Makes the schemas of the Gateway API kinds from the published CRDs.

    generate.py DIRECTORY

DIRECTORY is `config/crd` of the module sigs.k8s.io/gateway-api v1.6.0. What is kept of each kind is the
openAPIV3Schema of its version v1 in the standard channel, without words for people and without status (which is
ours to write, not the user's). The fields in EXPERIMENTAL are taken from the experimental channel: the standard
one does not have them yet. The schemas of the core kinds and of our own are written by hand beside this file.
"""

import json
import pathlib
import sys

import yaml

KINDS = {
    "backendtlspolicies": "backendtlspolicy",
    "gatewayclasses": "gatewayclass",
    "gateways": "gateway",
    "httproutes": "httproute",
    "referencegrants": "referencegrant",
}

# Kind → fields, each a path through `properties` and `items`.
EXPERIMENTAL = {
    "httproutes": [
        ["spec", "rules", "[]", "retry"],
        ["spec", "rules", "[]", "sessionPersistence"],
    ],
}

FORGOTTEN = {"description", "title", "example", "externalDocs"}


def stripped(schema):
    """The schema without words for people. A *property* may be called `description`, so properties are walked."""
    kept = {}
    for key, value in schema.items():
        if key in FORGOTTEN:
            continue
        if key == "properties":
            kept[key] = {name: stripped(inner) for name, inner in value.items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, dict):
            kept[key] = stripped(value)
        elif key in ("oneOf", "anyOf", "allOf"):
            kept[key] = [stripped(inner) for inner in value]
        else:
            kept[key] = value
    return kept


def read(directory, channel, plural, version="v1"):
    path = directory / channel / f"gateway.networking.k8s.io_{plural}.yaml"
    crd = yaml.safe_load(path.read_text())
    found = [v for v in crd["spec"]["versions"] if v["name"] == version]
    return stripped(found[0]["schema"]["openAPIV3Schema"])


def parent_of(schema, path):
    for step in path[:-1]:
        schema = schema["items"] if step == "[]" else schema["properties"][step]
    return schema["properties"]


def main():
    directory = pathlib.Path(sys.argv[1])
    here = pathlib.Path(__file__).parent
    for plural, name in KINDS.items():
        schema = read(directory, "standard", plural)
        if plural in EXPERIMENTAL:
            newer = read(directory, "experimental", plural)
            for path in EXPERIMENTAL[plural]:
                parent_of(schema, path)[path[-1]] = parent_of(newer, path)[path[-1]]
        if plural == "referencegrants":
            older = read(directory, "standard", plural, "v1beta1")
            assert older == schema, "v1beta1 differs and needs a schema of its own"
        schema["properties"].pop("status", None)
        for known_elsewhere in ("apiVersion", "kind", "metadata"):
            schema["properties"].pop(known_elsewhere)
        text = json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False)
        (here / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
