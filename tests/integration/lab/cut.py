"""A cut between whoever asks and one port: every packet there is dropped."""

from urllib.parse import urlsplit

from .process import run


class Cut:
    """From now until `mend`, or the end of the test."""

    def __init__(self, lab, url):
        self._lab = lab
        there = urlsplit(url)
        self._rule = ("INPUT", "--protocol", "tcp", "--destination",
                      there.hostname, "--dport", there.port, "--jump", "DROP")
        self._change("--insert")
        self._is_cut = True
        lab.own(self)

    def mend(self):
        self._change("--delete")
        self._is_cut = False

    def stop(self):
        if self._is_cut:
            self.mend()

    def _change(self, verb):
        run(self._lab, "iptables", "--wait", verb, *map(str, self._rule))
