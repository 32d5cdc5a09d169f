//! The user that a container runs as.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// The user that a container runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum UserSpec {
    /// The caller's ids, so that output files belong to the caller.
    Caller,
    /// The user that the image names.
    Image,
    /// These ids.
    Ids {
        /// The user's id.
        uid: u32,
        /// The group's id; without it docker takes the user's group in the image, or 0.
        gid: Option<u32>,
    },
}

impl UserSpec {
    /// Reads `caller`, `image`, `UID` or `UID:GID`. Names are refused, because their ids depend on the image.
    ///
    /// # Errors
    /// [`Invalid`] for anything else, and for ids beyond the 31 bits that the engine accepts.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let ids = || {
            let (uid, gid) = text.split_once(':').map_or((text, None), |(uid, gid)| (uid, Some(gid)));
            Some(Self::Ids { uid: user_id(uid)?, gid: gid.map_or(Some(None), |gid| user_id(gid).map(Some))? })
        };
        match text {
            "caller" => Ok(Self::Caller),
            "image" => Ok(Self::Image),
            _ => ids().ok_or_else(|| {
                Invalid::new(
                    "user",
                    text,
                    "it must be \"caller\", \"image\", UID or UID:GID, and the ids must be numbers",
                )
            }),
        }
    }
}

fn user_id(digits: &str) -> Option<u32> {
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|&id| is_number && id <= i32::MAX.unsigned_abs())
}

impl fmt::Display for UserSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller => f.write_str("caller"),
            Self::Image => f.write_str("image"),
            Self::Ids { uid, gid: None } => write!(f, "{uid}"),
            Self::Ids { uid, gid: Some(gid) } => write!(f, "{uid}:{gid}"),
        }
    }
}

through_text!(UserSpec);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_word_or_ids() {
        for (text, user) in [
            ("caller", UserSpec::Caller),
            ("image", UserSpec::Image),
            ("0", UserSpec::Ids { uid: 0, gid: None }),
            ("1000:2147483647", UserSpec::Ids { uid: 1000, gid: Some(2_147_483_647) }),
        ] {
            assert_eq!(UserSpec::parse(text), Ok(user));
            assert_eq!(user.to_string(), text);
        }
        for text in ["", ":", "1:", ":1", "root", "1:root", "-1", "+1", "1:2:3", "2147483648", "Caller", "1 "] {
            assert!(UserSpec::parse(text).is_err(), "{text:?}");
        }
    }
}
