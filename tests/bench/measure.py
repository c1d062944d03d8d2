"""Measuring on a machine that others may use too: who had the CPU while a measurement ran, and what to do about it."""

import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

TICK = os.sysconf("SC_CLK_TCK")
QUIET = 0.08        # of all cores: so much may others use before a measurement counts as disturbed
AGAIN = 2           # so often a disturbed measurement is repeated
PATIENCE_S = 120    # a whole run spends at most so long on waiting for quiet moments and on repeating

started = time.monotonic()
patience_left = PATIENCE_S
watched = {}        # pid: name of every process that we started and that still runs


def say(text):
    print(f"[{time.monotonic() - started:4.0f} s] {text}", file=sys.stderr, flush=True)


def process_cpu(pid):
    """Seconds of CPU a process has used, all threads; 0 when it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def own_cpu():
    mine, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime + sum(process_cpu(pid) for pid in watched)


def machine_cpu():
    """User, nice and system time of all cores; interrupts are left out, they belong to no process."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return sum(int(field) for field in fields[1:4]) / TICK


class Others:
    """with Others() as others: …; others.share is the part of the machine that processes not ours used meanwhile."""

    def __enter__(self):
        self.at, self.machine, self.own = time.monotonic(), machine_cpu(), own_cpu()
        return self

    def __exit__(self, *_):
        took = time.monotonic() - self.at
        used = (machine_cpu() - self.machine) - (own_cpu() - self.own)
        self.share = max(0.0, used / (took * os.cpu_count()))


def be_patient(wait):
    """wait(), as long as there is patience left."""
    global patience_left
    begin = time.monotonic()
    result = wait()
    patience_left -= time.monotonic() - begin
    return result


def others_share(seconds=0.3):
    with Others() as others:
        time.sleep(seconds)
    return others.share


def wait_quiet():
    while patience_left > 0 and be_patient(others_share) >= QUIET:
        pass


class Disturbance:
    """The worst that any measurement of a row had to bear."""

    def __init__(self):
        self.share = 0.0

    def notes(self):
        return [f"disturbed: others used {self.share:.0%} of the machine meanwhile"] if self.share >= QUIET else []


disturbance = Disturbance()


def quietly(measure):
    """measure() at a quiet moment; again when others came in between."""
    global patience_left
    for attempt in range(AGAIN + 1):
        wait_quiet()
        with Others() as others:
            result = measure()
        if others.share < QUIET:
            return result
        again = attempt < AGAIN and patience_left > 0
        say(f"others used {others.share:.0%} of the machine" + (", measuring again" if again else ""))
        if not again:
            break
        patience_left -= time.monotonic() - others.at
    disturbance.share = max(disturbance.share, others.share)
    return result


def run_json(*command, timeout=120):
    """The JSON object that a program prints."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise RuntimeError(f"{pathlib.Path(str(command[0])).name} ended with {done.returncode}: {done.stderr[:2000]}")
    return json.loads(done.stdout)


def alternating(rounds, **measurements):
    """Runs the measurements in turn, `rounds` times, so that all see the same machine; {name: [result, …]}."""
    results = {name: [] for name in measurements}
    for _ in range(rounds):
        for name, measure in measurements.items():
            results[name].append(quietly(measure))
    return results


def median(results, member):
    return statistics.median(result[member] for result in results)
