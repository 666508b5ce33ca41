# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a Kubernetes API server over real TLS, which answers what a test says, byte by byte."""

import json
import os
import queue
import socket
import ssl
import subprocess
import threading
import time

PATIENCE_S = 20


def named(name, version, **more):
    return {"metadata": {"name": name, "resourceVersion": str(version)}, **more}


def event(kind, obj):
    return json.dumps({"type": kind, "object": obj}) + "\n"


def write_token(folder, text):
    """As a kubelet does: a new file in the place of the old one."""
    with open(f"{folder}/token.new", "w") as file:
        file.write(text)
    os.rename(f"{folder}/token.new", f"{folder}/token")


class Server:
    """Hands every connection's requests, parsed, to the test; the test answers byte by byte."""

    def __init__(self, folder, name="127.0.0.1"):
        self.folder = folder
        make_certificate(folder, name)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(f"{folder}/server.crt", f"{folder}/server.key")
        self.requests = queue.Queue()
        self.listener = None
        self.port = 0
        self.open()

    def open(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        self.listener.listen(8)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def shut(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self, listener):
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(plain,), daemon=True).start()

    def serve(self, plain):
        try:
            stream = self.context.wrap_socket(plain, server_side=True)
        except (ssl.SSLError, OSError):
            return
        data = b""
        while True:
            try:
                more = stream.recv(65536)
            except OSError:
                return
            if not more:
                return
            data += more
            while b"\r\n\r\n" in data:
                head, data = data.split(b"\r\n\r\n", 1)
                self.requests.put(Request(stream, head.decode()))

    def next(self, what, patience_s=PATIENCE_S):
        """The next request, which must be to `what`: list or watch."""
        try:
            request = self.requests.get(timeout=patience_s)
        except queue.Empty:
            raise AssertionError(f"no request; a {what} expected") from None
        kind = "watch" if "watch=1" in request.target else "list"
        assert kind == what, f"{what} expected, not {request.target}"
        return request

    def silent(self, seconds):
        time.sleep(seconds)
        assert self.requests.empty(), f"asked too soon: {self.requests.get().target}"


class Request:
    def __init__(self, stream, head):
        self.stream = stream
        first, *lines = head.split("\r\n")
        self.target = first.split()[1]
        self.headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}

    def answer(self, status, body, headers=""):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.stream.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    def refuse(self, status, message, headers=""):
        self.answer(status, {"kind": "Status", "message": message, "code": status}, headers)

    def list(self, version, *items):
        self.answer(200, {"kind": "List", "metadata": {"resourceVersion": str(version)}, "items": list(items)})

    def begin(self):
        self.stream.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    def say(self, text):
        data = text.encode()
        self.stream.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def end(self):
        self.stream.sendall(b"0\r\n\r\n")

    def cut(self):
        try:
            self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            self.stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.stream.close()


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_certificate(folder, name):
    """A CA as ca.crt, and a server's certificate from it."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=test-ca", "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.crt")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=server",
            "-keyout", f"{folder}/server.key", "-out", f"{folder}/server.csr")
    kind = "IP" if name[0].isdigit() else "DNS"
    with open(f"{folder}/san", "w") as file:
        file.write(f"subjectAltName={kind}:{name}\n")
    openssl("x509", "-req", "-in", f"{folder}/server.csr", "-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", f"{folder}/san", "-out", f"{folder}/server.crt")


class Api:
    """Answers as an API server would: collections of objects by their paths, of which watchers hear every change."""

    def __init__(self, server, *paths):
        self.server, self.version = server, 1
        self.collections = {path: {} for path in paths}
        self.watchers = []  # (path, request)
        self.asked = []  # targets
        self.lock = threading.Lock()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            request = self.server.requests.get()
            with self.lock:
                self.asked.append(request.target)
                try:
                    self.answer(request)
                except OSError:
                    pass

    def answer(self, request):
        path = request.target.split("?")[0]
        if path not in self.collections:
            request.refuse(404, "the server could not find the requested resource")
        elif "watch=1" not in request.target:
            request.list(self.version, *self.collections[path].values())
        else:
            request.begin()
            since = int(request.target.split("resourceVersion=")[1].split("&")[0])
            for item in self.collections[path].values():
                if int(item["metadata"]["resourceVersion"]) > since:
                    request.say(event("MODIFIED", item))
            self.watchers.append((path, request))

    def tell(self, kind, path, item):
        for watcher in list(self.watchers):
            try:
                if watcher[0] == path:
                    watcher[1].say(event(kind, item))
            except OSError:
                self.watchers.remove(watcher)

    def put(self, path, name, **more):
        with self.lock:
            self.version += 1
            collection = self.collections[path]
            kind = "MODIFIED" if name in collection else "ADDED"
            collection[name] = named(name, self.version, **more)
            self.tell(kind, path, collection[name])

    def delete(self, path, name):
        with self.lock:
            self.version += 1
            self.tell("DELETED", path, {**self.collections[path].pop(name), **named(name, self.version)})

    def cut(self):
        """All watches break."""
        with self.lock:
            for _, request in self.watchers:
                request.cut()
            self.watchers = []
