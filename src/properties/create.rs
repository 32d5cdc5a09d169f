//! The body of `container create`, and the arguments that are made of it.

use std::sync::LazyLock;

use serde_json::Value;

use super::go_csv;
use crate::engine::create::create_args;

/// Flags without a value, and the key that asks for each.
const SWITCHES: [(&str, &str); 9] = [
    ("--tty", "/Tty"),
    ("--interactive", "/OpenStdin"),
    ("--no-healthcheck", "/Healthcheck/Test"),
    ("--rm", "/HostConfig/AutoRemove"),
    ("--init", "/HostConfig/Init"),
    ("--privileged", "/HostConfig/Privileged"),
    ("--read-only", "/HostConfig/ReadonlyRootfs"),
    ("--publish-all", "/HostConfig/PublishAllPorts"),
    ("--oom-kill-disable", "/HostConfig/OomKillDisable"),
];

/// Flags with a value, which follows their `=`.
const FLAGS: &str = " add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns
    cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems device device-cgroup-rule
    device-read-bps device-read-iops device-write-bps device-write-iops dns dns-option dns-search domainname entrypoint env
    expose gpus group-add health-cmd health-interval health-retries health-start-interval health-start-period
    health-timeout hostname init ip ip6 ipc isolation kernel-memory label link link-local-ip log-driver log-opt mac-address
    memory memory-reservation memory-swap memory-swappiness mount name network network-alias oom-score-adj pid pids-limit
    publish restart runtime security-opt shm-size stop-signal stop-timeout storage-opt sysctl tmpfs ulimit user userns uts
    volume volume-driver volumes-from workdir ";

/// The keys of a body and their types: a text, a switch, a number, `[` a list, `{` an object with any keys, or `(` one with
/// these keys.
const BODY: &str = "( Hostname text Domainname text User text AttachStdin switch AttachStdout switch AttachStderr switch
    Tty switch OpenStdin switch StdinOnce switch Env [ text Labels { text WorkingDir text Volumes { ( ) Healthcheck ( Test [
    text Interval number Timeout number StartPeriod number StartInterval number Retries number ) StopSignal text StopTimeout
    number Entrypoint [ text Cmd [ text Image text ExposedPorts { ( ) MacAddress text HostConfig ( AutoRemove switch
    RestartPolicy ( Name text MaximumRetryCount number ) Init switch Privileged switch ReadonlyRootfs switch Binds [ text
    Mounts [ ( Type text Source text Target text ReadOnly switch Consistency text BindOptions ( Propagation text NonRecursive
    switch CreateMountpoint switch ReadOnlyNonRecursive switch ReadOnlyForceRecursive switch ) VolumeOptions ( NoCopy switch
    Labels { text Subpath text DriverConfig ( Name text Options { text ) ) ImageOptions ( Subpath text ) TmpfsOptions (
    SizeBytes number Mode number ) ClusterOptions ( ) ) Tmpfs { text VolumesFrom [ text VolumeDriver text StorageOpt { text
    PortBindings { [ ( HostIp text HostPort text ) PublishAllPorts switch NetworkMode text Links [ text Dns [ text DnsOptions
    [ text DnsSearch [ text ExtraHosts [ text Memory number MemoryReservation number MemorySwap number MemorySwappiness
    number KernelMemory number NanoCpus number CpuShares number CpuPeriod number CpuQuota number CpuRealtimePeriod number
    CpuRealtimeRuntime number CpusetCpus text CpusetMems text PidsLimit number BlkioWeight number BlkioWeightDevice [ ( Path
    text Weight number ) BlkioDeviceReadBps [ ( Path text Rate number ) BlkioDeviceWriteIOps [ ( Path text Rate number )
    OomKillDisable switch OomScoreAdj number ShmSize number Ulimits [ ( Name text Soft number Hard number ) Devices [ (
    PathOnHost text PathInContainer text CgroupPermissions text ) DeviceCgroupRules [ text DeviceRequests [ ( Driver text
    Count number DeviceIDs [ text Capabilities [ [ text Options { text ) CapAdd [ text CapDrop [ text GroupAdd [ text
    SecurityOpt [ text MaskedPaths [ text ReadonlyPaths [ text Sysctls { text Annotations { text IpcMode text PidMode text
    UTSMode text UsernsMode text CgroupnsMode text CgroupParent text Runtime text Isolation text LogConfig ( Type text Config
    { text ) ConsoleSize [ number ) NetworkingConfig ( EndpointsConfig { ( IPAMConfig ( IPv4Address text IPv6Address text
    LinkLocalIPs [ text ) Links [ text Aliases [ text MacAddress text DriverOpts { text GwPriority number Gateway text ) ) )";

/// Texts that have a meaning somewhere, or would have one as a flag.
const TEXTS: [&str; 36] = [
    "a",
    "/b",
    "--privileged",
    "-v",
    "=",
    ":",
    ",",
    "\"",
    "\n",
    "\r",
    "\0",
    " ",
    "é\u{202e}",
    "A=1",
    "PATH",
    "n",
    "host",
    "none",
    "default",
    "container:x",
    "gpu",
    "cdi",
    "bind",
    "volume",
    "tmpfs",
    "NONE",
    "CMD-SHELL",
    "80/tcp",
    "+80",
    "8000-8010",
    "::1",
    "unconfined",
    "seccomp={}",
    "rwm",
    "on-failure",
    "a:1.2.3.4",
];

const NUMBERS: [i64; 12] =
    [0, 1, -1, 80, 1023, 1_000_000_000, 1_500_000_001, 1 << 31, 1 << 53, (1 << 53) + 1, i64::MAX, i64::MIN];

/// Every property of this file, of the bytes as JSON and of a body whose keys and values the bytes choose.
pub fn all(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        body(&value);
    }
    body(&chosen(bytes));
}

/// The type of a value.
enum Shape {
    Text,
    Switch,
    Number,
    List(Box<Shape>),
    Entries(Box<Shape>),
    Fields(Vec<(&'static str, Shape)>),
}

impl Shape {
    fn read(words: &mut impl Iterator<Item = &'static str>) -> Self {
        match words.next() {
            Some("text") => Self::Text,
            Some("switch") => Self::Switch,
            Some("number") => Self::Number,
            Some("[") => Self::List(Box::new(Self::read(words))),
            Some("{") => Self::Entries(Box::new(Self::read(words))),
            Some("(") => {
                let mut fields = Vec::new();
                while let Some(key) = words.next().filter(|word| *word != ")") {
                    fields.push((key, Self::read(words)));
                }
                Self::Fields(fields)
            }
            other => panic!("{other:?} is no type"),
        }
    }

    /// A value of this type or, rarely, of another one. `choose` gives a number below its argument.
    fn value(&self, choose: &mut dyn FnMut(usize) -> usize) -> Value {
        match self {
            _ if choose(48) == 47 => [Value::Null, 7.into(), "a".into(), Value::Array(vec![])][choose(4)].clone(),
            Self::Text => text(choose).into(),
            Self::Switch => (choose(2) == 1).into(),
            Self::Number => NUMBERS[choose(NUMBERS.len())].into(),
            Self::List(item) => (0..choose(4)).map(|_| item.value(choose)).collect(),
            Self::Entries(item) => (0..choose(3)).map(|_| (text(choose), item.value(choose))).collect(),
            Self::Fields(fields) => {
                let mut chosen = serde_json::Map::new();
                for (key, shape) in fields {
                    let among = if matches!(shape, Self::Fields(_)) { 2 } else { fields.len().clamp(2, 12) };
                    if choose(among) == 1 {
                        chosen.insert((*key).to_owned(), shape.value(choose));
                    }
                }
                chosen.into()
            }
        }
    }
}

fn text(choose: &mut dyn FnMut(usize) -> usize) -> String {
    (0..=choose(4) / 3).map(|_| TEXTS[choose(TEXTS.len())]).collect()
}

/// A body of known keys. Most of its values have the type of their key.
fn chosen(bytes: &[u8]) -> Value {
    static SHAPE: LazyLock<Shape> = LazyLock::new(|| Shape::read(&mut BODY.split_whitespace()));
    let mut choices = bytes.iter();
    let mut body = SHAPE.value(&mut |among| choices.next().map_or(0, |byte| usize::from(*byte) % among));
    if let Some(entries) = body.as_object_mut() {
        entries.entry("Image").or_insert("i".into());
    }
    body
}

/// No value becomes a flag: up to the image there are only known flags, each a word of its own with its value in it, and
/// after the image there is the command. A switch is there only if its key asks for it. A program can be given every word.
pub fn body(value: &Value) {
    let create = match create_args(Some("made"), value) {
        Ok(create) => create,
        Err(error) => {
            assert!(!error.why.is_empty() && !error.key.contains(char::is_control), "{error:?}");
            return;
        }
    };
    let entries = value.as_object().expect("only an object is accepted");
    let top = |name: &str| entries.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let image = top("Image").and_then(Value::as_str).expect("an image is required");
    assert!(!image.starts_with('-'));
    let at = create.args.iter().position(|word| !word.starts_with("--")).expect("the image");
    assert_eq!(create.args[at], image);
    for word in &create.args[..at] {
        match word[2..].split_once('=') {
            Some((flag, value)) => {
                assert!(FLAGS.split_whitespace().any(|known| known == flag), "{word:?}");
                flag_value(flag, value);
            }
            None => assert!(asked_for(word, value), "{word:?}"),
        }
    }
    mounts(value, &create.args[..at]);
    let texts = create.env.iter().flat_map(|(name, value)| [name, value]);
    let texts = texts.chain(&create.args).chain(&create.unset).chain(&create.stdin);
    assert!(texts.into_iter().all(|text| !text.contains('\0')));
    let names: Vec<&str> =
        create.env.iter().map(|(name, _)| name.as_str()).chain(create.unset.iter().map(String::as_str)).collect();
    for (at, name) in names.iter().enumerate() {
        assert!(!name.is_empty() && !name.contains('=') && !names[..at].contains(name), "{name:?}");
    }
    assert!(create.notes.iter().all(|note| !note.is_empty()));
    assert_eq!(create_args(Some("made"), value), Ok(create));
}

/// docker reads the source and the target of each mount as they are in the body.
fn mounts(body: &Value, flags: &[String]) {
    let Some(asked) = body.pointer("/HostConfig/Mounts").and_then(Value::as_array) else { return };
    let given =
        flags.iter().filter_map(|flag| flag.strip_prefix("--mount=")).map(|line| go_csv(line).unwrap_or_default());
    for (mount, fields) in asked.iter().zip(given) {
        for key in ["Source", "Target"] {
            let text = mount[key].as_str().filter(|text| !text.is_empty());
            let field = text.map(|text| format!("{}={text}", key.to_lowercase()));
            assert!(field.is_none_or(|field| fields.contains(&field)), "{mount} is {fields:?}");
        }
    }
}

/// Whether the key of a switch is true; the case of keys is ignored.
fn asked_for(switch: &str, body: &Value) -> bool {
    let Some((_, path)) = SWITCHES.iter().find(|(known, _)| *known == switch) else { return false };
    let key = path[1..].split('/').try_fold(body, |value, name| {
        value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    });
    key.is_some_and(|value| *value == Value::Bool(true) || *value == serde_json::json!(["NONE"]))
}

/// What docker would do with some of the values.
fn flag_value(flag: &str, value: &str) {
    let size = ["memory", "memory-reservation", "memory-swap", "kernel-memory", "shm-size"];
    match flag {
        "mount" => {
            let fields = go_csv(value).unwrap_or_else(|| panic!("{value:?} is not CSV"));
            let known = ["type", "source", "target", "readonly", "consistency"];
            let name = |field: &String| field.split('=').next().unwrap_or_default().to_owned();
            let own = |name: &String| {
                known.contains(&name.as_str())
                    || ["bind-", "volume-", "image-", "tmpfs-"].iter().any(|start| name.starts_with(start))
            };
            assert!(fields.iter().map(name).all(|name| own(&name)), "{value:?}");
            assert_eq!(fields.iter().filter(|field| name(field) == "target").count(), 1, "{value:?}");
        }
        "gpus" => {
            let fields = go_csv(value).unwrap_or_else(|| panic!("{value:?} is not CSV"));
            let known = ["count", "device", "driver", "capabilities", "options"];
            assert!(fields.iter().all(|field| field.split_once('=').is_some_and(|(name, _)| known.contains(&name))));
        }
        "publish" | "expose" => {
            let digits = value.chars().all(|c| c.is_ascii_hexdigit() || "[]:./-tcpudsx".contains(c));
            assert!(digits && !value.contains('+'), "{value:?}");
        }
        flag if size.contains(&flag) && value != "-1" => {
            // docker reads a size as a floating-point number. One beyond 63 bits would become negative.
            let theirs: f64 = value.parse().expect("a number");
            assert!((0.0..9_223_372_036_854_775_808.0).contains(&theirs), "{flag}={value}");
            assert_eq!(format!("{theirs:.0}"), value);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        #[test]
        fn an_image_and_a_command_are_no_flags(image in "-{0,2}[a-z=]{1,4}", words in prop::collection::vec("-{0,2}[a-z=]{0,4}", 0..3)) {
            super::body(&json!({"Image": image, "Cmd": words, "Entrypoint": words}));
        }

        #[test]
        fn docker_reads_sizes_as_the_same_ones(power in 0..64_u32, less in -2..3_i64) {
            let size = 1_i64.checked_shl(power).unwrap_or(i64::MAX).wrapping_add(less);
            super::body(&json!({"Image": "i", "HostConfig": {"Memory": size, "ShmSize": size}}));
            super::body(&json!({"Image": "i", "HostConfig": {"MemorySwap": size}}));
        }

        #[test]
        fn ports_are_numbers(port in "[+-]?[0-9]{1,6}(/tcp|/udp|/x)?", outside in "[+-]?[0-9]{1,6}(-[+]?[0-9]{1,5})?|[a-z]?", ip in "|::1|127.0.0.1|[a-z.+]{1,3}") {
            super::body(&json!({"Image": "i", "ExposedPorts": {&port: {}}}));
            super::body(&json!({"Image": "i", "HostConfig": {"PortBindings": {port: [{"HostIp": ip, "HostPort": outside}]}}}));
        }

        #[test]
        fn a_variable_is_there_once(variables in prop::collection::vec("[AB]?(=[a-z=]{0,2})?|PATH", 0..5)) {
            super::body(&json!({"Image": "i", "Env": variables}));
        }

        #[test]
        fn a_mount_is_one_record_of_csv(texts in prop::collection::vec("[a/,\"=\n\r ]{1,5}", 4)) {
            let [source, target, label, option] = &texts[..] else { unreachable!("four") };
            let options = json!({"Labels": {"l": label}, "DriverConfig": {"Options": {"o": option}}});
            let mount = json!({"Type": "volume", "Source": source, "Target": target, "VolumeOptions": options});
            super::body(&json!({"Image": "i", "HostConfig": {"Mounts": [mount]}}));
        }

        #[test]
        fn no_value_of_a_body_is_read_as_a_flag(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            super::all(&bytes);
        }

        #[test]
        fn no_json_makes_the_translation_panic(text in r#"\{"Image": "i", "[A-Z][a-z]{2,9}": ("[^"\\]{0,9}"|-?[0-9]{1,19}|true|\[\{\}\])\}"#) {
            super::all(text.as_bytes());
        }
    }
}
