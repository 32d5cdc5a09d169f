//! The checked values of a run: network, GPUs, mount paths and the main file.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Checked, Invalid, Refusal, at_most, csv_field, no, no_control, only};

/// Where the source directory is in the container of a run.
pub const SOURCE_TARGET: &str = "/app";

/// Where the input directory is in the container.
pub const INPUT_TARGET: &str = "/app/data";

/// Where the output directory is in the container.
pub const OUTPUT_TARGET: &str = "/app/output";

checked_text! {
    /// The name of a docker network: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, by the engine's grammar. The networks of the host and
    /// of other containers are refused.
    NetworkName, "network", check_network
}

checked_text! {
    /// The file to start, relative to the source directory, as `a/b.py`: without `./` and doubled slashes.
    MainFile, "main file", check_main_file
}

checked_text! {
    /// The module that `python3 -m` runs: words of letters, digits, `_` and `-` with dots between. It may be given as
    /// `module:NAME`.
    Module, "module", check_module
}

checked_text! {
    /// The GPUs of a job: `all`, a count, or `device=0,1` with indices or UUIDs, as for `docker run --gpus`.
    Gpus, "gpus value", check_gpus
}

checked_text! {
    /// The source or target of a bind mount: absolute, resolved, not `/`. A carriage return is refused, because docker's
    /// CSV reader changes CR LF to LF. docker reads any other character exactly.
    MountPath, "mount path", check_mount_path
}

impl MainFile {
    /// The file as an argument of python. A name that begins with `-` gets the prefix `./`, so that it is not an option.
    #[must_use]
    pub fn argument(&self) -> String {
        if self.0.starts_with('-') { format!("./{}", self.0) } else { self.0.clone() }
    }
}

/// The GPUs that a job asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuWish<'a> {
    /// All that there are.
    All,
    /// So many.
    Count(usize),
    /// These, by index or UUID.
    Devices(Vec<&'a str>),
}

impl Gpus {
    /// These devices.
    ///
    /// # Errors
    /// [`Invalid`] for a text that is no index and no UUID, and for no device.
    pub fn of_devices(devices: &[String]) -> Result<Self, Invalid> {
        Self::parse(&format!("device={}", devices.join(",")))
    }

    /// What is asked for.
    #[must_use]
    pub fn wish(&self) -> GpuWish<'_> {
        match (self.0.strip_prefix("device="), self.0.parse()) {
            (Some(devices), _) => GpuWish::Devices(devices.split(',').collect()),
            (None, Ok(count)) => GpuWish::Count(count),
            (None, Err(_)) => GpuWish::All,
        }
    }

    /// The argument of `docker run --gpus`. docker reads it as CSV, so a list of devices is one quoted field; without
    /// the quotes `device=0,1` would ask for device 0 and a count of one.
    #[must_use]
    pub fn argument(&self) -> String {
        csv_field(&self.0)
    }
}

impl MountPath {
    /// Checks a path of the file system, which must also be UTF-8.
    ///
    /// # Errors
    /// [`Invalid`] says which rule was broken.
    pub fn from_path(path: &Path) -> Result<Self, Invalid> {
        let Some(text) = path.to_str() else {
            return Err(Invalid::new("mount path", &path.to_string_lossy(), "it is not UTF-8"));
        };
        Self::parse(text)
    }
}

fn check_network(text: &str) -> Checked {
    if text == "host" || text.starts_with("container:") || text.starts_with("ns:") {
        return Err(no("longshore does not share the network of the host or of another container")
            .hint("use \"bridge\", \"none\" or a network of your own"));
    }
    only(text, |c| c.is_ascii_alphanumeric() || "_.-".contains(c), "letters, digits, \"_\", \".\" and \"-\"")?;
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(no("it must begin with a letter or a digit"));
    }
    at_most(text, 255)?;
    Ok(text.to_owned())
}

fn check_main_file(text: &str) -> Checked {
    no_control(text)?;
    at_most(text, 4095)?;
    if text.starts_with('/') {
        return Err(no("it must be relative to the source directory"));
    }
    if text.ends_with('/') || text.ends_with("/.") {
        return Err(no("it names a directory"));
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err(no("it points outside the source directory with \"..\""));
    }
    if parts.is_empty() {
        return Err(no("it does not name a file"));
    }
    Ok(parts.join("/"))
}

fn check_module(text: &str) -> Checked {
    let name = text.strip_prefix("module:").unwrap_or(text);
    if crate::units::bytes(name).is_ok() {
        return Err(no("it is a size").hint("limit the memory with --memory"));
    }
    if name.contains(':') {
        return Err(no("longshore calls no function")
            .hint("name a module that runs it, or use: --command -- python3 -c 'import MODULE; MODULE.FUNCTION()'"));
    }
    if Path::new(name).extension().is_some_and(|extension| extension == "py") || name.contains('/') {
        return Err(no("it is a file").hint("run a file with --main, or write the module with dots, as for python3 -m"));
    }
    only(name, |c| c.is_alphanumeric() || "_-.".contains(c), "letters, digits, \"_\", \"-\" and \".\"")?;
    if name.starts_with('-') || name.split('.').any(str::is_empty) {
        return Err(no("it must be words with dots between, and must not begin with \"-\""));
    }
    at_most(name, 1000)?;
    Ok(name.to_owned())
}

fn check_gpus(text: &str) -> Checked {
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let is_device = |device: &str| {
        device.starts_with(|c: char| c.is_ascii_alphanumeric())
            && device.chars().all(|c| c.is_ascii_alphanumeric() || "-:/".contains(c))
    };
    let accepted = match text.strip_prefix("device=") {
        Some(devices) => devices.len() <= 1000 && devices.split(',').all(is_device),
        None => text == "all" || (text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|n| n > 0)),
    };
    if !accepted {
        return Err(no(
            "it must be \"all\", a number greater than zero, or \"device=\" followed by indices or UUIDs with commas between them",
        ));
    }
    Ok(text.strip_prefix("device=").map_or_else(|| text.trim_start_matches('0').to_owned(), |_| text.to_owned()))
}

pub(super) fn check_mount_path(text: &str) -> Checked {
    if text.contains('\0') {
        return Err(no("it contains a NUL"));
    }
    if text.contains('\r') {
        return Err(no("docker does not support a carriage return in a path"));
    }
    at_most(text, 4095)?;
    if !text.starts_with('/') {
        return Err(no("it must be absolute"));
    }
    let mut parts = text.split('/').filter(|part| !part.is_empty()).peekable();
    if parts.peek().is_none() {
        return Err(no("the root directory cannot be mounted"));
    }
    if parts.any(|part| matches!(part, "." | "..")) {
        return Err(no("no part of it may be \".\" or \"..\""));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::csv_fields;
    use proptest::prelude::*;

    #[test]
    fn a_network_is_one_of_docker_but_not_the_host_s() {
        for text in ["bridge", "none", "my_net.1-a", "Net"] {
            assert_eq!(NetworkName::parse(text).expect(text).as_str(), text);
        }
        for text in ["host", "container:web", "ns:/proc/1/ns/net"] {
            assert!(
                NetworkName::parse(text)
                    .expect_err(text)
                    .why
                    .ends_with("does not share the network of the host or of another container")
            );
        }
        for text in ["", "-x", ".x", "a b", "a/b", "name=host", "a,b", "a\n", "é"] {
            assert!(NetworkName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_main_file_lies_in_the_source_directory() {
        for (text, kept, argument) in [
            ("main.py", "main.py", "main.py"),
            ("./a//b.py", "a/b.py", "a/b.py"),
            ("a/./b c.py", "a/b c.py", "a/b c.py"),
            ("-c", "-c", "./-c"),
            ("./-m", "-m", "./-m"),
            ("..a/b..", "..a/b..", "..a/b.."),
            ("$(x)`'\"\\.py", "$(x)`'\"\\.py", "$(x)`'\"\\.py"),
            ("é\u{2028}.py", "é\u{2028}.py", "é\u{2028}.py"),
        ] {
            let file = MainFile::parse(text).expect(text);
            assert_eq!((file.as_str(), file.argument().as_str()), (kept, argument));
        }
        for text in
            ["", ".", "./", "..", "/a.py", "../a.py", "a/../b.py", "a/..", "a/", "a/.", "a\n.py", "a\0", "a\u{85}"]
        {
            assert!(MainFile::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_module_is_named_with_dots() {
        for (text, kept) in
            [("pytest", "pytest"), ("module:jobs.report", "jobs.report"), ("01_prep", "01_prep"), ("é.b-c", "é.b-c")]
        {
            assert_eq!(Module::parse(text).expect(text).as_str(), kept);
        }
        for (text, why) in [
            ("2g", "it is a size"),
            ("512m", "it is a size"),
            ("module:", "it is empty"),
            ("pkg:main", "longshore calls no function"),
            ("jobs/report", "it is a file"),
            ("report.py", "it is a file"),
            (".a", "words with dots between"),
            ("a..b", "words with dots between"),
            ("-c", "must not begin with"),
            ("module:-c", "must not begin with"),
            ("a b", "a blank is not allowed"),
            ("a\n", "is not allowed"),
        ] {
            let refusal = Module::parse(text).expect_err(text).to_string();
            assert!(refusal.contains(why), "{refusal}");
        }
    }

    #[test]
    fn gpus_are_all_a_count_or_devices() {
        for (text, kept, argument) in [
            ("all", "all", "all"),
            ("2", "2", "2"),
            ("02", "2", "2"),
            ("device=0", "device=0", "device=0"),
            ("device=0,1", "device=0,1", "\"device=0,1\""),
            ("\"device=0,1\"", "device=0,1", "\"device=0,1\""),
            ("device=GPU-3a23c669-1f69", "device=GPU-3a23c669-1f69", "device=GPU-3a23c669-1f69"),
            ("device=0:1", "device=0:1", "device=0:1"),
        ] {
            let gpus = Gpus::parse(text).expect(text);
            assert_eq!((gpus.as_str(), gpus.argument().as_str()), (kept, argument));
        }
        for text in [
            "",
            "0",
            "-1",
            "+1",
            "65536",
            "ALL",
            "all,capabilities=utility",
            "device=",
            "device=,",
            "device=0,",
            "device=-1",
            "device=0 1",
            "device=\"0\"",
            "\"all",
            "count=1",
            "driver=x",
            "all\n",
        ] {
            assert!(Gpus::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_mount_path_is_absolute_and_resolved() {
        for text in ["/a", "/a b/c:d,e\"f", "/a\nb ", "/a/", "/..a", "/é\u{202e}"] {
            assert_eq!(MountPath::parse(text).expect(text).as_str(), text);
        }
        for text in [
            "",
            "a",
            "./a",
            "/",
            "//",
            "/.",
            "/a/..",
            "/a/./b",
            "/a\r",
            "/a\r\nb",
            "/a\0",
            &format!("/{}", "a".repeat(4095)),
        ] {
            assert!(MountPath::parse(text).is_err(), "{text:?}");
        }
        assert!(MountPath::from_path(Path::new("/data")).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf_8_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let refusal = MountPath::from_path(Path::new(std::ffi::OsStr::from_bytes(b"/a\xff"))).expect_err("not UTF-8");
        assert_eq!(refusal.to_string(), "invalid mount path \"/a\u{fffd}\": it is not UTF-8");
    }

    proptest! {
        #[test]
        fn a_mount_path_comes_back_from_docker_s_reader(texts in prop::collection::vec("/[a:;,\" \n'\\\\é]{1,12}|(?s)/.{1,12}", 2..4)) {
            let paths: Vec<_> = texts.iter().filter_map(|text| MountPath::parse(text).ok()).collect();
            let fields: Vec<_> = paths.iter().map(|path| format!("source={path}")).collect();
            let line: Vec<_> = fields.iter().map(|field| csv_field(field)).collect();
            prop_assume!(!fields.is_empty());
            prop_assert_eq!(csv_fields(&line.join(",")), Some(fields));
        }

        #[test]
        fn a_main_file_never_leaves_its_directory(text in "(?s).{0,16}|[a./-]{0,12}") {
            if let Ok(file) = MainFile::parse(&text) {
                prop_assert!(!file.argument().starts_with(['-', '/']));
                prop_assert!(file.as_str().split('/').all(|part| !matches!(part, "" | "." | "..")));
                prop_assert_eq!(MainFile::parse(file.as_str()), Ok(file));
            }
        }
    }
}
