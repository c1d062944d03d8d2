"""An OpenAPI document as the fuzzer reads it: its operations, and whether an answer is what it says."""

import hashlib
import json
import re

import jsonschema

METHODS = ("get", "put", "post", "patch", "delete")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time")
def is_time(value):
    return not isinstance(value, str) or bool(TIME.fullmatch(value))


class Operation:
    def __init__(self, document, path, method, item):
        self.document, self.path, self.method, self.item = document, path, method.upper(), item
        self.name = item["operationId"]
        self.pattern = re.compile(re.sub(r"{\w+}", "[^/]+", path))
        self.arguments = [p for p in item.get("parameters", []) if p["in"] == "path"]
        self.queries = [p for p in item.get("parameters", []) if p["in"] == "query"]
        self.public = item.get("security") == []
        self.bodies = item.get("requestBody", {}).get("content", {})
        self.body = next((content["schema"] for content in self.bodies.values()), None)
        self.body_required = item.get("requestBody", {}).get("required", False)
        self.endless = any("text/event-stream" in answer.get("content", {}) for answer in self.answers.values())
        self.conditional = any(p["name"] == "If-Match" for p in item.get("parameters", []))
        self.slow = self.body is not None and "watch_s" in document.deref(self.body).get("properties", {})
        self.secret = self.body is not None and "writeOnly" in json.dumps(document.deref(self.body)) and not self.arguments

    def __repr__(self):
        return f"{self.method} {self.path}"

    @property
    def answers(self):
        return {status: self.document.deref(answer) for status, answer in self.item["responses"].items()}

    @property
    def collection(self):
        return self.path.split("/{")[0]

    def takes(self, query):
        return any(p["name"] == query for p in self.queries)


class Document:
    def __init__(self, document):
        self.document, self.names, self.good = document, {}, set()
        self.resolver = jsonschema.RefResolver.from_schema(document)
        self.validators = {}
        self.operations = [Operation(self, path, method, item[method])
                           for path, item in document["paths"].items() for method in METHODS if method in item]
        self.by_place = {(o.path, o.method): o for o in self.operations}

    def at(self, path):
        """The operations of a path as it is sent."""
        return [o for o in self.operations if o.pattern.fullmatch(path)]

    def find(self, path, method):
        """The operation of a path as it is sent, or None."""
        method = "GET" if method == "HEAD" else method
        return min((o for o in self.at(path) if o.method == method), key=lambda o: len(o.arguments), default=None)

    def resolved(self, reference):
        node = self.document
        for part in reference[2:].split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        return node

    def deref(self, node):
        while "$ref" in node:
            node = self.resolved(node["$ref"])
        return node

    def written(self, kind, verb):
        """The schema of what a change-set's put or patch of this kind takes; None: there is no such kind."""
        for path, item in self.document["paths"].items():
            if re.fullmatch(rf".*/{re.escape(kind)}/{{\w+}}", path) and verb in item:
                return next(iter(item[verb]["requestBody"]["content"].values()))["schema"]
        return None

    def name_for(self, kind, chance):
        """A name that an object of this kind has or could have."""
        for path, item in self.document["paths"].items():
            if path.endswith(f"/{kind}"):
                known = self.names.get(path, [])
                if known and chance.random() < 0.7:
                    return chance.choice(known)
        return f"f{chance.randint(0, 30)}"

    def validator(self, schema):
        key = id(schema)
        if key not in self.validators:
            self.validators[key] = (schema, jsonschema.Draft202012Validator(schema, resolver=self.resolver, format_checker=FORMATS))
        return self.validators[key][1]

    def fault(self, schema, value):
        """Why the value is not what the schema says; None: it is."""
        key = (id(schema), hashlib.sha1(json.dumps(value, sort_keys=True).encode()).digest())
        if key in self.good:
            return None
        error = next(self.validator(schema).iter_errors(value), None)
        if error is None:
            self.good.add(key)
            return None
        deepest = jsonschema.exceptions.best_match([error])
        return f"{'/'.join(map(str, deepest.absolute_path))}: {deepest.message[:400]} (of {deepest.validator})"
