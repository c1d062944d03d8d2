"""A phone whose every address is another one: it sends from one socket, names a second in Via and a third in Contact.  What reaches
it tells by which of them (Received.reached) the switch found its way."""

import socket
import threading

from lab import loopback_address
from phone import Phone

# Where a packet goes to in each mode of reply_address and request_address: the name of a socket here.
REPLY = {"socket": "source", "via_port": "via_port", "via": "via"}
REQUEST = {"socket": "source", "contact_port": "contact_port", "contact": "contact"}


class Scattered(Phone):
    """The sockets are named

        source        that every message leaves by
        via, contact  what Via and Contact say: other addresses, other ports
        via_port, contact_port  the source's address with the port of Via, of Contact
        front         where its gateway says that calls go to
        route         a hop that it may name in Record-Route

    Whatever comes to any of them is answered from `source`."""

    def __init__(self, host, switch, user="scattered"):
        self.sockets, self.names = {}, {}
        super().__init__(host, switch, user=user)
        self.name_socket("source", self.socket)
        for name in ("via", "contact", "front", "route"):
            self.open_socket(name, loopback_address(), 0)
        for name in ("via", "contact"):
            self.open_socket(f"{name}_port", host, self.address(name)[1])
        self.sent_by = "%s:%d" % self.address("via")
        self.contact_uri = f"sip:{user}@%s:%d" % self.address("contact")

    def open_socket(self, name, host, port):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((host, port))
        one.settimeout(0.2)
        self.connections.append(one)
        self.name_socket(name, one)
        threading.Thread(target=self.serve_datagrams, args=(one,), daemon=True).start()

    def name_socket(self, name, one):
        self.sockets[name] = one
        self.names[one.getsockname()] = name

    def address(self, name):
        return self.sockets[name].getsockname()

    def receive(self, data, source, send, reached=None):
        super().receive(data, source, lambda reply: self.socket.sendto(reply, source), reached)

    def came_by(self, message):
        """The name of the socket that it reached."""
        return self.names[message.reached]

    def ways(self):
        """{(what, name of the socket)} of all that came, retransmissions too: for the message of a failed test."""
        return [(message.start, self.came_by(message)) for message in list(self.arrivals)]
