"""What an operator's rules refuse, and what they remove."""

import threading

import pytest

from lab.content import content
from lab.images import OCI, Blob, Manifest, descriptor, encode
from lab.pusher import push_blob, push_manifest
from lab.registry import Registry, yaml
from lab.waiting import wait_until


def start(scene, **settings):
    return Registry(scene, settings=settings).start()


def reload_with(registry, **settings):
    """Its configuration, with these keys instead of what they were."""
    kept, skip = [], False
    for line in registry.configuration.read_text().splitlines(True):
        if not line.startswith(" "):
            skip = line.partition(":")[0] in settings
        kept += [] if skip else [line]
    registry.configuration.write_text("".join(kept) + yaml(settings))
    done = len(registry.log_lines("reload"))
    registry.signal()
    wait_until(lambda: len(registry.log_lines("reload")) > done, "a reload")
    assert registry.log_lines("reload")[-1]["level"] == "info"


def image_of(*blobs, **more):
    first, *layers = [Blob(blob.digest, blob.size) for blob in blobs]
    return Manifest(OCI["manifest"], encode({
        "schemaVersion": 2, "mediaType": OCI["manifest"],
        "config": descriptor(OCI["config"], first),
        "layers": [descriptor(OCI["layer"], blob) for blob in layers]}
        | more))


def push(registry, repository, tag, *blobs, **more):
    manifest = image_of(*blobs, **more)
    with registry.connect() as wire:
        for blob in blobs:
            push_blob(wire, repository, blob.digest, blob.bytes())
        push_manifest(wire, repository, tag or manifest.digest, manifest)
    return manifest


def put(registry, repository, reference, manifest):
    return registry.ask("PUT", f"/v2/{repository}/manifests/{reference}",
                        manifest.body, Content_Type=manifest.media_type)


def delete(registry, repository, reference):
    return registry.ask("DELETE", f"/v2/{repository}/manifests/{reference}")


def upload(registry, repository, blob):
    """In one request."""
    return registry.ask(
        "POST", f"/v2/{repository}/blobs/uploads/?digest={blob.digest}",
        blob.bytes())


def is_denied(answer, *words):
    assert (answer.status, answer.code) == (403, "DENIED"), answer
    message = answer.json["errors"][0]["message"]
    assert all(word in message for word in words), message
    return True


def has(registry, repository, reference):
    path = f"/v2/{repository}/manifests/{reference}"
    return registry.ask("HEAD", path).status == 200


# ---------------------------------------------------------------- read-only

def test_read_only_refuses_changes_and_nothing_else(scene, upstream):
    registry = Registry(scene, {"docker.io": upstream.url}).start()
    config = content("config", 100)
    manifest = push(registry, "app", "1", config)
    begun = registry.ask("POST", "/v2/app/blobs/uploads/", b"")
    reload_with(registry, read_only="true")

    assert is_denied(put(registry, "app", "2", manifest), "read-only")
    assert is_denied(delete(registry, "app", "1"), "read-only")
    assert is_denied(upload(registry, "app", config), "read-only")
    assert is_denied(registry.ask("PATCH", begun["Location"], b"some"))
    assert is_denied(registry.ask("DELETE", begun["Location"]))
    assert is_denied(registry.ask(
        "DELETE", f"/v2/app/blobs/{config.digest}"))
    assert has(registry, "app", "1")
    image = upstream.add_small_image("library/other")
    answer = registry.ask("GET", "/v2/library/other/manifests/1")
    assert answer.status == 200 and image

    reload_with(registry, read_only="false")
    assert put(registry, "app", "2", manifest).status == 201


# ---------------------------------------------------------------- immutable

def test_an_immutable_tag_stays_as_it_is(scene):
    registry = start(scene, immutable=[
        {"repositories": "rel/*", "tags": '"v*"'}])
    one, two = content("one", 100), content("two", 100)
    first = push(registry, "rel/app", "v1", one)
    second = push(registry, "rel/app", "latest", two)

    assert put(registry, "rel/app", "v1", first).status == 201
    assert is_denied(put(registry, "rel/app", "v1", second), "v1",
                     "immutable")
    several = f"/v2/rel/app/manifests/{second.digest}?tag=new&tag=v1"
    assert is_denied(registry.ask("PUT", several, second.body,
                                  Content_Type=second.media_type))
    assert not has(registry, "rel/app", "new")
    assert is_denied(delete(registry, "rel/app", "v1"))
    assert is_denied(delete(registry, "rel/app", first.digest))
    assert put(registry, "rel/app", "latest", first).status == 201
    assert delete(registry, "rel/app", "latest").status == 202

    reload_with(registry, immutable=[{"repositories": "none"}])
    assert put(registry, "rel/app", "v1", second).status == 201


def test_of_two_pushes_to_an_immutable_tag_one_wins(scene):
    registry = start(scene, immutable=[{"repositories": '"**"'}])
    blobs = [content(f"blob {number}", 50) for number in range(6)]
    images = [push(registry, "app", None, blob) for blob in blobs]
    together, answers = threading.Barrier(len(images)), []

    def tag(image):
        together.wait()
        answers.append((put(registry, "app", "v1", image).status,
                        image.digest))

    threads = [threading.Thread(target=tag, args=(image,))
               for image in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [digest for status, digest in answers if status == 201]
    assert sorted(status for status, _ in answers) == [201] + [403] * 5
    head = registry.ask("HEAD", "/v2/app/manifests/v1")
    assert [head["Docker-Content-Digest"]] == winners


# ------------------------------------------------------------------- quotas

QUOTA = [{"repositories": '"ci/**"', "size": "1MB"}]


def test_a_push_over_the_quota_is_denied_and_says_how_much_there_is(scene):
    registry = start(scene, quotas=QUOTA)
    push(registry, "ci/a", "1", content("one", 800_000))
    large = content("large", 300_000)

    assert is_denied(upload(registry, "ci/b", large), "ci/**", "1.0 MB",
                     "0.8 MB", "0.3 MB")
    assert upload(registry, "other", large).status == 201
    mount = f"/v2/ci/b/blobs/uploads/?mount={large.digest}&from=other"
    assert is_denied(registry.ask("POST", mount, b""), "0.3 MB")
    assert is_denied(registry.ask(
        "POST", f"/v2/ci/b/blobs/uploads/?mount={large.digest}", b""))

    reload_with(registry, quotas=[{"repositories": '"ci/**"', "size": "2MB"}])
    assert registry.ask("POST", mount, b"").status == 201


def test_what_cannot_fit_is_refused_before_it_is_sent(scene):
    registry = start(scene, quotas=QUOTA)
    with registry.connect() as wire:
        begun = wire.ask("POST", "/v2/ci/a/blobs/uploads/", b"")
        wire.send(f"PATCH {begun['Location']} HTTP/1.1\r\nHost: x\r\n"
                  "Content-Length: 5000000\r\n"
                  "Expect: 100-continue\r\n\r\n".encode())
        assert is_denied(wire.answer("PATCH"), "5.0 MB")
    assert list((registry.data / "incoming").iterdir()) == []
    push(registry, "ci/a", "1", content("most", 990_000))
    assert upload(registry, "ci/a", content("rest", 9_000)).status == 201
    reload_with(registry, quotas=[{"repositories": '"ci/**"',
                                   "size": "999KB"}])
    assert is_denied(registry.ask("POST", "/v2/ci/a/blobs/uploads/", b""))


def test_what_is_there_is_pushed_again_though_nothing_is_left(scene):
    registry = start(scene, quotas=QUOTA)
    blob = content("blob", 900_000)
    manifest = push(registry, "ci/a", "1", blob)
    reload_with(registry, quotas=[{"repositories": '"ci/**"', "size": "1KB"}])
    assert upload(registry, "ci/a", blob).status == 201
    assert put(registry, "ci/a", "2", manifest).status == 201
    mount = f"/v2/ci/b/blobs/uploads/?mount={blob.digest}&from=ci/a"
    assert registry.ask("POST", mount, b"").status == 201
    assert is_denied(put(registry, "ci/b", "1", manifest))


def test_pushes_at_once_do_not_exceed_the_quota_together(scene):
    registry = start(scene, quotas=QUOTA)
    blobs = [content(f"layer {number}", 300_000) for number in range(8)]
    together, statuses = threading.Barrier(len(blobs)), []

    def send(number):
        together.wait()
        statuses.append(upload(registry, f"ci/{number % 3}",
                               blobs[number]).status)

    threads = [threading.Thread(target=send, args=(number,))
               for number in range(len(blobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] * 3 + [403] * 5
    assert len([path for path in (registry.data / "blobs").rglob("*")
                if path.is_file()]) == 3


def test_what_was_deleted_and_collected_leaves_room(scene):
    registry = start(scene, quotas=QUOTA, gc={"grace": "1s"})
    manifest = push(registry, "ci/a", "1", content("one", 900_000))
    other = content("two", 900_000)
    assert is_denied(upload(registry, "ci/a", other))
    assert delete(registry, "ci/a", manifest.digest).status == 202
    wait_until(lambda: upload(registry, "ci/a", other).status == 201,
               "there to be room")
