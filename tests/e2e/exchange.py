"""A switch with callers and gateways around it, and what tests of calls ask of them."""

import datetime

from dialog import ANSWER
from lab import loopback_address
from phone import Phone
from sip import response
from until import until

NUMBER = "8801234567"     # that the gateways of a test take, unless it says otherwise
APPLIED = {"wait": "applied"}


class Exchange:
    """Everything that a test makes here is gone at its end: end()."""

    def __init__(self, lab):
        self.lab, self.api = lab, lab.api()
        self.phones, self.proxies, self.made, self.parameters = [], [], [], set()
        self.since = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    # Peers.

    def phone(self, transport="udp", tls=None, user="phone", host=None, port=0):
        """A peer that the switch does not know."""
        phone = Phone(host or loopback_address(), self.lab.sip_port(transport), transport, tls, port, user)
        self.phones.append(phone)
        return phone

    def make(self, kind, name, **fields):
        self.made.append((kind, name))
        return self.api.post(f"/{kind}", query=APPLIED, name=name, **fields).expect(201)

    def change(self, kind, name, **fields):
        return self.api.patch(f"/{kind}/{name}", query=APPLIED, **fields).expect(200)

    def caller(self, name="caller", transport="udp", **fields):
        """A phone whose calls are let in."""
        phone = self.phone(transport, user=name)
        self.make("mapping-gateways", name, **{"sources": [phone.host], **fields})
        return phone

    def gateway(self, name="gateway", transport="udp", prefixes=("880",), tls=None, **fields):
        """A phone that calls go to."""
        phone = self.phone(transport, tls, user=name)
        self.make("routing-gateways", name, **{"host": phone.host, "port": phone.port, "transport": transport, "prefixes": list(prefixes),
                                               **fields})
        return phone

    def registration(self, name="trunk", code=200, **fields):
        """A registration at a registrar that answers every REGISTER so."""
        registrar = self.phone(user="registrar")
        registrar.automatic = lambda request: request.method == "REGISTER" and request.send(response(request, code))
        self.make("registrations", name, **{"server": registrar.host, "port": registrar.port, "username": name, "password": "x", **fields})
        self.api.wait_for_state(name, "registered" if code == 200 else "waiting")
        return registrar

    def set(self, **parameters):
        """SIP parameters, for this test."""
        self.parameters.update(parameters)
        return self.api.patch("/sip-parameters", query=APPLIED, **parameters).expect(200)

    def proxy(self, next_hop):
        """A real record-routing proxy in front of (host, port), or of any address that has them."""
        host, port = next_hop if isinstance(next_hop, tuple) else (next_hop.host, next_hop.port)
        proxy = self.lab.kamailio(f"proxy-{loopback_address()}", next_hop=f"sip:{host}:{port}")
        self.proxies.append(proxy)
        return proxy

    def sipp(self, calls, rate, transport="udp", via=None, number=NUMBER):
        """(caller, callee): SIPp on both sides, each with its gateway; the caller waits for start().  via: makes the callee's proxy."""
        mode = {"udp": "u1", "tcp": "t1"}[transport]
        callee = self.lab.sipp("answer", calls=calls, transport=mode, trace=False)
        hop = via(callee) if via else callee
        caller = self.lab.sipp("call", calls=calls, rate=rate, transport=mode, target=self.lab.sip_port(transport), number=number,
                               start=False, trace=False)
        self.proxies += [caller, callee]
        self.make("mapping-gateways", "sipp", sources=[caller.host])
        self.make("routing-gateways", "sipp", host=hop.host, port=hop.port, transport=transport, prefixes=["880"])
        return caller, callee

    # Calls.

    def ringing(self, caller, callee, /, number=NUMBER, **options):
        """(caller's end, callee's end) of a call that rings."""
        call = caller.invite(number, **options)
        leg = callee.incoming()
        leg.reply(180)
        call.expect(180)
        return call, leg

    def talking(self, caller, callee, /, number=NUMBER, **options):
        """The same of a call that is up."""
        call, leg = self.ringing(caller, callee, number, **options)
        leg.reply(200, body=ANSWER)
        call.answered()
        leg.expect("ACK")
        return call, leg

    # What the switch tells.

    def calls(self):
        return self.api.get("/calls").expect(200)["items"]

    def call(self, call, within=3, **having):
        """The item of /calls about this call, once it shows these members."""
        def found():
            for item in self.calls():
                if item["call_id_in"] == call.call_id and all(item[k] == v for k, v in having.items()):
                    return item
            return None
        return until(found, within, lambda: f"{having} of {call.call_id}; calls: {self.calls()}")

    def is_over(self, call, within=3):
        until(lambda: all(item["call_id_in"] != call.call_id for item in self.calls()), within, lambda: f"end of {call.call_id}")

    def cdrs(self, **query):
        return self.api.pages("/cdrs", since=self.since, **query)

    def cdr(self, call, within=4):
        """The record of this call."""
        def found():
            own = [item for item in self.cdrs() if item["call_id_in"] == call.call_id]
            assert len(own) < 2, own
            return own[0] if own else None
        return until(found, within, lambda: f"CDR of {call.call_id}; has {[c['call_id_in'] for c in self.cdrs()]}")

    def cdr_after(self, call):
        """Hangs up, and gives the record."""
        for phone in self.phones:
            phone.polite()
        call.request("BYE").expect(200)
        return self.cdr(call)

    def status(self, name, kind="routing-gateways"):
        return self.api.get(f"/{kind}/{name}/status").expect(200).json

    def wait_status(self, name, kind="routing-gateways", within=3, **having):
        def found():
            status = self.status(name, kind)
            return status if all(status[k] == v for k, v in having.items()) else None
        return until(found, within, lambda: f"{having} of {name}: {self.status(name, kind)}")

    # The end.

    def end(self):
        """Takes away what the test made.  The switch must have survived it."""
        for phone in self.phones:
            phone.polite()
        if self.lab.switchcore.running and self.lab.mgmtd.running:
            answer = self.api.get("/calls")
            for item in answer["items"] if answer.status == 200 else []:
                self.api.delete(f"/calls/{item['id']}")
            for kind, name in reversed(self.made):
                self.api.delete(f"/{kind}/{name}", query=APPLIED)
            if self.parameters:
                self.api.patch("/sip-parameters", body={name: None for name in self.parameters}, query=APPLIED)
        for peer in self.phones + self.proxies:
            peer.stop()
        assert self.lab.switchcore.running, f"switchcore ended with {self.lab.switchcore.process.returncode}"


def revive(lab):
    """A switch that a test before this one brought down costs that test, not all that follow."""
    for name in ("mgmtd", "switchcore"):
        if not lab.daemons[name].running:
            lab.start(name)
    lab.wait_switch()
