//! Networks: the mode, the endpoints, links and hardware addresses. Pure.

use super::read::{Fields, Item};
use super::rules::csv_line;
use super::{BodyError, Create};

/// One network of `NetworkingConfig.EndpointsConfig`.
struct Endpoint<'a> {
    name: &'a str,
    item: Item<'a>,
    settings: Fields<'a>,
    address: Fields<'a>,
}

/// Keys of an endpoint that the API accepts and the engine overwrites.
const ENGINES_OWN: [&str; 9] = [
    "NetworkID",
    "EndpointID",
    "Gateway",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
    "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
    "DNSNames",
];

/// The first network uses flags of its own, which every docker client has. Options without such a flag and further
/// networks use the long form of `--network`.
pub(super) fn carry(config: &Fields, host: &Fields, create: &mut Create) -> Result<(), BodyError> {
    let mode = match host.text("NetworkMode")? {
        mode if mode.contains('=') => {
            return Err(host.refuse("NetworkMode", "docker create would read a name with \"=\" as an option"));
        }
        mode => mode,
    };
    let mut endpoints = endpoints(config, create)?;
    let unset = ["", "default"].contains(&mode);
    let first = match endpoints.iter().position(|endpoint| endpoint.name == mode) {
        _ if endpoints.is_empty() => None,
        Some(at) => Some(endpoints.remove(at)),
        None if unset => Some(endpoints.remove(0)),
        None => {
            let why = format!(
                "NetworkingConfig.EndpointsConfig does not contain this network; it contains {}",
                endpoints[0].name
            );
            return Err(host.refuse("NetworkMode", why).hint("use the same name in both places"));
        }
    };
    let name = first.as_ref().map_or(mode, |first| first.name);
    links(host, name, create)?;
    let mac = mac_address(config, first.as_ref())?;
    match &first {
        Some(first) => first.flags(create)?,
        None if unset => {}
        None => create.flag("--network", mode),
    }
    if !mac.is_empty() {
        create.flag("--mac-address", mac);
    }
    for further in &endpoints {
        if user_defined(further.name) != user_defined(name) {
            let why =
                format!("docker create cannot join it together with {name}, because one of them is a built-in network");
            return Err(further.item.refuse(why));
        }
        further.long_form(create)?;
    }
    Ok(())
}

fn endpoints<'a>(config: &Fields<'a>, create: &mut Create) -> Result<Vec<Endpoint<'a>>, BodyError> {
    let Some(networking) = config.get("NetworkingConfig") else { return Ok(Vec::new()) };
    let read = |(name, item)| Endpoint::read(name, item, create);
    networking.fields(["EndpointsConfig"])?.entries("EndpointsConfig")?.into_iter().map(read).collect()
}

impl<'a> Endpoint<'a> {
    fn read(name: &'a str, item: Item<'a>, create: &mut Create) -> Result<Self, BodyError> {
        let ours = ["IPAMConfig", "Links", "Aliases", "MacAddress", "DriverOpts", "GwPriority"];
        let settings = item.fields(ours.into_iter().chain(ENGINES_OWN))?;
        for known in ENGINES_OWN.iter().filter_map(|name| settings.get(name)).filter(|item| !item.says_nothing()) {
            create.notes.push(known.ignored("the engine sets it"));
        }
        let address = match settings.get("IPAMConfig") {
            Some(item) => item.fields(["IPv4Address", "IPv6Address", "LinkLocalIPs"])?,
            None => Fields::default(),
        };
        if name.is_empty() || name.contains('=') {
            return Err(item.refuse("docker create does not accept a network whose name is empty or contains \"=\""));
        }
        Ok(Self { name, item, settings, address })
    }

    /// The flags for the container's first network.
    fn flags(&self, create: &mut Create) -> Result<(), BodyError> {
        let options = self.options()?;
        if options.is_empty() {
            create.flag("--network", self.name);
        } else {
            create.flag("--network", self.line(options)?);
        }
        for (flag, value) in [("--ip", self.address.text("IPv4Address")?), ("--ip6", self.address.text("IPv6Address")?)]
        {
            if !value.is_empty() {
                create.flag(flag, value);
            }
        }
        create.flags("--link-local-ip", &self.address.texts("LinkLocalIPs")?);
        create.flags("--network-alias", &self.settings.texts("Aliases")?);
        let links = self.settings.texts("Links")?;
        if !links.is_empty() && !user_defined(self.name) {
            return Err(self
                .settings
                .refuse("Links", "an endpoint in a built-in network has no links")
                .hint("use HostConfig.Links"));
        }
        create.flags("--link", &links);
        Ok(())
    }

    /// The flags for a further network, which needs an engine with API 1.44.
    fn long_form(&self, create: &mut Create) -> Result<(), BodyError> {
        if let Some(item) = self.settings.get("Links").filter(|item| !item.says_nothing()) {
            return Err(item.refuse("docker create supports links only in the container's first network"));
        }
        let mut options: Vec<_> =
            self.settings.texts("Aliases")?.iter().map(|alias| format!("alias={alias}")).collect();
        for (key, value) in [
            ("ip", self.address.text("IPv4Address")?),
            ("ip6", self.address.text("IPv6Address")?),
            ("mac-address", self.settings.text("MacAddress")?),
        ] {
            if !value.is_empty() {
                options.push(format!("{key}={value}"));
            }
        }
        options.extend(self.address.texts("LinkLocalIPs")?.iter().map(|ip| format!("link-local-ip={ip}")));
        options.extend(self.options()?);
        create.flag("--network", self.line(options)?);
        Ok(())
    }

    /// The options that only the long form has.
    fn options(&self) -> Result<Vec<String>, BodyError> {
        let pairs = self.settings.pairs("DriverOpts")?;
        let mut options: Vec<_> = pairs.iter().map(|(name, value)| format!("driver-opt={name}={value}")).collect();
        match self.settings.number("GwPriority")? {
            0 => {}
            priority => options.push(format!("gw-priority={priority}")),
        }
        Ok(options)
    }

    /// `name=…,option=…`. docker (20.10 and 28.2) trims these fields and changes them to lower case.
    fn line(&self, options: Vec<String>) -> Result<String, BodyError> {
        let mut fields = vec![format!("name={}", self.name)];
        fields.extend(options);
        let kept = |text: &str| text.trim() == text && text.to_lowercase() == text;
        let kept_field = |field: &String| field.split('=').all(kept);
        if let Some(field) = fields.iter().find(|field| !kept_field(field)) {
            let why = format!("docker create would change {field:?} to lower case and trim it");
            return Err(self.item.refuse(why));
        }
        csv_line(&fields, &self.item)
    }
}

/// Links in `HostConfig` are for the default network. With any other network docker would turn them into links of the
/// endpoint, while the API ignores them.
fn links(host: &Fields, network: &str, create: &mut Create) -> Result<(), BodyError> {
    let links = host.texts("Links")?;
    if !links.is_empty() && user_defined(network) {
        let why = format!("the API ignores them in network {network}, but docker create would not");
        let place = format!("NetworkingConfig.EndpointsConfig[{network:?}].Links");
        return Err(host.refuse("Links", why).hint(format!("use {place}")));
    }
    create.flags("--link", &links);
    Ok(())
}

/// The MAC address of the container or of its first endpoint; since API 1.44 both keys mean the same.
fn mac_address<'a>(config: &Fields<'a>, first: Option<&Endpoint<'a>>) -> Result<&'a str, BodyError> {
    let own = config.text("MacAddress")?;
    match first.map_or(Ok(""), |first| first.settings.text("MacAddress"))? {
        "" => Ok(own),
        endpoint if own.is_empty() || own == endpoint => Ok(endpoint),
        _ => Err(config.refuse("MacAddress", "its endpoint has a different one")),
    }
}

fn user_defined(network: &str) -> bool {
    !["", "default", "bridge", "host", "none"].contains(&network) && !network.starts_with("container:")
}
