#!/usr/bin/python3
"""Drives every operation of an API with valid and almost valid requests made from its own OpenAPI document.

No answer may be a 5xx, contradict the document, or leave a trace of what was refused; what was written is read again.  A seed
is a run: the same requests against a fresh daemon.  Everything that the daemon holds may be changed or deleted, except the
account that is used.
"""

import argparse
import collections
import json
import pathlib
import random
import re
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from api_asked import Asked  # noqa: E402
from api_checks import Failure, check, check_written, json_of, must  # noqa: E402
from api_document import Document  # noqa: E402
from api_values import WORDS, Values, dump, escape, parses  # noqa: E402
from api_wire import Broken, Wire  # noqa: E402

WEIGHTS = {"GET": 3, "POST": 4, "PUT": 5, "PATCH": 5, "DELETE": 2}
KNOWN_MAX = 25  # objects of a kind; more are deleted first
TYPES = ("application/json; charset=utf-8", "text/plain", "application/jsonx", "application/xml", "multipart/form-data", "", "x" * 300,
         "application/merge-patch+json", "application/problem+json")
QUERY_FAULTS = ("limt=5", "limit=5&limit=6", "x", "=", "&&", "%00=1", "limit=%00", "limit=%zz", "limit=%", "q=%ff", "q=a%0d%0ab", "q=" + "x" * 5000,
                "dry_run=1", "limit=99999999999999999999", "limit=-1", "limit=1e2", "cursor=%E2%82", "cursor=" + "A" * 250, "%66=%66", "a=" * 200)
TAGS = ('"r1"', "*", '"r999999999"', '"x"', "r1", 'W/"r1"', '"r1", "r2","r3"', ",", '"r' + "9" * 400 + '"', "")


class Fuzz:
    def __init__(self, url, username, password, seed, switch=True, token=None):
        self.url, self.username, self.password, self.switch = url, username, password, switch
        self.chance, self.wire = random.Random(seed), Wire(url)
        self.token, self.spare, self.log_ins = token or self.log_in(), None, 0
        self.seen, self.answered, self.last = collections.Counter(), collections.Counter(), collections.deque(maxlen=6)
        self.cursors, self.tags = [], ['"r1"']
        self.document = Document(json_of(self.read("/api/v1/openapi.json")))
        self.values = Values(self.chance, self.document, self.hints())
        self.revision = self.stored_revision()
        self.names = self.document.names
        self.first = self.document.operations * 2  # each is asked, however short the run
        self.chance.shuffle(self.first)
        for operation in self.document.operations:
            schema = self.document.deref(operation.arguments[0]["schema"]) if operation.arguments else {}
            if operation.arguments and "sip-parameters" in operation.path:
                self.names[operation.collection] = self.document.resolved("#/components/schemas/Parameter")["properties"]["name"]["enum"]
            elif schema.get("enum"):
                self.names[operation.collection] = list(schema["enum"])

    # ---- what makes sense

    def hints(self):
        """All addresses are of the loopback interface: nobody else hears of it."""
        chance = self.chance
        host = f"127.{chance.randint(128, 254)}.{chance.randint(1, 254)}."

        def address():
            return host + str(chance.randint(1, 254))

        def of(path, nothing=None):
            return lambda: chance.choice(self.names.get("/api/v1/" + path) or [nothing]) if chance.random() < 0.7 else nothing
        return {
            "server": address, "host": address, "domain": lambda: chance.choice(["", address()]), "listener": lambda: "",
            "outbound_proxy": lambda: chance.choice(["", "", address() + ":5060"]), "watch_s": lambda: 1, "timeout": lambda: 1,
            "confirm_within": lambda: 3600, "limit": lambda: chance.choice([1, 2, 20]),
            "sources": lambda: f"{address()}/{chance.choice([32, 24, 8])}" if chance.random() < 0.7 else "[::1]:5060",
            "registration": of("registrations"), "inbound_mapping": of("mapping-gateways"), "mapping": of("mapping-gateways"),
            "mapping_gateway": of("mapping-gateways", "none"), "gateway": of("routing-gateways", "none"),
            "username": lambda: f"user{chance.randint(0, 9)}", "cursor": lambda: chance.choice(self.cursors or ["x"]),
            "password": lambda: "correct horse " + str(chance.randint(0, 99)), "callee": lambda: "+49" + str(chance.randint(0, 9999)),
            "from": self.a_revision, "to": self.a_revision, "name": self.a_name,
        }

    def a_revision(self):
        return self.chance.randint(max(1, self.revision - 30), max(1, self.revision))

    def a_name(self):
        return self.chance.choice([f"f{self.chance.randint(0, 40)}", "x" * 63, "_", "A.b-c_9"])

    def argument(self, operation):
        """(as it stands in the path, decoded) for the one argument of a path."""
        chance, schema = self.chance, self.document.deref(operation.arguments[0]["schema"])
        known = self.names.get(operation.collection, [])
        if schema.get("type") == "integer":
            word = chance.choice([str(self.a_revision())] * 8 + ["0", "-1", "01", "1.0", "999999999", "9" * 30, "x", "r1", "1%00"])
        elif known and chance.random() < 0.8:
            word = chance.choice(known)
        else:
            word = chance.choice([self.a_name(), self.values.make_string(schema), self.values.make_string(schema), chance.choice(WORDS) or "x"])
        if word == self.username and operation.method != "GET":
            word = "nobody"
        escaped = word if word == "1%00" else escape(word)
        if chance.random() < 0.02:
            escaped = chance.choice(["%", "%zz", "a%00b", "%ff", "..", "%2e%2e", "a%2Fb", "a" * 600, "%0d%0aX:%20y", "\\", "a;b"])
        return escaped, word

    # ---- making a request

    def choose(self):
        chance = self.chance
        full = [o for o in self.document.operations if o.method == "DELETE" and o.arguments and len(self.names.get(o.collection, [])) > KNOWN_MAX
                and "sip-parameters" not in o.path]
        if full and chance.random() < 0.3:
            return chance.choice(full)
        if self.first:
            return self.first.pop()
        weights = [WEIGHTS[o.method] * (0.2 if o.secret or o.slow or o.endless else 1) for o in self.document.operations]
        return chance.choices(self.document.operations, weights)[0]

    def bearer(self, operation):
        """(header value, is it good)"""
        if self.chance.random() < 0.03:
            return self.chance.choice([None, "Bearer", "Bearer x.y.z", "Basic YTpi", "Bearer " + "a" * 3000, self.token + "x"]), False
        if operation and operation.method == "DELETE" and operation.path.endswith("/session"):
            if self.log_ins >= 2:
                return "Bearer " + self.token[:-6], False
            self.log_ins += 1
            return "Bearer " + self.log_in(), True
        return "Bearer " + self.token, True

    def query(self, operation, asked):
        chance, pairs = self.chance, []
        for parameter in operation.queries:
            if parameter.get("required") or chance.random() < (0.35 if parameter["name"] in ("cursor", "q", "limit") else 0.2):
                value = self.values.make(parameter["schema"], parameter["name"])
                text = value if isinstance(value, str) else dump(value)
                pairs.append((parameter["name"], text))
        if operation.takes("timeout") and any(name == "wait" for name, _ in pairs):
            pairs = [pair for pair in pairs if pair[0] != "timeout"] + [("timeout", "1")]
        for name, text in pairs:
            asked.query.setdefault(name, []).append(text)
        query = "&".join(f"{name}={escape(text)}" for name, text in pairs)
        if chance.random() < 0.04:
            fault = chance.choice(QUERY_FAULTS)
            query = f"{query}&{fault}" if query else fault
            asked.query = {}
            for name, text in urllib.parse.parse_qsl(query, keep_blank_values=True, errors="surrogateescape"):
                asked.query.setdefault(name, []).append(text)
        return "?" + query if query else ""

    def body(self, operation, asked):
        chance = self.chance
        if operation.body is None:
            return b"{}" if chance.random() < 0.02 else None
        if operation.path.endswith("/session") and chance.random() < 0.2:
            value, spoils = {"username": self.username, "password": self.password}, 0
        elif chance.random() < 0.5:
            value, spoils = self.values.make(operation.body), 0
        else:
            self.values.wild, spoils = chance.choice([0, 0.02, 0.15]), chance.choice([0, 1, 1, 2])
            value = self.values.make(operation.body)
            self.values.wild = 0.0
        if operation.arguments and isinstance(value, dict) and "name" in value and chance.random() < 0.9:
            value["name"] = asked.name
        for _ in range(spoils):
            value = self.values.spoil(value)
        if "watch_s" in self.document.deref(operation.body).get("properties", {}) and isinstance(value, dict):
            value.setdefault("watch_s", 1)  # the default is too long a wait
        body = dump(value).encode("utf-8", "surrogatepass")
        return self.values.spoil_text(body) if spoils and chance.random() < 0.15 else body

    def headers(self, operation, asked):
        chance, headers = self.chance, []
        if asked.body is not None:
            kind = chance.choice(list(operation.bodies) or ["application/json"]) if chance.random() < 0.95 else chance.choice(TYPES)
            headers += [("Content-Type", kind)] if kind else []
            headers.append(("Content-Length", str(len(asked.body))))
        if chance.random() < (0.12 if operation.method != "GET" else 0.05):
            headers.append(("If-Match", chance.choice(self.tags) if chance.random() < 0.6 else chance.choice(TAGS)))
        if chance.random() < 0.08:
            headers.append(("If-None-Match", chance.choice(self.tags) if chance.random() < 0.5 else chance.choice(TAGS)))
        if chance.random() < 0.15:
            headers.append(("Accept", chance.choice(["*/*", "application/json", "text/plain", "application/vnd.tcpdump.pcap", "image/png",
                                                     "text/*;q=0.1", "application/json;q=0, */*", "x", ","])))
        if chance.random() < 0.05:
            headers.append(chance.choice([("Origin", "https://evil.example"), ("Last-Event-ID", chance.choice(WORDS[:12])), ("X", "y" * 2000),
                                          ("Cookie", "tandem_session=x; a=b"), ("X-CSRF-Token", "x"), ("Idempotency-Key", self.a_name()),
                                          ("Range", "bytes=0-1"), ("Expect", "100-continue"), ("X-HTTP-Method-Override", "DELETE")]))
        return headers

    def request(self):
        chance, operation = self.chance, self.choose()
        escaped, name = self.argument(operation) if operation.arguments else ("", None)
        target = re.sub(r"\{\w+\}", lambda _: escaped, operation.path)
        method = operation.method
        if chance.random() < 0.02:
            method = chance.choice(["OPTIONS", "TRACE", "PUT", "POST", "DELETE", "PATCH", "get", "PROPFIND", "CONNECT"])
        elif method == "GET" and not operation.endless and chance.random() < 0.1:
            method = "HEAD"
        if chance.random() < 0.01:
            target = chance.choice([target + "/", target + "/x", "/" + target, target.upper(), target.replace("/api", "/API")])
        found = self.document.find(target, method)
        operation = found or operation
        asked = Asked(operation, method, target, found is not None)
        value, asked.token = self.bearer(operation if method == "DELETE" else None)
        asked.headers += [("Authorization", value)] if value else []
        asked.name = name
        asked.target += self.query(operation, asked)
        asked.body = self.body(operation, asked)
        asked.headers += self.headers(operation, asked)
        return asked

    # ---- asking

    def send(self, asked):
        endless = bool(asked.operation and asked.operation.endless and asked.method == "GET")
        self.last.append(asked)
        return self.wire.ask(asked.method, asked.target, asked.headers, asked.body, endless)

    def read(self, path):
        reply = self.wire.ask("GET", path, [("Host", "fuzz"), ("Authorization", f"Bearer {self.token}")])
        if reply.status == 401:
            self.token = self.log_in()
            return self.wire.ask("GET", path, [("Host", "fuzz"), ("Authorization", f"Bearer {self.token}")])
        return reply

    def stored_revision(self):
        return json_of(self.read("/api/v1/status"))["mgmtd"]["stored_revision"]

    def log_in(self):
        body = json.dumps({"username": self.username, "password": self.password}).encode()
        reply = self.wire.ask("POST", "/api/v1/session", [("Host", "fuzz"), ("Content-Type", "application/json"),
                                                          ("Content-Length", str(len(body)))], body)
        must(reply.status == 200, f"the log-in got {reply.status}: {reply.body[:300]!r}")
        return json_of(reply)["token"]

    # ---- after the answer

    def learn(self, asked, reply, value):
        if reply.header("etag"):
            self.tags = (self.tags + [reply.header("etag")])[-20:]
        if not isinstance(value, dict) or reply.status >= 300:
            return
        if isinstance(value.get("next"), str):
            self.cursors = (self.cursors + [value["next"]])[-10:]
        if asked.method == "GET" and isinstance(value.get("items"), list) and "sip-parameters" not in asked.operation.path:
            names = [item.get("name", item.get("username", item.get("id"))) for item in value["items"] if isinstance(item, dict)]
            known = self.names.setdefault(asked.operation.path, [])
            known += [name for name in names if isinstance(name, str) and name not in known][:10]
        for change in value.get("diff", []) if not value.get("dry_run") and value.get("changed") else []:
            known = self.names.setdefault(f"/api/v1/{change['kind']}", [])
            if change["op"] == "create" and change["name"] not in known:
                known.append(change["name"])
            if change["op"] == "delete" and change["name"] in known and "sip-" not in change["kind"]:
                known.remove(change["name"])

    def check_trace(self, asked, reply, value):
        """What was refused, or only tried, changed nothing; what was done is one revision more."""
        if asked.method in ("GET", "HEAD"):
            return
        now = self.stored_revision()
        if reply.status >= 300 or "dry_run=true" in asked.target or (isinstance(value, dict) and value.get("changed") is False):
            must(now == self.revision, f"nothing was to change, but the revision went from {self.revision} to {now}")
        elif isinstance(value, dict) and value.get("changed"):
            must(now == self.revision + 1 == value["revision"], f"revision {value['revision']}, stored {now}, before {self.revision}")
        self.revision = now

    def tag_before(self, asked):
        """The entity tag that a write with conditions is compared with; None: the object is not there."""
        if not asked.operation.arguments or asked.operation.path.endswith("/restore"):
            return f'"r{self.revision}"'  # of the whole configuration
        return self.read(asked.target.partition("?")[0]).header("etag")

    def check_conditions(self, asked, reply, before):
        """A write goes through only if its conditions hold, and fails of them only if they do not."""
        headers = dict(asked.headers)
        tags = [tag.strip(" \t") for tag in headers.get("If-Match", "*").split(",")]
        matches = "If-Match" not in headers or before in tags or (before and "*" in tags)
        if "If-None-Match" in headers and not asked.operation.arguments:
            return  # of an object that only the body names
        absent = "If-None-Match" not in headers or before is None
        must(reply.status >= 300 or (matches and absent), f"written against its conditions; the tag was {before}")
        must(reply.status != 412 or not (matches and absent), f"412, but the conditions hold; the tag was {before}")

    def check_again(self, asked, reply, value):
        """GET after a write."""
        operation = asked.operation
        if reply.status not in (200, 201, 204) or asked.method in ("GET", "HEAD") or "dry_run=true" in asked.target:
            return
        path = reply.header("location") or asked.target.partition("?")[0]
        place = (operation.path if operation.arguments else operation.path + "/{name}", "GET")
        if place not in self.document.by_place or not (operation.arguments or reply.header("location")) or path.endswith("/session"):
            return
        again = self.read(path)
        if asked.method == "DELETE" and "sip-parameters" not in path:
            must(again.status == 404, f"deleted, but GET says {again.status}")
            return
        must(again.status == 200, f"written, but GET says {again.status}")
        shown = json_of(again)
        if isinstance(value, dict) and value.get("resource"):
            must(shown == value["resource"], lambda: f"GET shows {json.dumps(shown)[:600]}, the write {json.dumps(value['resource'])[:600]}")
        if asked.body is not None and asked.method in ("PUT", "PATCH", "POST"):
            check_written(parses(asked.body)[1], shown, operation.body, self.document)

    def check_head(self, asked, reply):
        if asked.method != "GET" or asked.operation.endless or reply.status != 200 or self.chance.random() > 0.1:
            return
        head = self.wire.ask("HEAD", asked.target, asked.headers)
        must(head.status == reply.status and head.media == reply.media, f"HEAD says {head.status} {head.media}")
        must(head.header("content-length"), "HEAD without the length")

    def step(self):
        asked = self.request()
        conditional = asked.method not in ("GET", "HEAD") and asked.described and asked.operation.conditional
        before = self.tag_before(asked) if conditional else None
        reply = self.send(asked)
        value = check(self.document, asked, reply, self.switch)
        self.seen[asked.operation.name] += 1
        self.answered[asked.operation.name, reply.status] += 1
        self.check_trace(asked, reply, value)
        if conditional:
            self.check_conditions(asked, reply, before)
        self.check_again(asked, reply, value)
        self.check_head(asked, reply)
        self.learn(asked, reply, value)

    def run(self, requests, failures=1):
        """The reports of what failed, at most so many."""
        reports = []
        for number in range(1, requests + 1):
            try:
                self.step()
            except (Failure, Broken, OSError, EOFError) as error:
                reports.append(self.report(number, error))
                if len(reports) >= failures or not self.revive():
                    break
        return reports

    def revive(self):
        self.wire.close()
        try:
            self.revision = self.stored_revision()
        except (OSError, EOFError, Broken, Failure):
            return False
        return True

    def report(self, number, error):
        asked = self.last[-1]
        before = "".join(f"\n    before: {a.method} {a.target[:120]}" for a in list(self.last)[:-1])
        return f"request {number}, {asked.operation.name}: {type(error).__name__} {error}\n    {asked.command(self.url)}{before}"

    def summary(self):
        statuses = collections.Counter()
        for (_, status), count in self.answered.items():
            statuses[status] += count
        done = sum(1 for o in self.document.operations if any(self.answered[o.name, s] for s in (200, 201, 202, 204)))
        lines = [f"{sum(self.seen.values())} requests, {len(self.seen)} of {len(self.document.operations)} operations, {done} with success; revision "
                 f"{self.revision}", "answers: " + ", ".join(f"{s}: {c}" for s, c in sorted(statuses.items()))]
        missing = [o.name for o in self.document.operations if not self.seen[o.name]]
        return "\n".join(lines + (["never asked: " + ", ".join(missing)] if missing else []))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="http://ADDR:PORT of a mgmtd whose content may be lost")
    parser.add_argument("--username", default="admin")
    parser.add_argument("--password", required=True)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randint(0, 2**31))
    parser.add_argument("--requests", type=int, default=10000)
    parser.add_argument("--failures", type=int, default=20, help="so many end the run")
    parser.add_argument("--no-switch", action="store_true", help="the switch does not run: 503 switchcore_down is right")
    parser.add_argument("--verbose", action="store_true", help="the statuses of each operation")
    given = parser.parse_args()
    fuzz = Fuzz(given.url, given.username, given.password, given.seed, not given.no_switch)
    reports = fuzz.run(given.requests, given.failures)
    print(f"seed {given.seed}\n{fuzz.summary()}")
    if given.verbose:
        for operation in fuzz.document.operations:
            print(f"  {operation.name}:", ", ".join(f"{s}: {c}" for (name, s), c in sorted(fuzz.answered.items()) if name == operation.name))
    for report in reports:
        print(report)
    return 1 if reports else 0


if __name__ == "__main__":
    sys.exit(main())
