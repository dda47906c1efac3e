"""Bad input: what may come in, and what has to go out.

The answer of each group stands above it: the status, the specification's
code, and whether the connection lives on. Then come its rows, one a line: what
it is, and the bytes that are sent. `lab/hostile.py` says how they are made.
"""

import os
import re

import pytest

from lab.content import digest_of
from lab.hostile import APP, CONFIG, ENDS, GOOD, LAYER, LIVES, NOWHERE, \
    Table, config, finish, furnish, get, image, index, layer, patch, play, \
    post, put, say, swap, unharmed
from lab.images import DOCKER, OCI, OCI_INDEX
from lab.registry import Registry

TABLE = Table()
MIB = 1 << 20
DEEP = 1_000_000
SHA512 = "sha512:" + "0" * 128
IMAGE = digest_of(image())


# ---------------------------------------------------------------- manifests

TABLE.answered(400, "MANIFEST_INVALID", LIVES, {
    # strict JSON, in strict UTF-8
    "no byte at all": put(b""),
    "blanks": put(b" \n\t\r "),
    "an open brace": put(b"{"),
    "a text": put(b'"manifest"'),
    "a number": put(b"2"),
    "null": put(b"null"),
    "a list": put(b"[" + image() + b"]"),
    "an empty object": put(b"{}"),
    "two documents": put(image() + image()),
    "bytes behind the document": put(image() + b"x"),
    "NUL behind the document": put(image() + b"\0"),
    "a missing end": put(image()[:-1]),
    "a comma at the end": put(swap(b"}]}", b"}],}")),
    "a comment": put(swap(b"{", b"{/* */")),
    "single quotes": put(image().replace(b'"', b"'")),
    "a key without quotes": put(swap(b'"layers"', b"layers")),
    "a leading zero": put(swap(b":2,", b":02,")),
    "a plus sign": put(swap(b":2,", b":+2,")),
    "a hexadecimal number": put(swap(b":2,", b":0x2,")),
    "not a number": put(image(x="y").replace(b'"y"', b"NaN")),
    "infinity": put(image(x="y").replace(b'"y"', b"Infinity")),
    "a number without end": put(image(x="y").replace(b'"y"', b"1e999999")),
    "a vertical tab between tokens": put(swap(b"{", b"{\x0b")),
    "a byte order mark": put(b"\xef\xbb\xbf" + image()),
    "UTF-16": put(image().decode().encode("utf-16")),
    "UTF-16 without a mark": put(image().decode().encode("utf-16-le")),
    "UTF-32": put(image().decode().encode("utf-32")),
    "Latin-1": put(image(x="y").replace(b"y", b"\xe9")),
    "a lone continuation byte": put(image(x="y").replace(b"y", b"\x80")),
    "an overlong slash": put(image(x="y").replace(b"y", b"\xc0\xaf")),
    "an overlong NUL": put(image(x="y").replace(b"y", b"\xc0\x80")),
    "a surrogate in UTF-8": put(image(x="y").replace(b"y", b"\xed\xa0\x80")),
    "beyond U+10FFFF": put(image(x="y").replace(b"y", b"\xf4\x90\x80\x80")),
    "half a character": put(image(x="y").replace(b"y", b"\xe2\x82")),
    "half a character at the end": put(image() + b"\xe2\x82"),
    "no UTF-8 in a key": put(swap(b"schemaVersion", b"schema\xffersion")),
    "an escaped lone surrogate": put(image(x="y").replace(b"y", rb"\ud800")),
    "an escape that is none": put(image(x="y").replace(b"y", rb"\x41")),
    "half an escape": put(image(x="y").replace(b"y", rb"\u00")),
    "a raw newline in a text": put(image(x="y").replace(b"y", b"\n")),
    "a raw NUL in a text": put(image(x="y").replace(b"y", b"\0")),
    "an escaped NUL in a text": put(image(x="y").replace(b"y", rb"\u0000")),
    "an escaped NUL in a key": put(swap(b"layers", rb"lay\u0000ers")),

    # each key once
    "schemaVersion twice": put(swap(b"{", b'{"schemaVersion":2,')),
    "mediaType twice": put(swap(b"{", b'{"mediaType":"a/b",')),
    "layers twice": put(swap(b"{", b'{"layers":[],')),
    "a key twice, once escaped": put(swap(b"{", rb'{"l\u0061yers":[],')),
    "digest twice": put(swap(b'{"m', b'{"digest":"x","m', image())),
    "an unknown key twice": put(swap(b"{", b'{"x":1,"x":1,')),

    # what it is
    "an index sent as an image": put(index()),
    "an image sent as an index": put(image(), OCI_INDEX),
    "an OCI image sent as Docker's": put(image(), DOCKER["manifest"]),
    "a manifest sent as plain text": put(image(), "text/plain"),
    "a manifest sent as JSON": put(image(), "application/json"),
    "a Content-Type in capitals": put(image(), OCI["manifest"].upper()),
    "a mediaType that is a number": put(image(mediaType=1), None),
    "a mediaType that is a list": put(image(mediaType=[]), None),
    "a mediaType that is empty": put(image(mediaType=""), None),
    "a mediaType that is no type": put(image(mediaType="manifest"), None),
    "a mediaType with a newline": put(image(mediaType="a/b\r\nX: y"), None),
    "a mediaType without end": put(image(mediaType="a/" + "b" * 9999), None),
    "image and index": put(image(manifests=[])),
    "image and index, untyped": put(image(manifests=[], mediaType=None), None),
    "index and image": put(index(layers=[]), OCI_INDEX),
    "index with a config": put(index(config=CONFIG), OCI_INDEX),
    "index and image, of both types":
        put(index(config=CONFIG, layers=[LAYER], manifests=[LAYER]),
            OCI_INDEX),
    "neither image nor index": put(b'{"schemaVersion":2}', None),
    "an index of the type of images": put(
        image(config=None, layers=None, manifests=[])),
    "an image of the type of indexes": put(
        index(manifests=None, config=CONFIG, layers=[]), OCI_INDEX),

    # its schema
    "no schemaVersion": put(image(schemaVersion=None)),
    "schemaVersion 0": put(image(schemaVersion=0)),
    "schemaVersion 1": put(image(schemaVersion=1)),
    "schemaVersion 3": put(image(schemaVersion=3)),
    "schemaVersion -2": put(image(schemaVersion=-2)),
    "schemaVersion 2.0": put(image(schemaVersion=2.0)),
    "schemaVersion 2e0": put(swap(b":2,", b":2e0,")),
    "schemaVersion as a text": put(image(schemaVersion="2")),
    "schemaVersion as a list": put(image(schemaVersion=[2])),
    "schemaVersion 2^64 + 2": put(image(schemaVersion=2**64 + 2)),
    "Docker's schema 1":
        put(b'{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[],'
            b'"history":[]}', DOCKER["manifest"][:-7] + "1+json"),
    "Docker's schema 1, signed":
        put(b'{"schemaVersion":1,"signatures":[]}',
            DOCKER["manifest"][:-7] + "1+prettyjws"),

    # its descriptors
    "no config": put(image(config=None)),
    "a config that is null": put(image(config=0).replace(b":0,", b":null,")),
    "a config that is a text": put(image(config=CONFIG["digest"])),
    "a config that is a list": put(image(config=[CONFIG])),
    "layers that are an object": put(image(layers=LAYER)),
    "layers that are a text": put(image(layers="none")),
    "a layer that is null": put(image(layers=[None])),
    "a layer that is a text": put(image(layers=[GOOD])),
    "a layer that is a list": put(image(layers=[[LAYER]])),
    "manifests that are an object": put(index(manifests=LAYER), OCI_INDEX),
    "a manifest that is a number": put(index(manifests=[1]), OCI_INDEX),
    "a subject that is a text": put(image(subject=GOOD)),
    "a subject that is a list": put(image(subject=[LAYER])),
    "a subject without a size": put(image(subject={"digest": GOOD})),
    "an artifactType that is a number": put(image(artifactType=1)),
    "an artifactType that is no type": put(image(artifactType="signature")),

    # their digests
    "no digest": put(image(config={"size": 37})),
    "a digest that is null": put(config(digest=None)),
    "a digest that is a number": put(config(digest=1)),
    "an empty digest": put(config(digest="")),
    "a digest without an algorithm": put(config(digest=GOOD[7:])),
    "a digest of an unknown algorithm": put(config(digest="md5:" + "0" * 32)),
    "a digest of an unsupported algorithm":
        put(config(digest="sha384:" + "0" * 96)),
    "a digest with a digit too few": put(config(digest=GOOD[:-1])),
    "a digest with a digit too many": put(config(digest=GOOD + "0")),
    "a digest in capitals": put(config(digest="sha256:" + "A" * 64)),
    "an algorithm in capitals": put(config(digest="SHA256" + GOOD[6:])),
    "a digest with a letter": put(config(digest=GOOD[:-1] + "g")),
    "a digest with a blank": put(config(digest=GOOD + " ")),
    "a digest with a newline": put(config(digest=GOOD + "\n")),
    "a digest that is a path": put(config(digest="sha256:../../../etc/x")),
    "a sha512 of a sha256's length": put(config(digest="sha512" + GOOD[6:])),
    "a bad digest of a layer": put(layer(digest=GOOD[:-1])),
    "a bad digest of a manifest":
        put(index(manifests=[{**LAYER, "digest": "sha256:0"}]), OCI_INDEX),
    "a bad digest of a subject":
        put(image(subject={**LAYER, "digest": "sha256:0"})),

    # their sizes
    "no size": put(image(config={"digest": GOOD})),
    "a size that is null": put(config(size=None)),
    "a size of -1": put(config(size=-1)),
    "a size of -2^63": put(config(size=-2**63)),
    "a size below -2^63": put(config(size=-2**63 - 1)),
    "a size of 2^63": put(config(size=2**63)),
    "a size of 2^64": put(config(size=2**64)),
    "a size of 2^64 + 37": put(config(size=2**64 + CONFIG["size"])),
    "a size that is a fraction": put(config(size=37.5)),
    "a size with a point": put(config(size=37.0)),
    "a size as a text": put(config(size="37")),
    "a size that is true": put(config(size=True)),
    "a size that is a list": put(config(size=[37])),
    "a layer's size of -1": put(layer(size=-1)),
    "a manifest's size of -1":
        put(index(manifests=[{**LAYER, "size": -1}]), OCI_INDEX),
    "a subject's size of -1": put(image(subject={**LAYER, "size": -1})),
})

TABLE.answered(400, "SIZE_INVALID", LIVES, {
    "a config a byte too long": put(config(size=CONFIG["size"] + 1)),
    "a config a byte too short": put(config(size=CONFIG["size"] - 1)),
    "a config of size 0": put(config(size=0)),
    "a config of size 2^63 - 1": put(config(size=2**63 - 1)),
    "a layer of another size": put(layer(size=1)),
    "a layer of another size, by digest":
        put(layer(size=1), to=digest_of(layer(size=1))),
})

TABLE.answered(400, "MANIFEST_BLOB_UNKNOWN", LIVES, {
    "a config that is not here": put(config(digest=NOWHERE)),
    "a layer that is not here": put(layer(digest=NOWHERE)),
    "a layer that is not here, by sha512": put(layer(digest=SHA512)),
})

TABLE.answered(400, "DIGEST_INVALID", LIVES, {
    "a manifest under another digest": put(image(), to=NOWHERE),
    "a manifest under another sha512": put(image(), to=SHA512),
    "a manifest under half a digest": put(image(), to="sha256:0"),
    "a manifest under a digest in capitals": put(image(), to=GOOD.upper()),
    "a manifest under md5": put(image(), to="md5:" + "0" * 32),
    "a manifest under no digits": put(image(), to="sha256:"),
})

TABLE.answered(400, "MANIFEST_INVALID", LIVES, {
    "JSON nested a million deep in lists": put(b"[" * DEEP),
    "JSON nested a million deep and closed": put(b"[" * DEEP + b"]" * DEEP),
    "JSON nested in objects":
        put(b'{"a":' * (DEEP // 2) + b"1" + b"}" * (DEEP // 2)),
    "a manifest with a deep member": put(image(x="y").replace(
        b'"y"', b"[" * 1000 + b"]" * 1000)),
    "JSON of a hundred thousand values":
        put(b"[" + b"0," * 100_000 + b"0]"),
    "JSON of a hundred thousand texts":
        put(b"[" + b'"",' * 100_000 + b"0]"),
    "JSON of a million empty objects":
        put(b"[" + b"{}," * 1_000_000 + b"{}]"),
    "JSON of a hundred thousand keys": put(b"{" + b",".join(
        b'"%d":0' % number for number in range(60_000)) + b"}"),
})

TABLE.answered(413, "SIZE_INVALID", ENDS, {
    "a manifest of 4 MiB and a byte": put(b" " * (4 * MIB + 1)),
    "a manifest of 4 MiB and a byte, in chunks":
        say(f"PUT {APP}/manifests/bad", "Transfer-Encoding: chunked") +
        b"400001\r\n" + b" " * (4 * MIB + 1) + b"\r\n0\r\n\r\n",
    "a manifest of 5 MiB that is not sent":
        say(f"PUT {APP}/manifests/bad", "Content-Length: 5242880"),
    "a manifest of 5 MiB, waiting for 100":
        say(f"PUT {APP}/manifests/bad", "Content-Length: 5242880",
            "Expect: 100-continue"),
    "a manifest of 2^63 - 1 bytes":
        say(f"PUT {APP}/manifests/bad", f"Content-Length: {2**63 - 1}"),
})


# ------------------------------------------------- names, tags, digests, paths

TABLE.answered(400, "NAME_INVALID", LIVES, {
    "a name in capitals": get("/v2/App/tags/list"),
    "a name with a dash in front": get("/v2/-app/tags/list"),
    "a name with a dash behind": get("/v2/app-/tags/list"),
    "a name with two dots": get("/v2/a..b/tags/list"),
    "a name with three underscores": get("/v2/a___b/tags/list"),
    "a name with a plus": get("/v2/a+b/tags/list"),
    "a name with a tilde": get("/v2/~root/tags/list"),
    "a name with a star": get("/v2/*/tags/list"),
    "a name with an at sign": get("/v2/a@b/tags/list"),
    "a name with a dot behind": get("/v2/app./tags/list"),
    "a name with a colon at its end": get("/v2/app:/tags/list"),
    "a name of one dot": get("/v2/./tags/list"),
    "a name of two dots": get("/v2/../tags/list"),
    "a way up": get("/v2/team/../../etc/tags/list"),
    "a way up, encoded": get("/v2/team/%2e%2e/%2E%2E/etc/tags/list"),
    "a way up, half encoded": get("/v2/team/.%2e/etc/tags/list"),
    "a way up to a blob": get(f"/v2/team/x/../app/blobs/{GOOD}"),
    "two slashes": get("/v2/team//app/tags/list"),
    "a slash in front": get("/v2//team/app/tags/list"),
    "a slash behind": get("/v2/team/app//tags/list"),
    "a name of 256": get("/v2/" + "a" * 256 + "/tags/list"),
    "a name of 256 in parts": get("/v2/" + "a/" * 127 + "aa/tags/list"),
    "a name of 10,000": get("/v2/" + "a" * 10_000 + "/tags/list"),
    "a blob of a name of 10,000": get(f"/v2/{'a' * 10_000}/blobs/{GOOD}"),
    "an upload to a name of 256":
        say(f"POST /v2/{'a' * 256}/blobs/uploads/", body=b""),
    "an upload to a name of 10,000":
        say(f"POST /v2/{'a' * 10_000}/blobs/uploads/", body=b""),
    "a manifest for a name in capitals":
        say("PUT /v2/App/manifests/1", body=image()),
    "a catalog is no repository": get("/v2/_catalog/tags/list"),
})

TABLE.answered(400, "MANIFEST_INVALID", LIVES, {
    "a tag with a dot in front": put(image(), to=".x"),
    "a tag with a dash in front": put(image(), to="-x"),
    "a tag of two dots": put(image(), to=".."),
    "a tag of two dots, encoded": put(image(), to="%2e%2e"),
    "a tag with a plus": put(image(), to="a+b"),
    "a tag with an at sign": put(image(), to="a@b"),
    "a tag of 129": put(image(), to="a" * 129),
    "a tag of 256": put(image(), to="a" * 256),
    "a tag of 10,000": put(image(), to="a" * 10_000),
})

TABLE.answered(400, "MANIFEST_INVALID", LIVES, {
    "a further tag that is empty": put(image(), to=f"{IMAGE}?tag="),
    "a further tag with a dash in front": put(image(), to=f"{IMAGE}?tag=-x"),
    "a further tag with NUL": put(image(), to=f"{IMAGE}?tag=x%00"),
    "a further tag that is a way up": put(image(), to=f"{IMAGE}?tag=..%2fx"),
    "the second of two tags": put(image(), to=f"{IMAGE}?tag=a&tag=-x"),
})

TABLE.answered(414, "UNSUPPORTED", LIVES, {
    "65 tags at once": put(image(), to=f"{IMAGE}?{'tag=a&' * 65}"),
    "two thousand tags at once": put(image(), to=f"{IMAGE}?{'tag=a&' * 2000}"),
})

TABLE.answered(404, "MANIFEST_UNKNOWN", LIVES, {
    "asked for a tag with a dot in front": get(f"{APP}/manifests/.x"),
    "asked for a tag of 129": get(f"{APP}/manifests/{'a' * 129}"),
    "asked for a tag of 10,000": get(f"{APP}/manifests/{'a' * 10_000}"),
    "asked for a tag of two dots": get(f"{APP}/manifests/.."),
})

TABLE.answered(400, "DIGEST_INVALID", LIVES, {
    "a blob of no digest": get(f"{APP}/blobs/latest"),
    "a blob of no algorithm": get(f"{APP}/blobs/{GOOD[7:]}"),
    "a blob of no digits": get(f"{APP}/blobs/sha256:"),
    "a blob of a digit too few": get(f"{APP}/blobs/{GOOD[:-1]}"),
    "a blob of a digit too many": get(f"{APP}/blobs/{GOOD}0"),
    "a blob in capitals": get(f"{APP}/blobs/sha256:{GOOD[7:].upper()}"),
    "a blob by md5": get(f"{APP}/blobs/md5:{'0' * 32}"),
    "a blob by a sha512 too short": get(f"{APP}/blobs/sha512:{'0' * 64}"),
    "a blob that is a way up": get(f"{APP}/blobs/.."),
    "a blob of 10,000 digits": get(f"{APP}/blobs/sha256:{'0' * 10_000}"),
    "a blob of two colons": get(f"{APP}/blobs/sha256::{GOOD[8:]}"),
    "a manifest of no digits": get(f"{APP}/manifests/sha256:"),
    "a manifest by md5": get(f"{APP}/manifests/md5:{'0' * 32}"),
    "to delete half a digest": say(f"DELETE {APP}/blobs/sha256:0"),
    "referrers of half a digest": get(f"{APP}/referrers/sha256:0"),
    "referrers of a tag": get(f"{APP}/referrers/latest"),
    "an upload of half a digest": post("?digest=sha256:0"),
    "an upload of an empty digest": post("?digest="),
    "an upload of a digest without value": post("?digest"),
    "an upload of other bytes": say(
        f"POST {APP}/blobs/uploads/?digest={GOOD}", body=b"other"),
    "an end without a digest": finish(""),
    "an end with an empty digest": finish("?digest="),
    "an end with half a digest": finish("?digest=sha256:0"),
    "an end with a way up": finish("?digest=sha256:..%2f..%2fetc%2fx"),
    "an end with NUL": finish(f"?digest={GOOD}%00"),
    "an end with other bytes": finish(f"?digest={GOOD}", body=b"other"),
    "a mount of half a digest": post("?mount=sha256:0&from=team/app"),
    "a mount of an empty digest": post("?mount=&from=team/app"),
    "a mount of a way up": post("?mount=..%2f..%2fx&from=team/app"),
})

TABLE.answered(404, "BLOB_UPLOAD_UNKNOWN", LIVES, {
    "an upload of no key": get(f"{APP}/blobs/uploads/nothing"),
    "an upload of a way up": get(f"{APP}/blobs/uploads/.."),
    "an upload of 10,000": get(f"{APP}/blobs/uploads/{'0' * 10_000}"),
    "an upload with a quote": get(f"{APP}/blobs/uploads/%27or%271"),
    "to end an upload of no key":
        say(f"PUT {APP}/blobs/uploads/none?digest={GOOD}", body=b""),
    "to cancel an upload of no key": say(f"DELETE {APP}/blobs/uploads/none"),
    "to go on with an upload of no key":
        say(f"PATCH {APP}/blobs/uploads/none", body=b"hello"),
})

TABLE.answered(404, "UNSUPPORTED", LIVES, {
    "no path of ours": get("/nowhere"),
    "the root": get("/"),
    "the first version": get("/v1/"),
    "the API in capitals": get("/V2/"),
    "the API without its slash": get("/v2x/"),
    "the API behind a dot": get("/./v2/"),
    "the API behind a way up": get("/x/../v2/"),
    "two slashes in front": get("//v2/"),
    "no name": get("/v2/tags/list"),
    "an encoded slash": get("/v2/team%2fapp/tags/list"),
    "an encoded slash in capitals": get("/v2/team%2Fapp/tags/list"),
    "an encoded way up": get("/v2/team/..%2f..%2fetc/tags/list"),
    "an encoded slash in a tag": get(f"{APP}/manifests/..%2f1"),
    "an encoded NUL": get("/v2/team/app%00/tags/list"),
    "an encoded NUL in a tag": get(f"{APP}/manifests/1%00"),
    "an encoded newline": get("/v2/team/app%0d%0aX:%20y/tags/list"),
    "an encoded blank": get("/v2/team%20app/tags/list"),
    "an encoded percent": get("/v2/team%25app/tags/list"),
    "encoded twice": get("/v2/team%252fapp/tags/list"),
    "a way up encoded twice": get("/v2/team/%252e%252e/etc/tags/list"),
    "an encoded letter beyond ASCII": get("/v2/%c3%a9/tags/list"),
    "an overlong encoded slash": get("/v2/team%c0%afapp/tags/list"),
    "a file of the system": get("/../../../../etc/passwd"),
    "a file of the system, encoded": get("/..%2f..%2f..%2fetc%2fpasswd"),
    "a tail behind the tags": get(f"{APP}/tags/list/more"),
    "a slash behind the tags": get(f"{APP}/tags/list/"),
})

TABLE.answered(400, "UNSUPPORTED", LIVES, {
    "a page of letters": get(f"{APP}/tags/list?n=x"),
    "a page of nothing": get(f"{APP}/tags/list?n="),
    "a page of -1": get(f"{APP}/tags/list?n=-1"),
    "a page of 1.5": get(f"{APP}/tags/list?n=1.5"),
    "a page beyond 64 bits": get(f"{APP}/tags/list?n={2**64 + 1}"),
    "a page behind thousands of others":
        get(f"{APP}/tags/list?n=x&{'m=1&' * 3000}"),
    "a catalog's page of -1": get("/v2/_catalog?n=-1"),
    "a catalog's page of letters": get("/v2/_catalog?n=x"),
    "a blob by sha384": get(f"{APP}/blobs/sha384:{'0' * 96}"),
})

TABLE.answered(404, "NAME_UNKNOWN", LIVES, {
    "an upstream that nobody configured":
        get("/v2/evil.example/app/manifests/1"),
    "a namespace that nobody configured":
        get("/v2/app/manifests/1?ns=evil.example"),
    "a namespace that is an address":
        get("/v2/app/manifests/1?ns=169.254.169.254"),
    "a namespace that is a way up": get("/v2/app/manifests/1?ns=..%2f.."),
    "a namespace of 10,000":
        get("/v2/app/manifests/1?ns=" + "a." * 5000 + "x"),
    "a repository that nobody pushed": get("/v2/never/heard/tags/list"),
})


# ------------------------------------------------------------------ uploads

TABLE.answered(400, "BLOB_UPLOAD_INVALID", LIVES, {
    "a chunk's place in letters": patch("Content-Range: a-b"),
    "a chunk's place without an end": patch("Content-Range: 0-"),
    "a chunk's place without a start": patch("Content-Range: -4"),
    "an empty place of a chunk": patch("Content-Range: "),
    "a chunk's place backwards": patch("Content-Range: 4-0"),
    "a chunk's place in hexadecimal": patch("Content-Range: 0-0x4"),
    "a chunk's place with signs": patch("Content-Range: +0-+4"),
    "a chunk's place beyond 64 bits": patch(f"Content-Range: {2**64}-{2**64}"),
    "a chunk's place up to 2^63": patch(f"Content-Range: 0-{2**63}"),
    "two places of a chunk": patch("Content-Range: 0-4,5-9"),
    "a last chunk's place in letters":
        finish(f"?digest={GOOD}", "Content-Range: a-b", body=b"hello"),
})

TABLE.answered(400, "SIZE_INVALID", LIVES, {
    "a chunk longer than its place": patch("Content-Range: 0-3"),
    "a chunk shorter than its place": patch("Content-Range: 0-5"),
    "a last chunk longer than its place":
        finish(f"?digest={GOOD}", "Content-Range: 0-3", body=b"hello"),
})

TABLE.answered(416, "BLOB_UPLOAD_INVALID", LIVES, {
    "a chunk that leaves a gap": patch("Content-Range: 1-5"),
    "a chunk far away":
        patch(f"Content-Range: {2**63 - 6}-{2**63 - 2}"),
    "a last chunk that leaves a gap":
        finish(f"?digest={GOOD}", "Content-Range: 5-9", body=b"hello"),
})


# ---------------------------------------------------------------- the runner

@pytest.fixture(scope="module")
def registry(module_scene):
    registry = Registry(module_scene).start()
    furnish(registry)
    return registry


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_bad_input_has_a_clear_answer(registry, row):
    play(registry, row)
    unharmed(registry)


def test_no_file_has_a_name_that_a_client_chose(registry):
    """After all of the above: digests, numbers, and our own names."""
    ours = re.compile(r"\d+|[0-9a-f]{2}|sha(256|512)|blobs|incoming|lock"
                      r"|ballast|control|registry\.db(-wal|-shm)?"
                      r"|[0-9a-f]{64}([0-9a-f]{64})?\.[0-9a-f]+")
    names = [name for _, directories, files in os.walk(registry.data)
             for name in directories + files]
    assert [name for name in names if not ours.fullmatch(name)] == []
