"""A real Kamailio as the carrier's registrar, or as a proxy that stays in the path."""

import base64
import itertools
import json
import pathlib
import socket

from daemon import Daemon
from sip import Message
from until import until

TEMPLATES = pathlib.Path(__file__).parent
sequence = itertools.count(1)


class Kamailio:
    """host, port: where it listens, UDP and TCP.  Accounts are refused by digest unless digest=False.
    With next_hop, a URI, it is no registrar but a record-routing proxy in front of that."""

    def __init__(self, directory, host, port=5060, digest=True, algorithm="MD5", nonce_expire=300, next_hop=None):
        self.directory, self.host, self.port = pathlib.Path(directory), host, port
        self.directory.mkdir(parents=True, exist_ok=True)
        self.socket = self.directory / "rpc"
        self.config = self.directory / "kamailio.cfg"
        words = {"ADDRESS": host, "PORT": port, "DIGEST": int(digest), "ALGORITHM": algorithm, "SOCKET": self.socket,
                 "NONCE_EXPIRE": nonce_expire, "NEXT_HOP": next_hop}
        text = (TEMPLATES / ("proxy.cfg" if next_hop else "kamailio.cfg")).read_text()
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        self.config.write_text(text)
        self.messages_read, self.log_offset = [], 0
        self.settings = {}
        self.daemon = None
        self.start()

    def start(self):
        command = ["kamailio", "-DD", "-E", "-m", "64", "-M", "8", "-f", str(self.config), "-Y", str(self.directory)]
        self.daemon = Daemon("kamailio", command, self.directory / "log", own_group=True)
        until(self.answers, 10, lambda: "answer from kamailio; its log: " + self.daemon.log())
        for (table, key), value in self.settings.items():
            self.put(table, key, value)

    def stop(self):
        """Gone, with all its processes; one that hangs at its end is no matter of ours."""
        self.daemon.stop_group(within=3)

    def answers(self):
        assert self.daemon.running, "kamailio ended: " + self.daemon.log()
        try:
            return self.rpc("core.uptime")
        except (OSError, ConnectionError):
            return None

    def rpc(self, method, *params):
        """The result; LookupError with Kamailio's message when it has none."""
        own = self.directory / f"client-{next(sequence)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.bind(str(own))
            try:
                client.settimeout(5)
                request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
                client.sendto(json.dumps(request).encode(), str(self.socket))
                answer = json.loads(client.recv(1 << 20))
            finally:
                own.unlink()
        if "error" in answer:
            raise LookupError(answer["error"]["message"])
        return answer["result"]

    # How it treats an account, from now on and after a restart.

    def put(self, table, key, value):
        self.settings[table, key] = value
        self.rpc("htable.seti" if isinstance(value, int) else "htable.sets", table, key, value)

    def account(self, username, password):
        self.put("password", username, password)

    def silent(self, user):
        self.put("answer", user, 0)

    def refuse(self, user, code, phrase, header=None):
        self.put("phrase", user, phrase)
        if header:
            self.put("header", user, header)
        self.put("answer", user, code)

    def serve(self, user):
        """As before silent() or refuse()."""
        for table in ("answer", "header", "phrase", "minimum"):
            if self.settings.pop((table, user), None) is not None:
                self.rpc("htable.delete", table, user)

    def refuse_shorter_than(self, user, seconds):
        self.put("minimum", user, seconds)

    def grant_at_most(self, seconds):
        self.rpc("cfg.set_now_int", "registrar", "max_expires", seconds)

    # What it has seen.

    @property
    def messages(self):
        """Every request received, oldest first."""
        with open(self.directory / "log", errors="replace") as log:
            log.seek(self.log_offset)
            while True:
                line = log.readline()
                if not line.endswith("\n"):
                    break
                self.log_offset = log.tell()
                _, found, rest = line.partition("<script>: received ")
                if found:
                    at, source, raw = rest.split(" ")
                    transport, host, port = source.split(":")
                    message = Message(base64.b64decode(raw), float(at), (host, int(port)), transport)
                    self.messages_read.append(message)
        return self.messages_read

    def registers(self, user=None):
        return [m for m in self.messages if m.method == "REGISTER" and user in (None, m.user)]

    def wait_for_register(self, user, count=1, within=5, **having):
        """The count-th REGISTER of the account that has these attributes (expires=…, call_id=…)."""
        def found():
            fit = [m for m in self.registers(user) if all(getattr(m, k) == v for k, v in having.items())]
            return fit[count - 1] if len(fit) >= count else None
        return until(found, within, lambda: f"REGISTER {count} of {user} {having}; got {self.registers(user)}")

    def bindings(self, user):
        """Contacts of the account: [{"Address", "Expires", "Received", …}]."""
        try:
            return [item["Contact"] for item in self.rpc("ul.lookup", "location", user)["Contacts"]]
        except LookupError:
            return []

    def wait_for_binding(self, user, expires=None, within=5):
        """A live binding, with about `expires` seconds left when that is given."""
        def found():
            for contact in self.bindings(user):
                left = contact["Expires"]
                if isinstance(left, int) and left > 0 and (expires is None or expires - 3 <= left <= expires):
                    return contact
            return None
        return until(found, within, lambda: f"binding of {user} with expires {expires}; has {self.bindings(user)}")

    def wait_for_no_binding(self, user, within=5):
        until(lambda: not self.bindings(user), within, lambda: f"end of the binding {self.bindings(user)}")
