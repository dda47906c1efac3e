"""Bad HTTP: what two servers could read in two ways, and what is no HTTP.

A table like that of test_bad_input.py. Behind each message that ends the
connection a second request is sent, which nobody may ever see.
"""

import pytest

from lab.hostile import ENDS, Table, chunks, furnish, head, play, target, \
    unharmed
from lab.registry import Registry

TABLE = Table()


# ------------------------------------------------------------------- heads

TABLE.answered(400, "UNSUPPORTED", ENDS, {
    # where the body ends
    "two lengths": head(b"Content-Length: 0", b"Content-Length: 5"),
    "one length twice":
        head(b"Content-Length: 5", b"Content-Length: 5") + b"abcde",
    "a list of lengths": head(b"Content-Length: 5, 5") + b"abcde",
    "a signed length": head(b"Content-Length: +5") + b"abcde",
    "a negative length": head(b"Content-Length: -5") + b"abcde",
    "a hexadecimal length": head(b"Content-Length: 0x5") + b"abcde",
    "a length with a tail": head(b"Content-Length: 5 5") + b"abcde",
    "a length in quotes": head(b'Content-Length: "5"') + b"abcde",
    "a length with a point": head(b"Content-Length: 5.0") + b"abcde",
    "a length with a semicolon": head(b"Content-Length: 5;a") + b"abcde",
    "an empty length": head(b"Content-Length: "),
    "a length of 2^63": head(b"Content-Length: %d" % 2**63),
    "a length of 2^64 + 5": head(b"Content-Length: %d" % (2**64 + 5)),
    "a length of a thousand digits": head(b"Content-Length: " + b"9" * 1000),
    "a length in Arabic digits":
        head("Content-Length: \u0665".encode()) + b"abcde",
    "length and chunks":
        head(b"Content-Length: 5", b"Transfer-Encoding: chunked") +
        b"0\r\n\r\n",
    "chunks and length":
        head(b"Transfer-Encoding: chunked", b"Content-Length: 5") +
        b"0\r\n\r\n",
    "chunks and a length of 0":
        head(b"Transfer-Encoding: chunked", b"Content-Length: 0"),
    "chunked twice": head(b"Transfer-Encoding: chunked, chunked"),
    "chunked in two headers":
        head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "chunked not last": head(b"Transfer-Encoding: chunked, identity"),
    "chunked behind gzip": head(b"Transfer-Encoding: gzip, chunked"),
    "identity": head(b"Transfer-Encoding: identity"),
    "an empty encoding": head(b"Transfer-Encoding: "),
    "an encoding of a comma": head(b"Transfer-Encoding: ,chunked"),
    "chunked misspelt": head(b"Transfer-Encoding: xchunked"),
    "chunked with a parameter": head(b"Transfer-Encoding: chunked;q=1"),
    "chunked in quotes": head(b'Transfer-Encoding: "chunked"'),
    "chunked behind a vertical tab": head(b"Transfer-Encoding:\x0bchunked"),
    "chunked before a form feed": head(b"Transfer-Encoding: chunked\x0c"),
    "chunked before NUL": head(b"Transfer-Encoding: chunked\0"),
    "chunked with a Kelvin sign":
        head("Transfer-Encoding: chun\u212aed".encode()),
    "chunks in HTTP/1.0":
        b"GET /v2/ HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",

    # lines
    "a folded header": head(b"X-A: b", b" c"),
    "a header folded by a tab": head(b"X-A: b", b"\tc"),
    "a folded encoding": head(b"Transfer-Encoding:", b" chunked"),
    "a first header that is folded":
        b"GET /v2/ HTTP/1.1\r\n Host: x\r\n\r\n",
    "a blank before the colon": head(b"Content-Length : 5") + b"abcde",
    "a tab before the colon": head(b"Content-Length\t: 5") + b"abcde",
    "a header without a colon": head(b"nonsense"),
    "a header without a name": head(b": value"),
    "a name that is no token": head(b"X(A): b"),
    "a name beyond ASCII": head("Höst: b".encode()),
    "a name with a soft hyphen": head("Content\u00ad-Length: 5".encode()),
    "NUL in a name": head(b"X\0A: b"),
    "NUL in a value": head(b"X-A: b\0c"),
    "DEL in a value": head(b"X-A: b\x7fc"),
    "a bare CR in a value": head(b"X-A: b\rContent-Length: 5"),
    "a bare CR ends a header": head(b"X-A: b\rX-B: c"),
    "a bare LF ends a header": head(b"X-A: b\nContent-Length: 5"),
    "a bare LF ends the line": b"GET /v2/ HTTP/1.1\nHost: x\r\n\r\n",
    "a bare LF ends the head": head(b"X-A: b")[:-2] + b"\n",
    "CR CR LF ends a header": head(b"X-A: b\r"),
    "CR CR LF ends the head": head(b"X-A: b")[:-2] + b"\r\r\n",

    # the first line
    "two blanks": b"GET  /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab for a blank": b"GET\t/v2/\tHTTP/1.1\r\nHost: x\r\n\r\n",
    "a blank in front": b" GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a blank behind": b"GET /v2/ HTTP/1.1 \r\nHost: x\r\n\r\n",
    "two empty lines in front": b"\r\n\r\n" + head(),
    "no target": b"GET HTTP/1.1\r\nHost: x\r\n\r\n",
    "no method": b"/v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /v2/\r\nHost: x\r\n\r\n",
    "a version in small letters": b"GET /v2/ http/1.1\r\nHost: x\r\n\r\n",
    "a version with a tail": b"GET /v2/ HTTP/1.1x\r\nHost: x\r\n\r\n",
    "a version with a point more": b"GET /v2/ HTTP/1.1.1\r\nHost: x\r\n\r\n",
    "a version of two digits": b"GET /v2/ HTTP/1.10\r\nHost: x\r\n\r\n",
    "another protocol": b"GET /v2/ ICAP/1.0\r\nHost: x\r\n\r\n",
    "a method that is no token": b"G(T /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a response": b"HTTP/1.1 200 OK\r\nHost: x\r\n\r\n",
    "no HTTP at all": b"\0\r\n\r\n",
    "a shell": b"#!/bin/sh\r\n\r\n",

    # the target
    "a raw NUL": target(b"/v2/team\0app/tags/list"),
    "a raw newline": target(b"/v2/\nX: y"),
    "a raw control character": target(b"/v2/\x01"),
    "a raw letter beyond ASCII": target("/v2/é/tags/list".encode()),
    "a backslash": target(b"/v2/..\\..\\etc"),
    "a fragment": target(b"/v2/#x"),
    "a blank in the target": target(b"/v2/ x"),
    "a quote": target(b'/v2/"x"/tags/list'),
    "half an escape in the target": target(b"/v2/%2"),
    "an escape of no digits": target(b"/v2/%zz"),
    "half an escape in the query": target(b"/v2/?n=%2"),
    "a target without a slash": target(b"v2/"),
    "an empty absolute target": target(b"http://"),
    "an absolute target without a host": target(b"http:///v2/"),
    "an absolute target with a user": target(b"http://u@x/v2/"),
    "another host in the target": target(b"http://evil.example/v2/"),
    "a file as the target": target(b"file:///etc/passwd"),
    "another scheme": target(b"ftp://x/v2/"),
    "an authority as the target": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a star as the target": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",

    # the host
    "no host": b"GET /v2/ HTTP/1.1\r\n\r\n",
    "two hosts": head(b"Host: y"),
    "one host twice": head(b"Host: x"),
    "a host with a blank": b"GET /v2/ HTTP/1.1\r\nHost: x y\r\n\r\n",
    "a host with a slash": b"GET /v2/ HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "a host with a user": b"GET /v2/ HTTP/1.1\r\nHost: u@x\r\n\r\n",
    "a host with NUL": b"GET /v2/ HTTP/1.1\r\nHost: x\0\r\n\r\n",
})


# ------------------------------------------------------------------- chunks

TABLE.answered(400, "UNSUPPORTED", ENDS, {
    "a bare LF behind a chunk's size": chunks(b"5\nabcde\r\n0\r\n\r\n"),
    "a bare LF behind a chunk": chunks(b"5\r\nabcde\n0\r\n\r\n"),
    "a bare CR behind a chunk's size": chunks(b"5\rabcde\r\n0\r\n\r\n"),
    "a bare LF in an extension": chunks(b"5;a\nb\r\nabcde\r\n0\r\n\r\n"),
    "a bare CR in an extension": chunks(b"5;a\rb\r\nabcde\r\n0\r\n\r\n"),
    "NUL in an extension": chunks(b"5;\0\r\nabcde\r\n0\r\n\r\n"),
    "an extension without end": chunks(b"5;" + b"a" * 20_000),
    "a blank behind a chunk's size": chunks(b"5 \r\nabcde\r\n0\r\n\r\n"),
    "a blank before a chunk's size": chunks(b" 5\r\nabcde\r\n0\r\n\r\n"),
    "more bytes than a chunk's size": chunks(b"5\r\nabcdefgh\r\n0\r\n\r\n"),
    "fewer bytes than a chunk's size": chunks(b"5\r\nabc\r\n0\r\n\r\n"),
    "0x before a chunk's size": chunks(b"0x5\r\nabcde\r\n0\r\n\r\n"),
    "a signed size of a chunk": chunks(b"+5\r\nabcde\r\n0\r\n\r\n"),
    "a negative size of a chunk": chunks(b"-5\r\nabcde\r\n0\r\n\r\n"),
    "an empty size of a chunk": chunks(b"\r\nabcde\r\n0\r\n\r\n"),
    "a chunk's size in letters": chunks(b"five\r\nabcde\r\n0\r\n\r\n"),
    "a chunk of 2^63": chunks(b"8000000000000000\r\nabcde\r\n0\r\n\r\n"),
    "a chunk of 2^64 + 5": chunks(b"10000000000000005\r\nabcde\r\n0\r\n\r\n"),
    "a size of 5000 zeros": chunks(b"0" * 5000 + b"5\r\nabcde\r\n0\r\n\r\n"),
    "a folded trailer": chunks(b"5\r\nabcde\r\n0\r\nX-A: b\r\n c\r\n\r\n"),
    "a trailer with NUL": chunks(b"5\r\nabcde\r\n0\r\nX-A: \0\r\n\r\n"),
    "a bare LF ends a trailer": chunks(b"5\r\nabcde\r\n0\r\nX-A: b\n\r\n"),
    "a bare LF ends the body": chunks(b"5\r\nabcde\r\n0\r\n\n"),
    "trailers without end": chunks(b"0\r\n" + b"A: b\r\n" * 2000),
})


# ------------------------------------------------------- too much, too new

TABLE.answered(431, "UNSUPPORTED", ENDS, {
    "a head of 20 KB": head(b"X-A: " + b"a" * 20_000),
    "a target of 20 KB": target(b"/v2/" + b"a" * 20_000),
    "a thousand headers": head(*[b"X-%d: a" % i for i in range(1000)]),
    "a thousand empty headers": head(*[b"a:"] * 1000),
    "a head without end": b"GET /v2/ HTTP/1.1\r\nX: " + b"a" * 100_000,
})

TABLE.answered(505, "UNAVAILABLE", ENDS, {
    "HTTP/0.9 by its name": b"GET /v2/ HTTP/0.9\r\nHost: x\r\n\r\n",
    "HTTP/2": b"GET /v2/ HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9": b"GET /v2/ HTTP/9.9\r\nHost: x\r\n\r\n",
})


# ---------------------------------------------------------------- the runner

@pytest.fixture(scope="module")
def registry(module_scene):
    registry = Registry(module_scene).start()
    furnish(registry)
    return registry


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_bad_http_has_a_clear_answer(registry, row):
    play(registry, row)
    unharmed(registry)
