"""What `make bench` prints: one line a row, and what machine it was."""

import os
import pathlib
import platform
import re
import subprocess
import time


class Row:
    """measured and bar are words; ratio says how many times better than the bar it is, None = a figure without a bar."""

    def __init__(self, what, measured, bar, ratio):
        self.what, self.measured, self.bar, self.ratio = what, measured, bar, ratio
        self.notes = []

    @property
    def verdict(self):
        if self.ratio is None:
            return ""
        return f"{'met' if self.ratio >= 1 else 'short'} ({self.ratio:.2f})"


def at_most(what, value, limit, measured):
    """The bar is value <= limit, a multiple."""
    return Row(what, measured, f"<= {limit:g}x", limit / value)


def at_least(what, value, limit, measured):
    return Row(what, measured, f">= {limit:g}x", value / limit)


def print_table(rows):
    columns = [("what", "measured", "bar", "verdict")] + [(row.what, row.measured, row.bar, row.verdict) for row in rows]
    widths = [max(len(line[i]) for line in columns) for i in range(4)]
    for number, line in enumerate(columns):
        print("  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
        else:
            for note in rows[number - 1].notes:
                print(f"    {note}")
    print("\nverdict: how many times better than the bar; below 1 it is short of it")


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except OSError:
        return "not installed"
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "?"


def package(name):
    return first_line("dpkg-query", "-W", "-f=${Version}", name)


def cpu_model():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.M)
    return found.group(1) if found else platform.machine()


def file_system(path):
    return first_line("findmnt", "-n", "-o", "FSTYPE,SOURCE", "-T", str(path))


def print_machine(work):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"machine: {os.cpu_count()} x {cpu_model()}, {memory:.0f} GiB, Linux {platform.release()}")
    print(f"databases on: {' '.join(file_system(work).split())}; shared memory on: {' '.join(file_system('/dev/shm').split())}")
    print("peers: " + ", ".join(f"{name} {package(name)}" for name in (
        "libmicrohttpd12", "libsqlite3-0", "liblmdb0", "libsofia-sip-ua0", "etcd-server", "kamailio")))
    print(f"compiler: {first_line('cc', '--version')}")
    print(f"load: {' '.join(f'{load:.2f}' for load in os.getloadavg())} at {time.strftime('%Y-%m-%d %H:%M:%S')}")
