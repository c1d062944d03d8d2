"""Registering many accounts with a local registrar."""

import concurrent.futures
import contextlib
import json
import subprocess
import time

from measure import alternating, median, process_cpu, run_json, say
from programs import TOOLS, Product, RegistrarKamailio, loopback_address, running, until
from table import Row, at_least

COUNT, MANY = 10_000, 100_000
IN_FLIGHT = 50
SWITCHCORE = ("--register-rate", "0", "--register-rate-per-server", "0", "--max-inflight", "1000",
              "--max-inflight-per-server", str(IN_FLIGHT))
REST_S = 10


@contextlib.contextmanager
def registrar(work, count, port=0):
    """The cheap one; gives its port and a function that waits for its report."""
    with running([TOOLS / "registrar", "--count", count, "--port", port], r"127\.0\.0\.1:(\d+)", work / "registrar.log") as (own, process):
        with concurrent.futures.ThreadPoolExecutor(1) as reader:
            report = reader.submit(process.stdout.readline)
            try:
                yield int(own), lambda within: json.loads(report.result(within))
            finally:
                process.terminate()


def switch_of(work, count, host, port):
    """A product whose mgmtd runs with so many registrations; its switchcore is not started yet."""
    product = Product(work / "product").start("mgmtd").fill(count, host, port)
    product.api().patch("/sip-parameters", SS_SIP_USER_AGENT_SEND_UNREGISTER=False).expect(200)
    product.extra["switchcore"] = list(SWITCHCORE)
    return product


def against_own_registrar(work):
    with registrar(work, COUNT) as (port, _):
        pass

    def bare():
        with registrar(work, COUNT, port) as (_, report):
            own = run_json(TOOLS / "bare_register", "--to", f"127.0.0.1:{port}", "--count", COUNT, "--in-flight", IN_FLIGHT)
            return {**report(30), "client_cpu_us": own["cpu_us"]}

    with switch_of(work, COUNT, "127.0.0.1", port) as product:
        def ours():
            with registrar(work, COUNT, port) as (_, report):
                product.start("switchcore", sip=("udp:127.0.0.1:0",))
                try:
                    result = report(60)
                    return {**result, "client_cpu_us": process_cpu(product.switchcore.pid) * 1e6 / COUNT}
                finally:
                    product.stop("switchcore")
        return alternating(3, product=ours, bare=bare)


def ten_thousand(work):
    results = against_own_registrar(work)
    rate, bare_rate = median(results["product"], "rate"), median(results["bare"], "rate")
    row = at_least(f"{COUNT} registrations with digest, rate against a bare sofia-sip client", rate / bare_rate, 0.6,
                   f"{rate / bare_rate:.2f}x ({rate:.0f}/s; {bare_rate:.0f}/s)")
    row.notes.append(f"CPU of the client per registration: {median(results['product'], 'client_cpu_us'):.0f} us (with its start); "
                     f"{median(results['bare'], 'client_cpu_us'):.0f} us; of the registrar: "
                     f"{median(results['bare'], 'cpu_s') * 1e6 / COUNT:.0f} us")
    return [row, *kamailio(work / "kamailio")]


class Span:
    """Rate between two samples of Kamailio's counter."""

    def __init__(self, peer):
        self.peer, self.first, self.before = peer, None, peer.accepted()

    def wait(self, count, within):
        def enough():
            now, accepted = time.monotonic(), self.peer.accepted() - self.before
            if accepted and not self.first:
                self.first = now, accepted
            return accepted >= count and (now, accepted)
        last = until(enough, within, lambda: f"{count} registrations at Kamailio, only {self.peer.accepted() - self.before}")
        return {"rate": (last[1] - self.first[1]) / (last[0] - self.first[0])}


def kamailio(work):
    """The same with a real registrar."""
    peer = RegistrarKamailio(work, loopback_address())
    address = f"{peer.host}:{peer.port}"

    def with_kamailio(client):
        peer.start()
        try:
            span = Span(peer)
            return client(span)
        finally:
            peer.stop()

    def bare(span):
        process = subprocess.Popen([TOOLS / "bare_register", "--to", address, "--count", str(COUNT), "--in-flight", str(IN_FLIGHT)],
                                   stdout=subprocess.DEVNULL)
        result = span.wait(COUNT, 60)
        process.wait(60)
        return result

    with switch_of(work, COUNT, peer.host, peer.port) as product:
        def ours(span):
            product.start("switchcore", sip=("udp:127.0.0.1:0",))
            try:
                return span.wait(COUNT, 60)
            finally:
                product.stop("switchcore")
        results = alternating(2, product=lambda: with_kamailio(ours), bare=lambda: with_kamailio(bare))
    rate, bare_rate = median(results["product"], "rate"), median(results["bare"], "rate")
    return [at_least("the same with Kamailio as registrar", rate / bare_rate, 0.6,
                     f"{rate / bare_rate:.2f}x ({rate:.0f}/s; {bare_rate:.0f}/s)")]


def hundred_thousand(work):
    """Works, and what it costs at rest."""
    with registrar(work, MANY) as (port, report), switch_of(work, MANY, "127.0.0.1", port) as product:
        say(f"{MANY} registrations are stored")
        product.start("switchcore", sip=("udp:127.0.0.1:0",))
        result = report(120)
        api = product.api()
        until(lambda: api.get("/status")["registrations"]["by_state"]["registered"] == MANY, 30,
              lambda: f"{MANY} registered: {api.get('/status').json['registrations']}")
        until(lambda: at_rest(product), 60, "rest")
        before = {name: process_cpu(product.daemons[name].pid) for name in ("mgmtd", "switchcore")}
        time.sleep(REST_S)
        cpu = {name: (process_cpu(product.daemons[name].pid) - before[name]) / REST_S for name in before}
        memory = {name: product.memory(name) for name in before}
        pages = api.get("/status")["segment"]
    row = Row(f"{MANY} registrations configured and registered", f"{result['seconds']:.1f} s, {result['rate']:.0f}/s", "works", 1.0)
    row.notes.append("at rest: " + "; ".join(
        f"{name} {memory[name][0]:.0f} MiB of its own + {memory[name][1]:.0f} MiB mapped, {cpu[name]:.1%} of a core" for name in cpu))
    row.notes.append(f"configuration segment: {pages['pages_used']} of {pages['pages_total']} pages of 16 KiB")
    return [row]


def at_rest(product):
    before = process_cpu(product.switchcore.pid)
    time.sleep(1)
    return process_cpu(product.switchcore.pid) - before < 0.05
