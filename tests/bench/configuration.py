"""The whole configuration at once, and what it costs to have it."""

import concurrent.futures
import contextlib
import json
import shutil
import sqlite3
import threading
import time

from measure import median, run_json
from programs import TOOLS, Product, loopback_address, until
from table import Row

COUNT = 100_000
REVISIONS = 1_000_000
STARTS = 3
PUT_S, START_S, BYTES_EACH = 6, 4, 4096
PAUSE_MS, PINGED_S, PINGS_PER_S = 20, 14, 500


def document(note):
    """Every field that an operator fills in."""
    return {"sip-parameters": {"SS_SIP_USER_AGENT_EXPIRE": 300}, "routing-gateways": [], "mapping-gateways": [],
            "registrations": [{"name": f"r{n:06d}", "enabled": False, "server": "sip.carrier.example", "port": 5060,
                               "username": f"user{n:06d}", "auth_username": f"auth{n:06d}", "password": f"secret-{n:06d}",
                               "domain": "carrier.example", "display_name": f"Trunk {n}", "note": f"{note} {n}"} for n in range(COUNT)]}


@contextlib.contextmanager
def asked_meanwhile(product):
    """Longest answer to a GET of another client, in ms."""
    api, longest, stop = product.api(token=product.api().token), [0.0], threading.Event()

    def ask():
        while not stop.wait(0.002):
            begin = time.monotonic()
            api.get("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE")
            longest[0] = max(longest[0], 1000 * (time.monotonic() - begin))
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield longest
    finally:
        stop.set()
        thread.join()


def put(api, text):
    begin = time.monotonic()
    answer = api.request("PUT", "/config", text, timeout=120).expect(200)
    return time.monotonic() - begin, answer["changes"]


def put_config(work):
    """PUT of 100,000 registrations as one revision, the switch running."""
    with Product(work / "product").start("mgmtd", "switchcore") as product:
        product.wait_switch()
        api = product.api()
        with asked_meanwhile(product) as longest:
            created, changes = put(api, json.dumps(document("site")))
            updated, _ = put(api, json.dumps(document("changed")))
            begin = time.monotonic()
            shown = api.request("GET", "/config", timeout=120).text
            read = time.monotonic() - begin
            unchanged, _ = put(api, shown)
        assert changes["create"] == COUNT, changes
        anonymous, _ = product.memory("mgmtd")
    row = Row(f"PUT /config with {COUNT} new registrations, one revision", f"{created:.2f} s", f"<= {PUT_S} s", PUT_S / created)
    row.notes.append(f"all changed {updated:.2f} s, none {unchanged:.2f} s; GET of {len(shown) / 1e6:.0f} MB {read:.2f} s; the slowest GET of "
                     f"another client meanwhile {longest[0]:.0f} ms; private memory afterwards {anonymous:.0f} MiB")
    return [row]


def pinged(product, host, text):
    """What the answers to OPTIONS looked like while the switch took this configuration, in ms."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pings = pool.submit(run_json, TOOLS / "sip_ping", "--from", loopback_address(), "--to", f"{host}:5060", "--rate", PINGS_PER_S,
                            "--seconds", PINGED_S)
        api = product.api()
        put(api, text)
        until(lambda: api.get("/status")["switchcore"]["applied_revision"] == api.get("/status")["mgmtd"]["stored_revision"], 30, "the revision applied")
        return pings.result()


def pause(work):
    """The longest that a SIP request waits while 100,000 registrations come, change and go at once."""
    host = loopback_address()
    with Product(work / "product").start("mgmtd", "switchcore", sip=(f"udp:{host}:5060",)) as product:
        product.wait_switch()
        found = {what: pinged(product, host, json.dumps(text)) for what, text in
                 {"created": document("site"), "changed": document("changed"), "deleted": {**document(""), "registrations": []}}.items()}
    worst = max(result["max"] for result in found.values())
    row = Row(f"longest wait of a SIP request while {COUNT} registrations come, change, go", f"{worst:.1f} ms", f"<= {PAUSE_MS} ms", PAUSE_MS / worst)
    row.notes.append("; ".join(f"{what}: p50 {r['p50']:.2f}, p99 {r['p99']:.1f}, longest {r['max']:.1f} ms, {r['lost']} lost" for what, r in found.items()))
    return [row]


def add_history(state):
    """Short revisions behind those that are there; nothing at a start reads more than the last of them."""
    with contextlib.closing(sqlite3.connect(state / "tandem.db")) as db, db:
        db.execute("INSERT INTO revisions WITH RECURSIVE n(i) AS (SELECT max(revision) + 1 FROM revisions UNION ALL SELECT i + 1 FROM n"
                   f" WHERE i < {REVISIONS}) SELECT i, '{{\"revision\":' || i || ',\"at\":\"2026-01-02T03:04:05.678Z\",\"actor\":\"admin\","
                   "\"address\":\"127.0.0.1\",\"token\":null,\"comment\":null,\"request_id\":\"x\",\"changes\":[]}', zeroblob(32),"
                   " randomblob(32) FROM n")


def start(work):
    """From the start to ready, and the memory then, with 100,000 registrations and 1,000,000 revisions."""
    with Product(work / "product").start("mgmtd") as product:
        put(product.api(), json.dumps(document("site")))
        product.stop("mgmtd")
        add_history(product.state)
        product.start("mgmtd")      # the segment is behind: it takes the revision up
        product.stop("mgmtd")
        level, empty = [], []
        for _ in range(STARTS):
            for times, wipe in ((level, False), (empty, True)):
                if wipe:
                    for name in ("config", "readers"):
                        (product.run / name).unlink(missing_ok=True)
                begin = time.monotonic()
                product.start("mgmtd")
                times.append({"s": time.monotonic() - begin})
                anonymous, _ = product.memory("mgmtd")
                product.stop("mgmtd")
        shutil.rmtree(product.state)
    each = anonymous * 2**20 / COUNT
    slow, fast = median(empty, "s"), median(level, "s")
    row = Row(f"start with {COUNT} registrations and {REVISIONS} revisions, the segment empty", f"{slow:.2f} s", f"<= {START_S} s", START_S / slow)
    row.notes.append(f"with the segment as it was {fast:.2f} s")
    return [row, Row("private memory of mgmtd per registration, at rest", f"{each:.0f} bytes", f"<= {BYTES_EACH} bytes", BYTES_EACH / each)]
