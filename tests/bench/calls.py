"""Calls from SIPp through the bare stack, a proxy and the product to SIPp."""

import contextlib
import pathlib

from measure import alternating, median, quietly, run_json, say
from paths import Bare, Proxy, Switch
from programs import TOOLS, loopback_address, until
from sipp_calls import PORT, Calls
from table import Row, at_least, at_most

SHORT_MS = 50           # a call "of 0 s": a proxy with two workers may put BYE before ACK when there is no time between them
WINDOW_S = 6
LEAST_RATE, RATE_STEP, RATE_STEPS = 500, 1.05, 63
STEP_S = 3
WARM_S = 12             # before a window; memory grows for 32 s (RFC 3261, timer J), alike in both that stand on the stack
HELD, HELD_RATE, HELD_S = 20_000, 1500, 2
FLOODED_RATE, FLOOD_RATE, FLOOD_S = 200, 5000, 8
CPU_BAR, RATE_BAR, KAMAILIO_BAR, TRACE_BAR = 1.3, 0.85, 1.9, 1.03


@contextlib.contextmanager
def three(work, kinds=(Bare, Proxy, Switch)):
    """{name: path}, all to one target, and the addresses of caller and callee; none is started."""
    hosts = loopback_address(), loopback_address()
    paths = {}
    try:
        for kind in kinds:
            options = {"from_hosts": hosts[:1]} if kind is Switch else {}
            paths[kind.name] = kind(pathlib.Path(work) / kind.__name__, f"{hosts[1]}:{PORT}", **options)
        yield paths, hosts
    finally:
        for path in paths.values():
            if isinstance(path, Switch):
                path.close()


# ------------------------------------------------------------------ what a call costs

def cpu_per_call(path, hosts, rate, hold_ms, lead_s):
    """ms of CPU per call that ended in a window of WINDOW_S, lead_s after the first."""
    with path, Calls(path.work, path, *hosts, rate, int(rate * (lead_s + WINDOW_S + 2)), hold_ms) as calls:
        def sample(at):
            until(lambda: len(calls.caller.rows()) >= at, at + 20, f"row {at} of sipp's statistics")
            return path.cpu(), calls.caller.count("SuccessfulCall")
        first, last = sample(lead_s), sample(lead_s + WINDOW_S)
        calls.finish()
        troubles = calls.troubles()
    if troubles:
        say(f"{path.name}: {'; '.join(troubles)}")
    return {"ms": (last[0] - first[0]) * 1e3 / max(1, last[1] - first[1]), "troubles": troubles}


def cost(work, what, rate, hold_ms, lead_s):
    with three(work) as (paths, hosts):
        found = {name: quietly(lambda path=path: cpu_per_call(path, hosts, rate, hold_ms, lead_s)) for name, path in paths.items()}
    ms = {name: result["ms"] for name, result in found.items()}
    text = f"({ms['switchcore']:.3f} ms; {{:.3f}} ms)"
    rows = [at_most(f"{what}, CPU per call against {peer}", ms["switchcore"] / ms[peer], bar,
                    f"{ms['switchcore'] / ms[peer]:.2f}x {text.format(ms[peer])}")
            for peer, bar in (("bare relay", CPU_BAR), ("Kamailio", KAMAILIO_BAR))]
    rows[0].notes += [f"not clean: {name}: {'; '.join(result['troubles'])}" for name, result in found.items() if result["troubles"]]
    return rows


def short_calls(work):
    """CPU per call of calls that end at once, at 800/s."""
    return cost(work, "calls of 0 s at 800/s", 800, SHORT_MS, WARM_S)


def long_calls(work):
    """CPU per call of calls of 10 s, at 400/s: 4,000 at once."""
    return cost(work, "calls of 10 s at 400/s", 400, 10_000, WARM_S)


# ------------------------------------------------------------------ how many at once

def clean(path, hosts, rate, hold_ms=SHORT_MS, seconds=STEP_S):
    with path, Calls(path.work, path, *hosts, rate, int(rate * seconds), hold_ms) as calls:
        troubles = calls.finish(while_clean=True).troubles()
    say(f"{path.name} at {rate:.0f}/s: {'; '.join(troubles) or 'clean'}")
    return not troubles


def highest_clean_rate(path, hosts):
    """By halving over RATE_STEPS rates, each RATE_STEP times the one before; a rate that fails gets a second try."""
    good, bad = -1, RATE_STEPS
    while bad - good > 1:
        middle = (good + bad) // 2
        rate = int(LEAST_RATE * RATE_STEP ** middle)
        if clean(path, hosts, rate) or clean(path, hosts, rate):
            good = middle
        else:
            bad = middle
    return {"rate": int(LEAST_RATE * RATE_STEP ** good) if good >= 0 else 0}


def highest_rates(work):
    """The highest rate at which no call fails and no message is sent again."""
    with three(work) as (paths, hosts):
        rates = {name: quietly(lambda path=path: highest_clean_rate(path, hosts))["rate"] for name, path in paths.items()}
    ours, bare = rates["switchcore"], rates["bare relay"]
    row = at_least("highest rate without a failed or repeated message, against the bare relay", ours / max(1, bare), RATE_BAR,
                   f"{ours / max(1, bare):.2f}x ({ours}/s; {bare}/s)")
    row.notes.append(f"Kamailio, two workers: {rates['Kamailio']}/s; steps of {RATE_STEP - 1:.0%}, {STEP_S} s each; SIPp shares the cores")
    return [row]


# ------------------------------------------------------------------ held calls

def hold(path, hosts, count=HELD):
    """So many calls at once; bytes of memory for each."""
    ramp_s = count / HELD_RATE
    with path:
        before = path.memory()
        with Calls(path.work, path, *hosts, HELD_RATE, count, int((ramp_s + HELD_S) * 1000)) as calls:
            until(lambda: calls.caller.count("OutgoingCall") >= count or not calls.caller.daemon.running, ramp_s * 1.5, f"{count} calls")
            held, memory = calls.held, path.memory()
            troubles = calls.finish().troubles()
    say(f"{path.name}: {held} calls held, {(memory - before) / max(1, held):.0f} bytes each; {'; '.join(troubles) or 'clean'}")
    return {"held": held, "bytes": (memory - before) / max(1, held), "troubles": troubles}


def held_calls(work):
    """20,000 calls at once, and the memory of each."""
    with three(work) as (paths, hosts):
        found = {name: quietly(lambda path=path: hold(path, hosts)) for name, path in paths.items()}
    ours = found["switchcore"]
    row = Row(f"{HELD} calls held at once", f"{ours['held']}, {'; '.join(ours['troubles']) or 'none failed'}", "all",
              ours["held"] / HELD if not ours["troubles"] else 0.0)
    row.notes.append("resident memory per call held: " + "; ".join(f"{name} {result['bytes'] / 1024:.1f} KiB" for name, result in found.items()))
    return [row]


# ------------------------------------------------------------------ variants of the product

def variants(work, rounds, **kinds):
    """{name: ms of CPU per call}, of the product started in several ways: name={options of Switch}."""
    hosts = loopback_address(), loopback_address()
    paths = {name: Switch(pathlib.Path(work) / name, f"{hosts[1]}:{PORT}", from_hosts=hosts[:1], **options) for name, options in kinds.items()}
    try:
        measured = {name: (lambda path=path: cpu_per_call(path, hosts, 800, SHORT_MS, WARM_S // 2)) for name, path in paths.items()}
        return {name: median(results, "ms") for name, results in alternating(rounds, **measured).items()}
    finally:
        for path in paths.values():
            path.close()


def trace(work):
    """What the SIP trace costs."""
    ms = variants(work, 2, on={}, off={"options": ["--trace-bytes", "0"]})
    return [at_most("calls with the SIP trace against without, CPU per call", ms["on"] / ms["off"], TRACE_BAR,
                    f"{ms['on'] / ms['off']:.3f}x ({ms['on']:.3f} ms; {ms['off']:.3f} ms)")]


ALLOCATORS = {"glibc": None, "jemalloc": "libjemalloc.so.2", "mimalloc": "libmimalloc.so.2"}


def allocators(work):
    """Other allocators, by LD_PRELOAD: CPU per call, and memory per call held."""
    kinds = {name: {"env": {"LD_PRELOAD": library} if library else {}} for name, library in ALLOCATORS.items()}
    ms = variants(work, 1, **kinds)
    hosts = loopback_address(), loopback_address()
    held = {}
    for name, options in kinds.items():
        path = Switch(pathlib.Path(work) / f"{name}-held", f"{hosts[1]}:{PORT}", from_hosts=hosts[:1], **options)
        try:
            held[name] = hold(path, hosts, 6000)
        finally:
            path.close()
    return [Row(f"calls with {name}", f"{ms[name]:.3f} ms of CPU, {held[name]['bytes'] / 1024:.1f} KiB per call held", "", None) for name in kinds]


def flood(work):
    """Good calls beside a flood of INVITEs from a source that nobody knows."""
    hosts = loopback_address(), loopback_address()
    path = Switch(pathlib.Path(work) / "switch", f"{hosts[1]}:{PORT}", from_hosts=hosts[:1])
    rows = []
    try:
        for told in (True, False):
            with path:
                path.product.api().patch("/sip-parameters", query={"wait": "applied"}, SS_REPLY_UNAUTHORIZED=told).expect(200)
                before = path.cpu()
                with Calls(work, path, *hosts, FLOODED_RATE, FLOODED_RATE * FLOOD_S, SHORT_MS) as calls:
                    result = run_json(TOOLS / "flood", "--from", loopback_address(), "--to", f"{path.host}:{path.port}", "--rate", FLOOD_RATE,
                                      "--seconds", FLOOD_S)
                    troubles = calls.finish().troubles()
                used = path.cpu() - before
            row = Row(f"{FLOODED_RATE} calls/s beside {FLOOD_RATE} INVITEs/s from an unknown source, {'refused' if told else 'ignored'}",
                      "; ".join(troubles) or "no call failed", "none fails", 0.0 if any("failed" in text for text in troubles) else 1.0)
            row.notes.append(f"{result['sent'] / FLOOD_S:.0f}/s sent, {result['answers']} answered; CPU {used / FLOOD_S:.0%} of a core")
            rows.append(row)
    finally:
        path.close()
    return rows
