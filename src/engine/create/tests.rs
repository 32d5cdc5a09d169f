//! Tables from a fragment of a body to the flags, the notes or the error it gives.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::rules::{Rule, Table, names};
use super::{BodyError, Create, config, create_args, host};

/// A body with an image, unless it has one.
fn create(mut body: Value) -> Result<Create, BodyError> {
    let object = body.as_object_mut().unwrap();
    object.entry("Image").or_insert_with(|| json!("i"));
    create_args(None, &body)
}

/// What stands before the image.
fn flags(body: Value) -> Vec<String> {
    let made = create(body.clone()).unwrap_or_else(|error| panic!("{error}: {body}"));
    let image = made.args.iter().position(|arg| arg == "i").unwrap();
    made.args[..image].to_vec()
}

fn hosted(keys: Value) -> Value {
    json!({ "HostConfig": keys })
}

fn networks(mode: &str, endpoints: Value) -> Value {
    json!({ "HostConfig": { "NetworkMode": mode }, "NetworkingConfig": { "EndpointsConfig": endpoints } })
}

#[track_caller]
fn expect_flags(rows: Vec<(Value, Vec<&str>)>) {
    for (body, wanted) in rows {
        assert_eq!(flags(body.clone()), wanted, "{body}");
    }
}

#[track_caller]
fn expect_refused(rows: Vec<(Value, &str)>) {
    for (body, wanted) in rows {
        let error = create(body.clone()).expect_err(&body.to_string());
        let hint = error.hint.as_ref().map_or(String::new(), |hint| format!(" [{hint}]"));
        assert_eq!(format!("{error}{hint}"), wanted, "{body}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

fn config_rows() -> Vec<(Value, Vec<&'static str>)> {
    vec![
        (json!({"Hostname": "box"}), vec!["--hostname=box"]),
        (json!({"Domainname": "example.org"}), vec!["--domainname=example.org"]),
        (json!({"User": "1000:1000"}), vec!["--user=1000:1000"]),
        (json!({"WorkingDir": "/a b"}), vec!["--workdir=/a b"]),
        (json!({"Tty": true}), vec!["--tty"]),
        (json!({"Tty": false}), vec![]),
        (json!({"AttachStdin": false, "AttachStdout": false, "AttachStderr": false}), vec![]),
        (json!({"AttachStdout": true}), vec!["--attach=stdout"]),
        (json!({"AttachStderr": true}), vec!["--attach=stderr"]),
        (json!({"AttachStdout": true, "AttachStderr": true}), vec![]),
        (json!({"AttachStdin": true}), vec!["--attach=stdin"]),
        (
            json!({"AttachStdin": true, "AttachStdout": true, "AttachStderr": true}),
            vec!["--attach=stdin", "--attach=stdout", "--attach=stderr"],
        ),
        (json!({"OpenStdin": true}), vec!["--interactive", "--attach=stdin"]),
        (json!({"OpenStdin": true, "AttachStdout": true, "AttachStderr": true}), vec!["--interactive"]),
        (
            json!({"OpenStdin": true, "AttachStdin": true, "StdinOnce": true, "AttachStdout": true}),
            vec!["--interactive", "--attach=stdin", "--attach=stdout"],
        ),
        (json!({"Env": ["A=1\n2", "B=", "-x=--y=z", "C"]}), vec!["--env=C"]),
        (
            json!({"Labels": {"a": "1,2=3", "b": "", "-f": "x\ny"}}),
            vec!["--label=a=1,2=3", "--label=b=", "--label=-f=x\ny"],
        ),
        (json!({"Volumes": {"/data": {}, "/a,b": null}}), vec!["--volume=/data", "--volume=/a,b"]),
        (json!({"StopSignal": "SIGINT"}), vec!["--stop-signal=SIGINT"]),
        (json!({"StopTimeout": 0}), vec!["--stop-timeout=0"]),
        (json!({"StopTimeout": null}), vec![]),
        (json!({"MacAddress": "02:42:ac:11:00:02"}), vec!["--mac-address=02:42:ac:11:00:02"]),
        (
            json!({"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "22": null}}),
            vec!["--expose=80/tcp", "--expose=53/udp", "--expose=22/tcp"],
        ),
        (json!({"Healthcheck": {}}), vec![]),
        (json!({"Healthcheck": {"Test": []}}), vec![]),
        (json!({"Healthcheck": {"Test": ["NONE"]}}), vec!["--no-healthcheck"]),
        (json!({"Healthcheck": {"Test": ["CMD-SHELL", "a | b\n"]}}), vec!["--health-cmd=a | b\n"]),
        (
            json!({"Healthcheck": {
                "Interval": 30_000_000_000_u64, "Timeout": 1_500_000_000, "StartPeriod": 1_000_001, "StartInterval": 5000, "Retries": 3,
            }}),
            vec![
                "--health-interval=30s",
                "--health-timeout=1500ms",
                "--health-start-period=1000001ns",
                "--health-start-interval=5us",
                "--health-retries=3",
            ],
        ),
        (
            json!({"OnBuild": [], "Shell": [], "ArgsEscaped": false, "NetworkDisabled": false, "NetworkingConfig": {}}),
            vec![],
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn host_rows() -> Vec<(Value, Vec<&'static str>)> {
    let rows = vec![
        (json!({"AutoRemove": true}), vec!["--rm"]),
        (json!({"RestartPolicy": {"Name": "", "MaximumRetryCount": 0}}), vec![]),
        (json!({"RestartPolicy": {"Name": "no"}}), vec!["--restart=no"]),
        (json!({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5}}), vec!["--restart=on-failure:5"]),
        (json!({"Init": true}), vec!["--init"]),
        (json!({"Init": false}), vec!["--init=false"]),
        (json!({"Privileged": true}), vec!["--privileged"]),
        (json!({"ReadonlyRootfs": true}), vec!["--read-only"]),
        (json!({"Binds": ["/a:/b:ro,z", "v1:/c d"]}), vec!["--volume=/a:/b:ro,z", "--volume=v1:/c d"]),
        (json!({"Tmpfs": {"/run": "rw,size=64k", "/t": ""}}), vec!["--tmpfs=/run:rw,size=64k", "--tmpfs=/t"]),
        (json!({"VolumesFrom": ["other:ro"]}), vec!["--volumes-from=other:ro"]),
        (json!({"VolumeDriver": "local"}), vec!["--volume-driver=local"]),
        (json!({"StorageOpt": {"size": "10G"}}), vec!["--storage-opt=size=10G"]),
        (json!({"PublishAllPorts": true}), vec!["--publish-all"]),
        (json!({"Dns": ["1.1.1.1"]}), vec!["--dns=1.1.1.1"]),
        (json!({"DnsOptions": ["ndots:2"]}), vec!["--dns-option=ndots:2"]),
        (json!({"DnsSearch": ["example.org"]}), vec!["--dns-search=example.org"]),
        (
            json!({"ExtraHosts": ["db:10.0.0.1", "six:fe80::1"]}),
            vec!["--add-host=db:10.0.0.1", "--add-host=six:fe80::1"],
        ),
        (json!({"Memory": 67_108_865}), vec!["--memory=67108865"]),
        (json!({"MemoryReservation": 4096}), vec!["--memory-reservation=4096"]),
        (json!({"MemorySwap": -1}), vec!["--memory-swap=-1"]),
        (json!({"MemorySwap": 5}), vec!["--memory-swap=5"]),
        (json!({"MemorySwappiness": 0}), vec!["--memory-swappiness=0"]),
        (json!({"MemorySwappiness": -1}), vec![]),
        (json!({"KernelMemory": 4096}), vec!["--kernel-memory=4096"]),
        (json!({"NanoCpus": 1_500_000_000}), vec!["--cpus=1.5"]),
        (json!({"NanoCpus": 2_000_000_000}), vec!["--cpus=2"]),
        (json!({"NanoCpus": 1}), vec!["--cpus=0.000000001"]),
        (json!({"CpuShares": 512}), vec!["--cpu-shares=512"]),
        (json!({"CpuPeriod": 50000}), vec!["--cpu-period=50000"]),
        (json!({"CpuQuota": -1}), vec!["--cpu-quota=-1"]),
        (json!({"CpuRealtimePeriod": 7}), vec!["--cpu-rt-period=7"]),
        (json!({"CpuRealtimeRuntime": 8}), vec!["--cpu-rt-runtime=8"]),
        (json!({"CpusetCpus": "0-3"}), vec!["--cpuset-cpus=0-3"]),
        (json!({"CpusetMems": "0,1"}), vec!["--cpuset-mems=0,1"]),
        (json!({"PidsLimit": -1}), vec!["--pids-limit=-1"]),
        (json!({"PidsLimit": 0}), vec![]),
        (json!({"BlkioWeight": 300}), vec!["--blkio-weight=300"]),
        (
            json!({"BlkioWeightDevice": [{"Path": "/dev/sda", "Weight": 200}]}),
            vec!["--blkio-weight-device=/dev/sda:200"],
        ),
        (json!({"BlkioDeviceReadBps": [{"Path": "/dev/sda", "Rate": 1}]}), vec!["--device-read-bps=/dev/sda:1"]),
        (json!({"BlkioDeviceWriteBps": [{"Path": "/dev/sda", "Rate": 2}]}), vec!["--device-write-bps=/dev/sda:2"]),
        (json!({"BlkioDeviceReadIOps": [{"Path": "/dev/sda", "Rate": 3}]}), vec!["--device-read-iops=/dev/sda:3"]),
        (json!({"BlkioDeviceWriteIOps": [{"Path": "/dev/sda", "Rate": 4}]}), vec!["--device-write-iops=/dev/sda:4"]),
        (json!({"OomKillDisable": true}), vec!["--oom-kill-disable"]),
        (json!({"OomScoreAdj": -500}), vec!["--oom-score-adj=-500"]),
        (json!({"ShmSize": 65536}), vec!["--shm-size=65536"]),
        (json!({"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": -1}]}), vec!["--ulimit=nofile=1:-1"]),
        (
            json!({"Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/n", "CgroupPermissions": "r"}]}),
            vec!["--device=/dev/null:/dev/n:r"],
        ),
        (json!({"DeviceCgroupRules": ["c 1:3 mr"]}), vec!["--device-cgroup-rule=c 1:3 mr"]),
        (json!({"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]}), vec!["--gpus=count=all"]),
        (
            json!({"DeviceRequests": [{
                "Driver": "nvidia", "DeviceIDs": ["0", "1"], "Capabilities": [["gpu", "compute", "utility"]], "Options": {"a": "b,c", "d": "e"},
            }]}),
            vec![r#"--gpus="device=0,1",driver=nvidia,"capabilities=compute,utility","options=""a=b,c"",d=e""#],
        ),
        (json!({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["a.com/b=c"]}]}), vec!["--device=a.com/b=c"]),
        (json!({"CapAdd": ["NET_ADMIN", "ALL"]}), vec!["--cap-add=NET_ADMIN", "--cap-add=ALL"]),
        (json!({"CapDrop": "MKNOD"}), vec!["--cap-drop=MKNOD"]),
        (json!({"GroupAdd": ["audio"]}), vec!["--group-add=audio"]),
        (
            json!({"SecurityOpt": ["no-new-privileges", "label:disable", "seccomp=unconfined", "apparmor=x"]}),
            vec![
                "--security-opt=no-new-privileges",
                "--security-opt=label:disable",
                "--security-opt=seccomp=unconfined",
                "--security-opt=apparmor=x",
            ],
        ),
        (json!({"SecurityOpt": ["seccomp={\"a\": 1}"]}), vec!["--security-opt=seccomp=/dev/stdin"]),
        (json!({"MaskedPaths": [], "ReadonlyPaths": []}), vec!["--security-opt=systempaths=unconfined"]),
        (json!({"MaskedPaths": null, "ReadonlyPaths": null}), vec![]),
        (json!({"Sysctls": {"net.a": "1 2"}}), vec!["--sysctl=net.a=1 2"]),
        (json!({"Annotations": {"a": "b=c"}}), vec!["--annotation=a=b=c"]),
        (json!({"IpcMode": "host"}), vec!["--ipc=host"]),
        (json!({"PidMode": "container:x"}), vec!["--pid=container:x"]),
        (json!({"UTSMode": "host"}), vec!["--uts=host"]),
        (json!({"UsernsMode": "host"}), vec!["--userns=host"]),
        (json!({"CgroupnsMode": "private"}), vec!["--cgroupns=private"]),
        (json!({"CgroupParent": "/x"}), vec!["--cgroup-parent=/x"]),
        (json!({"Runtime": "runc"}), vec!["--runtime=runc"]),
        (json!({"Isolation": "default"}), vec!["--isolation=default"]),
        (
            json!({"LogConfig": {"Type": "local", "Config": {"tag": "a=b"}}}),
            vec!["--log-driver=local", "--log-opt=tag=a=b"],
        ),
        (json!({"LogConfig": {"Type": "", "Config": null}}), vec![]),
        (json!({"NetworkMode": "none"}), vec!["--network=none"]),
        (json!({"NetworkMode": "default"}), vec![]),
        (json!({"Links": ["db", "db:alias"]}), vec!["--link=db", "--link=db:alias"]),
        (json!({"ConsoleSize": [0, 0], "Cgroup": "", "CpuCount": 0, "IOMaximumIOps": 0, "KernelMemoryTCP": 0}), vec![]),
        (json!({"CpuPercent": 0, "IOMaximumBandwidth": 0, "Capabilities": null, "ContainerIDFile": ""}), vec![]),
    ];
    rows.into_iter().map(|(keys, wanted)| (hosted(keys), wanted)).collect()
}

#[test]
fn each_key_of_the_config_has_its_flag() {
    expect_flags(config_rows());
}

#[test]
fn each_key_of_the_host_config_has_its_flag() {
    expect_flags(host_rows());
}

#[test]
fn no_key_is_without_a_row() {
    let mut bodies: Vec<_> = config_rows().into_iter().chain(host_rows()).map(|(body, _)| body.to_string()).collect();
    bodies.extend(mount_rows().into_iter().chain(port_rows()).map(|(body, _)| body.to_string()));
    let elsewhere = ["Image", "Cmd", "Entrypoint", "NetworkSettings"];
    for name in names(config::KEYS).chain(names(host::KEYS)).filter(|name| !elsewhere.contains(name)) {
        assert!(bodies.iter().any(|body| body.contains(&format!("\"{name}\":"))), "{name}");
    }
}

#[test]
fn nothing_and_null_and_zero_are_the_default() {
    let zero = |table: Table| -> Value {
        let absent = |(name, rule): &(&str, Rule)| match rule {
            Rule::Text(_) => ((*name).to_owned(), json!("")),
            Rule::Switch(_) => ((*name).to_owned(), json!(false)),
            Rule::Number(_) | Rule::Size(_) => ((*name).to_owned(), json!(0)),
            Rule::List(_) => ((*name).to_owned(), json!([])),
            Rule::Pairs(_) => ((*name).to_owned(), json!({})),
            _ => ((*name).to_owned(), Value::Null),
        };
        table.iter().filter(|(name, _)| *name != "Image").map(absent).collect()
    };
    let mut body = zero(config::KEYS);
    body["HostConfig"] = zero(host::KEYS);
    body["Image"] = json!("i");
    assert_eq!(create(body).unwrap(), Create { args: vec!["i".to_owned()], ..Create::default() });
}

fn mount_rows() -> Vec<(Value, Vec<&'static str>)> {
    let rows = vec![
        (
            json!({"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": true, "Consistency": "cached"}),
            "--mount=type=bind,source=/a,target=/b,readonly,consistency=cached",
        ),
        (
            json!({"Type": "bind", "Source": "/a,b\"c", "Target": "/ d\n", "BindOptions": {"Propagation": "rslave", "NonRecursive": true}}),
            "--mount=type=bind,\"source=/a,b\"\"c\",\"target=/ d\n\",bind-propagation=rslave,bind-nonrecursive",
        ),
        (
            json!({"Type": "bind", "Source": "/a", "Target": "/b", "BindOptions": {"ReadOnlyNonRecursive": true}}),
            "--mount=type=bind,source=/a,target=/b,bind-recursive=writable",
        ),
        (
            json!({"Type": "bind", "Source": "/a", "Target": "/b", "BindOptions": {"ReadOnlyForceRecursive": true}}),
            "--mount=type=bind,source=/a,target=/b,bind-recursive=readonly",
        ),
        (
            json!({"Type": "volume", "Source": "v", "Target": "/b", "VolumeOptions": {
                "NoCopy": true, "Subpath": "s", "Labels": {"a": "b,c"}, "DriverConfig": {"Name": "local", "Options": {"o": "x=y"}},
            }}),
            "--mount=type=volume,source=v,target=/b,volume-nocopy,volume-subpath=s,\"volume-label=a=b,c\",volume-driver=local,volume-opt=o=x=y",
        ),
        (
            json!({"Type": "volume", "Target": "/b", "BindOptions": {}, "TmpfsOptions": null}),
            "--mount=type=volume,target=/b",
        ),
        (
            json!({"Type": "tmpfs", "Target": "/b", "TmpfsOptions": {"SizeBytes": 65536, "Mode": 1016}}),
            "--mount=type=tmpfs,target=/b,tmpfs-size=65536,tmpfs-mode=1770",
        ),
        (
            json!({"Type": "image", "Source": "i", "Target": "/b", "ImageOptions": {"Subpath": "s"}}),
            "--mount=type=image,source=i,target=/b,image-subpath=s",
        ),
        (
            json!({"Type": "cluster", "Source": "c", "Target": "/b", "ClusterOptions": {}}),
            "--mount=type=cluster,source=c,target=/b",
        ),
        (json!({"Type": "npipe", "Source": "p", "Target": "q"}), "--mount=type=npipe,source=p,target=q"),
    ];
    rows.into_iter().map(|(mount, wanted)| (hosted(json!({ "Mounts": [mount] })), vec![wanted])).collect()
}

#[test]
fn mounts_of_every_type() {
    expect_flags(mount_rows());
}

fn port_rows() -> Vec<(Value, Vec<&'static str>)> {
    let rows = vec![
        (json!([{"HostIp": "", "HostPort": "8080"}]), vec!["--publish=8080:80/tcp"]),
        (json!([{"HostIp": "", "HostPort": ""}]), vec!["--publish=80/tcp"]),
        (json!([{}]), vec!["--publish=80/tcp"]),
        (json!([{"HostIp": "127.0.0.1", "HostPort": ""}]), vec!["--publish=127.0.0.1::80/tcp"]),
        (json!([{"HostIp": "::1", "HostPort": "8080"}]), vec!["--publish=[::1]:8080:80/tcp"]),
        (json!([{"HostIp": "0.0.0.0", "HostPort": "8000-8010"}]), vec!["--publish=0.0.0.0:8000-8010:80/tcp"]),
        (json!([{"HostPort": "1"}, {"HostPort": "2"}]), vec!["--publish=1:80/tcp", "--publish=2:80/tcp"]),
        (json!([]), vec!["--expose=80/tcp"]),
        (json!(null), vec!["--expose=80/tcp"]),
    ];
    let body = |bindings| json!({"ExposedPorts": {"80/tcp": {}}, "HostConfig": {"PortBindings": {"80": bindings}}});
    rows.into_iter().map(|(bindings, wanted)| (body(bindings), wanted)).collect()
}

#[test]
fn ports_at_every_kind_of_address() {
    expect_flags(port_rows());
}

#[test]
fn networks_one_and_several() {
    let full = json!({
        "Aliases": ["Web", "api"], "Links": ["db:d"], "MacAddress": "02:42:ac:11:00:02",
        "IPAMConfig": {"IPv4Address": "10.0.0.9", "IPv6Address": "fd00::9", "LinkLocalIPs": ["169.254.1.1"]},
    });
    let further = json!({
        "Aliases": ["b1"], "MacAddress": "02:42:ac:11:00:03", "DriverOpts": {"x": "1,2"}, "GwPriority": 7,
        "IPAMConfig": {"IPv4Address": "10.1.0.9", "IPv6Address": "fd01::9", "LinkLocalIPs": ["169.254.1.2"]},
    });
    let flags_of_full = [
        "--ip=10.0.0.9",
        "--ip6=fd00::9",
        "--link-local-ip=169.254.1.1",
        "--network-alias=Web",
        "--network-alias=api",
        "--link=db:d",
        "--mac-address=02:42:ac:11:00:02",
    ];
    let second = "--network=name=b,alias=b1,ip=10.1.0.9,ip6=fd01::9,mac-address=02:42:ac:11:00:03,link-local-ip=169.254.1.2,\"driver-opt=x=1,2\",gw-priority=7";
    expect_flags(vec![
        (networks("net", json!({"net": {}})), vec!["--network=net"]),
        (networks("", json!({"net": {}})), vec!["--network=net"]),
        (networks("default", json!({"default": {"Aliases": null}})), vec!["--network=default"]),
        (networks("net", json!({ "net": full })), [&["--network=net"][..], &flags_of_full].concat()),
        (networks("a", json!({"b": further, "a": full})), [&["--network=a"][..], &flags_of_full, &[second]].concat()),
        (networks("net", json!({"net": {"DriverOpts": {"a": "b=c"}}})), vec!["--network=name=net,driver-opt=a=b=c"]),
    ]);
}

#[test]
fn the_process_is_entrypoint_and_command() {
    let rows = vec![
        (json!({}), vec!["i"]),
        (json!({"Cmd": null, "Entrypoint": null}), vec!["i"]),
        (json!({"Cmd": []}), vec!["i"]),
        (json!({"Cmd": "ls -l"}), vec!["i", "ls -l"]),
        (json!({"Cmd": ["--help", "", "a b"]}), vec!["i", "--help", "", "a b"]),
        (json!({"Entrypoint": "sh"}), vec!["--entrypoint=sh", "i"]),
        (json!({"Entrypoint": ["sh", "-c", "x"], "Cmd": ["-y"]}), vec!["--entrypoint=sh", "i", "-c", "x", "-y"]),
        (json!({"Entrypoint": ["--rm"]}), vec!["--entrypoint=--rm", "i"]),
        (json!({"Entrypoint": [], "Cmd": ["ls"]}), vec!["--entrypoint=", "i", "ls"]),
        (json!({"Entrypoint": "", "Cmd": ["ls"]}), vec!["--entrypoint=", "i", "ls"]),
        (json!({"Entrypoint": [""]}), vec!["--entrypoint=", "i"]),
    ];
    for (body, wanted) in rows {
        assert_eq!(create(body.clone()).unwrap().args, wanted, "{body}");
    }
}

#[test]
fn what_is_said_beside_the_arguments() {
    let made = create(json!({"Env": ["A=1", "PYTHONPATH", "A"]})).unwrap();
    assert_eq!(made.args, ["--env=PYTHONPATH", "--env=A", "i"]);
    assert_eq!((made.unset, made.env), (vec!["PYTHONPATH".to_owned(), "A".to_owned()], vec![]));
    let made = create(json!({"Env": ["A=1\n2", "B=", "-x=--y=z", "C=1", "C=2"]})).unwrap();
    let env = [("A", "1\n2"), ("B", ""), ("-x", "--y=z"), ("C", "2")];
    assert_eq!(made.env, env.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let made = create(hosted(json!({"SecurityOpt": ["seccomp={\"a\": \"b=c\"}"]}))).unwrap();
    assert_eq!(made.stdin.as_deref(), Some("{\"a\": \"b=c\"}"));
    assert_eq!(create_args(Some("box"), &json!({"Image": "i"})).unwrap().args, ["--name=box", "i"]);
    assert_eq!(create_args(Some(""), &json!({"Image": "i"})).unwrap().args, ["i"]);
    assert_eq!(
        create_args(None, &json!({"image": "i", "HOSTCONFIG": {"memory": 5}})).unwrap().args,
        ["--memory=5", "i"]
    );
}

#[test]
fn what_is_ignored_is_noted() {
    let windows = "it has an effect only on Windows";
    let rows = vec![
        (json!({"NetworkSettings": {"Ports": {"80/tcp": null}}}), vec![]),
        (json!({"NetworkSettings": {"Bridge": "x"}}), vec!["ignored: NetworkSettings: the API ignores it".to_owned()]),
        (json!({"ArgsEscaped": true}), vec![format!("ignored: ArgsEscaped: {windows}")]),
        (json!({"StdinOnce": true}), vec!["ignored: StdinOnce: without OpenStdin there is no stdin to close".to_owned()]),
        (json!({"OpenStdin": true, "Tty": true}), vec![]),
        (
            json!({"OpenStdin": true}),
            vec!["StdinOnce: docker create sets it to true, so stdin is closed after the first client".to_owned()],
        ),
        (json!({"Healthcheck": {"Test": ["NONE"], "Retries": 3}}), vec!["ignored: Healthcheck.Retries: there is no health check".to_owned()]),
        (hosted(json!({"ConsoleSize": [49, 188]})), vec!["ignored: HostConfig.ConsoleSize: it has no effect on Linux".to_owned()]),
        (
            hosted(json!({"CpuCount": 2, "CpuPercent": 3})),
            vec![format!("ignored: HostConfig.CpuCount: {windows}"), format!("ignored: HostConfig.CpuPercent: {windows}")],
        ),
        (
            hosted(json!({"PortBindings": {"80/tcp": []}})),
            vec!["ignored: HostConfig.PortBindings[\"80/tcp\"]: it publishes nothing".to_owned()],
        ),
        (
            hosted(json!({"PortBindings": {"80/tcp": [{}]}})),
            vec![
                "HostConfig.PortBindings[\"80/tcp\"]: it is also exposed; the API would publish it only if the image exposes it"
                    .to_owned(),
            ],
        ),
        (
            networks("n", json!({"n": {"IPAddress": "10.0.0.1", "Gateway": ""}})),
            vec!["ignored: NetworkingConfig.EndpointsConfig[\"n\"].IPAddress: the engine sets it".to_owned()],
        ),
    ];
    for (body, wanted) in rows {
        assert_eq!(create(body.clone()).unwrap().notes, wanted, "{body}");
    }
}

#[test]
fn what_the_config_cannot_say() {
    expect_refused(vec![
        (json!({"Image": ""}), "Image: it is required"),
        (json!({"Image": "-x"}), "Image: docker create would read it as a flag"),
        (json!({"Labls": {}}), "Labls: unknown key [did you mean Labels?]"),
        (json!({"Quite Another": 1}), "Quite Another: unknown key"),
        (json!({"a\nb": 1}), "a\\nb: unknown key"),
        (json!({"Memory": 5}), "Memory: unknown key [it belongs in HostConfig: HostConfig.Memory]"),
        (json!({"State": {}}), "State: inspect prints it, but a container cannot be created with it"),
        (json!({"Tty": "yes"}), "Tty: expected true or false, found a string"),
        (json!({"User": 5}), "User: expected a string, found a number"),
        (json!({"StopTimeout": 1.5}), "StopTimeout: expected a whole number, found a fraction"),
        (json!({"Env": {"A": "1"}}), "Env: expected an array, found an object"),
        (json!({"Env": ["A=1", null]}), "Env[1]: expected a string, found null"),
        (json!({"Env": ["=x"]}), "Env[0]: a variable must have a name"),
        (json!({"Env": ["A=\u{0}"]}), "Env[0]: it contains a NUL character, which a program argument cannot contain"),
        (
            json!({"Env": ["DOCKER_HOST"]}),
            "Env[0]: without a value, docker create would use its own value, which cannot be removed [give it a value]",
        ),
        (json!({"HostConfig": []}), "HostConfig: expected an object, found an array"),
        (json!({"Tty": true, "tty": true}), "tty: Tty is given twice"),
        (json!({"Cmd": 5}), "Cmd: expected a string or an array of strings, found a number"),
        (
            json!({"Labels": {"a b": ""}}),
            "Labels[\"a b\"]: docker create does not accept a label whose name is empty or contains spaces",
        ),
        (
            json!({"Labels": {"a=b": ""}}),
            "Labels[\"a=b\"]: docker create splits it at the first \"=\", so the name must not contain one",
        ),
        (
            json!({"Volumes": {"/a:/b": {}}}),
            "Volumes[\"/a:/b\"]: docker create needs a path that is not empty and contains no \":\"",
        ),
        (
            json!({"ExposedPorts": {"80-90/tcp": {}}}),
            "ExposedPorts[\"80-90/tcp\"]: the key must be one port, for example 80/tcp",
        ),
        (
            json!({"ExposedPorts": {"80/TCP": {}}}),
            "ExposedPorts[\"80/TCP\"]: the key must be one port, for example 80/tcp",
        ),
        (
            json!({"Entrypoint": []}),
            "Entrypoint: docker create cannot clear the image's entrypoint and keep the image's command [write the command in Cmd]",
        ),
        (json!({"Entrypoint": ["", "x"]}), "Entrypoint: the first word is empty"),
        (
            json!({"Healthcheck": {"Test": ["CMD", "curl", "http://x/?a", "it's"]}}),
            "Healthcheck.Test: docker create runs a health check only in a shell \
             [if the image has a shell, use [\"CMD-SHELL\", \"curl 'http://x/?a' 'it'\\\\''s'\"]]",
        ),
        (
            json!({"Healthcheck": {"Test": ["CMD-SHELL", "a", "b"]}}),
            "Healthcheck.Test: docker create accepts only [\"CMD-SHELL\", COMMAND], [\"NONE\"] or []",
        ),
        (
            json!({"NetworkDisabled": true}),
            "NetworkDisabled: docker create has no flag for it; to disable the network, set HostConfig.NetworkMode to none",
        ),
        (json!({"OnBuild": ["RUN x"]}), "OnBuild: docker create has no flag for it"),
        (json!({"Shell": ["sh"]}), "Shell: docker create has no flag for it"),
    ]);
    assert_eq!(create_args(None, &json!([])).unwrap_err().to_string(), "the body: expected an object, found an array");
}

#[expect(clippy::too_many_lines, reason = "a table")]
#[test]
fn what_the_host_config_cannot_say() {
    let rows = vec![
        (json!({"Memroy": 1}), "HostConfig.Memroy: unknown key [did you mean Memory?]"),
        (json!({"Memory": "1g"}), "HostConfig.Memory: expected a whole number, found a string"),
        (json!({"Memory": -1}), "HostConfig.Memory: a size cannot be negative"),
        (
            json!({"ShmSize": 9_007_199_254_740_993_i64}),
            "HostConfig.ShmSize: docker reads sizes as floating-point numbers and would read 9007199254740992",
        ),
        (
            json!({"Memory": i64::MAX}),
            "HostConfig.Memory: docker reads sizes as floating-point numbers and would read 9223372036854775808",
        ),
        (json!({"NanoCpus": -1}), "HostConfig.NanoCpus: a number of processors cannot be negative"),
        (
            json!({"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}),
            "HostConfig.RestartPolicy.MaximumRetryCount: only on-failure may have a count, and it must not be negative",
        ),
        (
            json!({"Binds": ["./a:/b"]}),
            "HostConfig.Binds[0]: the engine does not accept a relative source, but docker create would make it absolute \
             [write the source as an absolute path]",
        ),
        (
            json!({"Binds": ["/b"]}),
            "HostConfig.Binds[0]: without a source, docker create would create an anonymous volume, as for Volumes \
             [use Volumes, or write SOURCE:TARGET]",
        ),
        (
            json!({"Binds": ["v:/b"]}),
            "HostConfig.Binds[0]: docker create would read a source of one letter as a Windows drive",
        ),
        (
            json!({"Tmpfs": {"/a:b": ""}}),
            "HostConfig.Tmpfs[\"/a:b\"]: docker create splits it at \":\", so the path must not contain one",
        ),
        (
            json!({"Mounts": [{"Target": "/a"}]}),
            "HostConfig.Mounts[0].Type: expected bind, volume, tmpfs, image, npipe or cluster",
        ),
        (json!({"Mounts": [{"Type": "tmpfs"}]}), "HostConfig.Mounts[0].Target: it is required"),
        (
            json!({"Mounts": [{"Type": "tmpfs", "Target": "/a", "BindOptions": {"NonRecursive": true}}]}),
            "HostConfig.Mounts[0].BindOptions: a mount of type tmpfs does not have these options",
        ),
        (
            json!({"Mounts": [{"Type": "bind", "Source": "/a", "Target": "/a", "BindOptions": {"CreateMountpoint": true}}]}),
            "HostConfig.Mounts[0].BindOptions.CreateMountpoint: docker create has no option for it [an entry in Binds creates a missing source]",
        ),
        (
            json!({"Mounts": [{"Type": "bind", "Source": "./a", "Target": "/a"}]}),
            "HostConfig.Mounts[0].Source: the engine does not accept a relative source, but docker create would make it absolute \
             [write the source as an absolute path]",
        ),
        (
            json!({"Mounts": [{"Type": "bind", "Source": "/a\r\nb", "Target": "/a"}]}),
            "HostConfig.Mounts[0]: docker create does not support CR LF here",
        ),
        (
            json!({"Mounts": [{"Type": "tmpfs", "Target": "/a", "TmpfsOptions": {"Options": [["uid", "1"]]}}]}),
            "HostConfig.Mounts[0].TmpfsOptions.Options: docker create has no option for it",
        ),
        (
            json!({"Mounts": [{"Type": "bind", "Soruce": "/a", "Target": "/a"}]}),
            "HostConfig.Mounts[0].Soruce: unknown key [did you mean Source?]",
        ),
        (
            json!({"PortBindings": {"80/tcp": [{"HostPort": 80}]}}),
            "HostConfig.PortBindings[\"80/tcp\"][0].HostPort: expected a string, found a number",
        ),
        (
            json!({"PortBindings": {"80/tcp": [{"HostPort": "+80"}]}}),
            "HostConfig.PortBindings[\"80/tcp\"][0].HostPort: expected a port, or a range such as 8000-8010, or \"\" for any",
        ),
        (
            json!({"PortBindings": {"+80/tcp": [{}]}}),
            "HostConfig.PortBindings[\"+80/tcp\"]: the key must be one port, for example 80/tcp",
        ),
        (
            json!({"PortBindings": {"80/tcp": [{"HostPort": "http"}]}}),
            "HostConfig.PortBindings[\"80/tcp\"][0].HostPort: expected a port, or a range such as 8000-8010, or \"\" for any",
        ),
        (
            json!({"PortBindings": {"80/tcp": [{"HostIp": "localhost"}]}}),
            "HostConfig.PortBindings[\"80/tcp\"][0].HostIp: expected an IP address, or \"\" for any",
        ),
        (
            json!({"Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/null"}]}),
            "HostConfig.Devices[0].CgroupPermissions: expected one or more of the letters r, w and m, each once",
        ),
        (json!({"Devices": [{"PathOnHost": "/dev/null"}]}), "HostConfig.Devices[0].PathInContainer: it is required"),
        (
            json!({"Devices": [{"PathOnHost": "/a:b"}]}),
            "HostConfig.Devices[0].PathOnHost: docker create splits it at \":\", so the path must not contain one",
        ),
        (
            json!({"Ulimits": [{"Soft": 1}]}),
            "HostConfig.Ulimits[0].Name: expected a name without \"=\" that no other limit has",
        ),
        (
            json!({"DeviceRequests": [{"Count": 1}]}),
            "HostConfig.DeviceRequests[0].Capabilities: docker create supports exactly one set of capabilities, which must contain gpu",
        ),
        (
            json!({"DeviceRequests": [{"Count": 1, "Capabilities": [["tpu"]]}]}),
            "HostConfig.DeviceRequests[0].Capabilities: docker create always requests the capability gpu, so the set must contain it",
        ),
        (
            json!({"DeviceRequests": [{"Count": 1, "DeviceIDs": ["0"], "Capabilities": [["gpu"]]}]}),
            "HostConfig.DeviceRequests[0].Count: the engine accepts a count or DeviceIDs, but not both",
        ),
        (
            json!({"SecurityOpt": ["systempaths=unconfined"]}),
            "HostConfig.SecurityOpt[0]: the engine does not know it [use MaskedPaths [] and ReadonlyPaths []]",
        ),
        (
            json!({"SecurityOpt": ["seccomp=/etc/passwd"]}),
            "HostConfig.SecurityOpt[0]: expected at most one seccomp=, followed by unconfined, builtin or a profile in JSON",
        ),
        (
            json!({"MaskedPaths": ["/proc/acpi"]}),
            "HostConfig.MaskedPaths: docker create can only keep the defaults of MaskedPaths and ReadonlyPaths, or set both to []",
        ),
        (
            json!({"ReadonlyPaths": []}),
            "HostConfig.ReadonlyPaths: docker create can only keep the defaults of MaskedPaths and ReadonlyPaths, or set both to []",
        ),
        (json!({"ExtraHosts": ["a=1.2.3.4"]}), "HostConfig.ExtraHosts[0]: expected NAME:ADDRESS"),
        (
            json!({"LogConfig": {"Type": "none", "Config": {"a": "b"}}}),
            "HostConfig.LogConfig.Config: docker create does not accept options for the driver none",
        ),
        (json!({"Cgroup": "container:x"}), "HostConfig.Cgroup: docker create has no flag for it"),
        (json!({"KernelMemoryTCP": 1}), "HostConfig.KernelMemoryTCP: docker create has no flag for it"),
        (json!({"IOMaximumIOps": 1}), "HostConfig.IOMaximumIOps: it exists only on Windows"),
        (json!({"IOMaximumBandwidth": 1}), "HostConfig.IOMaximumBandwidth: it exists only on Windows"),
        (
            json!({"Capabilities": ["X"]}),
            "HostConfig.Capabilities: docker create has no flag for it; use CapAdd and CapDrop",
        ),
        (
            json!({"ContainerIDFile": "/x"}),
            "HostConfig.ContainerIDFile: the API only stores it, but docker create would write the file",
        ),
        (
            json!({"NetworkMode": "a=b"}),
            "HostConfig.NetworkMode: docker create would read a name with \"=\" as an option",
        ),
        (
            json!({"NetworkMode": "net", "Links": ["db"]}),
            "HostConfig.Links: the API ignores them in network net, but docker create would not \
             [use NetworkingConfig.EndpointsConfig[\"net\"].Links]",
        ),
    ];
    expect_refused(rows.into_iter().map(|(keys, wanted)| (hosted(keys), wanted)).collect());
}

#[test]
fn what_networks_cannot_say() {
    let at = "NetworkingConfig.EndpointsConfig";
    let rows = vec![
        (
            networks("bridge", json!({"net": {}})),
            format!(
                "HostConfig.NetworkMode: {at} does not contain this network; it contains net [use the same name in both places]"
            ),
        ),
        (networks("n", json!({"n": null})), format!("{at}[\"n\"]: expected an object, found null")),
        (networks("n", json!({"n": {"Alias": []}})), format!("{at}[\"n\"].Alias: unknown key [did you mean Aliases?]")),
        (
            networks("bridge", json!({"bridge": {"Links": ["a"]}})),
            format!("{at}[\"bridge\"].Links: an endpoint in a built-in network has no links [use HostConfig.Links]"),
        ),
        (
            networks("n", json!({"n": {"DriverOpts": {"a": "B"}}})),
            format!("{at}[\"n\"]: docker create would change \"driver-opt=a=B\" to lower case and trim it"),
        ),
        (
            networks("n", json!({"n": {}, "m": {"Links": ["a"]}})),
            format!("{at}[\"m\"].Links: docker create supports links only in the container's first network"),
        ),
        (
            networks("n", json!({"n": {}, "bridge": {}})),
            format!(
                "{at}[\"bridge\"]: docker create cannot join it together with n, because one of them is a built-in network"
            ),
        ),
    ];
    for (body, wanted) in rows {
        expect_refused(vec![(body, wanted.as_str())]);
    }
    let mut body = networks("n", json!({"n": {"MacAddress": "02:42:ac:11:00:02"}}));
    body["MacAddress"] = json!("02:42:ac:11:00:03");
    expect_refused(vec![(body, "MacAddress: its endpoint has a different one")]);
}

#[test]
fn the_documents_own_body() {
    let body = json!({
        "Hostname": "", "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": false, "AttachStderr": false,
        "Tty": true, "OpenStdin": true, "StdinOnce": false, "Image": "postgres", "Env": ["POSTGRES_PASSWORD=gk"],
        "Cmd": ["postgres"], "Entrypoint": ["docker-entrypoint.sh"], "MacAddress": "", "ExposedPorts": {"5432/tcp": {}},
        "HostConfig": {
            "PortBindings": {"5432/tcp": [{"HostIp": "", "HostPort": "5432"}]},
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "ConsoleSize": [49, 188],
        },
        "NetworkSettings": {"Ports": {"5432/tcp": [
            {"HostIp": "0.0.0.0", "HostPort": "5432"}, {"HostIp": "::", "HostPort": "5432"},
        ]}},
    });
    let made = create_args(Some("postgres_test"), &body).unwrap();
    let args = [
        "--name=postgres_test",
        "--tty",
        "--interactive",
        "--attach=stdin",
        "--restart=no",
        "--publish=5432:5432/tcp",
        "--entrypoint=docker-entrypoint.sh",
        "postgres",
        "postgres",
    ];
    assert_eq!(made.args, args);
    let notes =
        ["ignored: NetworkSettings: the API ignores it", "ignored: HostConfig.ConsoleSize: it has no effect on Linux"];
    assert_eq!(made.notes, notes);
    assert_eq!(made.env, [("POSTGRES_PASSWORD".to_owned(), "gk".to_owned())]);
    assert_eq!((made.unset, made.stdin), (vec![], None));
}

/// What Go's `encoding/csv` makes of one line.
fn go_csv(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let (mut chars, mut quoted) = (line.chars().peekable(), false);
    while let Some(c) = chars.next() {
        let field = fields.last_mut().unwrap();
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    fields
}

proptest! {
    #[test]
    fn no_value_is_read_as_a_flag(texts in prop::collection::vec("[^\0]{1,8}", 6), key in "[a-z-]{1,4}") {
        let body = json!({
            "User": texts[0], "Env": [format!("{key}={}", texts[1])], "Labels": {key: texts[2]}, "Cmd": [texts[3]],
            "Entrypoint": [texts[4]], "HostConfig": {"GroupAdd": [texts[5]]},
        });
        let made = create(body).unwrap();
        let image = made.args.iter().position(|arg| arg == "i").unwrap();
        prop_assert!(made.args[..image].iter().all(|arg| arg.starts_with("--") && arg.contains('=')));
        prop_assert_eq!(made.args[image + 1..].to_vec(), vec![texts[3].clone()]);
        prop_assert_eq!(made.args[..image].len(), 4);
        prop_assert_eq!(&made.env[0].1, &texts[1]);
    }

    #[test]
    fn a_mount_reads_back_as_it_was(source in "[^\0]{1,12}", target in "[^\0]{1,12}", value in "[^\0]{0,12}") {
        let crlf = [&source, &target, &value].iter().any(|text| text.contains("\r\n"));
        prop_assume!(!crlf && source != "." && !source.starts_with("./"));
        let labels = json!({ "Labels": { "l": value } });
        let mount = json!({"Type": "volume", "Source": source, "Target": target, "VolumeOptions": labels});
        let args = flags(hosted(json!({ "Mounts": [mount] })));
        let wanted = ["type=volume".to_owned(), format!("source={source}"), format!("target={target}"), format!("volume-label=l={value}")];
        prop_assert_eq!(go_csv(args[0].strip_prefix("--mount=").unwrap()), wanted);
    }

    #[test]
    fn no_body_makes_it_panic(key in "[A-Za-z]{1,12}", value in "[^\0]{0,8}", number in any::<i64>()) {
        for value in [json!(value), json!(number), json!([value]), json!([{"Path": value}]), json!({ "Name": number }), json!([null])] {
            let _ = create(json!({ key.as_str(): value }));
            for name in names(host::KEYS) {
                let _ = create(hosted(json!({ name: value })));
            }
            for name in names(config::KEYS) {
                let _ = create(json!({ name: value }));
            }
        }
    }
}
