"""A SOCKS5 proxy (RFC 1928, 1929) that remembers who went where."""

import socket
import socketserver
import struct
import threading

from .background import Background
from .ports import free_port

VERSION, CONNECT = 5, 1
ADDRESS, NAME = 1, 3                    # kinds of targets
OPEN, PASSWORD = 0, 2                   # ways to log in
DONE, REFUSED = 0, 5


class Socks:
    """Names are looked up in `names`, {name: (address, port)}, by it alone."""

    def __init__(self, lab, names=None):
        address = ("127.0.0.1", free_port())
        self.host = "%s:%d" % address
        self.names = names or {}
        self.refuses = False
        self.asked = []                 # (user, password, host, port)
        self._server = _Server(address, _Handler)
        self._server.socks = self
        Background(lab, self._server)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):
        pass    # one of the two ends went away


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        socks = self.server.socks
        user, password = self._greet()
        host, port = self._target()
        socks.asked.append((user, password, host, port))
        target = socks.names.get(host, (host, port))
        answer = REFUSED if socks.refuses else DONE
        self.wfile.write(struct.pack("!BBxBIH", VERSION, answer, ADDRESS,
                                     0, 0))
        if answer == DONE:
            with socket.create_connection(target) as there:
                self._relay(there)

    def _greet(self):
        """Who it is: (user, password), or a pair of Nones."""
        version, count = self._read("!BB")
        assert version == VERSION
        ways = self.rfile.read(count)
        way = PASSWORD if PASSWORD in ways else OPEN
        self.wfile.write(bytes([VERSION, way]))
        if way == OPEN:
            return None, None
        self._read("!B")
        who = self._text(), self._text()
        self.wfile.write(b"\x01\x00")
        return who

    def _target(self):
        version, command, kind = self._read("!BBxB")
        assert (version, command) == (VERSION, CONNECT)
        host = self._text() if kind == NAME else \
            socket.inet_ntoa(self.rfile.read(4))
        return host, *self._read("!H")

    def _read(self, form):
        return struct.unpack(form, self.rfile.read(struct.calcsize(form)))

    def _text(self):
        return self.rfile.read(*self._read("!B")).decode()

    def _relay(self, there):
        """What the client says goes there, until one of them ends."""
        threading.Thread(target=_pass, args=(self.connection, there),
                         daemon=True).start()
        _pass(there, self.connection)


def _pass(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for each in source, sink:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
