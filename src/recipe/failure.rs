//! Why a step of a build failed, as its output says. Pure. The answer is only shown: no status depends on it.
//!
//! `step.sh` ends with a line of its own, the marker, which says what failed: `apt-get`, `pip`, `uv`, a command by its number.
//! What apt, pip and uv wrote before it names the package or the host.

mod apt;
mod pip;
mod uv;

/// What `step.sh` writes before its own words.
const MARK: &str = "longshore: ";
/// What `step.sh` writes when pip takes the place of uv.
const TOOK_OVER: &str = "note: pip installs the packages";
/// What `step.sh` writes when an appended step would not give what a build from nothing gives.
const NOT_ADDED: &str = "the packages cannot be added ";
/// The line of the log after which a build is repeated from nothing.
pub const ANEW: &str = "note: the image is built from nothing, because packages could not be added to its layers";
/// The longest sentence and the longest hint, in characters.
const MOST: usize = 400;

/// The hint for a program that was killed.
pub const KILLED: &str = "exit code 137: it was killed, usually because memory ran out";

/// Why something failed, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// One sentence that names the thing.
    pub sentence: String,
    /// What the user could do, if that is known.
    pub hint: Option<String>,
}

impl Reason {
    /// The reason in one sentence. A long one is cut.
    #[must_use]
    pub fn new(sentence: &str) -> Self {
        Self { sentence: cut(sentence), hint: None }
    }

    /// Adds what the user could do.
    #[must_use]
    pub fn hint(self, hint: &str) -> Self {
        Self { hint: Some(cut(hint)), ..self }
    }

    /// A full disk of the engine. `doing` is what failed because of it.
    #[must_use]
    pub fn no_space(doing: &str) -> Self {
        Self::new(&format!("no space left on device: {doing}"))
            .hint("free some space on the engine's disk; see what uses it with: docker system df")
    }
}

fn cut(text: &str) -> String {
    let text = text.trim().replace('\t', " ");
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

/// What the user asked for, as far as a reason or a hint depends on it.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The base image.
    pub base: String,
    /// Whether a newer base image was asked for.
    pub pull: bool,
    /// Whether certificates were given.
    pub ca_cert: bool,
    /// Whether an index for pip was given.
    pub pip_index: bool,
    /// Whether a mirror for apt was given.
    pub apt_mirror: bool,
}

impl Asked {
    /// The hint for an index that cannot be reached.
    fn check_index(&self) -> &'static str {
        if self.pip_index {
            "check the URL of --pip-index-url, and whether a container can reach it"
        } else {
            "check that containers have a network, or give an index that they can reach with --pip-index-url URL"
        }
    }

    /// A server's certificate is not trusted. `program` is the one that does not trust it.
    fn untrusted(&self, program: &str, host: &str) -> Reason {
        let hint = if self.ca_cert {
            format!("add the certificate that signed the one of {host} to the file of --ca-cert")
        } else {
            "give the certificate of your network with --ca-cert FILE, or set LONGSHORE_CA_CERT".to_owned()
        };
        Reason::new(&format!("{program} does not trust the certificate of {host}")).hint(&hint)
    }
}

/// The reason in the output of one step, line by line, without escape sequences and the builder's prefixes. `None` if
/// `step.sh` said nothing, for example because it was killed.
#[must_use]
pub fn of_step(lines: &[&str], asked: &Asked) -> Option<Reason> {
    let marker = lines.iter().rev().find_map(|line| line.split_once(MARK))?.1.trim();
    let (from_apt, from_pip) = (marker.starts_with("apt-get "), marker.starts_with("pip ended"));
    let from_uv = marker.starts_with("uv ended");
    // What uv wrote before is of no interest when pip took its place.
    let begins = lines.iter().rposition(|line| line.trim() == TOOK_OVER).map_or(0, |at| at + 1);
    let lines = &lines[begins..];
    if is_ended(marker) && lines.iter().any(|line| is_full(line)) {
        return Some(Reason::no_space(marker));
    }
    let named = match () {
        () if from_apt => apt::cause(lines, asked),
        () if from_pip => pip::cause(lines, asked),
        () if from_uv => uv::cause(lines, asked),
        () => None,
    };
    Some(named.unwrap_or_else(|| with_hint(marker, lines, asked)))
}

/// The marker itself. Commands may run pip or curl, so their output may say what to do.
fn with_hint(marker: &str, lines: &[&str], asked: &Asked) -> Reason {
    let reason = Reason::new(marker);
    if marker.starts_with(NOT_ADDED) {
        // The build was to be repeated, and that could not be started.
        return reason.hint("build the image again");
    }
    if !is_ended(marker) {
        return reason;
    }
    if !asked.ca_cert && lines.iter().any(|line| pip::distrusts(line) || line.contains("self-signed certificate")) {
        return reason.hint("a certificate is not trusted: give the one of your network with --ca-cert FILE");
    }
    if marker.contains("exit code 137") { reason.hint(KILLED) } else { reason }
}

/// Whether a marker is about a program that ended, and not about a base image that lacks one.
fn is_ended(marker: &str) -> bool {
    marker.contains(" ended with exit code ")
}

/// Whether a line says that a disk is full.
#[must_use]
pub fn is_full(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.contains("no space left on device") || line.contains("you don't have enough free space in")
}

/// The host and port in the first URL of a text.
#[must_use]
pub fn host(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', ' ', '"', '\'', '?', ')']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then_some(host)
}

/// `"a", "b" and "c"`, each once.
fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut shown: Vec<String> = Vec::new();
    for name in names {
        let name = format!("{name:?}");
        if !shown.contains(&name) {
            shown.push(name);
        }
    }
    match shown.pop() {
        Some(last) if !shown.is_empty() => format!("{} and {last}", shown.join(", ")),
        Some(only) => only,
        None => String::new(),
    }
}
