"""Networks of the tests' own: namespaces joined by veth pairs, and sockets that live in them."""

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
import uuid

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def ip(*words):
    subprocess.run(["ip", *map(str, words)], check=True, capture_output=True, text=True)


class Namespace:
    def __init__(self):
        self.name = f"tandem-{uuid.uuid4().hex[:8]}"
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")

    def command(self, *words):
        return ["ip", "netns", "exec", self.name, *words]

    def route(self, *words):
        ip("-n", self.name, "route", "add", *words)

    def join(self, other, own_address, other_address):
        """A cable to another namespace; addresses as in "10.0.0.1/24"."""
        ends = [f"v{uuid.uuid4().hex[:8]}" for _ in range(2)]
        ip("link", "add", ends[0], "netns", self.name, "type", "veth", "peer", "name", ends[1], "netns", other.name)
        for namespace, end, address in ((self, ends[0], own_address), (other, ends[1], other_address)):
            ip("-n", namespace.name, "address", "add", address, "dev", end)
            ip("-n", namespace.name, "link", "set", end, "up")

    def socket(self, *arguments):
        """socket.socket(…) in this namespace: a socket stays where it was made, whoever uses it."""
        made = []
        maker = threading.Thread(target=lambda: made.append(self.make(*arguments)))
        maker.start()
        maker.join()
        if isinstance(made[0], OSError):
            raise made[0]
        return made[0]

    def make(self, *arguments):
        try:
            with open(f"/run/netns/{self.name}") as file:
                if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            return socket.socket(*arguments)
        except OSError as error:
            return error

    def remove(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("netns", "delete", self.name)


def refused():
    """Why this machine makes no namespaces; None = it does."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        one = Namespace()
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        return f"the kernel refuses network namespaces: {getattr(error, 'stderr', None) or error}".strip()
    try:
        other = Namespace()
        try:
            one.join(other, "10.255.255.1/30", "10.255.255.2/30")
        finally:
            other.remove()
        one.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    except (subprocess.CalledProcessError, OSError) as error:
        return f"the kernel refuses what namespaces need: {getattr(error, 'stderr', None) or error}".strip()
    finally:
        one.remove()
    return None


class Nat:
    """UDP address translation between two sockets' networks, as a customer's router does it: the outside sees one address, a port for
    each inside socket, and nobody outside reaches anything inside that did not speak first."""

    def __init__(self, namespace, inside, outside, far):
        """inside, outside: its own addresses; far: (host, port) outside that everything sent to it inside goes to."""
        self.namespace, self.outside, self.far = namespace, outside, far
        self.inner = self.bound((inside, far[1]))
        self.ports, self.threads, self.closing = {}, [], False
        self.run(self.outwards)

    def run(self, function, *arguments):
        self.threads.append(threading.Thread(target=function, args=arguments, daemon=True))
        self.threads[-1].start()

    def bound(self, address):
        one = self.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind(address)
        one.settimeout(0.2)
        return one

    def outwards(self):
        while not self.closing:
            try:
                data, source = self.inner.recvfrom(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if source not in self.ports:
                self.ports[source] = self.bound((self.outside, 0))
                self.run(self.inwards, self.ports[source], source)
            self.ports[source].sendto(data, self.far)

    def inwards(self, own, client):
        while not self.closing:
            try:
                data, source = own.recvfrom(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if source == self.far:
                self.inner.sendto(data, client)

    def public(self, address):
        """What the outside sees of an inside address."""
        return self.ports[address].getsockname()

    def stop(self):
        """The addresses are free again."""
        self.closing = True
        for thread in self.threads:
            thread.join()
        for one in [self.inner, *self.ports.values()]:
            one.close()
