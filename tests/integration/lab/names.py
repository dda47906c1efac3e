"""A name server that knows one service."""

import random
import socket
import socketserver
import struct

from .background import Background

SRV, FOUND, FAILED, UNKNOWN = 33, 0, 2, 3
QUESTION = 12                   # where it begins


class Names(socketserver.UDPServer):
    """`targets` are (priority, weight, port, host) of the SRV records of
    `name`; None: it cannot say."""

    def __init__(self, scene, name):
        self.name = name
        self.targets = []
        super().__init__((free_address(), 53), Answer)
        self.resolver = scene.directory("names") / "resolv.conf"
        self.resolver.write_text(f"nameserver {self.server_address[0]}\n"
                                 "options timeout:1 attempts:2\n")
        Background(scene, self)

    def before(self):
        """In front of a program that shall ask it."""
        return ("unshare", "--mount", "sh", "-ec",
                'mount --bind "$0" /etc/resolv.conf\nexec "$@"', self.resolver)

    def answer(self, question):
        end = question.index(b"\0", QUESTION) + 5
        kind, = struct.unpack("!H", question[end - 4:end - 2])
        code, records = self._records(question[QUESTION:end - 4], kind)
        return (question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1,
                                           len(records), 0, 0)
                + question[QUESTION:end] + b"".join(records))

    def _records(self, name, kind):
        targets = self.targets
        if targets is None:
            return FAILED, []
        if name.lower() != wire_name(self.name).lower():
            return UNKNOWN, []
        return FOUND, [record(*each) for each in targets if kind == SRV]


class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        question, listening = self.request
        listening.sendto(self.server.answer(question), self.client_address)


def record(priority, weight, port, host):
    what = struct.pack("!HHH", priority, weight, port) + wire_name(host)
    return b"\xc0\x0c" + struct.pack("!HHIH", SRV, 1, 0, len(what)) + what


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in name.split(".")) + b"\0"


def free_address():
    """A loopback address whose port 53 nobody has."""
    for _ in range(1000):
        address = "127.{}.{}.{}".format(*random.choices(range(1, 255), k=3))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
            try:
                trial.bind((address, 53))
                return address
            except OSError:
                pass    # somebody has it, perhaps all of them
    raise AssertionError("port 53 cannot be had at any loopback address")
