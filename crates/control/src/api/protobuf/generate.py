#!/usr/bin/env python3
"""Makes messages.txt: what the binary encoding of Kubernetes calls by numbers.

    generate.py API APIMACHINERY

The two are the folders of the Go modules k8s.io/api and k8s.io/apimachinery, v0.37.2. Read are the tags of the Go types,
which say the number, the JSON name and whether a zero is a value; written is one line a field, for every message that
a kind or a request of ours reaches:

    NUMBER NAME TYPE [keep]

`keep` marks what is sent only when it was set, so that its zero means something.
"""

import pathlib
import re
import sys

ROOTS = [
    "v1.Namespace", "v1.Secret", "v1.ConfigMap", "v1.Service", "v1.Pod", "discovery.EndpointSlice",
    "meta.DeleteOptions", "authentication.SelfSubjectReview", "authorization.SelfSubjectAccessReview",
    "authorization.SelfSubjectRulesReview",
]
FILES = {
    "v1": "{api}/core/v1/types.go",
    "discovery": "{api}/discovery/v1/types.go",
    "authentication": "{api}/authentication/v1/types.go",
    "authorization": "{api}/authorization/v1/types.go",
    "meta": "{machinery}/pkg/apis/meta/v1/types.go",
}
# Messages that are written in JSON as something else; the reader knows them by name.
SPECIAL = {
    "meta.Time": "Time", "meta.MicroTime": "Time", "resource.Quantity": "Quantity",
    "intstr.IntOrString": "IntOrString", "meta.FieldsV1": "Raw",
}
PACKAGES = {"metav1": "meta", "v1": "v1", "corev1": "v1", "resource": "resource", "intstr": "intstr", "types": "types"}
FIELD = re.compile(r"^\t(?:(\w+)\s+)?(\S+)\s+`json:\"([^\"]*)\"(?:\s+\w+:\"[^\"]*\")*?\s+protobuf:\"(\w+),(\d+),(\w+)[^\"]*\"")


def structs(package, path):
    found, alias, current = {}, {}, None
    for line in pathlib.Path(path).read_text().splitlines():
        if begun := re.match(r"^type (\w+) struct \{", line):
            current = found.setdefault(f"{package}.{begun[1]}", [])
        elif named := re.match(r"^type (\w+) (\S+)$", line):
            alias[f"{package}.{named[1]}"] = named[2]
        elif line == "}":
            current = None
        elif current is not None and (field := FIELD.match(line)):
            current.append(field.groups())
    return found, alias


def main(api, machinery):
    messages, aliases = {}, {}
    for package, path in FILES.items():
        found, alias = structs(package, path.format(api=api, machinery=machinery))
        messages |= found
        aliases |= alias

    def plain(package, go):
        """The name of a Go type, or what it stands for if it is another name for something."""
        if go.startswith(("[", "map[")):
            return go
        if "." in go:
            prefix, name = go.split(".", 1)
            name = f"{PACKAGES[prefix]}.{name}"
        else:
            name = f"{package}.{go}"
        if name.startswith("types."):
            return "string"
        if go in ("string", "bool", "byte") or re.fullmatch(r"u?int(32|64)?", go):
            return "int" if "int" in go else go
        if name in aliases:
            return plain(name.split(".")[0], aliases[name])
        return name

    lines, todo, done = [], list(ROOTS), set()
    while todo:
        name = todo.pop(0)
        if name in done:
            continue
        done.add(name)
        package = name.split(".")[0]
        lines.append(name)
        for _, go, tag, wire, number, repeated in messages[name]:
            json, *options = tag.split(",")
            pointer = go.startswith("*")
            kind = go.lstrip("*")
            shape = ""
            whole = plain(package, kind) if not kind.startswith(("[", "map[")) else kind
            if whole.startswith(("[", "map[")):
                kind = whole
            if kind == "[]byte":
                text = "bytes"
            elif listed := re.match(r"\[\](.*)", kind):
                shape, text = "list ", plain(package, listed[1].lstrip("*"))
            elif mapped := re.match(r"map\[\w+\](.*)", kind):
                text = "bytes" if mapped[1] == "[]byte" else plain(package, mapped[1])
                shape = "map "
            else:
                text = whole
            if text.startswith(("[", "map[")):
                # A list in a map is a message of its own. Only answers have one.
                assert text == "[]string" and "Extra" in go, f"{name}.{json}: {go}"
                continue
            text = SPECIAL.get(text, text)
            if text in messages:
                todo.append(text)
            elif text not in ("string", "int", "bool", "bytes", *SPECIAL.values()):
                raise SystemExit(f"{name}.{json}: what is {text}?")
            inline = "inline" in options or not json
            keep = pointer or ("omitempty" not in options and not inline)
            lines.append(f"{number} {'-' if inline else json} {shape}{text}{' keep' if keep and not shape else ''}")
        lines.append("")
    print("\n".join(lines).rstrip())


main(*sys.argv[1:])
