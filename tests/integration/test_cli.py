"""What it says to a person, and with which status it ends."""

import subprocess

import pytest

from lab.registry import BINARY, Registry

FAILED, USAGE, IN_USE = 1, 2, 3


@pytest.fixture
def call(lab):
    """call(arguments…): (exit status, standard output, standard error)."""
    def call(*arguments):
        done = subprocess.run([str(BINARY), *map(str, arguments)], text=True,
                              env=lab.environment, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=20)
        return done.returncode, done.stdout, done.stderr
    return call


@pytest.fixture
def sentence(call):
    """sentence(status, arguments…): the one line that says what is wrong."""
    def sentence(status, *arguments):
        got, out, line = call(*arguments)
        assert (got, out) == (status, ""), (got, out, line)
        assert line.count("\n") == 1 and line.endswith("\n"), line
        return line
    return sentence


# ------------------------------------------------------------------- --help

@pytest.mark.parametrize("arguments", [
    ["--help"], ["serve", "--help"], ["-h"], ["config", "--help"],
    ["help", "config", "check"], ["config", "show", "-h"],
    ["prefetch", "--help"], ["status", "-h"], ["help", "explain"],
    ["agent", "--help"]])
def test_help_is_asked_for_and_readable(call, arguments):
    status, out, err = call(*arguments)
    assert (status, err) == (0, "")
    assert "private-registry" in out
    assert max(len(line) for line in out.splitlines()) <= 80
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_the_help_of_serve_names_each_key_with_its_default(call):
    _, out, _ = call("serve", "--help")
    for word in "--config", "data", "drain", "mirror.default", "docker.io":
        assert word in out


def test_it_tells_its_version(call):
    status, out, _ = call("--version")
    assert status == 0 and "private-registry" in out


# ------------------------------------------------------------ command lines

WRONG = {
    "an unknown verb": (["brew"], "brew"),
    "an unknown verb of a group": (["config", "brew"], "check, show"),
    "a verb almost right": (["sevre"], "serve"),
    "no verb": ([], "--help"),
    "no verb of a group": (["config"], "check, show"),
    "no file to check": (["config", "check"], "FILE"),
    "an unknown option": (["serve", "--colour"], "colour"),
    "an option without its value": (["serve", "--config"], "config"),
    "a word too many": (["serve", "now"], "now"),
    "a value that does not fit": (["serve", "--drain=soon"], "soon"),
    "a file that is not there":
        (["serve", "--config", "/nowhere/config.yaml"],
         "/nowhere/config.yaml"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_command_line_is_one_sentence(sentence, case):
    arguments, word = WRONG[case]
    assert word in sentence(USAGE, *arguments)


# ------------------------------------------------------------ configuration

CONFIGURATIONS = {
    "an unknown key": ("data: /tmp/x\ncolour: red\n", 2, "colour"),
    "an unknown key below": (
        "mirror:\n  default: docker.io\n  colour: red\n", 3, "colour"),
    "a key for an upstream that there is not": (
        "mirror:\n  upstreams:\n    - name: docker.io\n      urls: [http://h]"
        "\n      shade: red\n", 5, "shade"),
    "a word where a duration belongs": ("drain: soon\n", 1, "soon"),
    "a list where a word belongs": ("data: [a, b]\n", 1, "data"),
    "a word where a list belongs": ("listen: here\n", 1, "listen"),
    "an address without a port": (
        "listen:\n  - address: localhost\n", 2, "localhost"),
    "a port out of range": (
        'listen:\n  - address: "127.0.0.1:99999"\n', 2, "99999"),
    "a certificate without a key": (
        'listen:\n  - address: "127.0.0.1:0"\n    tls: {certificate: c.pem}\n',
        None, "key"),
    "a listener of an unknown upstream": (
        'listen:\n  - address: "127.0.0.1:0"\n    upstream: nowhere.example\n',
        None, "nowhere.example"),
    "a default that is no upstream": (
        "mirror:\n  default: nowhere.example\n", None, "nowhere.example"),
    "a url that is none": (
        "mirror:\n  upstreams:\n    - name: ghcr.io\n      urls: [ghcr.io]\n",
        4, "ghcr.io"),
    "no YAML": ("data: [\n", None, ""),
    "a tab": ("data:\n\t- x\n", 2, ""),
    "a key twice": ("data: /a\ndata: /b\n", 2, "data"),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_a_wrong_configuration_is_one_sentence_with_its_line(scene, sentence,
                                                             case):
    text, line, word = CONFIGURATIONS[case]
    file = scene.directory("wrong") / "config.yaml"
    file.write_text(text)
    said = sentence(USAGE, "serve", "--config", file)

    assert str(file) in said
    assert word in said
    assert line is None or f"{file}:{line}:" in said


def test_a_port_in_use_is_said_with_its_address(scene, sentence):
    first = Registry(scene).start()
    second = Registry(scene)
    second.configuration.write_text(
        f"data: {second.data}\nlisten:\n  - address: {first.host}\n")
    assert first.host in sentence(USAGE, "serve", "--config",
                                  second.configuration)


def test_a_directory_in_use_is_exit_status_3(scene, sentence):
    first = Registry(scene).start()
    second = Registry(scene, data=first.data)
    assert str(first.data) in sentence(IN_USE, "serve", "--config",
                                       second.configuration)


def test_a_file_in_place_of_the_directory_is_said(scene, call):
    registry = Registry(scene)
    registry.data.write_text("a file\n")
    status, _, said = call("serve", "--config", registry.configuration)
    assert status in (FAILED, USAGE)
    assert str(registry.data) in said and said.count("\n") == 1
