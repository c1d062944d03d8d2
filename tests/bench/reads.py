"""Reads over HTTP."""

import concurrent.futures
import statistics
import time

from measure import alternating, median
from programs import ADMIN_PASSWORD, Product, bare_http, capture, load
from table import at_least, at_most

STORED = 100
FEW, MANY = 1_000, 100_000
CONNECTIONS = 32
LOG_INS = 50
READS_PER_SECOND = 2000


def get(work):
    """GET of one resource with a JWT against a ready answer of the same bytes from the bare library."""
    with Product(work / "product").start("mgmtd", "switchcore").fill(STORED, enabled=False) as product:
        resource = product.request("get", "GET", "/registrations/r######")
        with bare_http(capture(product.address, resource, work / "answer")) as (bare, _):
            results = alternating(
                4,
                product=lambda: load(product.address, resource, CONNECTIONS, objects=STORED, seconds=2.5),
                bare=lambda: load(bare, resource, CONNECTIONS, objects=STORED, seconds=2.5),
                product_one=lambda: load(product.address, resource, objects=STORED, seconds=2),
                bare_one=lambda: load(bare, resource, objects=STORED, seconds=2))
    rate, bare_rate = median(results["product"], "rate"), median(results["bare"], "rate")
    p50, bare_p50 = median(results["product_one"], "p50_us"), median(results["bare_one"], "p50_us")
    row = at_least(f"GET with JWT, {CONNECTIONS} connections, rate against bare libmicrohttpd", rate / bare_rate, 0.85,
                   f"{rate / bare_rate:.2f}x ({rate:.0f}/s; {bare_rate:.0f}/s)")
    busy = median(results["bare"], "generator_cpu")
    if busy > 0.95:
        row.notes.append(f"the load generator used {busy:.0%} of a core: the bare server may be faster than shown")
    return [row, at_most("GET with JWT, 1 connection, p50 against bare libmicrohttpd", p50 / bare_p50, 1.15,
                         f"{p50 / bare_p50:.2f}x ({p50:.0f} us; {bare_p50:.0f} us)")]


def log_ins(work):
    """GET at an even rate, quiet and while 50 clients log in again and again."""
    with Product(work / "product").start("mgmtd", "switchcore").fill(STORED, enabled=False) as product:
        resource = product.request("get", "GET", "/registrations/r######")
        log_in = product.request("log-in", "POST", "/session", {"username": "admin", "password": ADMIN_PASSWORD}, authorized=False)

        def reads():
            return load(product.address, resource, CONNECTIONS, objects=STORED, seconds=6, rate=READS_PER_SECOND)

        def reads_and_log_ins():
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                logging_in = pool.submit(load, product.address, log_in, LOG_INS, seconds=7, warmup=0, from_many=True)
                return {**reads(), "log_ins": logging_in.result()}

        results = alternating(2, quiet=reads, busy=reads_and_log_ins)
    quiet_p99, busy_p99 = median(results["quiet"], "p99_us"), median(results["busy"], "p99_us")
    row = at_most(f"GET p99 at {READS_PER_SECOND}/s while {LOG_INS} clients log in, against quiet", busy_p99 / quiet_p99, 2,
                  f"{busy_p99 / quiet_p99:.2f}x ({busy_p99:.0f} us; {quiet_p99:.0f} us)")
    row.notes.append(", ".join(f"{one['log_ins']['rate']:.1f} log-ins/s, each {one['log_ins']['p50_us'] / 1e6:.1f} s"
                               for one in results["busy"]))
    return [row]


def look(work, count):
    """Times in ms of GET /advice after a change of one of so many registrations, and after one that concerns them all."""
    with Product(work / f"product-{count}").start("mgmtd", "switchcore").fill(count, enabled=False) as product:
        api = product.api()
        product.wait_switch(within=60)

        def timed(change):
            times = []
            for turn in range(7):
                change(turn)
                began = time.perf_counter()
                api.get("/advice").expect(200)
                times.append(time.perf_counter() - began)
            return 1000 * statistics.median(times)

        return (timed(lambda turn: api.patch("/registrations/r000001", user_agent=f"bench/{turn}").expect(200)),
                timed(lambda turn: api.patch("/sip-parameters", SS_SIP_USER_AGENT_EXPIRE=300 + turn).expect(200)))


def advice(work):
    """GET /advice costs what changed: one registration of many against all of them."""
    (few, _), (one, every) = look(work, FEW), look(work, MANY)
    row = at_most(f"GET /advice after a change of one of {MANY} registrations, against one that concerns all", one / every, 0.35,
                  f"{one / every:.2f}x ({one:.0f} ms; {every:.0f} ms)")
    row.notes.append(f"with {FEW} registrations: {few:.1f} ms")
    return [row]
