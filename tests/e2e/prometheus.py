"""A strict reader of the text that /metrics gives (Prometheus exposition format 0.0.4)."""

import math
import re
import shutil
import subprocess

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


def labels_of(text):
    labels, at = {}, 0
    while text and at < len(text):
        match = LABEL.match(text, at)
        assert match, f"no label at {text[at:]!r}"
        assert match.group(1) not in labels, f"{match.group(1)} twice in {text!r}"
        labels[match.group(1)] = match.group(2)
        at = match.end()
    return labels


class Scrape:
    """values: (name, labels as a frozenset of pairs) → number."""

    def __init__(self, text):
        self.types, self.values, name = {}, {}, None
        assert text.endswith("\n")
        for line in text[:-1].split("\n"):
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                assert re.fullmatch(NAME, name) and name not in self.types and line.split(" ", 3)[3].strip(), line
                self.types[name] = None
            elif line.startswith("# TYPE "):
                assert line.split(" ")[2] == name and self.types[name] is None, f"TYPE does not follow HELP: {line}"
                self.types[name] = line.split(" ")[3]
                assert self.types[name] in SUFFIXES, line
            else:
                self.sample(line, name)
        for name, kind in self.types.items():
            assert kind == "counter" or not name.endswith("_total"), name
            assert kind != "counter" or name.endswith("_total"), name
            if kind == "histogram":
                self.check_histogram(name)

    def sample(self, line, name):
        match = SAMPLE.fullmatch(line)
        assert match, f"not a sample: {line!r}"
        assert match.group(1) in [name + suffix for suffix in SUFFIXES[self.types[name]]], f"{line} below {name}"
        key, value = (match.group(1), frozenset(labels_of(match.group(2)).items())), float(match.group(3))
        assert key not in self.values, f"twice: {line}"
        assert value >= 0 and math.isfinite(value), line
        self.values[key] = value

    def check_histogram(self, name):
        series = {}
        for (sample, labels), value in self.values.items():
            if sample == name + "_bucket":
                labels = dict(labels)
                bound = float(labels.pop("le"))
                series.setdefault(frozenset(labels.items()), []).append((bound, value))
        for labels, buckets in series.items():
            counts = [count for _, count in sorted(buckets)]
            assert counts == sorted(counts) and max(buckets)[0] == math.inf, (name, labels, buckets)
            assert counts[-1] == self.values[name + "_count", labels] and (name + "_sum", labels) in self.values, (name, labels)

    def get(self, name, **labels):
        """The sum of the samples of that name that have these labels; None: there is none."""
        found = [v for (sample, have), v in self.values.items() if sample == name and labels.items() <= dict(have).items()]
        return sum(found) if found else None


def scrape(api):
    answer = api.get("/metrics").expect(200)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(answer.text)


def ask_promtool(text):
    """What Prometheus' own tool has to say, where it is installed."""
    if shutil.which("promtool"):
        result = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=20)
        assert result.returncode == 0 and not result.stdout + result.stderr, result.stdout + result.stderr
