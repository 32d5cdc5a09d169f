#!/usr/bin/env python3
"""Does `container create --spec` leave the container that the Engine API would have left?

Each body below is given twice: to the engine, as it stands, through docker-py's low-level client; and to a command,
on stdin. Then the whole of what `inspect` says of the two is compared, but for what no two containers share (ids,
names, times, paths made of the id). One line a body: `ok`, `skip` with the reason, or `DIFF path ours theirs`; at the
end `N passed, N failed`. A second list holds bodies that cannot be carried over: the command has to fail, name the key
and leave nothing.

    create_equal.py [--image IMAGE] [--only WORD] -- longshore container create NAME --spec -

The word NAME stands for the container's name. The docker program is the one the command finds.

What docker adds whatever it is told, and what is therefore no difference here (`as_docker_leaves_it`):
- It attaches stdout and stderr when told of no stream, and cannot be told of none.
- An open stdin is always attached, and is closed when the first client leaves (StdinOnce).
- A restart policy that is not given is called "no" instead of nothing.
- Capabilities are spelled with CAP_.
- ConsoleSize is that of the terminal.
- The words of an entrypoint after the first stand at the beginning of the command. The process is the same, which Path
  and Args show, and these are compared as they are.
- Variables are in no order, and of two with one name only the last is there.
- A port that is published is exposed. (The engine publishes no port that is not exposed by body or image.)
- A binding of no addresses, which publishes nothing, is not there.
- A network that only EndpointsConfig names is the NetworkMode too, which else is "default". The container joins the
  same networks.
- Of an empty list, object or string and nothing at all, docker sends the one and the API's user perhaps the other.
- docker keeps binds and ulimits in no order, nor the engine links; docker puts "gpu" last among devices' capabilities.
- A seccomp profile is without its blanks.
- Without any HostConfig the API leaves the runtime unsaid until the start; docker always sends one, and the engine's
  default runtime is written into it at once.
- Limits that only Windows has (CpuCount, CpuPercent) are ignored.
- What the engine gives an endpoint (its addresses, its network's id) is shown as the body had it until the start, when
  the engine overwrites it; it is ignored.
"""

import argparse
import json
import re
import secrets
import subprocess
import sys

import docker

LABEL = "longshore.test"
ENGINES_OWN = (
    "NetworkID", "EndpointID", "Gateway", "IPAddress", "IPPrefixLen", "IPv6Gateway", "GlobalIPv6Address",
    "GlobalIPv6PrefixLen", "DNSNames",
)
RUN = f"create-{secrets.token_hex(4)}"

DOCUMENT = {
    "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False, "AttachStderr": False,
    "Tty": True, "OpenStdin": True, "StdinOnce": False, "Env": ["POSTGRES_PASSWORD=gk"], "Cmd": ["postgres"],
    "Entrypoint": ["docker-entrypoint.sh"], "MacAddress": "", "ExposedPorts": {"5432/tcp": {}},
    "HostConfig": {
        "PortBindings": {"5432/tcp": [{"HostIp": "", "HostPort": "5432"}]},
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "ConsoleSize": [49, 188],
    },
    "NetworkSettings": {
        "Ports": {"5432/tcp": [{"HostIp": "0.0.0.0", "HostPort": "5432"}, {"HostIp": "::", "HostPort": "5432"}]}
    },
}


def host(**keys):
    return {"HostConfig": keys}


def mount(kind, **keys):
    return host(Mounts=[{"Type": kind, "Target": "/mnt", **keys}])


def networks(mode=None, **endpoints):
    body = {"NetworkingConfig": {"EndpointsConfig": endpoints}}
    return {**body, **host(NetworkMode=mode)} if mode else body


def bodies(made):
    net, peer, rich, volume = made["network"], made["peer"], made["image"], made["volume"]
    yield "nothing but an image", {}
    yield "the document's own", DOCUMENT
    yield "names and places", {
        "Hostname": "box", "Domainname": "example.org", "User": "1000:1000", "WorkingDir": "/a b", "StopSignal": "SIGINT",
        "StopTimeout": 7,
    }
    yield "killed at once", {"StopTimeout": 0}
    yield "nulls", {"Cmd": None, "Entrypoint": None, "Env": None, "Volumes": None, "HostConfig": None, "Healthcheck": None}
    yield "zeros", {
        "Hostname": "", "Cmd": [], "Env": [], "Labels": {}, "ExposedPorts": {}, "StopSignal": "", "OnBuild": [],
        "HostConfig": {
            "Memory": 0, "NanoCpus": 0, "PidsLimit": 0, "Binds": [], "Mounts": [], "CapAdd": [], "ShmSize": 0,
            "MemorySwappiness": -1, "RestartPolicy": {"Name": "", "MaximumRetryCount": 0}, "LogConfig": {"Type": ""},
            "Cgroup": "", "ContainerIDFile": "", "CpuCount": 0, "IOMaximumIOps": 0, "PortBindings": {}, "Tmpfs": {},
            "NetworkMode": "", "MaskedPaths": None, "ReadonlyPaths": None, "Init": None,
        },
    }
    yield "keys in small letters", {"cmd": ["ls"], "hostconfig": {"memory": 64 << 20}}
    for streams in (["Stdout"], ["Stderr"], ["Stdin"], ["Stdout", "Stderr"], ["Stdin", "Stdout", "Stderr"]):
        yield "attached " + " ".join(streams), {"Attach" + stream: True for stream in streams}
    yield "open stdin", {"OpenStdin": True, "AttachStdin": True, "StdinOnce": True, "AttachStdout": True}
    yield "open stdin, nothing attached", {"OpenStdin": True}
    yield "terminal", {"Tty": True, "AttachStdout": True, "AttachStderr": True}
    yield "variables", {
        "Env": ["A=1\n2\r\n", "B=", "C=a=b, \"c\" 'd' $e \\f", "D=--flag", " E= f", "A=second", "ü=ß", "LANG", "-x=1"]
    }
    yield "variable of the image dropped", {"Image": rich, "Env": ["FROM_IMAGE"]}
    yield "labels", {"Labels": {"a": "1,2=3", "b": "", "c.d/e": "x\ny", "-f": "--g", "\"q\"": "'"}}
    yield "command as a string", {"Cmd": "ls -l"}
    yield "command like flags", {"Cmd": ["--help", "-v", "", "a b", "--", "\n"]}
    yield "empty words", {"Cmd": [""]}
    yield "entrypoint as a string", {"Entrypoint": "/bin/sh", "Cmd": ["-c", "true"]}
    yield "entrypoint of several words", {"Entrypoint": ["/bin/sh", "-c", "echo \"$@\"", "--"], "Cmd": ["-x", "y"]}
    yield "entrypoint of several words alone", {"Image": rich, "Entrypoint": ["/bin/echo", "-n"]}
    yield "entrypoint like a flag", {"Entrypoint": ["--rm"], "Cmd": ["x"]}
    yield "image's own entrypoint", {"Image": rich}
    yield "image's entrypoint, another command", {"Image": rich, "Cmd": ["other"]}
    yield "image's entrypoint cleared", {"Image": rich, "Entrypoint": [], "Cmd": ["ls", "-l"]}
    yield "image's entrypoint cleared by a word", {"Image": rich, "Entrypoint": [""], "Cmd": ["ls"]}
    yield "port that the image exposes", {"Image": rich, **host(PortBindings={"7777/tcp": [{"HostPort": ""}]})}
    yield "health: shell", {
        "Healthcheck": {
            "Test": ["CMD-SHELL", "curl -f \"http://x/?a=b\" || exit 1"], "Interval": 30 * 10**9, "Timeout": 1_500_000_000,
            "StartPeriod": 1_000_001, "Retries": 4,
        }
    }
    yield "health: none", {"Image": rich, "Healthcheck": {"Test": ["NONE"]}}
    yield "health: the image's, at another pace", {"Image": rich, "Healthcheck": {"Interval": 5 * 10**9, "Retries": 9}}
    yield "health: inherited", {"Image": rich, "Healthcheck": {"Test": []}}
    yield "volumes", {"Volumes": {"/data": {}, "/a b,c": {}}}
    yield "exposed", {"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "9/sctp": {}}}
    yield "ports", {
        "ExposedPorts": {"80/tcp": {}, "443/tcp": {}, "53/udp": {}, "81/tcp": {}, "82/tcp": {}, "9/sctp": {}, "1/tcp": {}},
        **host(
            PortBindings={
                "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}, {"HostIp": "::1", "HostPort": "18080"}],
                "443/tcp": [{"HostIp": "", "HostPort": ""}], "53/udp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
                "81/tcp": [{"HostPort": "18100-18110"}], "82/tcp": [{"HostIp": "::", "HostPort": "0"}], "9/sctp": [{}],
                "1/tcp": [],
            },
            PublishAllPorts=True,
        ),
    }
    yield "ports that nothing exposes", host(PortBindings={"80/tcp": [{"HostPort": "18081"}]})
    yield "binds", host(
        Binds=["/tmp:/a", "/tmp:/b:ro", "/tmp:/c d:rw,rslave", f"{volume}:/v:nocopy", "/tmp:/e:ro,z"], VolumeDriver="local"
    )
    yield "bind mount", mount(
        "bind", Source="/tmp", ReadOnly=True, Consistency="cached", BindOptions={"Propagation": "rslave"}
    )
    yield "bind mount with odd names", host(
        Mounts=[{"Type": "bind", "Source": "/tmp", "Target": t} for t in ("/a,b", "/a\"b\"", "/a=b", "/ a ", "/a\nb", "/c:d")]
    )
    yield "bind mount without what is mounted below", mount("bind", Source="/tmp", BindOptions={"NonRecursive": True})
    yield "bind mount without options", mount("bind", Source="/tmp", BindOptions={}, ReadOnly=False)
    yield "volume mount", mount(
        "volume", Source=volume, VolumeOptions={
            "NoCopy": True, "Labels": {"a": "b,c", "d": "e=\"f\""},
            "DriverConfig": {"Name": "local", "Options": {}},
        },
    )
    yield "volume mount of no name", mount("volume")
    yield "tmpfs mount", mount("tmpfs", TmpfsOptions={"SizeBytes": 1 << 20, "Mode": 0o1770})
    yield "tmpfs mount without options", mount("tmpfs")
    yield "tmpfs", host(Tmpfs={"/run": "rw,noexec,nosuid,size=65536k", "/t": ""})
    yield "volumes from", host(VolumesFrom=[f"{peer}:ro"])
    yield "memory", host(
        Memory=64 << 20, MemoryReservation=32 << 20, MemorySwap=(64 << 20) + 1, MemorySwappiness=0, OomKillDisable=True,
        OomScoreAdj=-500, ShmSize=(1 << 20) + 1,
    )
    yield "memory and unlimited swap", host(Memory=(64 << 20) + 12345, MemorySwap=-1, MemorySwappiness=60, OomScoreAdj=100)
    yield "kernel memory", host(KernelMemory=64 << 20)
    yield "processors", host(NanoCpus=1_500_000_000, CpuShares=512, CpusetCpus="0", CpusetMems="0")
    yield "processors to the last digit", host(NanoCpus=100_000_001)
    yield "processor time", host(CpuPeriod=50000, CpuQuota=25000)
    yield "no time limit", host(CpuQuota=-1)
    yield "Windows' limits", host(CpuCount=2, CpuPercent=50)
    yield "pids", host(PidsLimit=100)
    yield "pids without limit", host(PidsLimit=-1)
    yield "block devices", host(
        BlkioWeight=300, BlkioWeightDevice=[{"Path": "/dev/vda", "Weight": 200}],
        BlkioDeviceReadBps=[{"Path": "/dev/vda", "Rate": 1048577}], BlkioDeviceWriteBps=[{"Path": "/dev/vda", "Rate": 5}],
        BlkioDeviceReadIOps=[{"Path": "/dev/vda", "Rate": 1000}], BlkioDeviceWriteIOps=[{"Path": "/dev/vda", "Rate": 7}],
    )
    yield "ulimits", host(
        Ulimits=[{"Name": "nofile", "Soft": 1024, "Hard": 2048}, {"Name": "core", "Soft": 0, "Hard": 0},
                 {"Name": "memlock", "Soft": -1, "Hard": -1}]
    )
    yield "restart always", host(RestartPolicy={"Name": "always"})
    yield "restart on failure", host(RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 5})
    yield "restart on failure for ever", host(RestartPolicy={"Name": "on-failure"})
    yield "restart unless stopped", host(RestartPolicy={"Name": "unless-stopped", "MaximumRetryCount": 0})
    yield "removed at its end", host(AutoRemove=True)
    yield "init", host(Init=True)
    yield "no init", host(Init=False)
    yield "capabilities", host(CapAdd=["NET_ADMIN", "CAP_SYS_TIME"], CapDrop=["ALL"])
    yield "capability as a string", host(CapAdd="sys_nice", CapDrop="mknod")
    yield "privileged", host(Privileged=True, ReadonlyRootfs=True)
    yield "security options", host(SecurityOpt=["no-new-privileges", "seccomp=unconfined", "apparmor=unconfined", "label:disable"])
    yield "security option with a value", host(SecurityOpt=["no-new-privileges:true", "label=level:s0:c1,c2"])
    yield "seccomp profile", host(SecurityOpt=['seccomp={"defaultAction": "SCMP_ACT_ALLOW", "x": "a=b:c"}'])
    yield "no masked paths", host(MaskedPaths=[], ReadonlyPaths=[])
    yield "sysctls", host(Sysctls={"net.core.somaxconn": "1024", "kernel.sem": "250 32000 100 128"})
    yield "devices", host(
        Devices=[{"PathOnHost": "/dev/null", "PathInContainer": "/dev/n", "CgroupPermissions": "r"},
                 {"PathOnHost": "/dev/zero", "PathInContainer": "/dev/rw", "CgroupPermissions": "mrw"}],
        DeviceCgroupRules=["c 1:3 mr", "a *:* rwm"],
    )
    yield "device requests", host(
        DeviceRequests=[
            {"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]},
            {"Driver": "", "Count": 0, "DeviceIDs": ["0", "GPU-a b"], "Capabilities": [["compute", "gpu", "utility"]]},
            {"Count": 2, "Capabilities": [["gpu"]], "Options": {"a": "b,c", "d": "\"e\""}},
        ]
    )
    yield "log options", host(LogConfig={"Type": "json-file", "Config": {"max-size": "10m", "labels": "a,b", "tag": "{{.ID}}=x"}})
    yield "log options for the engine's driver", host(LogConfig={"Type": "", "Config": {"max-file": "3", "max-size": "1m"}})
    yield "no log", host(LogConfig={"Type": "none", "Config": {}})
    yield "name service", host(
        Dns=["1.1.1.1", "2606:4700::1111"], DnsOptions=["ndots:2", "rotate"], DnsSearch=["example.org", "."],
        ExtraHosts=["db:10.0.0.1", "six:fe80::1", "me:host-gateway"],
    )
    yield "groups", host(GroupAdd=["audio", "1234"])
    yield "host's namespaces", host(IpcMode="host", PidMode="host", UTSMode="host", UsernsMode="host", NetworkMode="host")
    yield "a peer's namespaces", host(IpcMode=f"container:{peer}", PidMode=f"container:{peer}", NetworkMode=f"container:{peer}")
    yield "own namespaces", host(IpcMode="private", CgroupnsMode="private", Isolation="default")
    yield "cgroup", host(CgroupnsMode="host", CgroupParent="/longshore-test", Runtime="runc")
    yield "no network", host(NetworkMode="none")
    yield "bridge", host(NetworkMode="bridge")
    yield "default network", host(NetworkMode="default")
    yield "links", host(Links=[f"{peer}:db", peer])
    yield "a network", host(NetworkMode=net)
    yield "a network and its endpoint", networks(net, **{net: {}})
    yield "a network by its endpoint alone", networks(**{net: {"Aliases": ["Web", "api"]}})
    yield "endpoint", networks(
        net, **{net: {
            "Aliases": ["Web"], "Links": [f"{peer}:db"],
            "IPAMConfig": {"IPv4Address": made["address"], "LinkLocalIPs": ["169.254.9.9"]},
        }}
    )
    yield "endpoint with driver options", networks(net, **{net: {"DriverOpts": {"com.a": "b,c=d", "e": "\"f\""}, "Aliases": ["Web"]}})
    yield "endpoint as inspect prints it", networks(
        net, **{net: {"IPAMConfig": None, "Links": None, "NetworkID": "x", "Gateway": "10.0.0.1", "IPPrefixLen": 24, "GlobalIPv6PrefixLen": 0}}
    )
    yield "bridge with options", networks("bridge", bridge={"DriverOpts": {"a": "b"}})
    yield "hardware address", {"MacAddress": "02:42:ac:11:00:99"}
    yield "hardware address on a network", {"MacAddress": "02:42:ac:11:00:98", **host(NetworkMode=net)}


def refused(made):
    net = made["network"]
    yield "NetworkDisabled", {"NetworkDisabled": True}
    yield "OnBuild", {"OnBuild": ["RUN true"]}
    yield "Shell", {"Shell": ["/bin/bash", "-c"]}
    yield "Entrypoint", {"Image": made["image"], "Entrypoint": []}
    yield "Healthcheck.Test", {"Healthcheck": {"Test": ["CMD", "curl", "-f", "http://x/"]}}
    yield "HostConfig.Cgroup", host(Cgroup="container:x")
    yield "HostConfig.KernelMemoryTCP", host(KernelMemoryTCP=1 << 20)
    yield "HostConfig.ContainerIDFile", host(ContainerIDFile="/tmp/x")
    yield "HostConfig.IOMaximumIOps", host(IOMaximumIOps=3)
    yield "HostConfig.MaskedPaths", host(MaskedPaths=["/proc/acpi"])
    yield "HostConfig.Memory", host(Memory=(1 << 53) + 1)
    yield "HostConfig.Binds[0]", host(Binds=["./x:/y"])
    yield "HostConfig.SecurityOpt[0]", host(SecurityOpt=["seccomp=/etc/passwd"])
    yield "HostConfig.Mounts[0].BindOptions.CreateMountpoint", mount("bind", Source="/nil", BindOptions={"CreateMountpoint": True})
    yield "HostConfig.Mounts[0].TmpfsOptions.Options", mount("tmpfs", TmpfsOptions={"Options": [["uid", "1"]]})
    yield "HostConfig.Links", host(NetworkMode=net, Links=["x:y"])
    yield "HostConfig.NetworkMode", networks("bridge", **{net: {}})
    yield "HostConfig.Memroy", host(Memroy=1)
    yield "Memory", {"Memory": 1 << 26}
    yield "State", {"State": {"Running": True}}
    yield "Tty", {"Tty": "yes"}


def prune(value):
    """Without what is empty at any depth: nothing, "", [] and {}. Zero and false are values."""
    if isinstance(value, dict):
        value = {key: prune(item) for key, item in value.items()}
        return {key: item for key, item in value.items() if item not in (None, "", [], {})}
    return [prune(item) for item in value] if isinstance(value, list) else value


def comparable(inspect, id_):
    """What `inspect` says, in one spelling, without what no two containers share."""
    found = json.loads(json.dumps(inspect).replace(id_[:12], "SHORT-ID").replace(inspect["Name"], "/NAME"))
    for key in ("Id", "Created", "Name", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath", "GraphDriver"):
        found.pop(key, None)
    config, host_config = found["Config"], found["HostConfig"]
    for volume in found["Mounts"]:
        if volume["Type"] == "volume" and re.fullmatch("[0-9a-f]{64}", volume.get("Name", "")):
            volume["Name"] = volume["Source"] = "ANONYMOUS"
    found["Mounts"].sort(key=lambda mount: mount["Destination"])
    last = {variable.partition("=")[0]: variable for variable in config["Env"] or []}
    config["Env"] = sorted(last.values())
    words = config.pop("Entrypoint") or []
    config["Entrypoint and Cmd"] = (words if words != [""] else []) + (config.pop("Cmd") or [])
    for key in ("ConsoleSize", "CpuCount", "CpuPercent"):
        host_config[key] = None
    for endpoint in found["NetworkSettings"]["Networks"].values():
        endpoint.update(dict.fromkeys(ENGINES_OWN))
    host_config["Binds"] = sorted(host_config["Binds"] or [])
    host_config["Links"] = sorted(host_config["Links"] or [])
    host_config["Ulimits"] = sorted(host_config["Ulimits"] or [], key=lambda limit: limit["Name"])
    host_config["PortBindings"] = {port: to for port, to in (host_config["PortBindings"] or {}).items() if to}
    host_config["SecurityOpt"] = [blankless(option) for option in host_config["SecurityOpt"] or []]
    for request in host_config.get("DeviceRequests") or []:
        request["Capabilities"] = [sorted(names) for names in request["Capabilities"]]
    for key in ("CapAdd", "CapDrop"):
        names = (host_config[key] or [])
        host_config[key] = [name if name == "ALL" else "CAP_" + name.upper().removeprefix("CAP_") for name in names]
    return prune(found)


def blankless(option):
    name, _, profile = option.partition("=")
    return "seccomp=" + json.dumps(json.loads(profile)) if name == "seccomp" and profile[:1] == "{" else option


def as_docker_leaves_it(theirs, body, runtime):
    """The API's container, with what docker adds whatever it is told."""
    config, host_config = theirs["Config"], theirs["HostConfig"]
    streams = ("AttachStdin", "AttachStdout", "AttachStderr")
    if config["OpenStdin"]:
        config["AttachStdin"] = config["StdinOnce"] = True
    if not any(config[stream] for stream in streams):
        config["AttachStdout"] = config["AttachStderr"] = True
    if not config["OpenStdin"]:
        config["StdinOnce"] = False
    host_config["RestartPolicy"].setdefault("Name", "no")
    if not body.get("HostConfig"):
        host_config.setdefault("Runtime", runtime)
    published = {port: {} for port in host_config.get("PortBindings", {})}
    if published or "ExposedPorts" in config:
        config["ExposedPorts"] = dict.fromkeys([*config.get("ExposedPorts", {}), *published], {})
    endpoints = list((body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {})
    if host_config["NetworkMode"] == "default" and endpoints:
        host_config["NetworkMode"] = endpoints[0]
    return prune(theirs)


def differences(ours, theirs, path=""):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            yield from differences(ours.get(key), theirs.get(key), f"{path}.{key}".lstrip("."))
    elif ours != theirs:
        yield f"{path} {json.dumps(ours)} {json.dumps(theirs)}"


class Pair:
    """One engine, and the two ways to create a container in it."""

    def __init__(self, command, image):
        self.engine = docker.APIClient(version="auto")
        self.runtime = self.engine.info()["DefaultRuntime"]
        self.command, self.image = command, image

    def whole(self, body):
        labels = {**(body.get("Labels") or {}), LABEL: RUN}
        image = {} if "Image" in body else {"Image": self.image}
        return {**image, **body, "Labels": labels}

    def by_api(self, name, body):
        answer = self.engine._post_json(self.engine._url("/containers/create"), data=body, params={"name": name})
        return self.engine._result(answer, json=True)["Id"]

    def by_command(self, name, body):
        words = [name if word == "NAME" else word for word in self.command]
        return subprocess.run(words, input=json.dumps(body), capture_output=True, text=True)

    def ids(self):
        return {each["Id"] for each in self.engine.containers(all=True, filters={"label": f"{LABEL}={RUN}"})}

    def forget(self, id_):
        self.engine.remove_container(id_, force=True, v=True)

    def compare(self, body):
        body, made = self.whole(body), []
        try:
            made.append(self.by_api(f"{RUN}-theirs", body))
            done = self.by_command(f"{RUN}-ours", body)
            if "requires API version" in done.stderr:
                return "skip", [done.stderr.strip().splitlines()[-1]]
            if done.returncode != 0:
                return "FAIL", [f"exit {done.returncode}: {done.stderr.strip()}"]
            made.append(done.stdout.strip())
            theirs, ours = (comparable(self.engine.inspect_container(id_), id_) for id_ in made)
            found = list(differences(ours, as_docker_leaves_it(theirs, body, self.runtime)))
            return ("DIFF" if found else "ok"), found
        except docker.errors.APIError as error:
            return "FAIL", [f"the API refuses it: {error.explanation}"]
        finally:
            for id_ in made:
                self.forget(id_)

    def refuse(self, key, body):
        before = self.ids()
        done = self.by_command(f"{RUN}-ours", self.whole(body))
        left = self.ids() - before
        for id_ in left:
            self.forget(id_)
        if done.returncode == 0 or left:
            return "FAIL", ["it was not refused"]
        named = re.search(rf"(?<![\w.\]]){re.escape(key)}(?![\w.\[])", done.stderr)
        return ("ok", []) if named else ("FAIL", [f"{key} is not named: {done.stderr.strip()}"])


class Props:
    """A network, a volume, a peer and an image with an entrypoint, all labelled, all gone afterwards."""

    def __init__(self, pair):
        self.engine, self.pair = pair.engine, pair

    def __enter__(self):
        labels = {LABEL: RUN}
        subnet = f"10.{77 + secrets.randbelow(100)}.{secrets.randbelow(256)}"
        pool = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=f"{subnet}.0/24")])
        self.engine.create_network(f"{RUN}-net", ipam=pool, labels=labels)
        self.engine.create_volume(f"{RUN}-volume", labels=labels)
        peer = self.pair.by_api(f"{RUN}-peer", self.pair.whole({"Cmd": ["sleep", "600"], "Volumes": {"/shared": {}}}))
        self.engine.start(peer)
        self.engine.connect_container_to_network(peer, f"{RUN}-net")
        changes = [
            'ENTRYPOINT ["/bin/echo","image"]', 'CMD ["default","words"]', "ENV FROM_IMAGE=1", "EXPOSE 7777",
            "HEALTHCHECK --interval=9s CMD true", "LABEL from=image", "USER nobody", "WORKDIR /tmp",
        ]
        self.engine.commit(peer, repository=f"{RUN}-image", tag="latest", changes=changes, conf={"Labels": labels})
        return {
            "network": f"{RUN}-net", "volume": f"{RUN}-volume", "peer": f"{RUN}-peer", "image": f"{RUN}-image:latest",
            "address": f"{subnet}.99",
        }

    def __exit__(self, *_):
        for id_ in self.pair.ids():
            self.pair.forget(id_)
        for remove in (
            lambda: self.engine.remove_image(f"{RUN}-image:latest"),
            lambda: self.engine.remove_network(f"{RUN}-net"),
            lambda: self.engine.remove_volume(f"{RUN}-volume"),
        ):
            try:
                remove()
            except docker.errors.APIError as error:
                print(f"left behind: {error}", file=sys.stderr)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--image", default="longshore-base:bookworm", help="any image whose command is its own")
    options.add_argument("--only", default="", metavar="WORD", help="only bodies with this word in their name")
    options.add_argument("command", nargs="+", help="the command, with NAME for the container's name")
    options = options.parse_args()
    pair = Pair(options.command, options.image)
    count = {"ok": 0, "skip": 0}
    with Props(pair) as made:
        every = [(name, lambda body=body: pair.compare(body)) for name, body in bodies(made)]
        every += [(f"refused: {key}", lambda key=key, body=body: pair.refuse(key, body)) for key, body in refused(made)]
        for name, run in every:
            if options.only not in name:
                continue
            verdict, lines = run()
            count[verdict] = count.get(verdict, 0) + 1
            print(f"{verdict:4} {name}", *(f"     {line}" for line in lines), sep="\n", flush=True)
    failed = sum(number for verdict, number in count.items() if verdict not in ("ok", "skip"))
    print(f"{count['ok']} passed, {failed} failed" + (f", {count['skip']} skipped" if count["skip"] else ""))
    return 1 if failed or not count["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
