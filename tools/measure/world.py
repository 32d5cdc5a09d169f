"""What is measured runs here: whole processes, one after the other, in a state directory of their own."""

import concurrent.futures
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOCKER = os.environ.get("LONGSHORE_DOCKER") or "docker"
LABEL = f"longshore.bench={os.getpid()}"
NAME = f"longshore-bench-{os.getpid()}"


class Ran:
    """A process that has ended: the seconds it took, its largest memory in bytes, and what it printed.

    The kernel counts the memory from before the program was started, so it is at least that of this Python, about 13 MB."""

    def __init__(self, took, memory, out):
        self.took, self.memory, self.out = took, memory, out

    @property
    def text(self):
        with open(self.out) as file:
            return file.read().strip()


class World:
    def __init__(self, binary, image, work):
        self.binary, self.image, self.work = binary, image, work
        self.env = dict(os.environ, XDG_STATE_HOME=os.path.join(work, "state"))
        self.without = dict(self.env, LONGSHORE_DOCKER="/nonexistent/docker", DOCKER_HOST="unix:///nonexistent")
        self.src = os.path.join(work, "src")
        os.mkdir(self.src)
        self.write("main.py", "for i in range(200):\n    print('line', i)\n")
        self.job = None
        # All that had the name of the image; only the last one still has it.
        self.images = []
        # Those that others have made.
        self.volumes = subprocess.run([DOCKER, "volume", "ls", "-q"], stdout=subprocess.PIPE, text=True).stdout.split()

    def write(self, name, text, place=None):
        with open(os.path.join(place or self.src, name), "w") as file:
            file.write(text)

    def call(self, *argv, env=None, out="out"):
        """Runs a program to its end with as little of Python around it as can be."""
        path = shutil.which(argv[0])
        out, err = os.path.join(self.work, out), os.path.join(self.work, "err")
        # Else a part of the time would be what the program before printed: its megabytes are freed, and ext4 writes a file that
        # was emptied and filled again to the disk when it is closed.
        if os.path.isfile(out):
            os.unlink(out)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, out, flags, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, err, flags, 0o600),
        ]
        begun = time.perf_counter()
        pid = os.posix_spawn(path, argv, env or self.env, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        took = time.perf_counter() - begun
        code = os.waitstatus_to_exitcode(status)
        if code != 0:
            with open(err) as file:
                sys.exit(f"error: {' '.join(argv)} ended with {code}\n{file.read()}")
        return Ran(took, usage.ru_maxrss * 1024, out)

    def ours(self, *argv, **more):
        return self.call(self.binary, *argv, **more)

    def docker(self, *argv, **more):
        return self.call(DOCKER, *argv, **more)

    def python(self, code, *argv, **more):
        """A program for docker-py."""
        return self.call(sys.executable, "-c", code, *argv, **more)

    def times(self, count, **works):
        """Each work in turn, count times over, once more before that to warm up: the seconds of each."""
        times = {name: [] for name in works}
        for i in range(count + 1):
            for name, work in works.items():
                ran = work()
                if i:
                    times[name].append(ran.took if isinstance(ran, Ran) else ran)
            if sys.stderr.isatty():
                print(f"\r{i}/{count} ", end="", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            print("\r      \r", end="", file=sys.stderr)
        return times

    def medians(self, count, **works):
        """The medians of times()."""
        return {name: statistics.median(times) for name, times in self.times(count, **works).items()}

    def exec_run(self):
        ran = self.ours("exec", "run", "--image", self.image, "--src", self.src, "--main", "main.py")
        self.job = ran.text
        self.ours("exec", "wait", self.job)
        return ran.took

    def image_create(self):
        ran = self.ours("image", "create", NAME, "--base", self.image, "--run", "true")
        self.ours("image", "wait", NAME)
        self.images.append(self.docker("image", "inspect", "--format", "{{.Id}}", NAME).text)
        return ran.took

    def docker_run(self):
        ran = self.docker("run", "-d", "--label", LABEL, self.image, "true")
        container = ran.text
        self.docker("wait", container)
        self.docker("rm", container)
        return ran.took

    def create_many(self, count):
        """So many containers, none of them started."""
        argv = [DOCKER, "create", "--label", LABEL, self.image, "true"]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for done in pool.map(lambda _: subprocess.run(argv, stdout=subprocess.DEVNULL), range(count)):
                done.check_returncode()

    def many_jobs(self, place, runs, builds, name_of):
        """A state directory with so many ended runs and builds, each with a name and a label, like those that were measured.

        `name_of` makes the id of a number."""
        build = json.loads(self.ours("image", "status", NAME, "--json").text)["id"] if builds else None
        for kind, like, name, count in (("run", self.job, "train-{}", runs), ("build", build, "web-{}:latest", builds)):
            new = os.path.join(self.work, place, "longshore", kind)
            os.makedirs(new, 0o700)
            os.chmod(os.path.dirname(new), 0o700)
            if not count:
                continue
            old = os.path.join(self.work, "state", "longshore", kind, like)
            with open(os.path.join(old, "job.json")) as file:
                record = json.load(file)
            first = datetime.datetime.fromisoformat(record["created"].replace("Z", "+00:00"))
            for number in range(count):
                job = os.path.join(new, name_of(number))
                shutil.copytree(old, job, ignore=shutil.ignore_patterns("control"))
                created = (first - datetime.timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
                record.update(id=os.path.basename(job), name=name.format(number), created=created,
                              labels={"team": f"team-{number % 10}"})
                with open(os.path.join(job, "job.json"), "w") as file:
                    json.dump(record, file, indent=2)
        # What changed just now is not taken into the index.
        time.sleep(2.1)
        return dict(self.without, XDG_STATE_HOME=os.path.join(self.work, place))

    def clean(self):
        def quietly(*argv):
            return subprocess.run([DOCKER, *argv], capture_output=True, text=True).stdout.split()

        left = quietly("ps", "-aq", "--filter", f"label={LABEL}")
        if left:
            quietly("rm", "-f", *left)
        quietly("image", "rm", NAME)
        for image in self.images:
            quietly("image", "rm", image)
