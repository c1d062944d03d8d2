"""The programs that a measurement needs: the product, its peers, the load."""

import contextlib
import json
import os
import pathlib
import re
import socket
import sqlite3
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from daemon import Daemon, die_with_parent  # noqa: E402
from kamailio import Kamailio  # noqa: E402
from lab import ADMIN_PASSWORD, BUILD, Lab, loopback_address  # noqa: E402, F401
from measure import run_json, watched  # noqa: E402
from until import until  # noqa: E402

TOOLS = BUILD / "tests/bench"
ONE_COMMIT = BUILD / "one-commit"    # a mgmtd whose batches hold one change
SIP_PASSWORD = "secret"
PER_CHANGE_SET = 2000


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def running(command, ready, log):
    """A peer, until the end of the with; gives what the group in `ready` finds in its first line, and the process."""
    with open(log, "w") as err:
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=err, text=True,
                                   preexec_fn=die_with_parent)
    watched[process.pid] = command[0]
    try:
        line = process.stdout.readline()
        found = re.search(ready, line)
        if not found:
            raise RuntimeError(f"{command[0]} did not start: {line}{pathlib.Path(log).read_text()}")
        yield found.group(1), process
    finally:
        process.terminate()
        process.wait(20)
        watched.pop(process.pid, None)
        process.stdout.close()


# ------------------------------------------------------------------ the product

class Product(Lab):
    """Both daemons with directories of their own; mgmtd may come from another build."""

    def __init__(self, directory, mgmtd=BUILD):
        pathlib.Path(directory).mkdir(parents=True)
        super().__init__(directory)
        self.mgmtd_build = mgmtd

    def command(self, name):
        words = super().command(name)
        return [self.mgmtd_build / name if name == "mgmtd" else words[0], *words[1:]]

    def launch(self, name):
        daemon = super().launch(name)
        watched[daemon.pid] = name
        return daemon

    def stop(self, name, within=60):
        pid = self.daemons[name].pid
        super().stop(name, within)
        watched.pop(pid, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pids = [daemon.pid for daemon in self.daemons.values()]
        self.close()
        for pid in pids:
            watched.pop(pid, None)
        for problem in self.problems:
            print(problem, file=sys.stderr)

    @property
    def address(self):
        return self.url.removeprefix("http://")

    def fill(self, count, server="127.0.0.1", port=5060, enabled=True):
        """Registrations r000000 to r<count - 1>."""
        api = self.api()
        for first in range(0, count, PER_CHANGE_SET):
            changes = [{"op": "put", "kind": "registrations", "name": f"r{n:06d}",
                        "value": {"enabled": enabled, "server": server, "port": port, "username": f"r{n:06d}",
                                  "password": SIP_PASSWORD}}
                       for n in range(first, min(first + PER_CHANGE_SET, count))]
            api.post("/changes", changes=changes).expect(200)
        return self

    def request(self, path, method, target, body=None, authorized=True):
        """Writes a request template for http_load to the file `path`."""
        head = f"{method} /api/v1{target} HTTP/1.1\r\nHost: {self.address}\r\n"
        if authorized:
            head += f"Authorization: Bearer {self.api().token}\r\n"
        return write_request(self.directory / path, head, body)

    def user_agent_change(self, name="r######"):
        """A change of one registration that reaches the segment and sends nothing."""
        return self.request("change", "PATCH", f"/registrations/{name}", {"user_agent": "bench/@@@@@@@@@@@@"})

    def memory(self, name):
        """Resident MiB: private, shared."""
        text = pathlib.Path(f"/proc/{self.daemons[name].pid}/status").read_text()
        kib = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.M))
        return int(kib["RssAnon"]) / 1024, (int(kib["RssShmem"]) + int(kib["RssFile"])) / 1024


def write_request(path, head, body=None):
    text = "" if body is None else json.dumps(body, separators=(",", ":"))
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
    path.write_text(f"{head}\r\n{text}", newline="")
    return path


# ------------------------------------------------------------------ load

def load(address, request, connections=1, seconds=3.0, warmup=0.5, **options):
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value) if value is not True]
    return run_json(TOOLS / "http_load", "--to", address, "--request", request, "--connections", connections,
                    "--seconds", seconds, "--warmup", warmup, *words, timeout=seconds + 60)


def ask(address, request):
    """One answer to a request template, byte by byte."""
    host, port = address.split(":")
    digits = str(time.time_ns())
    text = re.sub("@{4,}", lambda run: digits[-len(run.group()):].zfill(len(run.group())), request.read_bytes().decode())
    text = re.sub("#{4,}", lambda run: "0" * len(run.group()), text)
    with socket.create_connection((host, int(port)), 10) as one:
        one.sendall(text.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += one.recv(65536) or fail(f"{address} closed the connection")
        head, _, body = answer.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length:\s*(\d+)", head).group(1))
        while len(body) < length:
            body += one.recv(65536) or fail(f"{address} closed the connection")
    return head + b"\r\n\r\n" + body


def fail(text):
    raise RuntimeError(text)


def capture(address, request, path):
    """One answer into a file: what a bare server is to give."""
    path.write_bytes(ask(address, request))
    return path


# ------------------------------------------------------------------ peers

def bare_http(answer):
    return running([TOOLS / "bare_http", answer], r"ready (\S+)", answer.with_suffix(".log"))


def copy_database(product, path):
    """The product's database as it is now, for bare_sqlite."""
    with contextlib.closing(sqlite3.connect(product.state / "tandem.db")) as source, \
            contextlib.closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    return path


class Etcd:
    """One etcd on the same disk, reached through its JSON gateway."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)

    def __enter__(self):
        self.address, peer = (f"127.0.0.1:{free_port()}" for _ in range(2))
        command = ["etcd", "--data-dir", self.directory / "data", "--listen-client-urls", f"http://{self.address}",
                   "--advertise-client-urls", f"http://{self.address}", "--listen-peer-urls", f"http://{peer}",
                   "--initial-advertise-peer-urls", f"http://{peer}", "--initial-cluster", f"default=http://{peer}"]
        self.daemon = Daemon("etcd", command, self.directory / "log")
        watched[self.daemon.pid] = "etcd"
        until(self.answers, 20, lambda: "answer from etcd: " + self.daemon.log())
        return self

    def answers(self):
        assert self.daemon.running, "etcd ended: " + self.daemon.log()
        with contextlib.suppress(OSError, RuntimeError):
            return ask(self.address, self.put_of(100)).startswith(b"HTTP/1.1 200")
        return False

    def put_of(self, size):
        """A put of a document of so many bytes; every digit is also one of base64."""
        length = (size + 2) // 3 * 4
        body = {"key": "cjAw########", "value": "@" * 12 + "e" * (length - 12)}
        return write_request(self.directory / "put", f"POST /v3/kv/put HTTP/1.1\r\nHost: {self.address}\r\n", body)

    def __exit__(self, *_):
        pid = self.daemon.pid
        self.daemon.stop(within=20)
        watched.pop(pid, None)


class RegistrarKamailio(Kamailio):
    """Kamailio as a registrar with digest and nothing else, with its fastest allocator."""

    def __init__(self, directory, host):
        self.directory, self.host, self.port = pathlib.Path(directory), host, 5060
        self.directory.mkdir(parents=True)
        self.socket, self.settings, self.daemon = self.directory / "rpc", {}, None
        text = pathlib.Path(__file__).with_name("registrar.cfg").read_text()
        for word, value in {"ADDRESS": host, "PORT": self.port, "SOCKET": self.socket, "PASSWORD": SIP_PASSWORD}.items():
            text = text.replace(f"@{word}@", str(value))
        self.config = self.directory / "kamailio.cfg"
        self.config.write_text(text)

    def start(self):
        command = ["kamailio", "-DD", "-E", "-x", "fm", "-X", "fm", "-m", "512", "-M", "16", "-f", self.config, "-Y", self.directory]
        self.daemon = Daemon("kamailio", command, self.directory / "log")
        until(self.answers, 15, lambda: "answer from kamailio: " + self.daemon.log())
        self.children = [int(pid) for pid in pathlib.Path(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children").read_text().split()]
        for pid in (self.daemon.pid, *self.children):
            watched[pid] = "kamailio"

    def stop(self):
        for pid in (self.daemon.pid, *self.children):
            watched.pop(pid, None)
        super().stop()

    def accepted(self):
        return self.rpc("stats.fetchn", "registrar:")["registrar.accepted_regs"]
