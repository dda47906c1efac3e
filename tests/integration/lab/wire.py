"""A client that says exactly what it is told, and hears every byte.

It follows no redirect, retries nothing and repairs nothing: a test sees the
wire itself.
"""

import json
import socket


class Answer:
    """One response. `complete` is False if the connection ended within it."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.version, status, *reason = lines[0].split(" ", 2)
        self.status = int(status)
        self.reason = reason[0] if reason else ""
        self.headers = [tuple(part.strip() for part in line.split(":", 1))
                        for line in lines[1:] if line]
        self.body = b""
        self.complete = False

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"

    def __getitem__(self, name):
        """The one header of that name; a repeated one is an error."""
        values = [value for key, value in self.headers
                  if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} is given {len(values)} times"
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The first error code of the specification's error body."""
        return self.json["errors"][0]["code"]


class Wire:
    """One connection to (host, port), plain or through an ssl.SSLContext."""

    def __init__(self, address, tls=None, timeout=30):
        self.address = address
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket,
                                          server_hostname="localhost")
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, method, target, body=None, **headers):
        """Sends one request, reads its answer. key_word=… is Key-Word: …"""
        self.send(request(method, target, body, self.address, **headers))
        return self.answer(method)

    def answer(self, method="GET"):
        """Reads one response. ConnectionError if the peer closed instead."""
        head = self.head()
        if method == "HEAD" or head.status in (100, 204, 304):
            head.complete = True
            return head
        if head["Transfer-Encoding"] == "chunked":
            self._read_chunks(head)
        elif head["Content-Length"] is not None:
            size = int(head["Content-Length"])
            head.body = self.read(size)
            head.complete = len(head.body) == size
        else:
            head.body = self.read(1 << 40)
            head.complete = True
        return head

    def head(self):
        """Reads the head of one response and leaves the body unread."""
        while b"\r\n\r\n" not in self._buffer:
            data = self._receive()
            if not data:
                raise ConnectionError("closed without an answer")
            self._buffer += data
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        return Answer(head)

    def read(self, size):
        """`size` bytes, or fewer if the connection ends before."""
        parts = [self._buffer[:size]]
        self._buffer = self._buffer[size:]
        missing = size - len(parts[0])
        while missing > 0:
            data = self._receive(min(missing, 1 << 20))
            if not data:
                break
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def ends(self):
        """Waits; True if the peer closes without another byte."""
        return self._buffer == b"" and self._receive() == b""

    def _receive(self, size=65536):
        try:
            return self.socket.recv(size)
        except ConnectionResetError:
            return b""

    def _line(self):
        while b"\r\n" not in self._buffer:
            data = self._receive()
            if not data:
                return None
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\r\n", 1)
        return line

    def _read_chunks(self, answer):
        parts = []
        while (line := self._line()) is not None:
            size = int(line.split(b";")[0], 16)
            if size == 0:
                answer.complete = self._line() == b""
                break
            parts.append(self.read(size))
            self._line()
        answer.body = b"".join(parts)


def request(method, target, body, address, **headers):
    """The bytes of one request; `body` None means no Content-Length."""
    lines = [f"{method} {target} HTTP/1.1"]
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    named.setdefault("Host", f"{address[0]}:{address[1]}")
    if body is not None:
        named.setdefault("Content-Length", str(len(body)))
    lines += [f"{key}: {value}" for key, value in named.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def ask(address, method, target, body=None, **headers):
    """One request on a connection of its own."""
    with Wire(address) as wire:
        return wire.ask(method, target, body, Connection="close", **headers)
