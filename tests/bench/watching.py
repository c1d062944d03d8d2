"""Telling many what happens."""

from measure import quietly, run_json
from programs import TOOLS, Product, until
from table import Row

LISTENERS, CHANGES = 500, 40
STORED = 100


def events(work):
    """One change to 500 clients of /events."""
    with Product(work / "product").start("mgmtd", "switchcore").fill(STORED, enabled=False) as product:
        listen = product.request("events", "GET", "/events?types=revision")
        change = product.user_agent_change("r000007")
        words = [TOOLS / "events_load", "--to", product.address, "--events", listen, "--change", change]
        one = quietly(lambda: run_json(*words, "--clients", 1, "--changes", 10 * CHANGES))
        until(lambda: "\ntandem_events_clients 0\n" in product.api().get("/metrics").text, 5, "the place of the one client free")
        many = quietly(lambda: run_json(*words, "--clients", LISTENERS, "--changes", CHANGES))
    p99 = many["p99_us"] / 1000
    row = Row(f"a change's request -> its event at {LISTENERS} clients, p99", f"{p99:.1f} ms (p50 {many['p50_us'] / 1000:.1f} ms)", "<= 50 ms",
              50 / p99)
    row.notes.append(f"with one client: p50 {one['p50_us'] / 1000:.2f} ms, p99 {one['p99_us'] / 1000:.2f} ms; worst of all {many['max_us'] / 1000:.1f} ms")
    return [row]
