//! The names of caches.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Checked, Invalid, Refusal, at_most, no, only};

/// Where a cache is in the container of a run.
pub const CACHE_TARGET: &str = "/cache";

checked_text! {
    /// The name of a cache of the caller: `[a-z0-9][a-z0-9._-]{0,62}`, as for a run.
    CacheName, "cache name", check
}

impl CacheName {
    /// The name of its volume. Two users of one engine have different volumes.
    #[must_use]
    pub fn volume(&self, uid: u32) -> String {
        format!("longshore-cache-{uid}-{}", self.0)
    }
}

fn check(text: &str) -> Checked {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    only(text, allowed, "lower-case letters, digits, \".\", \"_\" and \"-\"")?;
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(no("it must begin with a letter or a digit"));
    }
    at_most(text, 63)?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_one_volume_for_each_user() {
        let name = CacheName::parse("pip").unwrap();
        assert_eq!(
            (name.volume(0), name.volume(1000)),
            ("longshore-cache-0-pip".into(), "longshore-cache-1000-pip".into())
        );
        for text in ["", "-x", "A", "a/b", "a b", "a,b", "a\n", &"a".repeat(64)] {
            assert!(CacheName::parse(text).is_err(), "{text:?}");
        }
    }
}
