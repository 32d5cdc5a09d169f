//! How variables reach docker without standing on its command line.

use anyhow::Result;

use crate::error::Failure;

/// What a docker call needs for the variables of a container.
#[derive(Debug, Default, Clone)]
pub struct HandOver {
    /// `--env NAME` and `--env-file /dev/stdin`.
    pub args: Vec<String>,
    /// For the client's environment.
    pub environment: Vec<(String, String)>,
    /// For the client's stdin.
    pub stdin: Option<String>,
}

impl HandOver {
    /// Sorts variables by whether the client would heed them itself.
    ///
    /// # Errors
    /// When one that the client heeds has several lines.
    pub fn of(variables: &[(String, String)]) -> Result<Self> {
        let (heeded, plain): (Vec<_>, Vec<_>) = variables.iter().cloned().partition(|(key, _)| heeds(key));
        let mut args = Vec::new();
        let mut text = String::new();
        for (key, value) in &heeded {
            if value.contains(['\n', '\r']) {
                let why = "its value has several lines, and the docker client heeds this variable itself";
                return Err(Failure::usage(format!("invalid variable {key}: {why}"))
                    .hint("give it another name")
                    .into());
            }
            text += &format!("{key}={value}\n");
        }
        if text.len() > 60_000 {
            return Err(
                Failure::usage("invalid variables: those that the docker client heeds itself are too long").into()
            );
        }
        if !heeded.is_empty() {
            args.extend(["--env-file", "/dev/stdin"].map(str::to_owned));
        }
        args.extend(plain.iter().flat_map(|(key, _)| ["--env".to_owned(), key.clone()]));
        Ok(Self { args, environment: plain, stdin: (!text.is_empty()).then_some(text) })
    }
}

/// Whether docker's client heeds a variable itself: where it looks for its files, its plugins and its engine, how it
/// reaches the network, how its runtime behaves.
#[must_use]
pub fn heeds(key: &str) -> bool {
    let upper = key.to_uppercase();
    const NAMES: [&str; 9] =
        ["PATH", "HOME", "USER", "TMPDIR", "TERM", "NO_COLOR", "SSH_AUTH_SOCK", "NOTIFY_SOCKET", "LISTEN_FDS"];
    const BEGINNINGS: [&str; 10] =
        ["DOCKER_", "BUILDKIT_", "BUILDX_", "COMPOSE_", "OTEL_", "GO", "LD_", "SSL_CERT", "XDG_", "CLICOLOR"];
    NAMES.contains(&upper.as_str())
        || BEGINNINGS.iter().any(|beginning| upper.starts_with(beginning))
        || upper.ends_with("_PROXY")
}
