"""What is measured, by subject. Each function adds its rows to the report."""

import json
import os
import subprocess
import sys
import time

from .world import DOCKER, LABEL, NAME

# As long as the lines of a program that reports its progress: docker's time depends on the number of lines, too.
LINE = "2026-01-02T03:04:05.678 INFO epoch 12 step 3456 loss 0.123456 accuracy 0.987654 at 12.3 it/s\n"
HUNDRED = 100 << 20
# Where large outputs go, so that no disk is measured.
NOWHERE = "/dev/null"


def starts(world, report, rounds):
    """P1 and P2: until a job is started and its id printed."""
    t = world.medians(rounds, run=world.exec_run, docker_run=world.docker_run, version=lambda: world.docker("version"))
    report.ratio("P1", "exec run, until its id is printed", t["run"], "docker run -d", t["docker_run"], 0.10)
    report.ratio("P1", "exec run, until its id is printed", t["run"], "docker version", t["version"], 1.15)
    t = world.medians(rounds, create=world.image_create, docker_run=world.docker_run,
                      version=lambda: world.docker("version"))
    report.ratio("P2", "image create, until it returns", t["create"], "docker run -d", t["docker_run"], 0.10)
    report.ratio("P2", "image create, until it returns", t["create"], "docker version", t["version"], 1.15)


def questions(world, report, rounds):
    """P3 and P4: what is asked of ended jobs, without an engine, and of a running one."""
    asked = {
        "image status": ("image", "status", NAME),
        "exec inspect": ("exec", "inspect", world.job),
        "exec logs -n 10": ("exec", "logs", "-n", "10", world.job),
    }
    for argv in asked.values():
        world.ours(*argv, env=world.without)
    peer = world.docker("run", "-d", "--label", LABEL, world.image, "true").text
    world.docker("wait", peer)
    works = {what: (lambda argv=argv: world.ours(*argv)) for what, argv in asked.items()}
    t = world.medians(rounds * 3, **works, inspect=lambda: world.docker("inspect", peer))
    for what in asked:
        report.ratio("P3", f"{what} of an ended job", t[what], "docker inspect", t["inspect"], 0.15)

    world.write("sleep.py", "import time\ntime.sleep(1000)\n")
    job = world.ours("exec", "run", "--image", world.image, "--src", world.src, "--main", "sleep.py").text
    try:
        while json.loads(world.ours("exec", "status", job, "--json").text)["started"] is None:
            time.sleep(0.05)
        t = world.medians(rounds, ours=lambda: world.ours("exec", "inspect", job),
                          theirs=lambda: world.docker("inspect", peer))
        report.ratio("P4", "exec inspect of a running job", t["ours"], "docker inspect", t["theirs"], 1.30)
        supervisor(report, job, 10)
    finally:
        world.ours("exec", "stop", "-t", "0", job)


def supervisor(report, job, seconds):
    """P9: the process that waits for a job."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                arguments = file.read().split(b"\0")
        except OSError:
            continue
        if job.encode() in arguments and b"longshore" in os.path.basename(arguments[0]):
            found.append(pid)
    if len(found) != 1:
        sys.exit(f"error: {len(found)} supervisors of {job}")

    def ticks():
        with open(f"/proc/{found[0]}/stat") as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(seconds)
    used = ticks() - before
    with open(f"/proc/{found[0]}/smaps_rollup") as file:
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file if line.rstrip().endswith("kB")}
    report.limit("P9", "a supervisor, memory of its own", sizes["Pss_Anon"], 4e6, "B")
    report.limit("P9", "a supervisor, resident with the program", sizes["Rss"], 4e6, "B")
    report.limit("P9", f"a supervisor, processor time in {seconds} s", used / os.sysconf("SC_CLK_TCK"), 0.01)


def logs(world, report, rounds):
    """P5, P6, P7 and P10: large logs."""
    count = HUNDRED // len(LINE)
    world.write("large.py", f"import sys\nfor _ in range({count}):\n    sys.stdout.write({LINE!r})\n")
    run = ("exec", "run", "--image", world.image, "--src", world.src, "--main", "large.py", "--timeout", "600")

    jobs = []

    def ours(*more):
        begun = time.perf_counter()
        jobs.append(world.ours(*run, *more).text)
        world.ours("exec", "wait", jobs[-1])
        return time.perf_counter() - begun

    container = f"{NAME}-large"

    def theirs(*more):
        for old in world.docker("ps", "-aq", "--filter", f"name={container}").text.split():
            world.docker("rm", old)
        return world.docker("run", "--name", container, "--label", LABEL, "-v", f"{world.src}:/app:ro", *more, world.image,
                            "python3", "-u", "/app/large.py")

    few = max(rounds // 5, 3)
    t = world.medians(few, ours=ours, bare=lambda: ours("--log-driver", "none"),
                      theirs_bare=lambda: theirs("--log-driver", "none"), theirs=theirs)
    report.ratio("P10", "a run that prints 100 MB, to its record", t["ours"], "docker run", t["theirs"], 0.85)
    report.ratio("P10", "the same with --log-driver none", t["bare"], "docker run --log-driver none", t["theirs_bare"], 1.30)

    job = jobs[-1]
    log = os.path.join(world.work, "state", "longshore", "run", job, "log")
    t = world.medians(rounds, ours=lambda: world.ours("exec", "logs", job, out=NOWHERE),
                      cat=lambda: world.call("cat", log, out=NOWHERE),
                      json=lambda: world.ours("exec", "logs", "--json", job, out=NOWHERE))
    report.ratio("P5", "exec logs, 100 MB", t["ours"], "cat", t["cat"], 1.0)
    t2 = world.medians(2, logs=lambda: world.docker("logs", container, out=NOWHERE))
    report.ratio("P5", "exec logs, 100 MB", t["ours"], "docker logs", t2["logs"], 1 / 45)
    code = "import docker, json, sys; print(json.dumps(docker.from_env().containers.get(sys.argv[1]).logs().decode()))"
    t2 = world.medians(1, logs=lambda: world.python(code, container, out=NOWHERE))
    report.ratio("P6", "exec logs --json, 100 MB", t["json"], "docker-py, the same", t2["logs"], 0.10)
    report.limit("P6", "the same, memory", world.ours("exec", "logs", "--json", job, out=NOWHERE).memory, 64e6, "B")

    tail = os.path.join(world.work, "tail")
    with open(tail, "w") as file:
        file.write(LINE * 1000)
    with open(log, "r+b") as file:
        file.truncate(100 << 30)
        file.seek(0, os.SEEK_END)
        file.write(("\n" + LINE * 20).encode())
    t = world.medians(rounds, ours=lambda: world.ours("exec", "logs", "-n", "10", job),
                      tail=lambda: world.call("tail", "-n", "10", tail))
    report.ratio("P7", "exec logs -n 10, 100 GB sparse", t["ours"], "tail -n 10 of 100 kB", t["tail"], 5)
    report.limit("P7", "the same, memory", world.ours("exec", "logs", "-n", "10", job).memory, 64e6, "B")
    with open(log, "wb") as file:
        for _ in range(130):
            file.write(b"x" * 1_000_000)
    report.limit("P7", "a line of 130 MB, memory", world.ours("exec", "logs", "-n", "1", job, out=NOWHERE).memory, 64e6, "B")


def completions(world, report, rounds):
    """A person waits for a completion with a finger on the key, so this limit is no ratio."""
    many = world.many_jobs("many", 1000, 1000, lambda number: f"{number:012d}")
    shells = ("bash", "zsh", "fish")
    # What a line offers: how many words, at least.
    lines = {
        "exec wait ": 200, "exec logs 0": 1000, "exec logs train-": 1000, "exec logs train-99": 11, "exec stop ": 0,
        "image logs ": 100, "image logs web-": 1000, "logs ": 300, "exec list --filter label=": 10, "exec run --": 30,
    }

    def complete(shell, line):
        """What the script of this shell runs at the TAB key."""
        breaks = (" \t\n\"'><=;|&(:",) if shell == "bash" else ()
        return world.ours("__complete", shell, "--", f"longshore {line}", *breaks, env=many)

    for line, least in lines.items():
        words = len(complete("fish", line).text.splitlines()) - 1
        if words < least:
            sys.exit(f"error: {line}<TAB> offers {words} words and not {least}")
    works = {f"{line}{shell}": (lambda shell=shell, line=line: complete(shell, line)) for line in lines for shell in shells}
    t = world.medians(rounds, **works)
    for line in lines:
        slowest = max(shells, key=lambda shell: t[line + shell])
        report.limit("P-tab", f"{line}<TAB>, 2,000 jobs, {slowest}", t[line + slowest], 0.020)


def lists(world, report, rounds):
    """P8: docker keeps no list of ten thousand jobs, so these limits are no ratios either."""
    env = world.many_jobs("most", 10000, 0, lambda number: f"{number:05d}"[::-1] + "0000000")
    count = len(world.ours("exec", "list", "-q", env=env).text.splitlines())
    if count != 10000:
        sys.exit(f"error: exec list -q has {count} ids and not 10000")
    limits = {"": 0.150, "-n 20": 0.010, "-q": 0.030, "--json": 0.150, "-n 20 --json": 0.010}
    works = {flags: (lambda flags=flags: world.ours("exec", "list", *flags.split(), env=env)) for flags in limits}
    t = world.medians(rounds, **works)
    for flags, most in limits.items():
        report.limit("P8", f"exec list {flags}".rstrip() + ", 10,000 jobs", t[flags], most)
    memory = max(world.ours("exec", "list", *flags.split(), env=env).memory for flags in limits)
    report.limit("P8", "the same, most memory", memory, 50e6, "B")
    # No other job begins so.
    whole, start = "999900000000", "99990"
    t = world.medians(rounds, whole=lambda: world.ours("exec", "inspect", whole, env=env),
                      prefix=lambda: world.ours("exec", "inspect", start, env=env))
    report.ratio("P8", "a prefix of an id, 10,000 jobs", t["prefix"], "the whole id", t["whole"], 2.0)


def containers(world, report, rounds):
    """docker-py's own list inspects each container."""
    world.create_many(200)
    code = ("import docker, sys; print(len(docker.from_env().containers.list("
            "all=True, filters={'label': sys.argv[1]})))")
    ours = ("container", "list", "-a", "--filter", f"label={LABEL}")
    t = world.medians(max(rounds // 3, 3), table=lambda: world.ours(*ours), json=lambda: world.ours(*ours, "--json"),
                      theirs=lambda: world.python(code, LABEL))
    report.ratio("P-list", "container list, 200", t["table"], "docker-py list", t["theirs"], 0.25)
    report.ratio("P-list", "container list --json, 200", t["json"], "docker-py list", t["theirs"], 0.25)


def program(world, report, rounds):
    """P11: the program itself."""
    t = world.medians(rounds * 3, ours=lambda: world.ours("--version"), true=lambda: world.call("/bin/true"))
    report.ratio("P11", "--version", t["ours"], "/bin/true", t["true"], 3.0)
    report.limit("P11", "the size of the program", os.path.getsize(world.binary), 5e6, "B")


def at_once(world, count):
    """The seconds until so many runs have ended that were started one after the other, and the same with docker."""
    world.write("short.py", "print('x')\n")

    def each(argv, wait):
        begun = time.perf_counter()
        started = [subprocess.run(argv, env=world.env, check=True, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        ids = [one.stdout.strip() for one in started]
        wait(*ids)
        return time.perf_counter() - begun, ids

    run = [world.binary, "exec", "run", "--image", world.image, "--src", world.src, "--main", "short.py"]
    ours, _ = each(run, lambda *ids: world.ours("exec", "wait", *ids))
    run = [DOCKER, "run", "-d", "--label", LABEL, "-v", f"{world.src}:/app", world.image, "python3", "/app/short.py"]
    theirs, ids = each(run, lambda *ids: world.docker("wait", *ids))
    world.docker("rm", *ids)
    return ours, theirs


def concurrent(world, report, rounds):
    """A hundred runs at once, until all have ended: what docker needs for as many containers is the limit."""
    del rounds
    ours, theirs = at_once(world, 100)
    report.ratio("P9", "100 runs, until all have ended", ours, "docker run -d, wait, rm", theirs, 1.5)


def elsewhere(world, report, rounds):
    """A run that is copied to its engine, and a large source that is used by many runs."""
    world.write("short.py", "open('/app/output/made', 'w').write('x')\n")
    output = os.path.join(world.work, "output")

    def run(src, *more):
        argv = ("exec", "run", "--image", world.image, "--src", src, "--main", "short.py", "--output", output, "--wait")
        return world.ours(*argv, *more)

    t = world.medians(rounds, shipped=lambda: run(world.src, "--ship", "always"), bound=lambda: run(world.src))
    report.ratio("P13", "a run that is copied, through a socket", t["shipped"], "the same with bind mounts", t["bound"], 1.5)

    # As many small files as a source tree with its dependencies has.
    large, count = os.path.join(world.work, "large-src"), 5000
    for number in range(count):
        place = os.path.join(large, f"package{number % 50}")
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, f"module{number}.py"), "wb") as file:
            file.write(os.urandom((50 << 20) // count))
    world.write("short.py", "open('/app/output/made', 'w').write('x')\n", large)

    def twenty(cache):
        begun = time.perf_counter()
        for _ in range(20):
            run(large, "--ship", "always", "--ship-cache", cache)
        return time.perf_counter() - begun

    once, each = twenty("always"), twenty("never")
    report.ratio("P13", "20 runs with 50 MB of source, kept on the engine", once, "copied for each run", each, 0.30)
    for volume in world.docker("volume", "ls", "-q", "--filter", "label=longshore.copy").text.split():
        if volume not in world.volumes:
            world.docker("volume", "rm", volume)


ALL = [starts, questions, program, logs, completions, lists, containers, concurrent, elsewhere]
