"""What an operator's rules refuse, and what they remove."""

import re
import subprocess
import threading
import time

import pytest

from lab.content import content
from lab.images import OCI, OCI_INDEX, Blob, Manifest, descriptor, encode
from lab.pusher import PROMISE, push_blob, push_in_time, push_manifest
from lab.registry import BINARY, Registry, yaml
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
        def send_blobs():
            for blob in blobs:
                push_blob(wire, repository, blob.digest, blob.bytes())
        push_in_time(wire, repository, tag or manifest.digest, manifest,
                     send_blobs)
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


def files(registry, directory):
    return [path for path in (registry.data / directory).rglob("*")
            if path.is_file()]


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
    assert files(registry, "incoming") == []
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
    assert len(files(registry, "blobs")) == 3


def test_what_was_deleted_and_collected_leaves_room(scene):
    registry = start(scene, quotas=QUOTA, gc={"grace": "1s"})
    manifest = push(registry, "ci/a", "1", content("one", 900_000))
    other = content("two", 900_000)
    assert is_denied(upload(registry, "ci/a", other))
    assert delete(registry, "ci/a", manifest.digest).status == 202
    wait_until(lambda: upload(registry, "ci/a", other).status == 201,
               "there to be room")


# --------------------------------------------------------------------- keep

QUICK = {"gc": {"grace": "1s"}}     # rules are applied after each epoch


def keep(registry, *arguments):
    """What the verb says."""
    done = subprocess.run(
        [str(BINARY), "keep", "--data", str(registry.data), *arguments],
        text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def ruled_out(registry):
    return [(line["repository"], line.get("tag"))
            for line in registry.log_lines("keep")]


def tags(registry, repository):
    return registry.ask("GET", f"/v2/{repository}/tags/list").json["tags"]


def test_the_last_pushed_and_those_that_fit_stay(scene):
    registry = start(scene)
    image = content("image", 100)
    for tag in "v1", "a", "b", "c", "latest":
        push(registry, "ci/app", tag, image)
        push(registry, "app", tag, image)
    push(registry, "ci/app", "latest", image)
    rules = ("--keep.0.repositories", "ci/**", "--keep.0.last", "2",
             "--keep.1.repositories", "**", "--keep.1.tags", "v*")

    told = keep(registry, "--dry-run", *rules[:4])
    assert "ci/app:v1@sha256:" in told and "app:a@" in told
    assert re.search(r"not of the last 2, pushed \d+ seconds? ago", told)
    assert "(keep[0])" in told and "Would remove 3 tags, 0 manif" in told
    assert len(tags(registry, "ci/app")) == 5 and not ruled_out(registry)

    assert "Removed 6 tags, 0 manifests." in keep(registry, *rules)
    assert tags(registry, "ci/app") == ["c", "latest", "v1"]
    assert tags(registry, "app") == ["v1"]
    wait_until(lambda: len(ruled_out(registry)) == 6, "their lines")
    assert ("ci/app", "a") in ruled_out(registry)
    assert "keep[1]" in registry.log_lines("keep")[0]["why"]
    assert keep(registry, *rules) == "Nothing to remove.\n"
    metrics = registry.metrics()
    assert metrics["private_registry_ruled_out_tags_total"] == 6


def test_rules_are_applied_by_itself_and_changed_by_a_reload(scene):
    registry = start(scene, keep=[{"repositories": "ci/*", "last": 1}],
                     **QUICK)
    image = content("image", 100)
    for tag in "1", "2":
        push(registry, "ci/app", tag, image)
        push(registry, "other", tag, image)
    wait_until(lambda: tags(registry, "ci/app") == ["2"], "a tag to go")
    wait_until(lambda: ruled_out(registry) == [("ci/app", "1")], "its line")
    line = registry.log_lines("keep")[0]
    assert line["digest"].startswith("sha256:") and "keep[0]" in line["why"]
    assert tags(registry, "other") == ["1", "2"]

    reload_with(registry, keep=[{"repositories": "other", "tags": "2"}])
    wait_until(lambda: tags(registry, "other") == ["2"], "another to go")
    for repository in "ci/app", "other":
        push(registry, repository, "3", image)
    wait_until(lambda: tags(registry, "other") == ["2"], "one more to go")
    assert tags(registry, "ci/app") == ["2", "3"]


def test_what_is_pulled_stays_and_the_rest_goes(scene):
    registry = start(scene, keep=[
        {"repositories": "app", "pulled_within": "4s"}], **QUICK)
    one, two, three = (content(seed, 100) for seed in "123")
    push(registry, "app", "by-tag", one)
    manifest = push(registry, "app", "by-digest", two)
    push(registry, "app", "nobody", three)

    def pull():
        registry.ask("GET", "/v2/app/manifests/by-tag")
        registry.ask("GET", f"/v2/app/manifests/{manifest.digest}")
        return "nobody" not in tags(registry, "app")

    wait_until(pull, "the one that nobody pulls to go")
    assert tags(registry, "app") == ["by-digest", "by-tag"]
    assert has(registry, "app", image_of(three).digest)


def test_what_was_pushed_long_ago_goes(scene):
    registry = start(scene, keep=[
        {"repositories": "app", "pushed_within": "3s"}], **QUICK)
    push(registry, "app", "1", content("one", 100))
    assert tags(registry, "app") == ["1"]
    wait_until(lambda: tags(registry, "app") == [], "it to go")


def test_what_has_no_tag_goes_after_its_time_with_its_blobs(scene):
    registry = start(scene, keep=[
        {"repositories": "app", "untagged_after": "2s"}], **QUICK)
    one, two, own = (content(seed, 100) for seed in ("one", "two", "own"))
    old = push(registry, "app", "1", one, own)
    kept = push(registry, "kept", "1", one)
    push(registry, "kept", "1", two)
    index = Manifest(OCI_INDEX, encode({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [descriptor(
            old.media_type, Blob(old.digest, len(old.body)))]}))
    with registry.connect() as wire:
        push_manifest(wire, "app", "all", index)
    push(registry, "app", "1", two)
    push(registry, "app", "2", content("three", 100))
    assert delete(registry, "app", "2").status == 202
    wait_until(lambda: ruled_out(registry) == [("app", None)], "one to go")
    assert has(registry, "app", old.digest)     # the index names it

    assert delete(registry, "app", "all").status == 202
    wait_until(lambda: len(ruled_out(registry)) == 3, "both to go")
    assert not has(registry, "app", old.digest)
    assert not has(registry, "app", index.digest)
    assert has(registry, "kept", kept.digest)
    wait_until(lambda: len(files(registry, "blobs")) == 2, "its blob to go")
    answer = registry.ask("GET", f"/v2/kept/blobs/{one.digest}")
    assert answer.body == one.bytes()
    assert tags(registry, "app") == ["1"]


@pytest.mark.parametrize("remove", [True, False])
def test_referrers_of_a_deleted_subject(scene, remove):
    rule = {"repositories": "app", "untagged_after": "1s"}
    if remove:
        rule["orphan_referrers"] = "remove"
    registry = start(scene, keep=[rule], **QUICK)
    image = push(registry, "app", "1", content("one", 100))
    signature = push(registry, "app", None, content("signature", 100),
                     subject={"mediaType": image.media_type,
                              "digest": image.digest,
                              "size": len(image.body)})
    push(registry, "app", "x", content("two", 100))
    delete(registry, "app", "x")
    wait_until(lambda: len(ruled_out(registry)) == 1, "another to go")
    assert has(registry, "app", signature.digest)

    assert delete(registry, "app", image.digest).status == 202
    push(registry, "app", "x", content("three", 100))
    delete(registry, "app", "x")
    wait_until(lambda: len(ruled_out(registry)) == 2 + remove,
               "what may go to go")
    assert has(registry, "app", signature.digest) is not remove


def test_immutable_tags_outlive_rules_and_a_dry_run_says_so(scene):
    registry = start(scene, immutable=[{"repositories": '"**"',
                                        "tags": '"v*"'}])
    push(registry, "app", "v1", content("one", 100))
    push(registry, "app", "x", content("two", 100))
    told = keep(registry, "--dry-run", "--keep.0.repositories=**",
                "--keep.0.tags=none")
    assert "app:x@" in told and "v1" not in told


def test_a_stopped_store_and_one_without_rules(scene):
    registry = start(scene)
    push(registry, "app", "1", content("one", 100))
    push(registry, "app", "2", content("one", 100))
    assert registry.stop() == 0
    rule = "--keep.0.repositories=app", "--keep.0.last=1"
    assert "Would remove 1 tag" in keep(registry, "--dry-run", *rule)
    assert "Removed 1 tag" in keep(registry, *rule)
    registry.start()
    assert tags(registry, "app") == ["2"]
    done = subprocess.run([str(BINARY), "keep", "--data", str(registry.data)],
                          text=True, capture_output=True, timeout=60)
    assert done.returncode == 2 and "no keep rules" in done.stderr


def test_pulls_of_what_goes_are_not_broken(scene):
    """Tags and images go all the time; who has a manifest gets its blobs.

    At once, that is: they stay for a second.
    """
    registry = start(scene, keep=[
        {"repositories": "app", "last": 1, "untagged_after": "1s"}], **QUICK)
    over, broken = threading.Event(), []

    def pull():
        while not over.is_set():
            for tag in tags(registry, "app") or []:
                began = time.monotonic()
                got = registry.ask("GET", f"/v2/app/manifests/{tag}")
                if got.status == 404:
                    continue        # it went
                digest = got.json["config"]["digest"]
                blob = registry.ask("GET", f"/v2/app/blobs/{digest}")
                if blob.status != 200 and \
                        time.monotonic() - began < PROMISE:
                    broken.append(blob)

    push(registry, "app", "0", content("blob 0", 1000))
    thread = threading.Thread(target=pull)
    thread.start()
    for number in range(1, 60):
        push(registry, "app", str(number), content(f"blob {number}", 1000))
    wait_until(lambda: len([1 for _, tag in ruled_out(registry)
                            if not tag]) >= 59, "the others to go")
    over.set()
    thread.join()
    assert broken == [] and tags(registry, "app") == ["59"]
