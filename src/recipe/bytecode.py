"""Compiles packages to bytecode, and keeps the bytecode for the next build. `uv.py` imports it.

To compile ten packages takes longer than to install them, and an image that gets one more package has to compile all of
them again. So the bytecode of each package is kept in a file of the cache. Its name is a hash of the RECORD of the
package, which has the hash of each source, of the version of Python, and of the directory, whose path is in the bytecode.
Python takes bytecode for current if it has the time and the size of its source: both are written anew.
"""

import csv
import hashlib
import importlib.util
import marshal
import os
import subprocess
import sys
import tempfile

# Magic number, flags, time and size of the source (PEP 552).
HEADER = 16


def installed(directories):
    """The packages in these directories: the path of each .dist-info, and when its RECORD was written."""
    found = {}
    for directory in directories:
        for name in os.listdir(directory) if os.path.isdir(directory) else []:
            record = os.path.join(directory, name, "RECORD")
            if name.endswith(".dist-info") and os.path.isfile(record):
                found[os.path.join(directory, name)] = os.stat(record).st_mtime_ns
    return found


def compile_packages(packages, cache):
    """Compiles packages, which are paths of .dist-info directories. Returns how many files have bytecode by now, and for
    how many of them it was in the directory `cache`."""
    os.makedirs(cache, exist_ok=True)
    kept, missing, sources = 0, [], []
    for package in packages:
        path, files = described(package, cache)
        found = read(path)
        if found is None:
            missing.append((path, files))
            sources += files
        else:
            kept += restore(files, found)
    compile_files(sources)
    return kept + sum(keep(path, files) for path, files in missing), kept


def described(package, cache):
    """Where the bytecode of a package is kept, and its sources."""
    root = os.path.dirname(package)
    with open(os.path.join(package, "RECORD"), encoding="utf-8", newline="") as file:
        record = file.read()
    names = [row[0] for row in csv.reader(record.splitlines()) if row]
    files = [os.path.join(root, name) for name in names if name.endswith(".py") and not name.startswith(("/", ".."))]
    identity = "\n".join([sys.version, str(sys.implementation.cache_tag), root, record])
    return os.path.join(cache, hashlib.sha256(identity.encode("utf-8")).hexdigest()), files


def read(path):
    """Source to size and bytecode, or None if there is no whole file."""
    try:
        with open(path, "rb") as file:
            digest, data = file.read(32), file.read()
    except OSError:
        return None
    return marshal.loads(data) if hashlib.sha256(data).digest() == digest else None


def restore(files, found):
    count = 0
    for source in files:
        status = os.stat(source)
        size, code = found.get(source, (None, None))
        if size == status.st_size:
            target = importlib.util.cache_from_source(source)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            numbers = (0, int(status.st_mtime), size)
            header = b"".join((number & 0xFFFFFFFF).to_bytes(4, "little") for number in numbers)
            with open(target, "wb") as file:
                file.write(importlib.util.MAGIC_NUMBER + header + code)
            count += 1
    return count


def compile_files(sources):
    """One process for each processor. A file that is not for this Python has no bytecode, as with pip."""
    workers = max(1, min(len(os.sched_getaffinity(0)), len(sources)))
    processes = []
    for worker in range(workers if sources else 0):
        command = [sys.executable, "-m", "compileall", "-qq", "-i", "-"]
        processes.append((subprocess.Popen(command, stdin=subprocess.PIPE), sources[worker::workers]))
    for process, share in processes:
        process.stdin.write("".join(source + "\n" for source in share).encode("utf-8"))
        process.stdin.close()
    for process, _ in processes:
        process.wait()


def keep(path, files):
    """Keeps the bytecode of these files. Returns how many have bytecode."""
    found = {}
    for source in files:
        try:
            with open(importlib.util.cache_from_source(source), "rb") as file:
                header, code = file.read(HEADER), file.read()
        except OSError:
            continue
        # A flag says that the source is told by its hash.
        if header[4:8] == bytes(4):
            found[source] = (os.stat(source).st_size, code)
    data = marshal.dumps(found)
    number, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix="new-")
    with open(number, "wb") as file:
        file.write(hashlib.sha256(data).digest() + data)
    os.replace(temporary, path)
    return len(found)
