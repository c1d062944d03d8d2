"""Values made from JSON Schemas, and what spoils them.  Everything comes from one generator of chance: a seed is a run."""

import json
import string

import re._constants as op
import re._parser as parser

WORDS = ("", "a", "carrier-a", "inherit", "auto", "0", "true", "null", "+4930123", "00", "*", "é", "日本", "😀", "a b", "a/b", "../x", "%2e", "~0~1",
         "x" * 63, "x" * 64, "x" * 300, "é" * 128, "a\r\nEvil: 1", "tab\there", "a\u0000b", "a\u0001b", "\u007f", "\ufeff", "\u2028", "\ud800",
         "\udfff\ud800", "' OR 1=1 --", "${x}", "<script>", "{\"set\": true}")
NUMBERS = ("0", "-1", "1", "60.0", "6e1", "1.5", "-0", "-0.0", "1e3", "1e999", "1e-400", "2147483647", "2147483648", "-2147483649", "4294967296",
           "9007199254740993", "9223372036854775807", "9223372036854775808", "1" * 30, "0.1", "1E400", "NaN", "00", "0x10", "+1", "1.")
KEYS = ("", "Name", "passwort", "__proto__", "a/b~c", "x" * 600, "é" * 300, "\u0000", "a\r\nb", "name", "revision", "value", "sip", "\ud800")


class Raw(str):
    """JSON text that goes into a body as it is."""


class Twice(dict):
    """An object that names its first member twice."""


def dump(value):
    """JSON text; lone surrogates as escapes."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        members = [f"{json.dumps(key)}:{dump(member)}" for key, member in value.items()]
        return "{" + ",".join(members + members[:1] if isinstance(value, Twice) else members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value)


def matching(chance, pattern):
    """A text that the pattern matches; of the syntax what API descriptions use."""
    def one(token, value):
        if token is op.LITERAL:
            return chr(value)
        if token is op.ANY:
            return chance.choice(string.ascii_letters)
        if token is op.IN:
            kind, first = chance.choice([item for item in value if item[0] is not op.NEGATE])
            return chr(chance.randint(*first)) if kind is op.RANGE else chr(first) if kind is op.LITERAL else "0"
        if token in (op.MAX_REPEAT, op.MIN_REPEAT):
            low, high, items = value
            return "".join(many(items) for _ in range(chance.randint(low, min(high, low + 8))))
        if token is op.SUBPATTERN:
            return many(value[-1])
        if token is op.BRANCH:
            return many(chance.choice(value[1]))
        return ""  # anchors

    def many(items):
        return "".join(one(token, value) for token, value in items)
    return many(parser.parse(pattern))


class Values:
    """hints: {member: function() → a value that makes sense there}."""

    def __init__(self, chance, document, hints):
        self.chance, self.document, self.hints = chance, document, hints
        self.wild = 0.0  # how often a leaf is no legal one

    def resolve(self, schema):
        while "$ref" in schema:
            schema = self.document.resolved(schema["$ref"])
        return schema

    def make(self, schema, name="", depth=0):
        chance = self.chance
        schema = self.resolve(schema)
        if self.wild and chance.random() < self.wild:
            return self.outside(schema)
        if name in self.hints and chance.random() < 0.9:
            return self.hints[name]()
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return chance.choice(schema["enum"])
        for word in ("anyOf", "oneOf", "allOf"):
            if word in schema:
                return self.make(chance.choice(schema[word]), name, depth)
        kind = schema.get("type", ["null", "boolean", "integer", "string"] if depth < 4 else "null")
        kind = chance.choice(kind) if isinstance(kind, list) else kind
        return getattr(self, f"make_{kind}")(schema, name, depth)

    def make_null(self, *_):
        return None

    def make_boolean(self, *_):
        return self.chance.random() < 0.5

    def make_integer(self, schema, *_):
        low, high = schema.get("minimum", 0), schema.get("maximum", 1000)
        return self.chance.choice([low, high, self.chance.randint(low, high), schema.get("default", low)])

    def make_number(self, schema, *_):
        low, high = schema.get("minimum", 0), schema.get("maximum", 1000)
        return self.chance.choice([low, high, self.chance.randint(int(low) + 1, int(high)), low + 0.5])

    def make_string(self, schema, *_):
        chance = self.chance
        if "pattern" in schema:
            return matching(chance, schema["pattern"])[:schema.get("maxLength", 999)]
        if schema.get("format") == "date-time":
            return f"20{chance.randint(0, 99):02}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T{chance.randint(0, 23):02}:00:00.5Z"
        low, high = schema.get("minLength", 0), schema.get("maxLength", 40)
        length = chance.choice([low, high, chance.randint(low, min(high, low + 20))])
        return "".join(chance.choice(string.ascii_lowercase + string.digits + "_- ") for _ in range(length)).strip().ljust(length, "x")

    def make_array(self, schema, name, depth):
        low = schema.get("minItems", 0)
        count = self.chance.randint(low, min(schema.get("maxItems", low + 3), low + 3))
        items = [self.make(schema.get("items", {}), name, depth + 1) for _ in range(count)]
        if schema.get("uniqueItems"):
            items = [item for index, item in enumerate(items) if item not in items[:index]]
        return items

    def make_object(self, schema, name, depth):
        made, required = {}, schema.get("required", [])
        for member, inner in schema.get("properties", {}).items():
            if member in required or self.chance.random() < 0.25:
                made[member] = self.make(inner, member, depth + 1)
        if isinstance(schema.get("additionalProperties"), dict):
            made["x"] = self.make(schema["additionalProperties"], name, depth + 1)
        if "kind" in made and isinstance(made.get("kind"), str) and "value" in schema.get("properties", {}):
            self.fit_value(made)
        return made

    def fit_value(self, change):
        """Of a change-set: the value is that of its kind and verb."""
        verb = change.get("op")
        written = self.document.written(change["kind"], "patch" if verb == "patch" else "put")
        change.pop("value", None)
        if verb != "delete" and written:
            change["value"] = self.make(written, "", 2)
        elif verb != "delete":
            change["value"] = self.make({}, "", 2)
        if isinstance(verb, str) and self.chance.random() < 0.8:
            change["name"] = self.document.name_for(change["kind"], self.chance)

    def outside(self, schema):
        """One step beyond a bound, or another type."""
        chance = self.chance
        choices = [None, True, [], {}, Raw(chance.choice(NUMBERS)), chance.choice(WORDS), [None], {"set": True}]
        for bound, step in (("minimum", -1), ("maximum", 1)):
            if bound in schema:
                choices += [schema[bound] + step] * 4
        if "maxLength" in schema:
            choices += ["a" * (schema["maxLength"] + 1), "é" * schema["maxLength"], "1" * (schema["maxLength"] + 1)]
        if "maxItems" in schema:
            item = self.make(schema.get("items", {}))
            choices += [[item] * (schema["maxItems"] + 1), [item, item], [{}]]
        return chance.choice(choices)

    # ---- spoiling

    def spoil(self, value):
        """The value with one place changed."""
        chance = self.chance
        places = []

        def walk(node):
            if isinstance(node, (dict, list)):
                places.append(node)
                for member in node.values() if isinstance(node, dict) else node:
                    walk(member)
        walk(value)
        if not places or chance.random() < 0.05:
            return chance.choice([None, 5, "x", [], {}, [value], True, Raw(chance.choice(NUMBERS))])
        place = chance.choice(places)
        if isinstance(place, list):
            place.insert(chance.randint(0, len(place)), self.outside({}))
        elif not place or chance.random() < 0.3:
            place[chance.choice(KEYS)] = self.outside({})
        elif chance.random() < 0.3:
            del place[chance.choice(list(place))]
        elif chance.random() < 0.2:
            return Twice(value) if isinstance(value, dict) else value
        else:
            place[chance.choice(list(place))] = self.outside({})
        return value

    def spoil_text(self, body):
        """The bytes of a body with something wrong in them."""
        chance = self.chance
        at = chance.randint(0, len(body))
        return chance.choice([
            lambda: body[:at], lambda: body[at:], lambda: body + body, lambda: b"\xef\xbb\xbf" + body, lambda: b"",
            lambda: body[:at] + bytes([chance.randint(0, 255)]) + body[at:], lambda: body[:at] + b"\xed\xa0\x80" + body[at:],
            lambda: body.replace(b'"', b"'"), lambda: body.replace(b"}", b",}"), lambda: b"[" * chance.choice([10, 32, 33, 5000]) + body,
            lambda: b'{"a":' * 40 + body + b"}" * 40, lambda: body.decode("latin-1").encode("utf-16"), lambda: body + b"\0" + body,
            lambda: body.replace(b":", b": \t\r\n "), lambda: b" " * 70000 + body, lambda: body.replace(b'":', b'\\u0000":')])()


def parses(body):
    """(True, value) when a strict parser takes it; duplicate members are none."""
    def pairs(items):
        if len({key for key, _ in items}) != len(items):
            raise ValueError("a member twice")
        return dict(items)

    def refuse(word):
        raise ValueError(word)
    try:
        return True, json.loads(body.decode("utf-8"), object_pairs_hook=pairs, parse_constant=refuse)
    except (ValueError, RecursionError):
        return False, None


def escape(text, safe="-._~"):
    """Per cent, lone surrogates as the bytes they would be."""
    data = text.encode("utf-8", "surrogatepass")
    return "".join(chr(byte) if chr(byte) in string.ascii_letters + string.digits + safe else f"%{byte:02X}" for byte in data)


