//! Passes the values of variables to a container without putting them on a command line, where every user of the
//! machine could read them. Pure.
//!
//! For `--env NAME`, docker takes the value from its own environment. A variable that the docker client itself uses is
//! passed in an environment file instead. So is a variable whose name a shell would drop from its environment, because
//! the docker program may be a shell script.

use crate::names::{EnvKey, Invalid};

/// The longest line of an environment file, in bytes. docker's limit is 64 KiB.
const LONGEST_LINE: usize = 60_000;

/// Variables that docker needs to find its files or its engine. A `*` matches any text; case is ignored.
const NEEDED: [&str; 12] = [
    "PATH",
    "HOME",
    "XDG_CONFIG_HOME",
    "DOCKER_*",
    "LD_*",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];

/// Variables that docker, its plugins or Go's runtime would use if they were set.
const MINDED: [&str; 22] = [
    "USER",
    "TMPDIR",
    "TERM",
    "NO_COLOR",
    "CLICOLOR*",
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "XDG_*",
    "SSL_CERT*",
    "*_PROXY",
    "BUILDKIT_*",
    "BUILDX_*",
    "COMPOSE_*",
    "OTEL_*",
    "GODEBUG",
    "GOGC",
    "GOMAXPROCS",
    "GOMEMLIMIT",
    "GOTRACEBACK",
    "GORACE",
    "GOCOVERDIR",
    "GOROOT",
];

/// Whether docker needs this variable in its own environment.
#[must_use]
pub fn is_needed(name: &str) -> bool {
    is_among(&NEEDED, name)
}

/// Whether docker uses this variable in its environment.
#[must_use]
pub fn is_heeded(name: &str) -> bool {
    is_among(&NEEDED, name) || is_among(&MINDED, name)
}

fn is_among(patterns: &[&str], name: &str) -> bool {
    let name = name.to_uppercase();
    patterns.iter().any(|pattern| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => name.ends_with(end),
        (_, Some(beginning)) => name.starts_with(beginning),
        (None, None) => name == *pattern,
    })
}

/// Names and values of variables, by the way in which docker gets them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handed {
    /// In docker's environment; their names are on the command line.
    pub environment: Vec<(String, String)>,
    /// In an environment file that docker reads.
    pub file: Vec<(String, String)>,
}

impl Handed {
    /// Chooses a way for each variable. Names must not be empty, contain `=` or occur twice.
    ///
    /// # Errors
    /// [`Invalid`] for a variable that docker uses itself and that cannot be a line of a file; the value is not shown.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, Invalid> {
        let mut handed = Self::default();
        for (name, value) in variables {
            let obstacle = obstacle(&name, &value);
            match obstacle {
                Some(why) if is_heeded(&name) => {
                    let why = format!("{why}, and the docker client uses this variable itself");
                    return Err(Invalid::new("variable", &name, why).with_hint("use another name"));
                }
                None if is_heeded(&name) || EnvKey::parse(&name).is_err() => handed.file.push((name, value)),
                _ => handed.environment.push((name, value)),
            }
        }
        Ok(handed)
    }

    /// The text of the environment file; `None` if it would be empty.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let text: String = self.file.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        (!text.is_empty()).then_some(text)
    }

    /// docker's flags for these variables, with the environment file at this path.
    #[must_use]
    pub fn args(&self, file: &str) -> Vec<String> {
        let file = (!self.file.is_empty()).then(|| format!("--env-file={file}"));
        file.into_iter().chain(self.environment.iter().map(|(name, _)| format!("--env={name}"))).collect()
    }
}

/// Why a variable cannot be a line of an environment file. docker keeps the text after the `=` exactly, except a carriage
/// return at the end, and refuses names with spaces.
fn obstacle(name: &str, value: &str) -> Option<&'static str> {
    if value.contains(['\n', '\r']) {
        Some("its value has several lines")
    } else if name.len() + value.len() > LONGEST_LINE {
        Some("its value is too long")
    } else if name.starts_with(['#', '\u{feff}']) || name.contains(char::is_whitespace) {
        Some("its name contains a space")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hand(variables: &[(&str, &str)]) -> Result<Handed, Invalid> {
        Handed::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn variables_that_docker_uses_itself_are_known_by_name() {
        for name in [
            "PATH",
            "Path",
            "HOME",
            "http_proxy",
            "HTTPS_PROXY",
            "FTP_PROXY",
            "DOCKER_HOST",
            "LD_PRELOAD",
            "XDG_DATA_HOME",
            "SSL_CERT_FILE",
            "GODEBUG",
            "GOGC",
            "GOMAXPROCS",
            "GOMEMLIMIT",
            "GOTRACEBACK",
            "GORACE",
            "GOCOVERDIR",
            "CLICOLOR_FORCE",
            "NO_COLOR",
            "BUILDKIT_PROGRESS",
        ] {
            assert!(is_heeded(name), "{name}");
        }
        for name in ["GOOGLE_CREDENTIALS", "GOOD", "GO", "GOPATH", "PATHS", "HOMES", "PROXY", "DOCKER", "USERNAME", "A"]
        {
            assert!(!is_heeded(name) && !is_needed(name), "{name}");
        }
        assert!(is_needed("no_proxy") && !is_needed("TERM") && !is_needed("FTP_PROXY") && !is_needed("XDG_DATA_HOME"));
    }

    #[test]
    fn a_value_stands_in_the_environment_or_in_the_file_and_never_in_the_arguments() {
        let handed = hand(&[
            ("A", "secret 1\n"),
            ("HTTP_PROXY", "secret=2"),
            ("a.b-c", " secret # 3 "),
            (" E", "secret 4"),
            ("#f", "secret 5"),
            ("g-h", "secret\n6"),
            ("ü", "secret 7"),
            ("GOOGLE_CREDENTIALS", "secret 8"),
        ]);
        let handed = handed.unwrap();
        let args = ["--env-file=FILE", "--env=A", "--env= E", "--env=#f", "--env=g-h", "--env=GOOGLE_CREDENTIALS"];
        assert_eq!(handed.args("FILE"), args);
        assert_eq!(handed.text().unwrap(), "HTTP_PROXY=secret=2\na.b-c= secret # 3 \nü=secret 7\n");
        assert_eq!(handed.environment[3], ("g-h".into(), "secret\n6".into()));
        assert_eq!((hand(&[]).unwrap().args("FILE"), hand(&[("A", "1")]).unwrap().text()), (vec![], None));
    }

    #[test]
    fn a_heeded_variable_whose_value_no_line_can_hold_is_refused_without_showing_it() {
        let why = "and the docker client uses this variable itself";
        for (value, obstacle) in [
            ("hunter2\n", "its value has several lines"),
            ("hunter2\r", "its value has several lines"),
            (&"hunter2".repeat(10_000), "its value is too long"),
        ] {
            let refusal = hand(&[("A", "1"), ("no_proxy", value)]).unwrap_err();
            assert_eq!(refusal.to_string(), format!("invalid variable \"no_proxy\": {obstacle}, {why}"));
            assert_eq!(refusal.hint.as_deref(), Some("use another name"));
        }
    }

    /// What docker makes of an environment file, by its own reader.
    fn docker_reads(text: &str) -> Vec<(String, String)> {
        let lines = text.split_terminator('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let lines = lines.map(|line| line.trim_start_matches([' ', '\t'])).filter(|line| !line.is_empty());
        let lines = lines.filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    proptest! {
        #[test]
        fn every_variable_takes_one_way_and_arrives_as_it_was(
            names in prop::collection::btree_set("[A-Za-z_][A-Za-z0-9_]{0,4}|[^=\0]{1,6}|(HTTP|no)_PROXY|PATH", 0..5),
            values in prop::collection::vec("[^\0]{0,9}", 5),
        ) {
            let variables: Vec<(String, String)> = names.into_iter().zip(values).collect();
            let Ok(handed) = Handed::new(variables.clone()) else { return Ok(()) };
            let file = docker_reads(&handed.text().unwrap_or_default());
            prop_assert_eq!(&file, &handed.file);
            let mut arrived = [file, handed.environment.clone()].concat();
            arrived.sort();
            prop_assert_eq!(arrived, variables);
            for (name, _) in &handed.environment {
                let named = handed.args("").contains(&format!("--env={name}"));
                prop_assert!(named && !is_heeded(name));
            }
        }
    }
}
