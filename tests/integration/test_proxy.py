"""Behind a proxy: who asks, and by which name a client knows us."""

import pytest

from lab.registry import Registry

CLIENT = "203.0.113.7"


@pytest.fixture
def behind(scene, upstream):
    """behind(key=value, …): a registry that mirrors docker.io, with keys."""
    def behind(**keys):
        return Registry(scene, {"docker.io": upstream.url}, arguments=[
            f"--{key}={value}" for key, value in keys.items()]).start()
    return behind


def last_request(registry, path):
    lines = [line for line in registry.log_lines("request")
             if line["path"] == path]
    return lines[-1]


def means_us(registry, name, **headers):
    """Is `name` in ?ns= taken for our own: a bare name, unknown upstream?"""
    answer = registry.ask("GET", f"/v2/app/manifests/1?ns={name}",
                          **headers)
    assert answer.status == 404
    return "is not an upstream" not in answer.body.decode()


# ------------------------------------------------------------------ the log

def test_without_a_proxy_the_log_tells_the_peer(behind):
    registry = behind()
    registry.ask("GET", "/v2/", headers={"X-Forwarded-For": CLIENT})
    registry.stop()
    line = last_request(registry, "/v2/")
    assert line["client"].startswith("127.0.0.1:")
    assert "proxy" not in line
    assert line["scheme"] == "http"


@pytest.mark.parametrize("headers", [
    {"X-Forwarded-For": f"6.6.6.6, {CLIENT}", "X-Forwarded-Proto": "https"},
    {"Forwarded": f"for=6.6.6.6, for={CLIENT};proto=https"},
])
def test_a_trusted_proxy_tells_who_the_client_is(behind, headers):
    registry = behind(trusted_proxies="127.0.0.0/8")
    registry.ask("GET", "/v2/", **headers)
    registry.stop()
    line = last_request(registry, "/v2/")
    assert line["client"] == CLIENT
    assert line["proxy"].startswith("127.0.0.1:")
    assert line["scheme"] == "https"


@pytest.mark.parametrize("headers", [
    {"X-Forwarded-For": "nobody at all"},
    {"Forwarded": "for=;;=\""},
    {"Forwarded": "," * 8000},
    {"X-Forwarded-For": "127.0.0.1, " * 700},
])
def test_what_is_malformed_is_passed_over(behind, headers):
    registry = behind(trusted_proxies="127.0.0.1")
    assert registry.ask("GET", "/v2/", **headers).status == 200
    registry.stop()
    assert last_request(registry, "/v2/")["client"].startswith("127.0.0.1")


# ----------------------------------------------------------------- our name

def test_a_client_knows_us_by_the_host_header(behind):
    registry = behind()
    assert means_us(registry, registry.host)
    assert not means_us(registry, "registry.example")
    assert not means_us(registry, "registry.example",
                        **{"X-Forwarded-Host": "registry.example"})


def test_a_trusted_proxy_tells_how_a_client_knows_us(behind):
    registry = behind(trusted_proxies="127.0.0.1")
    assert means_us(registry, "registry.example",
                    **{"X-Forwarded-Host": "registry.example"})
    assert means_us(registry, "Registry.Example",
                    Forwarded="for=1.1.1.1;host=registry.example")


def test_the_public_url_is_our_name_whatever_is_sent(behind):
    registry = behind(public_url="https://registry.example:8443")
    assert means_us(registry, "registry.example:8443")
    assert not means_us(registry, registry.host)


def test_our_own_name_in_a_path_says_nothing(behind):
    registry = behind()
    started = registry.ask("POST", f"/v2/{registry.host}/app/blobs/uploads/")
    assert registry.ask("GET", started["Location"]).status == 204


@pytest.mark.parametrize("keys", [
    {}, {"public_url": "https://registry.example"},
    {"trusted_proxies": "127.0.0.1"}])
def test_a_location_is_relative_always(behind, keys):
    registry = behind(**keys)
    answer = registry.ask("POST", "/v2/app/blobs/uploads/", **{
        "X-Forwarded-Host": "registry.example",
        "X-Forwarded-Proto": "https"})
    assert answer.status == 202
    assert answer["Location"].startswith("/v2/app/")
