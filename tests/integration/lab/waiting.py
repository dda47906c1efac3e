"""Wait for a condition, never for a time."""

import socket
import time


def wait_until(condition, what, seconds=60):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


def listens(address):
    """Whether something accepts connections at (host, port)."""
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True
