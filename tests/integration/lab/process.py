"""One program under test: started, watched, ended; never left behind."""

import os
import signal
import subprocess


class Process:
    """A program in a session of its own, its output in the file `log`.

    It inherits the descriptors of `passed`.
    """

    def __init__(self, lab, argv, log, passed=()):
        self.log = log
        with open(log, "ab") as output:
            self._popen = subprocess.Popen(
                [str(word) for word in argv], env=lab.environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, pass_fds=passed)
        self.pid = self._popen.pid

    def running(self):
        return self._popen.poll() is None

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, seconds=60):
        """Its exit status; negative is the signal that ended it."""
        return self._popen.wait(seconds)

    def stop(self, seconds=60):
        """Asks it to end, then ends it; returns the exit status."""
        if self.running():
            self.signal(signal.SIGTERM)
            try:
                self.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill9()
                raise
        return self._popen.returncode

    def kill9(self):
        """The whole group, at once."""
        if self.running():
            os.killpg(self.pid, signal.SIGKILL)
        return self.wait()

    def output(self):
        return self.log.read_text(errors="replace")


def run(lab, *argv, seconds=120, check=True, stdin=subprocess.DEVNULL,
        **variables):
    """Runs a command to its end; its standard output as text."""
    done = subprocess.run([str(word) for word in argv],
                          env=dict(lab.environment, **variables),
                          stdin=stdin, capture_output=True,
                          text=True, timeout=seconds)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: exit status "
                             f"{done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
