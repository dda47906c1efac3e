"""What is configured: checked before it is served, shown, reloaded."""

import subprocess

import pytest

from lab.registry import BINARY

USAGE = 2


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
    file.write_text("mirror: {upstreams: [{name: a.b, username: u, "
                    "password_file: password}]}\n")
    status, out, _ = call("config", "show", "--config", file)
    assert status == 0
    assert str(call.home / "password") in out and "hunter2" not in out


def test_a_wrong_variable_is_refused_with_the_right_one(call):
    status, out, err = call("config", "show", DRIAN="5s")
    assert (status, out) == (USAGE, "")
    assert "PRIVATE_REGISTRY_DRIAN" in err
    assert 'did you mean "PRIVATE_REGISTRY_DRAIN"?' in err
