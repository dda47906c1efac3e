"""What clients say while they upload a blob."""

from .wire import request


def start_upload(wire, name, query=""):
    """The Location of a new upload."""
    answer = wire.ask("POST", f"/v2/{name}/blobs/uploads/{query}", b"")
    assert answer.status == 202, answer
    assert answer["Location"].startswith(f"/v2/{name}/blobs/uploads/")
    return answer["Location"]


def chunked(*pieces):
    """A body in chunks, with its end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece)
                    for piece in (*pieces, b""))


def send_chunked(wire, method, target, *pieces, **headers):
    """A request whose body says nothing of its length before it ends."""
    wire.send(request(method, target, None, wire.address,
                      Transfer_Encoding="chunked", **headers))
    wire.send(chunked(*pieces))


def ask_chunked(wire, method, target, *pieces, **headers):
    send_chunked(wire, method, target, *pieces, **headers)
    return wire.answer()


def begin(wire, method, target, size, data, **headers):
    """Says `size` bytes and sends `data`, the first of them."""
    wire.send(request(method, target, None, wire.address,
                      Content_Length=str(size), **headers) + data)
