"""A server of Python's that answers until the end of the test."""

import threading


class Background:
    def __init__(self, lab, server):
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever,
                                        args=(0.01,))
        self._thread.start()
        lab.own(self)

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
