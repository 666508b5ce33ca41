# SPDX-License-Identifier: Apache-2.0
"""Rendered manifests as values: rendering, a form to compare, and what the API's schema says of them."""
import glob
import json
import os
import re
import subprocess

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "srv6-steer", "k8s")
OVERLAYS = ("ebpf", "connectx", "privileged", "lab", "monitoring", "clean")
GENERATED = ("srv6-config", "srv6-fabric", "srv6-seccomp")
HASH = re.compile(r"^(%s)-[a-z0-9]{10}$" % "|".join(GENERATED))


class Loader(yaml.SafeLoader):
    """A key that is there twice is an error."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: {', '.join(sorted(twice))} twice")
        return super().construct_mapping(node, deep)


def documents(text):
    return [document for document in yaml.load_all(text, Loader) if document]


def render(kubectl, overlay):
    command = [kubectl, "kustomize"] if os.path.basename(kubectl).startswith("kubectl") else [kubectl, "build"]
    done = subprocess.run(command + [os.path.join(ROOT, "k8s", "overlays", overlay)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{kubectl}: {overlay}: {done.stderr.strip()}")
    return done.stdout


def name_of(document):
    return HASH.sub(r"\1", document["metadata"]["name"])


def canonical(value):
    """Without what means nothing: empty maps and lists, and which hash a version of kustomize computes."""
    if isinstance(value, dict):
        kept = {key: canonical(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ({}, [], None)}
    if isinstance(value, list):
        items = [canonical(item) for item in value]
        named = all(isinstance(item, dict) and "name" in item for item in items)
        return sorted(items, key=lambda item: item["name"]) if named else items
    return HASH.sub(r"\1-HASH", value) if isinstance(value, str) else value


def without_dashboard(document):
    """Its contents are a file of ours, and long."""
    if document["kind"] == "ConfigMap" and document["metadata"]["name"] == "srv6-dashboard":
        document = dict(document, data={name: f"{len(json.loads(text)['panels'])} panels" for name, text in document["data"].items()})
    return document


def canonical_text(found):
    found = [without_dashboard(document) for document in found]
    found = sorted((canonical(document) for document in found), key=lambda d: (d["kind"], d["metadata"]["name"]))
    return yaml.safe_dump_all(found, sort_keys=True, width=130)


# ---- the schema

class Schema:
    def __init__(self):
        self.kinds, self.definitions = {}, {}
        for path in sorted(glob.glob(os.path.join(HERE, "schema", "*.json"))):
            with open(path) as file:
                part = json.load(file)
            self.kinds.update(part["kinds"])
            self.definitions.update(part["definitions"])

    def problems(self, document):
        kind = f"{document.get('apiVersion')} {document.get('kind')}"
        if kind not in self.kinds:
            return [f"{kind}: not a kind of the schema"]
        where = f"{document['kind']} {document['metadata'].get('name')}"
        return list(self.check(document, {"$ref": self.kinds[kind]}, where))

    def check(self, value, schema, where):
        if "$ref" in schema:
            schema = self.definitions[schema["$ref"]]
        kind = schema.get("type")
        if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
            if not isinstance(value, (int, str)) or isinstance(value, bool):
                yield f"{where}: a number or text expected"
        elif kind == "string":
            if not isinstance(value, str):
                yield f"{where}: text expected, found {value!r}"
        elif kind == "integer":
            if not isinstance(value, int) or isinstance(value, bool):
                yield f"{where}: a number expected, found {value!r}"
        elif kind == "boolean":
            if not isinstance(value, bool):
                yield f"{where}: true or false expected, found {value!r}"
        elif kind == "array":
            yield from self.check_list(value, schema, where)
        elif "properties" in schema or kind == "object":
            yield from self.check_map(value, schema, where)

    def check_list(self, value, schema, where):
        if not isinstance(value, list):
            yield f"{where}: a list expected, found {value!r}"
            return
        for index, item in enumerate(value):
            name = item.get("name", index) if isinstance(item, dict) else index
            yield from self.check(item, schema["items"], f"{where}[{name}]")

    def check_map(self, value, schema, where):
        if not isinstance(value, dict):
            yield f"{where}: a map expected, found {value!r}"
            return
        properties, other = schema.get("properties", {}), schema.get("additionalProperties")
        for key in schema.get("required", []):
            if key not in value:
                yield f"{where}: {key} is missing"
        for key, item in value.items():
            if key in properties:
                yield from self.check(item, properties[key], f"{where}.{key}")
            elif other:
                yield from self.check(item, other, f"{where}.{key}")
            elif "properties" in schema:
                yield f"{where}.{key}: no such field"
