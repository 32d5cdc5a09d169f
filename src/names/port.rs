//! Published ports in docker's syntax: `[[IP:][HOST]:]PORT[/PROTO]`.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Invalid, Refusal, no};

/// One port, or a range of them such as `8000-8010`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    first: u16,
    last: u16,
}

/// A port of the container, and where it is published. Each part may be a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Publish {
    address: Option<IpAddr>,
    host: Option<Ports>,
    container: Ports,
    protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Ports {
    /// Reads a port or a range; `None` if it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let ports = Self { first: number(first)?, last: number(last)? };
        (ports.first <= ports.last).then_some(ports)
    }

    /// Whether it is one port.
    #[must_use]
    pub fn is_one(self) -> bool {
        self.first == self.last
    }

    fn count(self) -> u16 {
        self.last - self.first
    }
}

/// Rust also reads a number with a `+` before it, which docker does not.
fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_one() { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl Publish {
    /// Reads docker's syntax.
    ///
    /// # Errors
    /// [`Invalid`] says which rule was broken.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        read(text).map_err(|refusal| refusal.about("port", text))
    }

    /// Whether both publish the same port of the container.
    #[must_use]
    pub fn has_port_of(&self, other: &Self) -> bool {
        (self.container, self.protocol) == (other.container, other.protocol)
    }
}

fn read(text: &str) -> Result<Publish, Refusal> {
    if text.contains('=') {
        return Err(no("docker's long form is not supported").hint("write HOST:PORT, for example 8080:80"));
    }
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => return Err(no("the protocol must be tcp, udp or sctp")),
    };
    let (outside, container) = ports.rsplit_once(':').map_or((None, ports), |(outside, port)| (Some(outside), port));
    let container = Ports::parse(container).filter(|ports| ports.first > 0);
    let container = container.ok_or_else(|| no(NO_PORT).hint("write HOST:PORT, for example 8080:80"))?;
    let (address, host) = outside.map_or(Ok((None, None)), outside_of)?;
    if host.is_some_and(|host| !container.is_one() && host.count() != container.count()) {
        return Err(no("the range of the host and that of the container differ in length"));
    }
    Ok(Publish { address, host, container, protocol })
}

const NO_PORT: &str = "the port of the container must be a number from 1 to 65535, or a range such as 8000-8010";

/// The address and the port of the host. Either may be missing.
fn outside_of(text: &str) -> Result<(Option<IpAddr>, Option<Ports>), Refusal> {
    let (address, host) = text.rsplit_once(':').map_or((None, text), |(address, host)| (Some(address), host));
    let bare = |address: &str| {
        let inner = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inner.map_or_else(|| address.parse().ok(), |inner| inner.parse().ok().filter(IpAddr::is_ipv6))
    };
    let address = match address {
        None => None,
        Some(text) => Some(bare(text).ok_or_else(|| no("the address before the ports must be an IP address"))?),
    };
    let host = match host {
        "" => None,
        text => Some(Ports::parse(text).ok_or_else(|| no("the port of the host must be a number or a range"))?),
    };
    Ok((address, host))
}

/// docker reads it as the same port.
impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.address, &self.host) {
            (None, None) => {}
            (None, Some(host)) => write!(f, "{host}:")?,
            (Some(address), host) => {
                let host = host.map(|host| host.to_string()).unwrap_or_default();
                match address {
                    IpAddr::V4(address) => write!(f, "{address}:{host}:")?,
                    IpAddr::V6(address) => write!(f, "[{address}]:{host}:")?,
                }
            }
        }
        write!(f, "{}", self.container)?;
        f.write_str(match self.protocol {
            Protocol::Tcp => "",
            Protocol::Udp => "/udp",
            Protocol::Sctp => "/sctp",
        })
    }
}

through_text!(Publish);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_read_as_docker_reads_it() {
        for (text, kept) in [
            ("80", "80"),
            ("080/tcp", "80"),
            ("8080:80", "8080:80"),
            (":80", "80"),
            ("0:80", "0:80"),
            ("127.0.0.1:8080:80/udp", "127.0.0.1:8080:80/udp"),
            ("127.0.0.1::80", "127.0.0.1::80"),
            ("[::1]:8080:80", "[::1]:8080:80"),
            ("::1:8080:80/sctp", "[::1]:8080:80/sctp"),
            ("8000-8010:8000-8010", "8000-8010:8000-8010"),
            ("8000-8010:80", "8000-8010:80"),
            ("9-9:80", "9:80"),
        ] {
            let read = Publish::parse(text).expect(text);
            assert_eq!(read.to_string(), kept);
            assert_eq!(Publish::parse(kept), Ok(read));
        }
        assert!(Publish::parse("1:80").unwrap().has_port_of(&Publish::parse("127.0.0.1:2:80").unwrap()));
        assert!(!Publish::parse("80").unwrap().has_port_of(&Publish::parse("80/udp").unwrap()));
    }

    #[test]
    fn what_docker_would_refuse_is_refused_with_the_part_that_is_wrong() {
        for (text, why) in [
            ("", NO_PORT),
            ("0", NO_PORT),
            ("65536", NO_PORT),
            ("+80", NO_PORT),
            ("80-70", NO_PORT),
            ("8080:", NO_PORT),
            ("a:80", "the port of the host must be"),
            ("70000:80", "the port of the host must be"),
            ("localhost:80:80", "the address before the ports must be an IP address"),
            ("1.2.3:80:80", "the address before the ports must be"),
            ("[1.2.3.4]:80:80", "the address before the ports must be"),
            (":8080:80", "the address before the ports must be"),
            ("80/icmp", "the protocol must be"),
            ("80/", "the protocol must be"),
            ("80-81:80-82", "differ in length"),
            ("published=80,target=80", "long form"),
            ("80 --privileged", NO_PORT),
        ] {
            let text = Publish::parse(text).expect_err(text).to_string();
            assert!(text.contains(why), "{text}");
        }
    }
}
