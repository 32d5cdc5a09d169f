"""Installs the packages of a recipe with uv, so that the image has what pip would install. `step.sh` runs it:
`python3 uv.py [--no-compile] [--appended]`, with the files of the recipe beside it.

uv and its cache are in the cache mount `uv` beside it, which is not part of the image. Builds that run at the same time
share that mount: uv locks its own cache, and the program gets its name, which holds its version, by a rename. uv reads
neither the settings of pip nor those of Debian's Python. Settings become options here. What has no option is left
to pip, and so are packages which pip would find outside of the directory that uv looks into.

With --appended, earlier steps of the build have installed some of the packages, and the base image is in the directory `base`.
Then the packages are those of a build from nothing, or the build fails.

Exit codes: 0 the packages are installed; 94 pip has to install them, and the last line says why; 95 an appended step cannot
install what a build from nothing would; any other is that of uv.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time

import bytecode

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(HERE, "uv")

# Settings of pip that do not change what is installed.
WITHOUT_EFFECT = frozenset(
    "break-system-packages cache-dir config-file disable-pip-version-check exists-action no-cache-dir no-color no-input "
    "no-python-version-warning no-warn-conflicts no-warn-script-location progress-bar quiet root-user-action "
    "verbose".split()
)
# Settings of pip with one value that uv takes from the environment.
VARIABLES = {
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
}
# Settings of pip with one or several values, and the option of uv for each value.
OPTIONS = {
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "index-url": "--default-index",
    "trusted-host": "--allow-insecure-host",
}
# Switches of pip, and what they are for uv.
SWITCHES = {"no-compile": [], "no-index": ["--no-index"], "pre": ["--prerelease", "allow"]}
NO = ("0", "false", "no", "off", "f", "n")


class PipIsNeeded(Exception):
    """Why uv would not do what pip does."""


class NotAdded(Exception):
    """Why a build from nothing would install something else."""


def pip_settings():
    """The settings that pip has from its files and its variables, without empty ones: a dictionary of texts."""
    home = os.path.expanduser("~")
    directories = os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
    files = ["/etc/pip.conf", os.path.join(home, ".pip/pip.conf"), os.path.join(sys.prefix, "pip.conf")]
    files += [os.path.join(directory, "pip/pip.conf") for directory in directories]
    files.append(os.path.join(os.environ.get("XDG_CONFIG_HOME", os.path.join(home, ".config")), "pip/pip.conf"))
    files.append(os.environ.get("PIP_CONFIG_FILE", ""))
    found = {}
    if any(os.path.isfile(file) for file in files):
        found = configured()
    for name, value in os.environ.items():
        if name.startswith("PIP_"):
            found[name[4:].lower().replace("_", "-")] = value
    return {key: value for key, value in found.items() if value.strip()}


def configured():
    """The settings of pip's files for all its commands and for `install`. Only pip knows which file comes first."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], stdout=subprocess.PIPE)
    if listed.returncode:
        raise PipIsNeeded("pip cannot list its settings")
    found = {"global": {}, "install": {}}
    for line in listed.stdout.decode().splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.partition(".")
        if section in found:
            found[section][key] = str(ast.literal_eval(value))
    return dict(found["global"], **found["install"])


def translated(settings):
    """The options and the variables of uv for settings of pip."""
    options, variables = [], {}
    for key, value in sorted(settings.items()):
        if key in WITHOUT_EFFECT:
            continue
        if key in VARIABLES:
            variables[VARIABLES[key]] = value
        elif key in OPTIONS:
            for word in value.split():
                options += [OPTIONS[key], word]
        elif value.lower() in NO:
            continue
        elif key in SWITCHES:
            options += SWITCHES[key]
        else:
            raise PipIsNeeded(f"the base image has the setting {key!r} for pip, which uv does not have")
    return options, variables


def certificates(variables):
    """The option and the variable by which uv trusts what pip trusts."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if "SSL_CERT_FILE" not in variables and os.environ.get(name):
            variables["SSL_CERT_FILE"] = os.environ[name]
    # Without a store of the system, pip and uv have one of their own.
    stores = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
    return ["--system-certs"] if any(os.path.exists(store) for store in stores) else []


def recipe():
    """The options of uv for the files of the recipe, and the text of the requirements that uv reads."""
    with open(os.path.join(HERE, "requirements.txt"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    texts, options = list(lines), []
    constraints = os.path.join(HERE, "constraints.txt")
    if os.path.exists(constraints):
        options += ["--constraints", constraints]
        with open(constraints, encoding="utf-8") as file:
            texts += file.read().splitlines()
    if "--prefer-binary" in texts:
        raise PipIsNeeded("uv has no --prefer-binary")
    if any(line == "--require-hashes" or " --hash=" in line for line in texts):
        options.append("--require-hashes")
    if "--pre" in texts:
        options += ["--prerelease", "allow"]
    kept = [line for line in lines if line not in ("--pre", "--require-hashes")]
    return options, "\n".join(kept) + "\n"


def site_packages():
    """The directories in which uv installs and looks for packages."""
    paths = sysconfig.get_paths()
    return {os.path.realpath(paths[name]) for name in ("purelib", "platlib")}


def check_writable():
    for path in sorted(site_packages()):
        while not os.path.exists(path):
            path = os.path.dirname(path)
        if not os.access(path, os.W_OK):
            raise PipIsNeeded(f"the user of the base image cannot write to {path}")
    if not os.access(CACHE, os.W_OK):
        raise PipIsNeeded("the user of the base image cannot write to the cache of the build")


def normalized(name):
    return name.lower().replace("_", "-").replace(".", "-")


def packages_of_others():
    """The names of packages that pip finds and uv does not, such as those that apt installs."""
    from importlib.metadata import distributions

    ours, found = site_packages(), set()
    for distribution in distributions():
        if os.path.realpath(str(distribution.locate_file(""))) not in ours:
            found.add(normalized(distribution.metadata["Name"]))
    return found


def version():
    with open(os.path.join(HERE, "uv.txt"), encoding="ascii") as file:
        return next(line for line in file if line.startswith("uv==")).split()[0][len("uv=="):]


def program():
    """uv in the cache. If it is not there, pip downloads it from its index, and checks its hash."""
    home = os.path.join(CACHE, "program-" + version())
    path = os.path.join(home, "uv")
    if os.access(path, os.X_OK):
        return path
    print(f"uv {version()} is downloaded to the cache of the build", flush=True)
    work = new_directory()
    wheel, kept = os.path.join(work, "wheel"), os.path.join(work, "kept")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--retries", "1", "--no-deps", "--no-compile"]
    install += ["--only-binary", ":all:", "--require-hashes", "--requirement", os.path.join(HERE, "uv.txt")]
    if subprocess.call(install + ["--target", wheel]):
        shutil.rmtree(work, ignore_errors=True)
        raise PipIsNeeded(f"pip could not download uv {version()}")
    os.mkdir(kept)
    os.rename(os.path.join(wheel, "bin", "uv"), os.path.join(kept, "uv"))
    try:
        os.rename(kept, home)
    except OSError:
        if not os.access(path, os.X_OK):  # otherwise another build was faster
            raise
    shutil.rmtree(work, ignore_errors=True)
    return path


def new_directory():
    """A directory of this build in the cache. Those of builds that were killed more than a week ago are removed."""
    for name in os.listdir(CACHE):
        path = os.path.join(CACHE, name)
        if name.startswith("new-") and os.stat(path).st_mtime < time.time() - 7 * 86400:
            shutil.rmtree(path, ignore_errors=True)
    return tempfile.mkdtemp(dir=CACHE, prefix="new-")


def environment(variables, temporary):
    """The environment without settings for uv of the base image, which pip would not follow either."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    kept.update(variables, TMPDIR=temporary)  # uv leaves a lock there
    kept.update(COLUMNS="5000", UV_PYTHON_DOWNLOADS="never")  # it wraps messages at the width of a terminal
    return kept


class Uv:
    """One call of uv, with these options for it and this text of requirements."""

    def __init__(self, options, requirements, variables):
        self.requirements, self.variables = requirements, variables
        self.command = [program(), "pip", "install", "--no-config", "--color", "never", "--no-progress"]
        self.command += ["--cache-dir", os.path.join(CACHE, "cache"), "--link-mode", "copy"]
        self.command += ["--python", sys.executable, "--break-system-packages"]
        self.command += ["--index-strategy", "unsafe-best-match", "--requirements", "-"] + options

    def run(self, *options, **streams):
        temporary = new_directory()
        try:
            return subprocess.run(
                self.command + list(options),
                input=self.requirements.encode(),
                env=environment(self.variables, temporary),
                **streams
            )
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def changes(uv, *options):
    """The exit code of uv, and what it would install and remove."""
    planned = uv.run("--dry-run", "--output-format", "json", *options, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if planned.returncode:
        sys.stderr.buffer.write(planned.stderr)
        return planned.returncode, []
    return 0, json.loads(planned.stdout.decode())["changes"]


def check_others(changed, others):
    for change in changed:
        if normalized(change["name"]) in others:
            name = change["name"]
            raise PipIsNeeded(f"the base image has {name!r} in a directory that uv does not look into")


def canonical(version):
    """A version as uv writes it."""
    from pip._vendor.packaging.version import InvalidVersion, Version

    try:
        return str(Version(version))
    except InvalidVersion:
        return version


def versions(directories):
    """The packages in these directories: name to version."""
    from importlib.metadata import distributions

    found = distributions(path=sorted(directories))
    return {normalized(each.metadata["Name"]): canonical(each.metadata["Version"]) for each in found}


def of_base():
    """The directories of packages as the base image has them. A link in their path would lead out of it."""
    base = os.path.join(HERE, "base")
    found = [base + path for path in site_packages()]
    if any(os.path.realpath(path) != path for path in found):
        raise NotAdded("the base image has links in the path of its packages")
    return found


def from_nothing(uv, others):
    """The packages that a build from nothing would leave: name to version. uv looks into a directory with the descriptions of
    those of the base image."""
    target = new_directory()
    try:
        for directory in of_base():
            for name in os.listdir(directory) if os.path.isdir(directory) else []:
                if name.endswith((".dist-info", ".egg-info")):
                    os.symlink(os.path.join(directory, name), os.path.join(target, name))
        expected = versions([target])
        code, changed = changes(uv, "--target", target)
    finally:
        shutil.rmtree(target, ignore_errors=True)
    if code:
        raise NotAdded("uv cannot tell what it would install from nothing")
    check_others(changed, others)
    for change in changed:
        if change["action"] == "uninstalled":
            expected.pop(normalized(change["name"]), None)
    for change in changed:
        if change["action"] == "installed":
            expected[normalized(change["name"])] = canonical(change["version"])
    return expected


def check_before(expected):
    """Returns whether something has to be installed."""
    present = versions(site_packages())
    for name, version in sorted(present.items()):
        if expected.get(name) != version:
            instead = expected.get(name, "none")
            raise NotAdded(f"{name} {version} is there, and a build from nothing would have {instead}")
    return present != expected


def check_after(expected, before):
    if versions(site_packages()) != expected:
        raise NotAdded("uv installed other packages than in a build from nothing")
    after = bytecode.installed(site_packages())
    if any(after.get(package) != written for package, written in before.items()):
        raise NotAdded("uv replaced packages that were there")


def install(words):
    settings = pip_settings()
    check_writable()
    options, variables = translated(settings)
    more, requirements = recipe()
    uv = Uv(options + more + certificates(variables), requirements, variables)
    others = packages_of_others()
    is_appended = "--appended" in words
    if is_appended:
        expected = from_nothing(uv, others)
        if not check_before(expected):
            return 0
    elif others:
        code, changed = changes(uv)
        if code:
            return code
        check_others(changed, others)
    before = bytecode.installed(site_packages())
    code = uv.run().returncode
    if is_appended and code == 0:
        check_after(expected, before)
    if code == 0 and "--no-compile" not in words and settings.get("no-compile", "no").lower() in NO:
        after = bytecode.installed(site_packages())
        new = sorted(package for package, written in after.items() if before.get(package) != written)
        try:
            count, kept = bytecode.compile_packages(new, os.path.join(CACHE, "bytecode"))
        except Exception as error:  # the packages are installed, and Python needs no bytecode
            print(f"note: not all bytecode was compiled: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return code
        print(f"Bytecode of {count} files, {kept} of them from the cache of the build", flush=True)
    return code


def main():
    try:
        code = install(sys.argv[1:])
    except NotAdded as reason:
        print(f"note: the packages are not added to those of the last image: {reason}", file=sys.stderr, flush=True)
        return 95
    except PipIsNeeded as reason:
        print(f"note: uv is not used: {reason}", file=sys.stderr, flush=True)
        return 94
    except Exception as error:  # whatever the base image lacks, pip may be able to do without it
        print(f"note: uv is not used: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 94
    return code if code >= 0 else 128 - code


# Packages are looked up as by `python3 -m pip`, and not in this directory.
sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != HERE]
sys.exit(main())
