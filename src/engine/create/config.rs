//! The keys at the top of the body, which the engine stores as the container's `Config`. Pure.

use super::read::{Fields, Item};
use super::rules::{self, Rule, Table};
use super::{BodyError, Create};
use crate::engine::variables::is_needed;

/// The keys at the top of the body.
pub(super) const KEYS: Table = &[
    ("Hostname", Rule::Text("--hostname")),
    ("Domainname", Rule::Text("--domainname")),
    ("User", Rule::Text("--user")),
    ("AttachStdin", Rule::Together),
    ("AttachStdout", Rule::Together),
    ("AttachStderr", Rule::Together),
    ("Tty", Rule::Switch("--tty")),
    ("OpenStdin", Rule::Switch("--interactive")),
    ("StdinOnce", Rule::Together),
    ("Env", Rule::Read(env)),
    ("Labels", Rule::Read(labels)),
    ("WorkingDir", Rule::Text("--workdir")),
    ("Volumes", Rule::Read(volumes)),
    ("Healthcheck", Rule::Read(health)),
    ("StopSignal", Rule::Text("--stop-signal")),
    ("StopTimeout", Rule::Read(stop_timeout)),
    ("Entrypoint", Rule::Together),
    ("Cmd", Rule::Together),
    ("Image", Rule::Together),
    ("ExposedPorts", Rule::Together),
    ("MacAddress", Rule::Together),
    ("HostConfig", Rule::Together),
    ("NetworkingConfig", Rule::Together),
    ("NetworkSettings", Rule::Ignored("the API ignores it")),
    ("ArgsEscaped", Rule::Ignored("it has an effect only on Windows")),
    (
        "NetworkDisabled",
        Rule::Refused("docker create has no flag for it; to disable the network, set HostConfig.NetworkMode to none"),
    ),
    ("OnBuild", Rule::Refused("docker create has no flag for it")),
    ("Shell", Rule::Refused("docker create has no flag for it")),
];

pub(super) fn carry(config: &Fields, create: &mut Create) -> Result<(), BodyError> {
    rules::carry(KEYS, config, create)?;
    attach(config, create)?;
    stdin_once(config, create)
}

/// The attached streams. Without `--attach` docker attaches stdout and stderr, and there is no way to attach none. It
/// always attaches an open stdin.
fn attach(config: &Fields, create: &mut Create) -> Result<(), BodyError> {
    let open = config.switch("OpenStdin")?;
    let wanted = [
        ("stdin", config.switch("AttachStdin")? || open),
        ("stdout", config.switch("AttachStdout")?),
        ("stderr", config.switch("AttachStderr")?),
    ];
    let told_nothing = [("stdin", open), ("stdout", true), ("stderr", true)];
    if wanted != told_nothing {
        wanted.iter().filter(|(_, on)| *on).for_each(|(stream, _)| create.flag("--attach", stream));
    }
    Ok(())
}

/// docker always closes an open stdin after the first client.
fn stdin_once(config: &Fields, create: &mut Create) -> Result<(), BodyError> {
    let (once, open, tty) = (config.switch("StdinOnce")?, config.switch("OpenStdin")?, config.switch("Tty")?);
    if once && !open {
        create.notes.push("ignored: StdinOnce: without OpenStdin there is no stdin to close".to_owned());
    }
    if open && !once && !tty {
        create
            .notes
            .push("StdinOnce: docker create sets it to true, so stdin is closed after the first client".to_owned());
    }
    Ok(())
}

/// Variables. The last value of each name is used, as by the engine. For a name without a value docker would use its own
/// variable, so docker must not have one with that name.
fn env(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    let all = item.list()?.into_iter().map(|item| Ok((item.text()?, item))).collect::<Result<Vec<_>, BodyError>>()?;
    let name = |text: &str| text.split_once('=').map_or(text, |(name, _)| name).to_owned();
    for (at, (text, item)) in all.iter().enumerate() {
        let name_here = name(text);
        if name_here.is_empty() {
            return Err(item.refuse("a variable must have a name"));
        }
        if all[at + 1..].iter().any(|(later, _)| name(later) == name_here) {
            continue;
        }
        if let Some((_, value)) = text.split_once('=') {
            create.env.push((name_here, value.to_owned()));
        } else if is_needed(text) {
            let why = "without a value, docker create would use its own value, which cannot be removed";
            return Err(item.refuse(why).hint("give it a value"));
        } else {
            create.flag("--env", text);
            create.unset.push(name_here);
        }
    }
    Ok(())
}

fn labels(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    for (name, item) in item.entries()? {
        if name.trim_start().is_empty() || name.trim_start().contains(char::is_whitespace) {
            return Err(item.refuse("docker create does not accept a label whose name is empty or contains spaces"));
        }
    }
    create.pairs("--label", &item.pairs()?);
    Ok(())
}

fn volumes(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    for (path, item) in item.entries()? {
        if !item.is_null() {
            item.fields([])?;
        }
        if path.is_empty() || path.contains(':') {
            return Err(item.refuse("docker create needs a path that is not empty and contains no \":\""));
        }
        create.flag("--volume", path);
    }
    Ok(())
}

/// Zero is also a timeout: kill at once.
fn stop_timeout(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    create.flag("--stop-timeout", item.number()?);
    Ok(())
}

fn health(item: &Item, create: &mut Create) -> Result<(), BodyError> {
    let check = item.fields(["Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"])?;
    let test = check.texts("Test")?;
    match test.as_slice() {
        [] => {}
        ["NONE"] => {
            create.args.push("--no-healthcheck".to_owned());
            let times = ["Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"].iter();
            let idle = times.filter_map(|name| check.get(name)).filter(|item| !item.says_nothing());
            create.notes.extend(idle.map(|item| item.ignored("there is no health check")));
            return Ok(());
        }
        ["CMD-SHELL", command] if !command.is_empty() => create.flag("--health-cmd", command),
        ["CMD", words @ ..] if !words.is_empty() => {
            let line = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
            let why = "docker create runs a health check only in a shell";
            let hint = format!("if the image has a shell, use [\"CMD-SHELL\", {line:?}]");
            return Err(check.refuse("Test", why).hint(hint));
        }
        _ => {
            let why = "docker create accepts only [\"CMD-SHELL\", COMMAND], [\"NONE\"] or []";
            return Err(check.refuse("Test", why));
        }
    }
    for (name, flag) in [
        ("Interval", "--health-interval"),
        ("Timeout", "--health-timeout"),
        ("StartPeriod", "--health-start-period"),
        ("StartInterval", "--health-start-interval"),
    ] {
        match check.number(name)? {
            0 => {}
            nanoseconds => create.flag(flag, duration(nanoseconds)),
        }
    }
    match check.number("Retries")? {
        0 => {}
        retries => create.flag("--health-retries", retries),
    }
    Ok(())
}

/// Nanoseconds in the largest unit that is exact.
fn duration(nanoseconds: i64) -> String {
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
    let exact = units.iter().find(|(unit, _)| nanoseconds % unit == 0);
    exact.map_or_else(|| format!("{nanoseconds}ns"), |(unit, name)| format!("{}{name}", nanoseconds / unit))
}

/// A word, quoted for a shell if necessary.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
