"""A long history: searching it, and verifying it from end to end."""

import re
import subprocess
import time

from measure import alternating, median, quietly
from programs import BUILD, TOOLS, Product, load
from table import Row, at_most

REGISTRATIONS = 100
SHORT, LONG = 1000, 1_000_000
VERIFIED = 300_000
SEARCHES = {
    "the newest 100": "/revisions",
    "of one user": "/revisions?actor=user-0",
    "of one object": "/revisions?kind=registrations&name=r000050",
    "of one user on one object": "/revisions?actor=user-0&kind=registrations&name=r000050",
    "by time": "/revisions?until=2020-09-13T12:40:00Z",
}
LIMIT = 5    # as many as each search finds in the short history, too


def make_history(state, revisions, registrations=REGISTRATIONS):
    subprocess.run([TOOLS / "make_history", state, str(revisions), str(registrations)], check=True, timeout=900)
    return state


def with_history(directory, revisions):
    product = Product(directory)
    make_history(product.state, revisions)
    return product.start("mgmtd")


def revisions(work):
    """The first page at a million revisions against a thousand, by every index."""
    rows = []
    with with_history(work / "short", SHORT) as short, with_history(work / "long", LONG) as long:
        for what, target in SEARCHES.items():
            target += ("&" if "?" in target else "?") + f"limit={100 if 'newest' in what else LIMIT}"
            asked = {name: (product.address, product.request("get", "GET", target)) for name, product in (("short", short), ("long", long))}
            results = alternating(3, **{name: lambda to=to, request=request: load(to, request, seconds=1, warmup=0.3)
                                        for name, (to, request) in asked.items()})
            slow, fast = (median(results[name], "p50_us") for name in ("long", "short"))
            rows.append(at_most(f"GET /revisions, {what}: {LONG:,} revisions against {SHORT:,}, p50", slow / fast, 1.5,
                                f"{slow / fast:.2f}x ({slow:.0f} us; {fast:.0f} us)"))
    return rows


def verify(work):
    """mgmtd --verify-audit: chain, index of changes and documents."""
    database = make_history(work / "state", VERIFIED, 1000) / "tandem.db"

    def once():
        began = time.monotonic()
        done = subprocess.run([BUILD / "mgmtd", "--verify-audit", database], capture_output=True, text=True, timeout=300, check=True)
        assert re.match(rf"valid: {VERIFIED} revisions", done.stdout), done.stdout
        return time.monotonic() - began

    once()
    took = min(quietly(once) for _ in range(3))
    size = database.stat().st_size / VERIFIED
    return [Row("verify the history, revisions a second", f"{VERIFIED / took:,.0f}/s ({took / VERIFIED * 1e6:.2f} us, {size:.0f} bytes each)",
                ">= 100,000/s", VERIFIED / took / 100_000)]
