"""tshark as the judge of capture files."""

import subprocess


def run(path, *options):
    done = subprocess.run(["tshark", "-n", "-r", path, *options], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def packets(path, *fields):
    """The fields of each packet, as texts."""
    out = run(path, "-T", "fields", *[word for field in fields for word in ("-e", field)])
    return [line.split("\t") for line in out.splitlines()]


def faults(path):
    """Malformed packets, wrong checksums, and what is no SIP."""
    checks = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]
    return run(path, *checks, "-Y", "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 || "
               "tcp.analysis.flags")
