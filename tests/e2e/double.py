"""A program that plays the switch towards mgmtd: what mgmtd shows of calls and gateways is tested without any."""

import os
import pathlib
import queue
import subprocess
import threading

from daemon import die_with_parent

KINDS = {"registration": 1, "routing-gateway": 2, "mapping-gateway": 3, "call": 4}
PHASES = {"setup": 0, "ringing": 1, "answered": 2, "ended": 3}
COMMANDS = {"refresh": 1, "hang_up": 2, "preview_register": 3, "preview_invite": 4}
SLOT_BITS = 20


def call_id(slot, serial):
    """As the API tells it."""
    return f"{serial << SLOT_BITS | slot:016x}"


class Double:
    def __init__(self, build, run, log):
        self.log = open(log, "ab")
        self.process = subprocess.Popen([pathlib.Path(build) / "tests/e2e/switch_double", run], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, preexec_fn=die_with_parent, env=os.environ)
        self.said, self.asked = queue.Queue(), []
        threading.Thread(target=self.listen, daemon=True).start()
        assert self.said.get(timeout=10) == "ready"

    def listen(self):
        for line in self.process.stdout:
            if line.startswith("asked "):
                command, kind, id, incarnation, arguments = (line.rstrip("\n") + " ").split(" ")[1:6]
                self.asked.append((int(command), int(kind), int(id), int(incarnation), bytes.fromhex(arguments)))
            else:
                self.said.put(line.strip())
        self.said.put("ended")

    def tell(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        said = self.said.get(timeout=10)
        assert said == "done", f"the double {said}"

    @staticmethod
    def members(fields):
        return [f"{name}={value}" for name, value in fields.items()]

    def gateway(self, kind, id, incarnation, **fields):
        self.tell("gateway", KINDS[kind], id, incarnation, *self.members(fields))

    def call(self, slot, serial, phase="setup", **fields):
        self.tell("call", slot, serial, f"phase={PHASES[phase]}", *self.members(fields))
        return call_id(slot, serial)

    def call_event(self, slot, serial, before, after, code=0):
        self.tell("event", KINDS["call"], slot, serial << SLOT_BITS | slot, PHASES[before], PHASES[after], code)

    def message(self, direction, transport, local, remote, text):
        raw = text if isinstance(text, bytes) else text.encode()
        self.tell("message", direction, transport, *local, *remote, raw.hex())

    def answer(self, command, error=0, code=0, text=b""):
        raw = text if isinstance(text, bytes) else text.encode()
        self.tell("answer", COMMANDS[command], error, code, raw.hex() or "-")

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(10)
        self.log.close()
