# SPDX-License-Identifier: Apache-2.0
"""What the rows of tests/bench/gossip share: clocks, percentiles, processes, what /proc says of them."""

import ctypes
import os
import signal
import subprocess
import sys
import time

MS = 1_000_000
S = 1_000_000_000
PAGE = os.sysconf("SC_PAGE_SIZE")


class Skip(Exception):
    """A row that cannot run here, with the reason."""


def say(text):
    print(f"gossip: {text}", file=sys.stderr, flush=True)


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def percentile(values, percent):
    """Nearest rank; None of nothing."""
    ordered = sorted(values)
    rank = (len(ordered) * percent + 99) // 100
    return ordered[max(rank, 1) - 1] if ordered else None


def host_address(host):
    """All of 127/8 is local: every host has an address of its own."""
    return f"127.1.0.{host + 1}"


def die_with_parent():
    prctl_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(prctl_set_pdeathsig, signal.SIGKILL)


def start(words, **options):
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent, **options)


def stop_all(processes):
    for process in processes:
        if process.poll() is None:
            process.kill()
    for process in processes:
        process.wait()


def cpu_ns(pid):
    """CPU time of all threads; 0 when it is gone. The clock's number is how Linux makes it of a pid."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return 0


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * PAGE


def wire_bytes():
    """Sent over the loopback of this network namespace since it exists, headers and ACKs included."""
    with open("/proc/net/dev", encoding="ascii") as file:
        for line in file:
            name, _, fields = line.partition(":")
            if name.strip() == "lo":
                return int(fields.split()[8])
    return 0


def spread_summary(last_ns, host_ns, missing, hosts, cpu_per_update_ns):
    """One row of "how long until all know"."""
    return {
        "events": len(last_ns),
        "last_p50_ns": percentile(last_ns, 50),
        "last_p99_ns": percentile(last_ns, 99),
        "last_max_ns": percentile(last_ns, 100),
        "host_p50_ns": percentile(host_ns, 50),
        "host_p99_ns": percentile(host_ns, 99),
        "missing": missing,
        "hosts": hosts,
        "cpu_per_update_ns": cpu_per_update_ns,
    }
