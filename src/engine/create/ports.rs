//! Published and exposed ports. Pure.

use std::net::IpAddr;

use super::read::{Fields, Item};
use super::{BodyError, Create};
use crate::names::Ports;

/// Translates `HostConfig.PortBindings`, and the `ExposedPorts` that are not published. docker also exposes a published
/// port. The API does not publish a port that neither the body nor the image exposes.
pub(super) fn carry(config: &Fields, host: &Fields, create: &mut Create) -> Result<(), BodyError> {
    let mut exposed = Vec::new();
    for (key, item) in config.entries("ExposedPorts")? {
        if !item.is_null() {
            item.fields([])?;
        }
        exposed.push(port(key, &item)?);
    }
    let mut published = Vec::new();
    for (key, item) in host.entries("PortBindings")? {
        let port = port(key, &item)?;
        let bindings = if item.is_null() { Vec::new() } else { item.list()? };
        if bindings.is_empty() {
            create.notes.push(item.ignored("it publishes nothing"));
            continue;
        }
        for binding in bindings {
            create.flag("--publish", publish(&binding, &port)?);
        }
        if !exposed.contains(&port) {
            create.notes.push(item.note("it is also exposed; the API would publish it only if the image exposes it"));
        }
        published.push(port);
    }
    exposed.iter().filter(|port| !published.contains(port)).for_each(|port| create.flag("--expose", port));
    Ok(())
}

/// A key such as `80/tcp`; the protocol may be left out.
fn port(key: &str, item: &Item) -> Result<String, BodyError> {
    let (number, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
    match Ports::parse(number).filter(|ports| ports.is_one() && !number.contains('-')) {
        Some(number) if ["tcp", "udp", "sctp"].contains(&protocol) => Ok(format!("{number}/{protocol}")),
        _ => Err(item.refuse("the key must be one port, for example 80/tcp")),
    }
}

/// One binding. An empty address means any address, and an empty port any free port.
fn publish(item: &Item, port: &str) -> Result<String, BodyError> {
    let binding = item.fields(["HostIp", "HostPort"])?;
    let outside = match binding.text("HostPort")? {
        "" => "",
        text if Ports::parse(text).is_some() => text,
        _ => return Err(binding.refuse("HostPort", "expected a port, or a range such as 8000-8010, or \"\" for any")),
    };
    match (binding.text("HostIp")?, outside) {
        ("", "") => Ok(port.to_owned()),
        ("", outside) => Ok(format!("{outside}:{port}")),
        (address, outside) => match address.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => Ok(format!("{address}:{outside}:{port}")),
            Ok(IpAddr::V6(_)) => Ok(format!("[{address}]:{outside}:{port}")),
            Err(_) => Err(binding.refuse("HostIp", "expected an IP address, or \"\" for any")),
        },
    }
}
