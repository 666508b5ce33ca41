# SPDX-License-Identifier: Apache-2.0
"""A small authoritative DNS server (RFC 1035), UDP and TCP, whose names change and misbehave as a test wants."""

import socket
import struct
import threading
import time

A, AAAA = 1, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


class DnsServer:
    """names: name -> list of addresses (texts), or "silent" or "servfail".
    A name that is not there does not exist. More than fit into 512 bytes come by TCP."""

    def __init__(self, address="127.0.0.1"):
        self.names = {}
        self.asked = []  # (time, name, type, "udp" or "tcp")
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 53))
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((address, 53))
        self.tcp.listen(16)
        threading.Thread(target=self.serve_udp, daemon=True).start()
        threading.Thread(target=self.serve_tcp, daemon=True).start()

    def serve_udp(self):
        while True:
            query, client = self.udp.recvfrom(65536)
            answer = self.answer(query, "udp")
            if answer is not None:
                self.udp.sendto(answer, client)

    def serve_tcp(self):
        while True:
            client, _ = self.tcp.accept()
            threading.Thread(target=self.serve_stream, args=(client,), daemon=True).start()

    def serve_stream(self, client):
        with client:
            while True:
                head = client.recv(2, socket.MSG_WAITALL)
                if len(head) < 2:
                    return
                query = client.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
                answer = self.answer(query, "tcp")
                if answer is None:
                    return
                client.sendall(struct.pack("!H", len(answer)) + answer)

    def answer(self, query, how):
        number, flags, *_ = struct.unpack("!HHHHHH", query[:12])
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack("!H", query[at + 1 : at + 3])[0]
        question = query[12 : at + 5]
        name = ".".join(labels)
        self.asked.append((time.monotonic(), name, kind, how))
        known = self.names.get(name)
        if known == "silent":
            return None
        code = NXDOMAIN if known is None else SERVFAIL if known == "servfail" else NOERROR
        records = b""
        count = 0
        for address in known if isinstance(known, list) else []:
            if (":" in address) == (kind == AAAA) and kind in (A, AAAA):
                data = socket.inet_pton(socket.AF_INET6 if kind == AAAA else socket.AF_INET, address)
                records += struct.pack("!HHHIH", 0xC00C, kind, 1, 5, len(data)) + data
                count += 1
        truncated = how == "udp" and 12 + len(question) + len(records) > 512
        if truncated:
            records, count = b"", 0
        bits = 0x8400 | (flags & 0x0100) | (0x0200 if truncated else 0) | code
        return struct.pack("!HHHHHH", number, bits, 1, count, 0, 0) + question + records
