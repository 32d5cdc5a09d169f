#!/usr/bin/env python3
"""Runs a command at a terminal of its own, 100 columns by 30 lines, and copies what it writes there to stdout.

    at_terminal.py [--until TEXT] [--columns N] [--narrow-to N --at TEXT --then FILE] -- COMMAND...

With --narrow-to the terminal gets another width as soon as the text of --at was written, and then the file is made.

With --until it types Ctrl-C as soon as that text was written. Leaves with the command's code, 128+n for a signal, and
with 97 when the command neither ends nor writes the text within 30 seconds.
"""

import argparse
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--until", default="")
    options.add_argument("--columns", type=int, default=100)
    options.add_argument("--narrow-to", type=int, default=0)
    options.add_argument("--at")
    options.add_argument("--then")
    options.add_argument("command", nargs="+")
    options = options.parse_args()
    pid, terminal = pty.fork()
    if pid == 0:
        # Whoever runs the tests in the background ignores SIGINT, and a child inherits that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, options.columns, 0, 0))
        os.execvp(options.command[0], options.command)
    written, deadline, awaited = b"", time.monotonic() + 30, options.until.encode()
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            read = os.read(terminal, 65536)
        except OSError:
            break
        if not read:
            break
        written += read
        sys.stdout.buffer.write(read)
        sys.stdout.flush()
        if options.narrow_to and options.at.encode() in written:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, options.narrow_to, 0, 0))
            open(options.then, "w").close()
            options.narrow_to = 0
        if awaited and awaited in written:
            os.write(terminal, b"\x03")
            awaited = b""
    else:
        os.kill(pid, signal.SIGKILL)
        sys.exit(97)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.exit(code if code >= 0 else 128 - code)


main()
