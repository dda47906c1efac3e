"""A line to an upstream that is held within an answer, and then cut."""

import socket
import threading

from .ports import free_port

PIECE = 1 << 16


class Gate:
    """Connections to `address` go to `target`.

    The first that brings `hold_at` bytes stays there, silent, until cut()
    ends it; the others go on to their end.
    """

    def __init__(self, lab, target, hold_at):
        self.address = ("127.0.0.1", free_port())
        self.url = "http://%s:%d" % self.address
        self._target = target
        self._hold_at = hold_at
        self._holder = threading.Lock()     # taken once, by who is held
        self._held = threading.Event()
        self._cut = threading.Event()
        self._sockets = []
        self._listener = socket.create_server(self.address, backlog=128)
        lab.own(self)
        threading.Thread(target=self._accept, daemon=True).start()

    def holds(self):
        return self._held.is_set()

    def cut(self):
        self._cut.set()

    def stop(self):
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            end(each)
            each.close()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._sockets += [near, far]
            for source, sink, mark in [(near, far, None),
                                       (far, near, self._hold_at)]:
                threading.Thread(target=self._carry, daemon=True,
                                 args=(source, sink, mark)).start()

    def _carry(self, source, sink, mark):
        """Until one side ends; `mark` is where it may have to stop."""
        passed = 0
        try:
            while data := source.recv(
                    min(PIECE, mark - passed) if mark else PIECE):
                sink.sendall(data)
                passed += len(data)
                if passed == mark:
                    mark = None
                    if self._holder.acquire(blocking=False):
                        self._held.set()
                        self._cut.wait()
                        break
        except OSError:
            pass    # the other direction has ended both
        end(source)
        end(sink)


def end(connection):
    """By FIN, whoever reads it."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass    # its peer was faster
