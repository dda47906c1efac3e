"""Free ports for servers that cannot say which one they took.

They lie below the range from which the kernel takes the source ports of
outgoing connections, so ten thousand clients cannot steal one.
"""

import random
import socket

_given = set()


def free_port(address="127.0.0.1"):
    while True:
        port = random.randrange(10000, 32000)
        if port not in _given and _is_free(address, port):
            _given.add(port)
            return port


def _is_free(address, port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True
