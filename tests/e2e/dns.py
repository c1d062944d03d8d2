"""A name server on loopback that answers from a table."""

import socket
import struct
import threading

A, SRV, NAPTR, AAAA = 1, 33, 35, 28


def encode_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split(".") if label) + b"\0"


def text(value):
    return bytes([len(value)]) + value.encode()


class Dns:
    """records: {(name, type): [data, …]}, see a(), srv(), naptr(); a name in `hanging` is never answered."""

    def __init__(self, host):
        self.records, self.hanging, self.queries, self.ttl = {}, set(), [], 60
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.host, self.port = self.socket.getsockname()
        self.socket.settimeout(0.2)
        self.closing = False
        threading.Thread(target=self.serve, daemon=True).start()

    def a(self, name, *addresses):
        self.records[name, A] = [socket.inet_aton(address) for address in addresses]

    def srv(self, name, *targets):
        """targets: (priority, weight, port, host)"""
        self.records[name, SRV] = [struct.pack("!HHH", *numbers) + encode_name(host) for *numbers, host in targets]

    def naptr(self, name, *entries):
        """entries: (order, preference, service, replacement)"""
        self.records[name, NAPTR] = [struct.pack("!HH", order, preference) + text("S") + text(service) + text("") + encode_name(to)
                                     for order, preference, service, to in entries]

    def stop(self):
        self.closing = True
        self.socket.close()

    def serve(self):
        while not self.closing:
            try:
                query, source = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            self.reply(query, source)

    def reply(self, query, source):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        name, (kind, _) = ".".join(labels), struct.unpack("!HH", query[at + 1:at + 5])
        self.queries.append((name, kind))
        if name in self.hanging:
            return
        known = any(name == owner for owner, _ in self.records)
        found = self.records.get((name, kind), [])
        head = query[:2] + struct.pack("!HHHHH", 0x8580 | (0 if known else 3), 1, len(found), 0, 0)
        answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, self.ttl, len(data)) + data for data in found)
        self.socket.sendto(head + query[12:at + 5] + answers, source)
