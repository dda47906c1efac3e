"""What is configured: checked before it is served, shown, reloaded."""

import base64
import signal
import socket
import ssl
import subprocess

import pytest

from lab.certificates import make_certificate, trusting
from lab.content import content, digest_of
from lab.fakehub import Challenge, FakeHub
from lab.images import OCI, Blob, descriptor, encode
from lab.integrity import keeps
from lab.registry import BINARY, Registry
from lab.waiting import wait_until
from lab.wire import Wire

USAGE = 2
CONFIG = Blob(digest_of(b"{}"), 2)     # nowhere here


@pytest.fixture
def call(lab, scene):
    """call(arguments…, VARIABLE=value): status, standard output and error."""
    home = scene.directory("config")

    def call(*arguments, **variables):
        environment = dict(lab.environment, **{
            f"PRIVATE_REGISTRY_{key}": value
            for key, value in variables.items()})
        done = subprocess.run([str(BINARY), *map(str, arguments)], text=True,
                              env=environment, capture_output=True, cwd=home,
                              stdin=subprocess.DEVNULL, timeout=20)
        return done.returncode, done.stdout, done.stderr
    call.home = home
    return call


@pytest.fixture
def file(call):
    return call.home / "registry.yaml"


# -------------------------------------------------------------------- check

def test_a_right_file_has_no_problem(call, file):
    file.write_text("drain: 5s\nmirror: {patience: 2s}\n")
    assert call("config", "check", file) == (0, f"{file} has no problem\n", "")


def test_every_problem_is_a_line_with_its_place(call, file):
    file.write_text("drain: soon\nmirror:\n  pateince: 2s\n  default: a.b\n")
    status, out, err = call("config", "check", file)
    assert (status, out) == (USAGE, "")
    first, second, third, end = err.splitlines()
    assert first.startswith(f"{file}:1: ") and "write" in first
    assert second.startswith(f"{file}:3: ") and "mirror.patience" in second
    assert third.startswith(f"{file}:4: ") and "mirror.upstreams" in third
    assert end == f"private-registry: {file} has 3 problems"


def test_the_environment_is_no_part_of_a_file(call, file):
    file.write_text("drain: 5s\n")
    assert call("config", "check", file, DRIAN="x")[0] == 0


# --------------------------------------------------------------------- show

def test_each_value_is_shown_with_where_it_was_written(call, file):
    file.write_text("drain: 5s\nmirror: {patience: 2s, default: ''}\n")
    status, out, err = call("config", "show", "--config", file,
                            "--mirror.patience", "3s", LOG_LEVEL="debug",
                            DATA="images")
    assert (status, err) == (0, "")
    shown = {line.split(" # ")[0].strip(): line.split(" # ")[1]
             for line in out.splitlines()[1:] if " # " in line}
    assert shown["drain: 5s"] == f"{file}:1"
    assert shown['default: ""'] == f"{file}:2"
    assert shown["patience: 3s"] == "--mirror.patience"
    assert shown["level: debug"] == "PRIVATE_REGISTRY_LOG_LEVEL"
    assert shown["data: images"] == "PRIVATE_REGISTRY_DATA"
    assert shown["uploads: 64"] == "default"


def test_what_is_shown_is_a_configuration(call, file):
    _, out, _ = call("config", "show", "--upstream", "ghcr.io=http://h:1",
                     "--data", "/data")
    file.write_text(out)
    assert call("config", "check", file)[0] == 0
    again = call("config", "show", "--config", file)[1]
    assert [line.split(" # ")[0].rstrip() for line in again.splitlines()] == \
        [line.split(" # ")[0].rstrip() for line in out.splitlines()]


def test_no_password_is_shown(call, file):
    (call.home / "password").write_text("hunter2\n")
    file.write_text("mirror: {upstreams: [{name: a.b, credentials: ["
                    "{username: u, password_file: password}]}]}\n")
    status, out, _ = call("config", "show", "--config", file)
    assert status == 0
    assert str(call.home / "password") in out and "hunter2" not in out


def test_no_password_of_a_proxy_is_shown(call, file):
    text = "mirror: {upstreams: [{name: a.b, proxy: '%s'}]}\n"
    file.write_text(text % "http://me:hunter2@proxy:3128")
    status, out, _ = call("config", "show", "--config", file)
    assert status == 0
    assert "http://***@proxy:3128" in out and "hunter2" not in out
    for wrong in "htp://me:hunter2@proxy", "socks5://me:hunter2@proxy/path":
        file.write_text(text % wrong)
        status, out, errors = call("config", "check", file)
        assert status == 2
        assert "no URL of a proxy" in errors and "hunter2" not in out + errors


def test_a_wrong_variable_is_refused_with_the_right_one(call):
    status, out, err = call("config", "show", DRIAN="5s")
    assert (status, out) == (USAGE, "")
    assert "PRIVATE_REGISTRY_DRIAN" in err
    assert 'did you mean "PRIVATE_REGISTRY_DRAIN"?' in err


# ------------------------------------------------------------------- reload

@pytest.fixture
def reload():
    """reload(registry, (old, new)…) edits its file and is what it logs."""
    def reload(registry, *edits):
        text = registry.configuration.read_text()
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        registry.configuration.write_text(text)
        before = len(registry.log_lines("reload"))
        registry.signal(signal.SIGHUP)
        wait_until(lambda: registry.log_lines("reload")[before:],
                   "the reload")
        registry.ask("GET", "/healthz")     # whatever it logs is logged
        wait_until(lambda: registry.log_lines("request")[-1]["path"] ==
                   "/healthz" or registry.log_lines()[-1]["event"] ==
                   "reload", "the log")
        return registry.log_lines("reload")[before:]
    return reload


TOP = "data:"       # the first key: what is written before it is a key, too


def own_name(registry, name):
    answer = registry.ask("GET", f"/v2/app/manifests/1?ns={name}")
    return "is not an upstream" not in answer.body.decode()


def test_a_reload_changes_how_clients_know_us(start_registry, reload):
    registry = start_registry({})
    assert not own_name(registry, "registry.example")
    line, = reload(registry, (TOP, "public_url: https://registry.example\n"
                              + TOP))
    assert line["level"] == "info"
    assert own_name(registry, "registry.example")


def test_a_reload_changes_whom_we_trust(start_registry, reload):
    registry = start_registry({})
    reload(registry, (TOP, "trusted_proxies: 127.0.0.1\n" + TOP))
    registry.ask("GET", "/v2/", X_Forwarded_For="203.0.113.7")
    registry.stop()
    assert registry.log_lines("request")[-1]["client"] == "203.0.113.7"


def test_a_reload_changes_what_is_logged(start_registry, reload):
    registry = start_registry({})
    registry.configuration.write_text(
        "log: {level: error}\n" + registry.configuration.read_text())
    registry.signal(signal.SIGHUP)

    def quiet():
        registry.ask("GET", "/v2/")
        before = len(registry.log_lines())
        registry.ask("GET", "/v2/")
        return len(registry.log_lines()) == before
    wait_until(quiet, "silence")


def test_a_reload_changes_what_may_be_pushed(start_registry, reload):
    registry = start_registry({})
    manifest = encode({"schemaVersion": 2, "mediaType": OCI["manifest"],
                       "config": descriptor(OCI["config"], CONFIG),
                       "layers": []})

    def pushes():
        blob = registry.ask(
            "POST", f"/v2/app/blobs/uploads/?digest={digest_of(b'four')}",
            b"four").status
        return blob, registry.ask("PUT", "/v2/app/manifests/1", manifest,
                                  Content_Type=OCI["manifest"]).status

    assert pushes() == (201, 400)
    reload(registry, (TOP, "limits: {blob_size: 3B}\n"
                      "manifests: {missing_blobs: accept}\n" + TOP))
    assert pushes() == (413, 201)


def test_a_reload_changes_what_a_bare_name_means(start_registry, upstream,
                                                 reload):
    upstream.add_small_image("library/app")
    registry = start_registry({"docker.io": upstream.url})

    def status():
        return registry.ask("GET", "/v2/library/app/manifests/1").status

    assert status() == 200
    reload(registry, ("default: docker.io", "default: ''"))
    assert status() == 404
    # What only a restart brings is not what it means meanwhile.
    kept = reload(registry, ("default: ''", "default: docker.io"))
    assert [line["level"] for line in kept] == ["info"] and status() == 200
    lines = reload(
        registry, ("default: docker.io", "default: a.b"),
        ("- name: docker.io", "- name: a.b\n    - name: docker.io"))
    assert lines[1]["message"].startswith(
        "only a restart changes mirror.upstreams, mirror.default")
    assert status() == 200


def test_a_reload_changes_how_long_a_tag_is_believed(start_registry, upstream,
                                                     reload):
    image = upstream.add_small_image("library/app")
    registry = start_registry({"docker.io": upstream.url})
    target = "/v2/library/app/manifests/1"
    registry.ask("GET", target)
    keeps(registry, image)
    asked = upstream.count("manifest")
    registry.ask("GET", target)
    assert upstream.count("manifest") == asked
    reload(registry, ("- name: docker.io",
                      "- tag_lifetime: 0s\n      name: docker.io"))
    registry.ask("GET", target)
    assert upstream.count("manifest") == asked + 1


def test_a_reload_changes_where_and_as_whom_we_ask(scene, start_registry,
                                                   upstream, reload):
    upstream.add_small_image("library/app")
    upstream.challenge = Challenge(f"{upstream.url}/token")
    moved = FakeHub(scene)
    moved.add_small_image("library/other")
    password = scene.directory("secrets") / "password"
    password.write_text("old\n")
    registry = start_registry(
        {"docker.io": upstream.url},
        options={"docker.io": {"credentials": [
            {"username": "alice", "password_file": password}]}})

    def logged_in_as():
        given = upstream.seen("token")[-1].headers["Authorization"]
        return base64.b64decode(given.removeprefix("Basic ")).decode()

    registry.ask("GET", "/v2/library/app/manifests/1")
    assert logged_in_as() == "alice:old"
    password.write_text("new\n")
    reload(registry, ("username: alice", "username: bob"))
    upstream.add_small_image("library/app", "2")
    registry.ask("GET", "/v2/library/app/manifests/2")
    assert logged_in_as() == "bob:new"

    reload(registry, (upstream.url, moved.url))
    answer = registry.ask("GET", "/v2/library/other/manifests/1")
    assert answer.status == 200
    assert moved.count("manifest") > 0


def test_a_reload_changes_how_many_uploads_run(scene, reload):
    registry = Registry(scene, settings={"limits": {"uploads": 1}}).start()

    def begin(wire, data):
        start = wire.ask("POST", "/v2/app/blobs/uploads/", b"")
        wire.send(b"PATCH %s HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n%s"
                  % (start["Location"].encode(), data))

    with registry.connect() as slow, registry.connect() as next_one:
        begin(slow, b"so")
        begin(next_one, b"some")        # waits until `slow` is done
        reload(registry, ("uploads: 1", "uploads: 2"))
        assert next_one.answer("PATCH").status == 202
        slow.send(b"me")
        assert slow.answer("PATCH").status == 202


def test_what_is_under_way_ends_as_it_began(scene, start_registry, upstream,
                                            reload):
    blob = content("reload", 8 << 20)
    upstream.add_image("library/app", "1", blob)
    upstream.always.rate = 8 << 20
    moved = FakeHub(scene)
    registry = start_registry({"docker.io": upstream.url})
    registry.ask("GET", "/v2/library/app/manifests/1")
    with registry.connect() as wire:
        wire.send(b"GET /v2/library/app/blobs/%s HTTP/1.1\r\n"
                  b"Host: a\r\n\r\n" % str(blob.digest).encode())
        wait_until(lambda: upstream.count("blob", "GET"), "the transfer")
        reload(registry, (upstream.url, moved.url))
        assert wire.answer("GET").body == blob.bytes()
    assert moved.count() == 0


def test_a_reload_brings_other_certificates(scene, reload):
    first = make_certificate(scene, scene.directory("first"), 1)
    second = make_certificate(scene, scene.directory("second"), 2)
    registry = Registry(scene, tls=first).start()
    reload(registry, (str(first[0]), str(second[0])),
           (str(first[1]), str(second[1])))
    with Wire(registry.tls, tls=trusting(second[0])) as wire:
        assert wire.ask("GET", "/v2/").status == 200


def test_a_reload_brings_certificates_for_other_names(scene, reload):
    first = make_certificate(scene, scene.directory("first"), 1)
    other = make_certificate(scene, scene.directory("other"), 2,
                             "other.example")
    registry = Registry(scene, tls=first).start()

    def shown_to(name):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(registry.tls) as plain, \
                context.wrap_socket(plain, server_hostname=name) as secure:
            return secure.getpeercert(binary_form=True)

    before = shown_to("other.example")
    assert before == shown_to("localhost")
    reload(registry, (f"key: {first[1]}", f"""key: {first[1]}
      more:
        - certificate: {other[0]}
          key: {other[1]}"""))
    assert shown_to("localhost") == before
    assert shown_to("other.example") != before


def test_what_only_a_restart_changes_is_told(scene, start_registry, reload):
    registry = start_registry({})
    elsewhere = scene.directory("elsewhere")
    lines = reload(registry, (str(registry.data), str(elsewhere)),
                   (TOP, "public_url: https://registry.example\n" + TOP))
    assert [line["level"] for line in lines] == ["info", "warn"]
    assert lines[1]["message"] == \
        "only a restart changes data, which stays as it was"
    assert list(elsewhere.iterdir()) == []
    assert own_name(registry, "registry.example")   # the rest was taken


BROKEN = {
    "no YAML": (TOP, "public_url: [\n" + TOP),
    "an unknown key": (TOP, "colour: red\n" + TOP),
    "a file that is not there": ("- name: docker.io",
                                 "- ca: /nowhere\n      name: docker.io"),
    "authorities that are none": ("- name: docker.io",
                                  "- ca: /dev/null\n      name: docker.io"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_changes_nothing(start_registry, upstream, reload,
                                       case):
    registry = start_registry({"docker.io": upstream.url})
    line, = reload(registry, (TOP, "public_url: https://registry.example\n"
                              + TOP), BROKEN[case])
    assert line["level"] == "error"
    assert line["message"].endswith("; everything stays as it was")
    assert not own_name(registry, "registry.example")


def test_bad_certificates_change_nothing(scene, reload):
    first = make_certificate(scene, scene.directory("first"), 1)
    registry = Registry(scene, tls=first).start()
    line, = reload(registry, (str(first[0]), str(first[1])),
                   (TOP, "public_url: https://registry.example\n" + TOP))
    assert line["level"] == "error" and str(first[1]) in line["message"]
    assert not own_name(registry, "registry.example")
    with Wire(registry.tls, tls=trusting(first[0])) as wire:
        assert wire.ask("GET", "/v2/").status == 200


def test_many_reloads_while_many_ask(start_registry, reload):
    registry = start_registry({})
    texts = [registry.configuration.read_text()]
    texts.append("public_url: https://registry.example\n" + texts[0])
    with registry.connect() as wire:
        for turn in range(50):
            registry.configuration.write_text(texts[turn % 2])
            registry.signal(signal.SIGHUP)
            for _ in range(20):
                assert wire.ask("GET", "/v2/").status == 200
    assert registry.stop() == 0
