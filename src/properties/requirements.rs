//! Requirements files.

use std::path::Path;

use super::{grammar, is_plain_message};
use crate::error::Failure;
use crate::recipe::{Reader, Requirements, Role, Source};

/// Every property of this file.
pub fn all(text: &str) {
    for role in [Role::Wanted, Role::Constraint] {
        match read(text, role) {
            Ok(found) => kept(&found, text),
            Err(failure) => is_plain_message(&failure.message),
        }
    }
}

fn read(text: &str, role: Role) -> Result<Requirements, Failure> {
    let open = |path: &Path| -> Result<Source, Failure> { panic!("a text opens {}", path.display()) };
    let mut reader = Reader::new(None, &open);
    reader.text("requirements", text, role).map(|()| reader.finish())
}

/// What is kept is a line of pip for each entry, which no other part of the text changes. It reads back as the same, and
/// has nothing that the text does not have.
fn kept(found: &Requirements, text: &str) {
    let line = grammar!(concat!(
        r"^(--pre|--prefer-binary|--require-hashes|--(no|only)-binary [A-Za-z0-9:._,-]+",
        r"|[A-Za-z0-9][ -~]*?( --hash=sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128}))*)$",
    ));
    let [wanted, constraints] = found.texts();
    for (kept, entries, role) in
        [(wanted, &found.wanted, Role::Wanted), (constraints, &found.constraints, Role::Constraint)]
    {
        let lines: Vec<&str> = kept.lines().collect();
        assert_eq!(lines.len(), entries.len());
        for kept in lines {
            assert!(line.is_match(kept) && !kept.contains(['\\', '$', '#']), "{kept:?}");
            let options = kept.split(' ').filter(|word| word.starts_with('-') && !word.starts_with("--hash="));
            assert!(options.count() == usize::from(kept.starts_with('-')), "{kept:?}");
            let letters =
                |text: &str| text.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect::<String>();
            let all = letters(&text.replace('\\', ""));
            assert!(kept.split([' ', '=']).all(|word| all.contains(&letters(word))), "{kept:?} of {text:?}");
        }
        let again = read(&kept, role).expect("what is kept can be read").texts();
        assert_eq!(again, if role == Role::Wanted { [kept, String::new()] } else { [String::new(), kept] });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pieces of lines, likely and unlikely.
    const PIECE: &str = "(six|a\\.b==1\\.0|idna\\[x\\]>=1,<2|x ; os_name == 'nt'|--pre|--no-binary :all:|--hash=sha256:(ab){32}\
        |--hash=sha512:(AB){64}|--hash sha256:0|-r x|-c 'y z'|-e \\.|-i https://a|# c|#|\\\\|\\\\\n|\\$\\{HOME\\}|'|\"|\0|\u{85}\
        |\u{a0}|\r\n|\u{feff}|[ -~]{0,6}|.{0,3})";

    const END: &str = "[ \t]{0,2}(\n|\n|\r\n|\\\\\n| \\\\\n|\u{c}|)";

    proptest! {
        #[test]
        fn properties_hold(pieces in prop::collection::vec((PIECE, END), 0..6)) {
            all(&pieces.iter().flat_map(|(piece, end)| [piece.as_str(), end]).collect::<String>());
        }

        #[test]
        fn properties_hold_for_any_text(text in "(?s).{0,60}") {
            all(&text);
        }
    }
}
