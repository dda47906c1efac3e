"""One more address of this machine, until the end of the test.

Engines trust 127.0.0.1 more than any other; this one they trust no more than
that of another host. It is of those for benchmarks (RFC 2544), which are
nobody's.
"""

import random

from .process import run


class Address:
    def __init__(self, lab):
        self._lab = lab
        self.text = "198.%d.%d.%d" % (random.choice((18, 19)),
                                      random.randrange(256),
                                      random.randrange(1, 255))
        self._change("add")
        lab.own(self)

    def stop(self):
        self._change("del")

    def _change(self, verb):
        run(self._lab, "ip", "address", verb, f"{self.text}/32", "dev", "lo")
