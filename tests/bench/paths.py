"""What calls go through: the bare SIP stack, a proxy, the product.  Each takes calls at host:port and sends all of them to one target."""

import pathlib
import re

from measure import process_cpu, watched
from programs import TOOLS, Daemon, Kamailio, Product, loopback_address, until

PORT = 5060


def children_of(pid):
    return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Path:
    """start(), stop(); between them cpu() in seconds and memory() in bytes, of all its processes."""

    def __init__(self, work, target):
        self.work, self.target, self.host, self.port = pathlib.Path(work), target, loopback_address(), PORT
        self.work.mkdir(parents=True)
        self.pids = []

    def watch(self, pids):
        self.pids = list(pids)
        watched.update({pid: self.name for pid in self.pids})

    def unwatch(self):
        for pid in self.pids:
            watched.pop(pid, None)

    def cpu(self):
        return sum(process_cpu(pid) for pid in self.pids)

    def memory(self):
        """Their own pages, and shared ones once."""
        own, shared = 0, [0]
        for pid in self.pids:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
            kib = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.M)}
            own += kib["RssAnon"]
            shared.append(kib["RssShmem"])
        return (own + max(shared)) * 1024

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


class Bare(Path):
    name = "bare relay"

    def start(self):
        command = [TOOLS / "bare_relay", "--listen", f"{self.host}:{self.port}", "--to", self.target]
        self.daemon = Daemon("bare_relay", command, self.work / "log")
        self.daemon.wait_ready()
        self.watch([self.daemon.pid])

    def stop(self):
        self.unwatch()
        self.daemon.stop()


class Proxy(Path, Kamailio):
    """Kamailio with its fastest allocator."""
    name = "Kamailio"

    def __init__(self, work, target):
        Path.__init__(self, work, target)
        self.socket, self.directory = self.work / "rpc", self.work
        text = pathlib.Path(__file__).with_name("proxy.cfg").read_text()
        for word, value in {"ADDRESS": self.host, "PORT": self.port, "SOCKET": self.socket, "TARGET": target}.items():
            text = text.replace(f"@{word}@", str(value))
        (self.work / "kamailio.cfg").write_text(text)

    def start(self):
        command = ["kamailio", "-DD", "-E", "-x", "fm", "-X", "fm", "-m", "2048", "-M", "32", "-f", self.work / "kamailio.cfg",
                   "-Y", self.work]
        self.daemon = Daemon("kamailio", command, self.work / "log", own_group=True)
        until(self.answers, 15, lambda: "answer from kamailio: " + self.daemon.log())
        self.watch([self.daemon.pid, *children_of(self.daemon.pid)])

    def stop(self):
        self.unwatch()
        self.daemon.stop_group(within=5)


class Switch(Path):
    """The product; only switchcore counts."""
    name = "switchcore"

    def __init__(self, work, target, options=(), env=None, from_hosts=()):
        super().__init__(work, target)
        self.options, self.env, self.sources = list(options), env or {}, list(from_hosts)
        self.product = None

    def start(self):
        if self.product is None:
            self.configure()
        self.product.env = self.env
        self.product.start("switchcore", switchcore=self.options)
        self.product.wait_switch()
        self.product.env = {}
        self.watch([self.product.switchcore.pid])

    def configure(self):
        self.product = Product(self.work / "product")
        self.product.start("mgmtd", sip=(f"udp:{self.host}:{self.port}",))
        api = self.product.api()
        host, port = self.target.split(":")
        api.post("/routing-gateways", name="out", host=host, port=int(port)).expect(201)
        api.post("/mapping-gateways", name="in", sources=self.sources).expect(201)

    def stop(self):
        self.unwatch()
        self.product.stop("switchcore")

    def close(self):
        if self.product:
            self.product.__exit__()
