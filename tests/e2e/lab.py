"""The bench every test stands on: the two daemons on directories, addresses and ports of their own, and peers beside them."""

import os
import pathlib
import random
import re
import shutil
import tempfile

from api import Api
from daemon import Daemon
from dns import Dns
from double import Double
from kamailio import Kamailio
from peer import Peer
from sipp import Sipp
from until import until

BUILD = pathlib.Path(os.environ.get("TANDEM_BUILD", pathlib.Path(__file__).parents[2] / "build")).resolve()
ADMIN_PASSWORD = "correct horse battery staple"
SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Assertion .* failed)")
SANITIZER_ENV = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1",
                 "LSAN_OPTIONS": f"suppressions={pathlib.Path(__file__).with_name('lsan.supp')}:print_suppressions=0"}


def loopback_address():
    """One of the 16 million addresses of the loopback interface: ports are then free to choose."""
    return ".".join(["127"] + [str(random.randint(1, 254)) for _ in range(3)])


class Lab:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.state = self.directory / "state"
        self.run = pathlib.Path(tempfile.mkdtemp(prefix="tandem-test-", dir="/dev/shm"))
        self.password_file = self.directory / "admin-password"
        self.password_file.write_text(ADMIN_PASSWORD + "\n")
        self.password_file.chmod(0o600)
        self.host = loopback_address()
        self.daemons, self.peers, self.extra = {}, [], {"mgmtd": [], "switchcore": []}
        self.url, self.token, self.sip = None, None, None
        self.verify = True  # or the file of the authority that the API's certificate is of
        self.env = {}
        self.problems = []

    # The daemons.

    def start(self, *names, sip=("udp:{host}:0", "tcp:{host}:0"), mgmtd=(), switchcore=()):
        """Starts them and waits until they say that they are ready; the options stay the same for restarts."""
        self.sip = self.sip or [listener.format(host=self.host) for listener in sip]
        if mgmtd:
            self.extra["mgmtd"] = list(mgmtd)
        if switchcore:
            self.extra["switchcore"] = list(switchcore)
        for name in names:
            self.launch(name)
        for name in names:
            self.ready(name)
        return self

    def command(self, name):
        if name == "mgmtd":
            listen = self.url.partition("://")[2] if self.url else "127.0.0.1:0"
            own = ["--state", self.state, "--listen", listen, "--admin-password-file", self.password_file]
        else:
            own = [word for listener in self.sip for word in ("--sip", listener)]
        return [BUILD / name, "--run", self.run, *own, *self.extra[name]]

    def launch(self, name):
        env = {**SANITIZER_ENV, **self.env}
        if any("tls:" in listener for listener in self.sip or ()):
            # The libraries have no frame pointers: only a slow walk finds the function that lsan.supp names.
            env["ASAN_OPTIONS"] += ":fast_unwind_on_malloc=0"
        self.daemons[name] = Daemon(name, self.command(name), self.directory / f"{name}.log", env)
        return self.daemons[name]

    def ready(self, name):
        words = self.daemons[name].wait_ready()
        if name == "mgmtd":
            self.url = words[0]
        else:
            # Ports that the system chose are kept over a restart: "udp:127.1.2.3:5060" from "sip=udp:127.1.2.3:0".
            self.sip = [re.sub(r"(udp|tcp|tls):[^,]*", lambda m: self.listener_word(words, m, index), listener)
                        for index, listener in enumerate(self.sip)]

    @staticmethod
    def listener_word(words, match, index):
        found = re.search(r"(udp|tcp|tls):\S*?:\d+", words[index]) if index < len(words) else None
        return found.group(0) if found else match.group(0)

    @property
    def mgmtd(self):
        return self.daemons["mgmtd"]

    @property
    def switchcore(self):
        return self.daemons["switchcore"]

    def stop(self, name, within=10):
        """A clean stop; anything but exit code 0 is a failure."""
        code = self.daemons[name].stop(within)
        assert code == 0, f"{name} ended with {code}: {self.daemons[name].log()}"

    def kill(self, name):
        self.daemons[name].kill()

    def restart(self, name):
        if self.daemons[name].running:
            self.stop(name)
        self.start(name)

    # Those who speak to them.

    def api(self, **options):
        """A client with the administrator's token; one log-in per lab."""
        if options:
            return Api(self.url, verify=self.verify, **options)
        if self.token is None:
            self.token = Api(self.url, password=ADMIN_PASSWORD, verify=self.verify).token
        return Api(self.url, token=self.token, verify=self.verify)

    def wait_switch(self, state="up", within=5):
        api = self.api()
        until(lambda: api.get("/status")["switchcore"]["state"] == state, within, f"switchcore {state}")

    def kamailio(self, name="registrar", **options):
        peer = Kamailio(self.directory / name, options.pop("host", None) or loopback_address(), **options)
        self.peers.append(peer)
        return peer

    def peer(self, answer=None, **options):
        """A scripted registrar; see peer.py."""
        peer = Peer(answer, options.pop("host", None) or loopback_address(), **options)
        self.peers.append(peer)
        return peer

    def dns(self):
        server = Dns(loopback_address())
        self.peers.append(server)
        return server

    def sipp(self, scenario, **options):
        peer = Sipp(self.directory, scenario, loopback_address(), **options)
        self.peers.append(peer)
        return peer

    def double(self):
        """Plays the switch; see double.py."""
        peer = Double(BUILD, self.run, self.directory / "double.log")
        self.peers.append(peer)
        return peer

    def sip_port(self, transport="udp"):
        for listener in self.sip:
            match = re.search(rf"{transport}:(\S*):(\d+)", listener)
            if match:
                return match.group(1), int(match.group(2))
        raise LookupError(f"no {transport} listener among {self.sip}")

    # The end.

    def close(self):
        for name in ("switchcore", "mgmtd"):
            daemon = self.daemons.get(name)
            if not daemon:
                continue
            if not daemon.ended_on_purpose:
                try:
                    code = daemon.stop(within=20)
                    if code != 0:
                        self.problems.append(f"{name} ended with {code}")
                except AssertionError as error:
                    self.problems.append(str(error)[:300])
            elif daemon.running:
                daemon.kill()
        for peer in self.peers:
            peer.stop()
        for name in ("switchcore", "mgmtd"):
            for line in self.log(name).splitlines():
                if SANITIZER.search(line):
                    self.problems.append(f"{name}: {line}")
        shutil.rmtree(self.run, ignore_errors=True)

    def log(self, name):
        path = self.directory / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def logs(self, lines=60):
        """The end of every log, for a failed test's report."""
        out = []
        for path in sorted(self.directory.glob("**/*log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            out.append(f"--- {path.relative_to(self.directory)}\n" + "\n".join(line[:400] for line in tail))
        return "\n".join(out)
