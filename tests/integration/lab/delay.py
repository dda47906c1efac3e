"""A line to somewhere far away: every byte takes its time, both ways."""

import selectors
import socket
import threading
import time
from collections import deque

from .ports import free_port

WINDOW = 4 << 20            # bytes under way in one direction
PIECE = 1 << 17


class Delay:
    """Connections to `address` go to `target`, each way in `seconds`.

    A connection's first bytes come one round trip later still, as those of
    a handshake would.
    """

    def __init__(self, lab, target, seconds):
        self.address = ("127.0.0.1", free_port())
        self.url = "http://%s:%d" % self.address
        self._target = target
        self._seconds = seconds
        self._listener = socket.create_server(self.address, backlog=128)
        self._ended = threading.Event()
        lab.own(self)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._ended.set()
        self._listener.close()

    def _accept(self):
        while not self._ended.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,),
                             daemon=True).start()

    def _carry(self, near):
        with near, socket.create_connection(self._target) as far:
            handshake = time.monotonic() + 2 * self._seconds
            lines = [_Line(near, far, self._seconds, handshake),
                     _Line(far, near, self._seconds, 0)]
            while not self._ended.is_set() and any(
                    not line.ended for line in lines):
                _wait(lines)
                try:
                    for line in lines:
                        line.move()
                except OSError:
                    return


class _Line:
    """One direction of a connection."""

    def __init__(self, source, sink, seconds, not_before):
        self.source, self.sink = source, sink
        for each in source, sink:
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._seconds = seconds
        self._not_before = not_before
        self._under_way = deque()       # (when it is there, bytes)
        self._size = 0
        self.closed = False             # the source has
        self.ended = False              # and the sink knows

    def reads(self):
        return not self.closed and self._size < WINDOW

    def writes(self):
        return bool(self._under_way) and \
            self._under_way[0][0] <= time.monotonic()

    def due(self):
        return self._under_way[0][0] if self._under_way else None

    def move(self):
        now = time.monotonic()
        if self.reads():
            self._take(now)
        while self._under_way and self._under_way[0][0] <= now:
            when, data = self._under_way.popleft()
            try:
                sent = self.sink.send(data)
            except BlockingIOError:
                sent = 0
            self._size -= sent
            if sent < len(data):
                self._under_way.appendleft((when, data[sent:]))
                return
        if self.closed and not self._under_way and not self.ended:
            self.sink.shutdown(socket.SHUT_WR)
            self.ended = True

    def _take(self, now):
        try:
            data = self.source.recv(PIECE)
        except BlockingIOError:
            return
        if not data:
            self.closed = True
            return
        when = max(now, self._not_before) + self._seconds
        self._under_way.append((when, memoryview(data)))
        self._size += len(data)


def _wait(lines):
    """Until one of them can move something."""
    events = {}
    for line in lines:
        if line.reads():
            events[line.source] = events.get(line.source, 0) | \
                selectors.EVENT_READ
        if line.writes():
            events[line.sink] = events.get(line.sink, 0) | \
                selectors.EVENT_WRITE
    dues = [line.due() for line in lines
            if line.due() is not None and not line.writes()]
    pause = max(0, min(dues) - time.monotonic()) if dues else 0.1
    with selectors.PollSelector() as selector:
        for each, mask in events.items():
            selector.register(each, mask)
        selector.select(min(pause, 0.1))
