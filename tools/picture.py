"""picture.py SCRIPT: runs a bash script at a terminal, and prints what the terminal shows at the end as SVG."""
import html
import os
import pty
import struct
import sys
from fcntl import ioctl
from itertools import groupby
from termios import TIOCSWINSZ

import pyte

COLUMNS, LINES = 96, 80
# Pixels of a character, and around the text.
WIDTH, HEIGHT, MARGIN, TITLE = 8.43, 19, 16, 34
BACKGROUND, FOREGROUND = "#0d1117", "#e6edf3"
COLOURS = {
    "red": "#ff7b72", "green": "#7ee787", "brown": "#f2cc60", "blue": "#79c0ff", "magenta": "#d2a8ff", "cyan": "#76e3ea",
    "black": "#6e7681", "white": "#e6edf3", "brightblack": "#6e7681",
}


def screen(script):
    """The screen after the script has ended; an exit code other than 0 ends this program."""
    shown = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(shown)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("bash", ["bash", "-e", script])
    ioctl(terminal, TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    try:
        while data := os.read(terminal, 65536):
            stream.feed(data)
    except OSError:
        pass
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        print("\n".join(shown.display).rstrip(), file=sys.stderr)
        sys.exit(f"error: the session ended with {code}")
    return shown


def style(char):
    attributes = [f'fill="{COLOURS.get(char.fg, FOREGROUND)}"'] if char.fg != "default" else []
    if char.bold:
        attributes.append('font-weight="bold"')
    return " ".join(attributes)


def line(cells, y):
    """The text elements of a line: one for each stretch of the same style."""
    for look, group in groupby(enumerate(cells), key=lambda cell: style(cell[1])):
        group = list(group)
        text = "".join(char.data for _, char in group)
        if text.strip():
            x = MARGIN + group[0][0] * WIDTH
            length = len(text) * WIDTH
            yield (f'<text x="{x:.1f}" y="{y}" {look} textLength="{length:.1f}" xml:space="preserve">'
                   f"{html.escape(text)}</text>").replace('"  ', '" ')


def svg(shown):
    rows = [[shown.buffer[y][x] for x in range(COLUMNS)] for y in range(LINES)]
    while rows and not "".join(char.data for char in rows[-1]).strip():
        rows.pop()
    width, height = COLUMNS * WIDTH + 2 * MARGIN, TITLE + len(rows) * HEIGHT + MARGIN
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img">'
    yield "<title>A session with longshore at a terminal</title>"
    yield f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>'
    for index, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        yield f'<circle cx="{20 + 18 * index}" cy="18" r="6" fill="{colour}"/>'
    yield f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" fill="{FOREGROUND}">'
    for number, cells in enumerate(rows):
        yield from line(cells, TITLE + (number + 1) * HEIGHT - 4)
    yield "</g>"
    yield "</svg>"


print("\n".join(svg(screen(sys.argv[1]))))
