"""python3 bare_server.py PORT FILE: every request is answered with the file."""

import os
import socket
import sys
import threading


def serve(sock, fd, size):
    with sock:
        head = b""
        while b"\r\n\r\n" not in head:
            more = sock.recv(4096)
            if not more:        # somebody who only looks whether it listens
                return
            head += more
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        offset = 0
        while offset < size:
            offset += os.sendfile(sock.fileno(), fd, offset, size - offset)


def main(port, file):
    fd = os.open(file, os.O_RDONLY)
    size = os.fstat(fd).st_size
    with socket.create_server(("127.0.0.1", int(port)), backlog=128) as door:
        while True:
            sock, _ = door.accept()
            threading.Thread(target=serve, args=(sock, fd, size),
                             daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
