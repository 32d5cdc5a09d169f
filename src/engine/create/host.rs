//! The keys of `HostConfig`, except mounts, ports and networks. Pure.

use super::mounts;
use super::read::{Fields, Item};
use super::rules::{self, Rule, Table, csv_line};
use super::{BodyError, Create};
use crate::names::csv_field;

/// The keys of `HostConfig`.
pub(super) const KEYS: Table = &[
    ("AutoRemove", Rule::Switch("--rm")),
    ("RestartPolicy", Rule::Read(restart)),
    ("Init", Rule::Read(init)),
    ("Privileged", Rule::Switch("--privileged")),
    ("ReadonlyRootfs", Rule::Switch("--read-only")),
    ("Binds", Rule::Read(mounts::binds)),
    ("Mounts", Rule::Read(mounts::mounts)),
    ("Tmpfs", Rule::Read(mounts::tmpfs)),
    ("VolumesFrom", Rule::List("--volumes-from")),
    ("VolumeDriver", Rule::Text("--volume-driver")),
    ("StorageOpt", Rule::Pairs("--storage-opt")),
    ("PortBindings", Rule::Together),
    ("PublishAllPorts", Rule::Switch("--publish-all")),
    ("NetworkMode", Rule::Together),
    ("Links", Rule::Together),
    ("Dns", Rule::List("--dns")),
    ("DnsOptions", Rule::List("--dns-option")),
    ("DnsSearch", Rule::List("--dns-search")),
    ("ExtraHosts", Rule::Read(extra_hosts)),
    ("Memory", Rule::Size("--memory")),
    ("MemoryReservation", Rule::Size("--memory-reservation")),
    ("MemorySwap", Rule::Read(memory_swap)),
    ("MemorySwappiness", Rule::Read(memory_swappiness)),
    ("KernelMemory", Rule::Size("--kernel-memory")),
    ("NanoCpus", Rule::Read(nano_cpus)),
    ("CpuShares", Rule::Number("--cpu-shares")),
    ("CpuPeriod", Rule::Number("--cpu-period")),
    ("CpuQuota", Rule::Number("--cpu-quota")),
    ("CpuRealtimePeriod", Rule::Number("--cpu-rt-period")),
    ("CpuRealtimeRuntime", Rule::Number("--cpu-rt-runtime")),
    ("CpusetCpus", Rule::Text("--cpuset-cpus")),
    ("CpusetMems", Rule::Text("--cpuset-mems")),
    ("PidsLimit", Rule::Number("--pids-limit")),
    ("BlkioWeight", Rule::Number("--blkio-weight")),
    ("BlkioWeightDevice", Rule::Read(blkio_weights)),
    ("BlkioDeviceReadBps", Rule::Read(|item, create| throttles("--device-read-bps", item, create))),
    ("BlkioDeviceWriteBps", Rule::Read(|item, create| throttles("--device-write-bps", item, create))),
    ("BlkioDeviceReadIOps", Rule::Read(|item, create| throttles("--device-read-iops", item, create))),
    ("BlkioDeviceWriteIOps", Rule::Read(|item, create| throttles("--device-write-iops", item, create))),
    ("OomKillDisable", Rule::Switch("--oom-kill-disable")),
    ("OomScoreAdj", Rule::Number("--oom-score-adj")),
    ("ShmSize", Rule::Size("--shm-size")),
    ("Ulimits", Rule::Read(ulimits)),
    ("Devices", Rule::Read(devices)),
    ("DeviceCgroupRules", Rule::List("--device-cgroup-rule")),
    ("DeviceRequests", Rule::Read(device_requests)),
    ("CapAdd", Rule::Read(|item, create| capabilities("--cap-add", item, create))),
    ("CapDrop", Rule::Read(|item, create| capabilities("--cap-drop", item, create))),
    ("GroupAdd", Rule::List("--group-add")),
    ("SecurityOpt", Rule::Read(security)),
    ("MaskedPaths", Rule::Together),
    ("ReadonlyPaths", Rule::Together),
    ("Sysctls", Rule::Pairs("--sysctl")),
    ("Annotations", Rule::Pairs("--annotation")),
    ("IpcMode", Rule::Text("--ipc")),
    ("PidMode", Rule::Text("--pid")),
    ("UTSMode", Rule::Text("--uts")),
    ("UsernsMode", Rule::Text("--userns")),
    ("CgroupnsMode", Rule::Text("--cgroupns")),
    ("CgroupParent", Rule::Text("--cgroup-parent")),
    ("Runtime", Rule::Text("--runtime")),
    ("Isolation", Rule::Text("--isolation")),
    ("LogConfig", Rule::Read(log)),
    ("ConsoleSize", Rule::Ignored("it has no effect on Linux")),
    ("CpuCount", Rule::Ignored("it has an effect only on Windows")),
    ("CpuPercent", Rule::Ignored("it has an effect only on Windows")),
    ("IOMaximumIOps", Rule::Refused("it exists only on Windows")),
    ("IOMaximumBandwidth", Rule::Refused("it exists only on Windows")),
    ("Cgroup", Rule::Refused("docker create has no flag for it")),
    ("KernelMemoryTCP", Rule::Refused("docker create has no flag for it")),
    ("Capabilities", Rule::Refused("docker create has no flag for it; use CapAdd and CapDrop")),
    ("ContainerIDFile", Rule::Refused("the API only stores it, but docker create would write the file")),
];

pub(super) fn carry(host: &Fields, create: &mut Create) -> Result<(), BodyError> {
    rules::carry(KEYS, host, create)?;
    system_paths(host, create)
}

fn restart(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    let policy = item.fields(["Name", "MaximumRetryCount"])?;
    match (policy.text("Name")?, policy.number("MaximumRetryCount")?) {
        ("", 0) => {}
        (name, 0) => create.flag("--restart", name),
        ("on-failure", retries) if retries > 0 => create.flag("--restart", format_args!("on-failure:{retries}")),
        _ => {
            return Err(
                policy.refuse("MaximumRetryCount", "only on-failure may have a count, and it must not be negative")
            );
        }
    }
    Ok(())
}

/// `false` is passed on too: it overrides an engine that gives every container an init.
fn init(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    if item.switch()? {
        create.args.push("--init".to_owned());
    } else {
        create.flag("--init", false);
    }
    Ok(())
}

/// `NAME:ADDRESS`. Newer docker clients also accept `NAME=ADDRESS`, so they would split at a `=`.
fn extra_hosts(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    for item in item.list()? {
        match item.text()? {
            text if text.contains('=') || !text.contains(':') => return Err(item.refuse("expected NAME:ADDRESS")),
            text => create.flag("--add-host", text),
        }
    }
    Ok(())
}

fn memory_swap(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    match item.number()? {
        0 => {}
        -1 => create.flag("--memory-swap", -1),
        _ => create.flag("--memory-swap", item.size()?),
    }
    Ok(())
}

/// Zero is not the default: it keeps the container's memory out of swap. The default is -1.
fn memory_swappiness(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    match item.number()? {
        -1 => {}
        percent => create.flag("--memory-swappiness", percent),
    }
    Ok(())
}

/// docker reads a decimal fraction exactly.
fn nano_cpus(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    let nano = item.number()?;
    if nano < 0 {
        return Err(item.refuse("a number of processors cannot be negative"));
    }
    if nano > 0 {
        let fraction = format!("{:09}", nano % 1_000_000_000);
        let cpus = format!("{}.{fraction}", nano / 1_000_000_000);
        create.flag("--cpus", cpus.trim_end_matches('0').trim_end_matches('.'));
    }
    Ok(())
}

fn blkio_weights(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    for item in item.list()? {
        let device = item.fields(["Path", "Weight"])?;
        let (path, weight) = (device.before_colon("Path")?, device.number("Weight")?);
        create.flag("--blkio-weight-device", format_args!("{path}:{weight}"));
    }
    Ok(())
}

fn throttles(flag: &str, item: &Item, create: &mut Create) -> Result<(), BodyError> {
    for item in item.list()? {
        let device = item.fields(["Path", "Rate"])?;
        let (path, rate) = (device.before_colon("Path")?, device.size("Rate")?);
        create.flag(flag, format_args!("{path}:{rate}"));
    }
    Ok(())
}

fn ulimits(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    let mut seen = Vec::new();
    for item in item.list()? {
        let limit = item.fields(["Name", "Soft", "Hard"])?;
        let (name, soft, hard) = (limit.text("Name")?, limit.number("Soft")?, limit.number("Hard")?);
        if name.is_empty() || name.contains('=') || seen.contains(&name) {
            return Err(limit.refuse("Name", "expected a name without \"=\" that no other limit has"));
        }
        seen.push(name);
        create.flag("--ulimit", format_args!("{name}={soft}:{hard}"));
    }
    Ok(())
}

/// All three parts are given: with two, docker guesses which ones they are, and the engine has no defaults.
fn devices(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    for item in item.list()? {
        let device = item.fields(["PathOnHost", "PathInContainer", "CgroupPermissions"])?;
        let (outside, inside) = (device.before_colon("PathOnHost")?, device.before_colon("PathInContainer")?);
        let may = device.text("CgroupPermissions")?;
        let once = |c| "rwm".contains(c) && may.matches(c).count() == 1;
        if may.is_empty() || !may.chars().all(once) {
            return Err(device.refuse("CgroupPermissions", "expected one or more of the letters r, w and m, each once"));
        }
        create.flag("--device", format_args!("{outside}:{inside}:{may}"));
    }
    Ok(())
}

/// `--gpus` requests devices with `gpu` and more capabilities, `--device` those of the container device interface.
fn device_requests(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    for item in item.list()? {
        let request = item.fields(["Driver", "Count", "DeviceIDs", "Capabilities", "Options"])?;
        let (driver, count) = (request.text("Driver")?, request.number("Count")?);
        let (ids, options) = (request.texts("DeviceIDs")?, request.pairs("Options")?);
        let sets = request.list("Capabilities")?;
        if driver == "cdi" && sets.is_empty() && options.is_empty() && count == 0 && !ids.is_empty() {
            create.flags("--device", &ids);
            continue;
        }
        let [set] = sets.as_slice() else {
            return Err(request.refuse(
                "Capabilities",
                "docker create supports exactly one set of capabilities, which must contain gpu",
            ));
        };
        let mut can = set.texts()?;
        let Some(gpu) = can.iter().position(|name| *name == "gpu") else {
            return Err(request.refuse(
                "Capabilities",
                "docker create always requests the capability gpu, so the set must contain it",
            ));
        };
        can.remove(gpu);
        let mut fields = Vec::new();
        match (count, ids.as_slice()) {
            (-1, []) => fields.push("count=all".to_owned()),
            (count, []) => fields.push(format!("count={count}")),
            (0, ids) => fields.push(format!("device={}", comma_joined(ids, &request, "DeviceIDs")?)),
            _ => return Err(request.refuse("Count", "the engine accepts a count or DeviceIDs, but not both")),
        }
        if !driver.is_empty() {
            fields.push(format!("driver={driver}"));
        }
        if !can.is_empty() {
            fields.push(format!("capabilities={}", comma_joined(&can, &request, "Capabilities")?));
        }
        if !options.is_empty() {
            let options: Vec<_> = options.iter().map(|(name, value)| csv_field(&format!("{name}={value}"))).collect();
            fields.push(format!("options={}", options.join(",")));
        }
        create.flag("--gpus", csv_line(&fields, &item)?);
    }
    Ok(())
}

fn comma_joined(words: &[&str], fields: &Fields, name: &str) -> Result<String, BodyError> {
    if words.iter().any(|word| word.contains(',')) {
        Err(fields.refuse(name, "docker create splits it at commas, so no item may contain one"))
    } else {
        Ok(words.join(","))
    }
}

fn capabilities(flag: &str, item: &Item, create: &mut Create) -> Result<(), BodyError> {
    create.flags(flag, &item.words()?);
    Ok(())
}

/// The API has a seccomp profile inline and docker reads it from a file, so it is passed on stdin. The text of `seccomp=`
/// is not passed on, because docker would read the file with that name.
fn security(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    for item in item.list()? {
        let option = item.text()?;
        let (name, value) = option.split_once('=').or_else(|| option.split_once(':')).unwrap_or((option, ""));
        if name == "systempaths" {
            return Err(item.refuse("the engine does not know it").hint("use MaskedPaths [] and ReadonlyPaths []"));
        }
        match value {
            _ if name != "seccomp" => create.flag("--security-opt", option),
            "unconfined" | "builtin" => create.flag("--security-opt", option),
            profile if option.starts_with("seccomp=") && create.stdin.is_none() && is_object(profile) => {
                create.flag("--security-opt", "seccomp=/dev/stdin");
                create.stdin = Some(profile.to_owned());
            }
            _ => {
                return Err(
                    item.refuse("expected at most one seccomp=, followed by unconfined, builtin or a profile in JSON")
                );
            }
        }
    }
    Ok(())
}

fn is_object(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.is_object())
}

/// docker can only set both lists to empty.
fn system_paths(host: &Fields, create: &mut Create) -> Result<(), BodyError> {
    let (masked, readonly) = (host.get("MaskedPaths"), host.get("ReadonlyPaths"));
    match (masked.map(Item::texts).transpose()?.as_deref(), readonly.map(Item::texts).transpose()?.as_deref()) {
        (None, None) => {}
        (Some([]), Some([])) => create.flag("--security-opt", "systempaths=unconfined"),
        (masked, _) => {
            let name = if masked.is_some() { "MaskedPaths" } else { "ReadonlyPaths" };
            let why = "docker create can only keep the defaults of MaskedPaths and ReadonlyPaths, or set both to []";
            return Err(host.refuse(name, why));
        }
    }
    Ok(())
}

fn log(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    let log = item.fields(["Type", "Config"])?;
    let (driver, options) = (log.text("Type")?, log.pairs("Config")?);
    if driver == "none" && !options.is_empty() {
        return Err(log.refuse("Config", "docker create does not accept options for the driver none"));
    }
    if !driver.is_empty() {
        create.flag("--log-driver", driver);
    }
    create.pairs("--log-opt", &options);
    Ok(())
}
