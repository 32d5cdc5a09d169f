//! Binds, mounts and tmpfs of `HostConfig`. Pure.

use super::read::{Fields, Item};
use super::rules::csv_line;
use super::{BodyError, Create};

/// `SOURCE:TARGET[:OPTIONS]`, as for `--volume`. Texts that `--volume` reads in another way are refused.
pub(super) fn binds(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    for item in item.list()? {
        let bind = item.text()?;
        match bind.split_once(':') {
            None => {
                let why = "without a source, docker create would create an anonymous volume, as for Volumes";
                return Err(item.refuse(why).hint("use Volumes, or write SOURCE:TARGET"));
            }
            Some((source, _)) if source.chars().count() < 2 && source != "/" => {
                return Err(item.refuse("docker create would read a source of one letter as a Windows drive"));
            }
            Some((source, _)) if source.starts_with('.') => {
                let why = "the engine does not accept a relative source, but docker create would make it absolute";
                return Err(item.refuse(why).hint("write the source as an absolute path"));
            }
            Some(_) => create.flag("--volume", bind),
        }
    }
    Ok(())
}

/// A path and its options. The path ends at the first `:`.
pub(super) fn tmpfs(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    for (path, item) in item.entries()? {
        match item.text()? {
            _ if path.contains(':') => {
                return Err(item.refuse("docker create splits it at \":\", so the path must not contain one"));
            }
            "" => create.flag("--tmpfs", path),
            options => create.flag("--tmpfs", format_args!("{path}:{options}")),
        }
    }
    Ok(())
}

pub(super) fn mounts(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    for item in item.list()? {
        let fields = mount(&item)?;
        create.flag("--mount", csv_line(&fields, &item)?);
    }
    Ok(())
}

/// The fields of one `--mount`.
fn mount(item: &Item) -> Result<Vec<String>, BodyError> {
    let options = ["BindOptions", "VolumeOptions", "ImageOptions", "TmpfsOptions", "ClusterOptions"];
    let names = ["Type", "Source", "Target", "ReadOnly", "Consistency"].into_iter().chain(options);
    let mount = item.fields(names)?;
    let (kind, source, target) = (mount.text("Type")?, mount.text("Source")?, mount.text("Target")?);
    if kind.is_empty() || kind.chars().any(char::is_uppercase) {
        return Err(mount.refuse("Type", "expected bind, volume, tmpfs, image, npipe or cluster"));
    }
    if target.is_empty() {
        return Err(mount.refuse("Target", "it is required"));
    }
    if source == "." || source.starts_with("./") {
        let why = "the engine does not accept a relative source, but docker create would make it absolute";
        return Err(mount.refuse("Source", why).hint("write the source as an absolute path"));
    }
    let others =
        options.iter().filter(|name| !name.strip_suffix("Options").is_some_and(|own| own.eq_ignore_ascii_case(kind)));
    if let Some(other) = others.filter_map(|name| mount.get(name)).find(|item| !item.says_nothing()) {
        return Err(other.refuse(format!("a mount of type {kind} does not have these options")));
    }
    let mut fields = vec![format!("type={kind}")];
    if !source.is_empty() {
        fields.push(format!("source={source}"));
    }
    fields.push(format!("target={target}"));
    if mount.switch("ReadOnly")? {
        fields.push("readonly".to_owned());
    }
    match mount.text("Consistency")? {
        "" => {}
        consistency => fields.push(format!("consistency={consistency}")),
    }
    for (name, read) in [
        ("BindOptions", bind_options as fn(&Item, &mut Vec<String>) -> _),
        ("VolumeOptions", volume_options),
        ("ImageOptions", image_options),
        ("TmpfsOptions", tmpfs_options),
        ("ClusterOptions", cluster_options),
    ] {
        mount.get(name).map_or(Ok(()), |item| read(item, &mut fields))?;
    }
    Ok(fields)
}

/// `bind-nonrecursive` is the older form of `bind-recursive=disabled`, which docker has since version 25.
fn bind_options(item: &Item, fields: &mut Vec<String>) -> Result<(), BodyError> {
    let names = ["Propagation", "NonRecursive", "CreateMountpoint", "ReadOnlyNonRecursive", "ReadOnlyForceRecursive"];
    let options = item.fields(names)?;
    push(&options, "Propagation", "bind-propagation", fields)?;
    if options.switch("NonRecursive")? {
        fields.push("bind-nonrecursive".to_owned());
    }
    if options.switch("CreateMountpoint")? {
        let why = "docker create has no option for it";
        return Err(options.refuse("CreateMountpoint", why).hint("an entry in Binds creates a missing source"));
    }
    match (options.switch("ReadOnlyNonRecursive")?, options.switch("ReadOnlyForceRecursive")?) {
        (false, false) => {}
        (true, false) => fields.push("bind-recursive=writable".to_owned()),
        (false, true) => fields.push("bind-recursive=readonly".to_owned()),
        (true, true) => {
            return Err(options.refuse("ReadOnlyForceRecursive", "it cannot be combined with ReadOnlyNonRecursive"));
        }
    }
    Ok(())
}

fn volume_options(item: &Item, fields: &mut Vec<String>) -> Result<(), BodyError> {
    let options = item.fields(["NoCopy", "Labels", "Subpath", "DriverConfig"])?;
    if options.switch("NoCopy")? {
        fields.push("volume-nocopy".to_owned());
    }
    push(&options, "Subpath", "volume-subpath", fields)?;
    let labels = options.pairs("Labels")?;
    fields.extend(labels.iter().map(|(name, value)| format!("volume-label={name}={value}")));
    if let Some(driver) = options.get("DriverConfig") {
        let driver = driver.fields(["Name", "Options"])?;
        push(&driver, "Name", "volume-driver", fields)?;
        let options = driver.pairs("Options")?;
        fields.extend(options.iter().map(|(name, value)| format!("volume-opt={name}={value}")));
    }
    Ok(())
}

fn image_options(item: &Item, fields: &mut Vec<String>) -> Result<(), BodyError> {
    push(&item.fields(["Subpath"])?, "Subpath", "image-subpath", fields)
}

fn tmpfs_options(item: &Item, fields: &mut Vec<String>) -> Result<(), BodyError> {
    let options = item.fields(["SizeBytes", "Mode", "Options"])?;
    match options.size("SizeBytes")? {
        0 => {}
        bytes => fields.push(format!("tmpfs-size={bytes}")),
    }
    match options.number("Mode")? {
        0 => {}
        mode if u32::try_from(mode).is_ok() => fields.push(format!("tmpfs-mode={mode:o}")),
        _ => return Err(options.refuse("Mode", "expected a file mode")),
    }
    match options.get("Options") {
        Some(item) if !item.says_nothing() => Err(item.refuse("docker create has no option for it")),
        _ => Ok(()),
    }
}

fn cluster_options(item: &Item, _: &mut Vec<String>) -> Result<(), BodyError> {
    item.fields([]).map(drop)
}

fn push(options: &Fields, name: &str, word: &str, fields: &mut Vec<String>) -> Result<(), BodyError> {
    match options.text(name)? {
        "" => {}
        value => fields.push(format!("{word}={value}")),
    }
    Ok(())
}
