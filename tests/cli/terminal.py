"""A program on a pseudo-terminal, for tests of what only happens there."""

import os
import pty
import select
import signal
import termios
import time


class Terminal:
    def __init__(self, command, env):
        self.text = ""
        self._seen = 0
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            try:
                os.execve(command[0], command, env)
            finally:
                os._exit(127)

    def send(self, keys):
        os.write(self._fd, keys.encode())

    def expect(self, wanted, seconds=60):
        """Waits until `wanted` is printed after what was expected last; returns what came before it."""
        end = time.monotonic() + seconds
        while True:
            at = self.text.find(wanted, self._seen)
            if at >= 0:
                before = self.text[self._seen:at]
                self._seen = at + len(wanted)
                return before
            if time.monotonic() > end or self._read(end - time.monotonic()) is False:
                raise AssertionError(f"expected {wanted!r}, got {self.text[self._seen:]!r}")

    def expect_prompt(self, prompt, seconds=60):
        """The same, and then until the program reads key by key: what is typed before is handled by the terminal."""
        before = self.expect(prompt, seconds)
        end = time.monotonic() + seconds
        while termios.tcgetattr(self._fd)[3] & termios.ICANON and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(0.02)
        return before

    def wait(self, seconds=60):
        """Waits for the end; returns the exit code. A program that goes on is killed: -9."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._read(0.1) is not False:
            pass
        if time.monotonic() >= end:
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(status)

    def _read(self, seconds):
        """False at the end of the output, None when nothing came in time."""
        ready, _, _ = select.select([self._fd], [], [], max(0, seconds))
        if not ready:
            return None
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return bool(data)
