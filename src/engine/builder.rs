//! The builders that docker can have, and the choice between them.

use super::inspect::Version;
use super::{Engine, argv};
use crate::recipe::Dialect;

/// The ways to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builder {
    /// The buildx plugin: BuildKit from client 23 on.
    Buildx,
    /// A client before 23 with BuildKit in it, behind `DOCKER_BUILDKIT=1`.
    BuiltIn,
    /// The legacy builder.
    Legacy,
}

impl Builder {
    /// The words of all of them, for the JSON Schema of a dry run.
    #[cfg(test)]
    pub fn words() -> [&'static str; 3] {
        [Self::Buildx, Self::BuiltIn, Self::Legacy].map(Self::word)
    }

    /// Its name in records and replies.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Buildx => "buildx",
            Self::BuiltIn => "buildkit",
            Self::Legacy => "legacy",
        }
    }

    /// What it understands of a Dockerfile.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        if self == Self::Legacy { Dialect::Legacy } else { Dialect::BuildKit }
    }

    /// The value of `DOCKER_BUILDKIT`.
    #[must_use]
    pub fn switch(self) -> &'static str {
        if self == Self::Legacy { "0" } else { "1" }
    }
}

impl Engine {
    /// BuildKit if docker has it, otherwise the legacy builder. `wanted` is the caller's `DOCKER_BUILDKIT`; as with docker,
    /// `0` selects the legacy builder.
    #[must_use]
    pub fn builder(&self, version: &Version, wanted: Option<&str>) -> Builder {
        if wanted == Some("0") {
            return Builder::Legacy;
        }
        match version.client.major() {
            ..19 => Builder::Legacy,
            19..23 => Builder::BuiltIn,
            _ => {
                let plugin = self.run(&argv::buildx_version(), self.patience);
                let works = plugin.is_ok_and(|output| output.status.success());
                if works { Builder::Buildx } else { Builder::Legacy }
            }
        }
    }
}
