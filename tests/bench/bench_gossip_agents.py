# SPDX-License-Identifier: Apache-2.0
"""The row "agents" of tests/bench/gossip: N processes of srv6-agent as shipped, CURVE on, each with its own loopback
address, the NIC driver `mem`, and probes so rare that none counts. A link event is a drain or undrain given to one
agent's control socket; when each agent knew is read afterwards from the instants of its own `events`, so that nothing
but the agents runs while an event spreads."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

from bench_gossip_common import (MS, S, Skip, cpu_ns, host_address, now_ns, percentile, resident_bytes, start, stop_all,
                                 wire_bytes)

SPINES = 8
PORT = 7946
GAP_S = 0.1  # from one event to the next
CABLES_A_TURN = 8
JOIN_WAIT_S = 60
SETTLE_S = 3.0  # after a mass start: connections of joining go idle and are closed


def leaf_size(hosts):
    return (hosts + SPINES - 1) // SPINES


def ask(path, command, **arguments):
    """One request to an agent's control socket; what it refuses is an exception."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(20)
        control.connect(path)
        control.sendall(json.dumps({"command": command, "arguments": arguments}).encode() + b"\n")
        chunks = []
        while not chunks or not chunks[-1].endswith(b"\n"):
            chunk = control.recv(1 << 20)
            if not chunk:
                break
            chunks.append(chunk)
    answer = json.loads(b"".join(chunks))
    if not answer["ok"]:
        raise RuntimeError(f"{command}: {answer['error']}")
    return answer["result"]


class Fleet:
    def __init__(self, hosts, binaries, work):
        self.hosts, self.binaries, self.work = hosts, binaries, work
        self.processes = []
        self.leaf_size = leaf_size(hosts)
        self.leaves = (hosts + self.leaf_size - 1) // self.leaf_size

    # ---- files

    def path(self, host, name):
        return os.path.join(self.work, f"h{host}", name)

    def socket(self, host):
        return self.path(host, "agent.sock")

    def address(self, host):
        return f"tcp://{host_address(host)}:{PORT}"

    def write_files(self):
        """Configurations, a fabric and keys: as an operator would make them, with srv6-ctl."""
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)
        with open(os.path.join(self.work, "fabric.yaml"), "w", encoding="ascii") as file:
            file.write(f"version: 1\ngeneration: 1\nname: bench\nblock: fcbb:bb00::/32\nclos: {{kind: leaf-spine, leaves: "
                       f"{self.leaves}, spines: {SPINES}, hosts_per_leaf: {self.leaf_size}, cables: 1, host_gbps: 400, "
                       "fabric_gbps: 400}\n")
        for host in range(self.hosts):
            os.mkdir(os.path.join(self.work, f"h{host}"))
            subprocess.run([os.path.join(self.binaries, "srv6-ctl"), "keys", "generate", "--out",
                            os.path.join(self.work, "keys"), "--host", f"h{host}", "--address", self.address(host)],
                           check=True, stdout=subprocess.DEVNULL)
            self.write_config(host)

    def write_config(self, host):
        seeds = json.dumps([self.address(seed) for seed in range(min(self.hosts, 3)) if seed != host])
        with open(self.path(host, "agent.yaml"), "w", encoding="ascii") as file:
            file.write(f"""host: h{host}
fabric: ../fabric.yaml
socket: {self.socket(host)}
log: {{file: agent.log}}
gossip:
  listen: "{self.address(host)}"
  seeds: {seeds}
  curve: {{secret_key_file: ../keys/h{host}.secret, fleet_keys_file: ../keys/fleet.keys}}
nic: {{driver: mem, ports: [{{port: h{host}, device: lo}}]}}
probe: {{interval_ms: 60000, loss_threshold: 100}}
diagnosis: {{probes_per_second: 0}}
ecn: {{idle_interval_ms: 0}}
""")

    # ---- processes

    def start_one(self, host, before=(), **options):
        errors = open(self.path(host, "stderr"), "ab")
        try:
            return start([*before, os.path.join(self.binaries, "srv6-agent"), "--config", self.path(host, "agent.yaml")],
                         stdout=subprocess.DEVNULL, stderr=errors, **options)
        finally:
            errors.close()

    def start_all(self):
        """Starts all at once, and returns that instant: forking so many takes seconds beside those that run already, so
        each waits in a shell for the same pipe to close."""
        gate, held = os.pipe()
        wait = ["/bin/sh", "-c", f'read _ <&{gate}; exec "$@" {gate}<&-', "sh"]
        self.processes = [self.start_one(host, wait, pass_fds=[gate]) for host in range(self.hosts)]
        os.close(gate)
        started_ns = now_ns()
        os.close(held)
        return started_ns

    def start(self):
        """Starts all at once; returns how long until everyone saw everyone."""
        self.write_files()
        started_ns = self.start_all()
        deadline = time.monotonic() + JOIN_WAIT_S
        time.sleep(1.0)
        while True:
            seen_ns = self.all_seen_ns(started_ns)
            if seen_ns is not None:
                break
            for process in self.processes:
                if process.poll() is not None:
                    host = self.processes.index(process)
                    with open(self.path(host, "stderr"), encoding="utf-8") as file:
                        raise Skip(f"h{host} ended: {file.read().strip()[-200:]}")
            if time.monotonic() > deadline:
                raise Skip(f"not everyone saw everyone within {JOIN_WAIT_S} s")
            time.sleep(1.0)
        time.sleep(SETTLE_S)
        return seen_ns

    def all_seen_ns(self, since_ns):
        """How long until the last agent saw the last other one alive; None: it has not."""
        last_ns = 0
        for host in range(self.hosts):
            if not os.path.exists(self.socket(host)):
                return None
            seen = {}
            for event in self.events(host, "member_state"):
                if event["text"].endswith(" is alive"):
                    seen.setdefault(event["subject"], event["at_ns"])
            if len(seen) < self.hosts - 1:
                return None
            last_ns = max(last_ns, max(seen.values()))
        return last_ns - since_ns

    def stop(self):
        stop_all(self.processes)
        self.processes = []

    # ---- what agents say

    def events(self, host, *kinds):
        return [event for event in ask(self.socket(host), "events")["events"] if event["kind"] in kinds]

    def cpu_ns(self):
        return [cpu_ns(process.pid) for process in self.processes]

    # ---- link events

    def cable(self, number):
        """A few cables are drained one after the other, then undrained: so that no agent, however late, meets both
        orders of a cable at once and has no event to note. Returns leaf, spine and whether it is a drain."""
        turn, place = divmod(number, 2 * CABLES_A_TURN)
        cable = (turn * CABLES_A_TURN + place % CABLES_A_TURN) % (self.leaves * SPINES)
        return cable // SPINES, cable % SPINES, place < CABLES_A_TURN

    def drain(self, origin, leaf, spine, active):
        ask(self.socket(origin), "drain", name=f"leaf{leaf}-spine{spine}", kind="link", active=active, force=True)

    def play(self, count, origins, gap_s=GAP_S):
        """Gives the orders, and at the end takes back what is still drained; returns of each order its kind, link,
        instant and origin."""
        orders = []
        drained = {}
        for number in range(count):
            leaf, spine, active = self.cable(number)
            given_ns = now_ns()
            origin = origins[number % len(origins)]
            self.drain(origin, leaf, spine, active)
            drained[(leaf, spine)] = active
            orders.append(("drained" if active else "undrained", f"leaf{leaf}>spine{spine}", given_ns, origin))
            time.sleep(max(0.0, gap_s - (now_ns() - given_ns) / S))
        for leaf, spine in [cable for cable, active in drained.items() if active]:
            self.drain(origins[0], leaf, spine, False)
        return orders

    def arrivals(self, host, orders):
        """When the agent knew of each order, None where it never did."""
        wanted = {}
        for kind, link, _, _ in orders:
            wanted[(kind, link)] = []
        for event in self.events(host, "drained", "undrained"):
            key = (event["kind"], event["subject"])
            if key in wanted and event["at_ns"] >= orders[0][2]:
                wanted[key].append(event["at_ns"])
        result = []
        for kind, link, given_ns, _ in orders:
            found = wanted[(kind, link)]
            result.append(found.pop(0) if found and found[0] >= given_ns else None)
        return result

    def noted(self, orders):
        """When the origin of each order noted it."""
        noted_ns = [None] * len(orders)
        for origin in {order[3] for order in orders}:
            for number, at_ns in enumerate(self.arrivals(origin, orders)):
                noted_ns[number] = at_ns if orders[number][3] == origin else noted_ns[number]
        return noted_ns

    def collect(self, orders, observers):
        """Last agent's and every agent's time for each order since its origin noted it (as the other rows measure:
        what it takes to give an order is not gossip's), and how many never knew."""
        last_ns, host_ns, missing = [0] * len(orders), [], 0
        noted_ns = self.noted(orders)
        for host in observers:
            for number, at_ns in enumerate(self.arrivals(host, orders)):
                if host == orders[number][3]:
                    continue
                if at_ns is None or noted_ns[number] is None:
                    missing += 1
                    continue
                took_ns = max(0, at_ns - noted_ns[number])
                host_ns.append(took_ns)
                last_ns[number] = max(last_ns[number], took_ns)
        return last_ns, host_ns, missing

    def spread(self, first, end):
        """Plays events; the CPU that they cost is what exceeds two idle seconds before."""
        everyone = list(range(self.hosts))
        idle_start, idle_start_ns = sum(self.cpu_ns()), now_ns()
        time.sleep(2.0)
        idle_end, start_ns = sum(self.cpu_ns()), now_ns()
        orders = self.play(end - first, everyone)
        time.sleep(0.5)
        used, played_ns = sum(self.cpu_ns()) - idle_end, now_ns() - start_ns
        idle = (idle_end - idle_start) / (start_ns - idle_start_ns)
        last_ns, host_ns, missing = self.collect(orders, everyone)
        return {"last_ns": last_ns, "host_ns": host_ns, "missing": missing, "cpu_ns": used, "play_ns": played_ns,
                "idle_cpu_ns": idle * played_ns, "idle_ns": played_ns}

    # ---- other rows

    def idle(self, seconds):
        """What an agent costs when nothing happens: the mean and the worst."""
        wire, cpu, start_ns = wire_bytes(), self.cpu_ns(), now_ns()
        sent = [ask(self.socket(host), "status")["gossip"] for host in (0, self.hosts // 2)]
        time.sleep(seconds)
        took_ns = now_ns() - start_ns
        after = self.cpu_ns()
        wire = wire_bytes() - wire
        sent_after = [ask(self.socket(host), "status")["gossip"] for host in (0, self.hosts // 2)]
        shares = [100 * (b - a) / took_ns for a, b in zip(cpu, after)]
        resident = [resident_bytes(process.pid) for process in self.processes]
        count = lambda key: sum(b[key] - a[key] for a, b in zip(sent, sent_after)) / len(sent) / (took_ns / S)
        return {"seconds": took_ns / S, "cpu_percent": sum(shares) / len(shares), "cpu_percent_max": max(shares),
                "resident_bytes": percentile(resident, 50), "resident_bytes_max": max(resident),
                "wire_bytes_per_s": wire / self.hosts / (took_ns / S), "gossip_bytes_per_s": count("sent_bytes"),
                "messages_per_s": count("messages_sent"), "handshakes_per_s": count("connected")}

    def kill_one(self, victim):
        """Kill -9: when each survivor said dead."""
        killed_ns = now_ns()
        self.processes[victim].send_signal(signal.SIGKILL)
        self.processes[victim].wait()
        time.sleep(3.0)
        times, missing = [], 0
        for host in range(self.hosts):
            if host == victim:
                continue
            found = [event["at_ns"] for event in self.events(host, "member_state")
                     if event["subject"] == f"h{victim}" and event["text"].endswith(" is dead")
                     and event["at_ns"] >= killed_ns]
            if found:
                times.append(min(found) - killed_ns)
            else:
                missing += 1
        return {"last_ns": max(times) if times else None, "host_p50_ns": percentile(times, 50), "missing": missing}

    def restart_one(self, victim):
        """With nothing kept: how long until the last of the others sees it alive again."""
        started_ns = now_ns()
        self.processes[victim] = self.start_one(victim)
        time.sleep(3.0)
        times = []
        for host in range(self.hosts):
            found = [event["at_ns"] for event in self.events(host, "member_state")
                     if event["subject"] == f"h{victim}" and event["text"].endswith(" is alive")
                     and event["at_ns"] >= started_ns]
            times += found[:1] if host != victim else []
        return {"last_ns": max(times) - started_ns if times else None, "missing": self.hosts - 1 - len(times)}

    def stopped_neighbour(self, victim, seconds):
        """SIGSTOP for a while: the others' times before and meanwhile, memory, and the way back."""
        others = [host for host in range(self.hosts) if host != victim]
        count = int(seconds / GAP_S / 2)
        before = self.collect(self.play(count, others), others)
        memory = [resident_bytes(self.processes[host].pid) for host in others]
        os.kill(self.processes[victim].pid, signal.SIGSTOP)
        stopped_ns = now_ns()
        orders = self.play(count, others)
        during = self.collect(orders, others)
        time.sleep(max(0.0, seconds - (now_ns() - stopped_ns) / S))
        growth = max(resident_bytes(self.processes[host].pid) - m for host, m in zip(others, memory))
        os.kill(self.processes[victim].pid, signal.SIGCONT)
        continued_ns = now_ns()
        time.sleep(4.0)
        return {"before_p99_ns": percentile(before[0], 99), "during_p99_ns": percentile(during[0], 99),
                "before_p50_ns": percentile(before[0], 50), "during_p50_ns": percentile(during[0], 50),
                "p99_ratio": percentile(during[0], 99) / percentile(before[0], 99),
                "missing": before[2] + during[2], "resident_growth_max_bytes": growth,
                **self.way_back(victim, orders, continued_ns)}

    def way_back(self, victim, orders, continued_ns):
        """When the last of what it had missed was there, and which of its steps were already history."""
        notes = [event for event in self.events(victim, "drained", "undrained") if event["at_ns"] >= continued_ns]
        drained = {link["link"]: link["state"] == "drained" for link in ask(self.socket(victim), "links")["links"]}
        final = {link: False for _, link, _, _ in orders}  # play takes back what is drained
        wrong = sum(drained[link] != state for link, state in final.items())
        stale = sum((event["kind"] == "drained") != final[event["subject"]]
                    for event in notes if event["subject"] in final)
        return {"catch_up_ns": max((event["at_ns"] for event in notes), default=continued_ns) - continued_ns,
                "links_wrong": wrong, "stale_steps": stale}
