#!/usr/bin/env python3
"""Makes the schemas of the Gateway API kinds from the published CRDs.

    generate.py DIRECTORY

DIRECTORY is `config/crd` of the module sigs.k8s.io/gateway-api v1.6.0. What is kept of each kind is the
openAPIV3Schema of its version v1, without words for people. Its status, which controllers write and files do not,
stands in a file of its own. All come from the standard channel but HTTPRoute and TCPRoute: the experimental schema of
the first has retries, sessions, unique rule names and a pattern for header values, those of both tell parents apart by
port. Of that, what no issue has built yet is left out (LATER), so that it is refused instead of ignored. The schemas of
the core kinds and of our own are written by hand beside this file.
"""

import json
import pathlib
import sys

import yaml

KINDS = {
    "backendtlspolicies": ("backendtlspolicy", "standard"),
    "gatewayclasses": ("gatewayclass", "standard"),
    "gateways": ("gateway", "standard"),
    "httproutes": ("httproute", "experimental"),
    "referencegrants": ("referencegrant", "standard"),
    "tcproutes": ("tcproute", "experimental"),
}

# Fields and choices of the experimental channel that mean nothing here yet.
LATER = {"externalAuth", "ExternalAuth", "useDefaultGateways"}

FORGOTTEN = {"description", "title", "example", "externalDocs"}


def stripped(schema):
    """The schema without words for people. A *property* may be called `description`, so properties are walked."""
    kept = {}
    for key, value in schema.items():
        if key in FORGOTTEN:
            continue
        if key == "properties":
            kept[key] = {name: stripped(inner) for name, inner in value.items() if name not in LATER}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, dict):
            kept[key] = stripped(value)
        elif key in ("oneOf", "anyOf", "allOf"):
            kept[key] = [stripped(inner) for inner in value]
        elif key == "enum":
            kept[key] = [choice for choice in value if choice not in LATER]
        elif key == "x-kubernetes-validations":
            kept[key] = [rule for rule in value if not any(word in rule["rule"] for word in LATER)]
        else:
            kept[key] = value
    return kept


def read(directory, channel, plural, version="v1"):
    path = directory / channel / f"gateway.networking.k8s.io_{plural}.yaml"
    crd = yaml.safe_load(path.read_text())
    found = [v for v in crd["spec"]["versions"] if v["name"] == version]
    return stripped(found[0]["schema"]["openAPIV3Schema"])


def main():
    directory = pathlib.Path(sys.argv[1])
    here = pathlib.Path(__file__).parent
    for plural, (name, channel) in KINDS.items():
        schema = read(directory, channel, plural)
        if plural == "referencegrants":
            older = read(directory, channel, plural, "v1beta1")
            assert older == schema, "v1beta1 differs and needs a schema of its own"
        status = schema["properties"].pop("status", None)
        if status is not None:
            # Who makes an object does not say how it fares: a default would put words into a controller's mouth.
            status.pop("default", None)
            write(here / f"{name}.status.json", status)
        for known_elsewhere in ("apiVersion", "kind", "metadata"):
            schema["properties"].pop(known_elsewhere)
        write(here / f"{name}.json", schema)


def write(path, schema):
    path.write_text(json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
