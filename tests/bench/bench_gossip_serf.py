# SPDX-License-Identifier: Apache-2.0
"""The row "serf" of tests/bench/gossip: N agents of Debian's package, their default (lan) profile. What each agent knew
is read from its log, and the instant is that of the reading: one process reads all of them."""

import glob
import os
import selectors
import shutil
import signal
import subprocess
import threading
import time

from bench_gossip_common import S, Skip, cpu_ns, host_address, now_ns, percentile, resident_bytes, start, stop_all

PORT, RPC_PORT = 7950, 7373
GAP_S = 0.4  # events overlap; serf's queue takes that without being slower
SPREAD_WAIT_S = 3.0
JOIN_WAIT_S = 120
DEAD_WAIT_S = 40


def find_serf(cache):
    """serf of the PATH, else of Debian's package, unpacked but not installed: that would start a service."""
    found = shutil.which("serf")
    unpacked = os.path.join(cache, "usr/bin/serf")
    if found or os.path.exists(unpacked):
        return found or unpacked
    os.makedirs(cache, exist_ok=True)
    if shutil.which("apt-get") is None:
        raise Skip("serf is not installed, and there is no apt-get to fetch it")
    fetched = subprocess.run(["apt-get", "download", "-q", "serf"], cwd=cache, capture_output=True, text=True, check=False)
    packages = glob.glob(os.path.join(cache, "serf_*.deb"))
    if not packages:
        raise Skip(f"serf is not installed and cannot be fetched: {fetched.stderr.strip()[-120:]}")
    subprocess.run(["dpkg", "-x", packages[0], cache], check=True)
    return unpacked


class Serf:
    def __init__(self, hosts, program):
        self.hosts, self.program = hosts, program
        self.processes, self.lines = [], []  # (instant, host, text)
        self.selector = selectors.DefaultSelector()
        self.reading = True
        self.reader = None

    def read(self):
        rest = [b""] * self.hosts
        while self.reading:
            for key, _ in self.selector.select(0.2):
                at_ns, host = now_ns(), key.data
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    self.selector.unregister(key.fileobj)
                    continue
                *whole, rest[host] = (rest[host] + chunk).split(b"\n")
                self.lines += [(at_ns, host, line.decode(errors="replace")) for line in whole]

    def start(self):
        """Starts all at once; returns how long until everyone saw everyone."""
        started_ns = now_ns()
        for host in range(self.hosts):
            words = [self.program, "agent", f"-node=h{host}", f"-bind={host_address(host)}:{PORT}",
                     f"-rpc-addr={host_address(host)}:{RPC_PORT}", "-log-level=info", "-retry-interval=1s"]
            words += [f"-retry-join={host_address(0)}:{PORT}"] if host > 0 else []
            process = start(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            os.set_blocking(process.stdout.fileno(), False)
            self.processes.append(process)
            self.selector.register(process.stdout, selectors.EVENT_READ, host)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        return self.wait_seen(started_ns)

    def wait_seen(self, started_ns):
        deadline, done, seen, last_ns = time.monotonic() + JOIN_WAIT_S, 0, set(), 0
        while len(seen) < self.hosts * (self.hosts - 1):
            if time.monotonic() > deadline:
                raise Skip(f"serf: not everyone saw everyone within {JOIN_WAIT_S} s")
            time.sleep(0.05)
            for at_ns, host, text in self.lines[done:]:
                done += 1
                if "EventMemberJoin: " in text:
                    who = text.split("EventMemberJoin: ")[1].split()[0]
                    if who != f"h{host}" and (host, who) not in seen:
                        seen.add((host, who))
                        last_ns = at_ns
        return last_ns - started_ns

    def stop(self):
        self.reading = False
        if self.reader is not None:
            self.reader.join()
        stop_all(self.processes)
        for process in self.processes:
            process.stdout.close()
        self.processes = []

    def spread(self, first, end):
        given = {}
        idle_start, idle_start_ns = sum(cpu_ns(p.pid) for p in self.processes), now_ns()
        time.sleep(2.0)
        idle_end, start_ns = sum(cpu_ns(p.pid) for p in self.processes), now_ns()
        for number in range(first, end):
            origin = number % self.hosts
            given[number] = (now_ns(), origin)
            subprocess.run([self.program, "event", f"-rpc-addr={host_address(origin)}:{RPC_PORT}", "-coalesce=false",
                            f"link-{number}", "leaf0-spine0 down"], check=True, stdout=subprocess.DEVNULL)
            time.sleep(max(0.0, GAP_S - (now_ns() - given[number][0]) / S))
        time.sleep(SPREAD_WAIT_S)
        used, played_ns = sum(cpu_ns(p.pid) for p in self.processes) - idle_end, now_ns() - start_ns
        idle = (idle_end - idle_start) / (start_ns - idle_start_ns)
        last_ns, host_ns, missing = self.collect(given)
        return {"last_ns": last_ns, "host_ns": host_ns, "missing": missing, "cpu_ns": used, "play_ns": played_ns,
                "idle_cpu_ns": idle * played_ns, "idle_ns": played_ns}

    def collect(self, given):
        arrived = {}
        for at_ns, host, text in list(self.lines):
            if "user-event: link-" in text:
                arrived.setdefault((int(text.rsplit("link-", 1)[1].split()[0]), host), at_ns)
        last_ns, host_ns, missing = [], [], 0
        for number, (given_ns, origin) in given.items():
            times = [arrived[(number, host)] - given_ns for host in range(self.hosts)
                     if host != origin and (number, host) in arrived]
            missing += self.hosts - 1 - len(times)
            host_ns += times
            last_ns.append(max(times, default=0))
        return last_ns, host_ns, missing

    def idle(self, seconds):
        before, start_ns = [cpu_ns(p.pid) for p in self.processes], now_ns()
        time.sleep(seconds)
        took_ns = now_ns() - start_ns
        shares = [100 * (cpu_ns(p.pid) - b) / took_ns for p, b in zip(self.processes, before)]
        return {"seconds": took_ns / S, "cpu_percent": sum(shares) / len(shares), "cpu_percent_max": max(shares),
                "resident_bytes": percentile([resident_bytes(p.pid) for p in self.processes], 50)}

    def kill_one(self, victim):
        killed_ns = now_ns()
        self.processes[victim].send_signal(signal.SIGKILL)
        self.processes[victim].wait()
        deadline, times = time.monotonic() + DEAD_WAIT_S, {}
        while len(times) < self.hosts - 1 and time.monotonic() < deadline:
            time.sleep(0.5)
            for at_ns, host, text in list(self.lines):
                if f"EventMemberFailed: h{victim} " in text and at_ns >= killed_ns:
                    times.setdefault(host, at_ns - killed_ns)
        return {"last_ns": max(times.values(), default=None), "host_p50_ns": percentile(times.values(), 50),
                "missing": self.hosts - 1 - len(times)}
