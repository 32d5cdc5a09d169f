//! Patterns of what is not shipped, and archives from anywhere.

use std::cell::Cell;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{grammar, is_plain_message};
use crate::transfer::{Ignore, Limits, Pack, Refused, Scan, Tree, Unpacked, Why, place, unpack};

/// What an archive of the properties may have.
const LIMITS: Limits = Limits { bytes: 1 << 20, entries: 100 };

/// Files beside the directory for an archive: what it could write to, and where its links could lead to.
const CANARIES: [&str; 3] = ["a", "b", "outside/canary"];

/// Every property of this file.
pub fn all(bytes: &[u8]) {
    archive(bytes);
    archive(&sealed(bytes));
    let text = String::from_utf8_lossy(bytes);
    let (path, text) = text.split_once('\n').unwrap_or(("a/b", &text));
    patterns(text, path);
}

/// A directory for one archive. It is removed with everything in it.
pub struct Sandbox(PathBuf);

impl Sandbox {
    /// With an empty directory `part`, and another one that has to stay as it is.
    pub fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("longshore-transfer-{}", crate::fs::random_name()));
        for name in ["part", "outside", "output"] {
            fs::create_dir_all(dir.join(name)).expect("a directory");
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o700)).expect("a mode");
        }
        for name in CANARIES {
            fs::File::create_new(dir.join(name)).expect("a file");
        }
        Self(dir)
    }

    /// The path of an entry.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// That everything is in `part`, and nothing in there leads out of it. Returns how many entries it has, and how many bytes.
    pub fn is_contained(&self) -> (u64, u64) {
        assert_eq!(listed(&self.0), ["a", "b", "output", "outside", "part"]);
        assert_eq!(listed(&self.path("outside")), ["canary"]);
        for name in CANARIES {
            let canary = fs::symlink_metadata(self.path(name)).expect("a file");
            assert!(canary.is_file() && canary.len() == 0 && canary.nlink() == 1, "{name}");
        }
        let part = self.path("part").canonicalize().expect("a directory");
        contained(&part, &part)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        make_writable(&self.0);
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn listed(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn make_writable(dir: &Path) {
    let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

fn contained(dir: &Path, part: &Path) -> (u64, u64) {
    let (mut entries, mut bytes) = (0, 0);
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).expect("a mode");
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let stat = fs::symlink_metadata(&path).expect("an entry");
        assert!(stat.is_symlink() || stat.mode() & 0o7000 == 0, "{path:?} has mode {:o}", stat.mode());
        entries += 1;
        if stat.is_dir() {
            let below = contained(&path, part);
            (entries, bytes) = (entries + below.0, bytes + below.1);
        } else if stat.is_symlink() {
            // One that leads nowhere cannot be followed.
            assert!(path.canonicalize().map_or(true, |to| to.starts_with(part)), "{path:?} leads outside");
        } else {
            assert!(stat.is_file(), "{path:?}");
            bytes += stat.len();
        }
    }
    (entries, bytes)
}

/// Any bytes are unpacked or refused. Nothing is written outside, and what is said of it is true.
pub fn archive(bytes: &[u8]) {
    let sandbox = Sandbox::new();
    let told = Cell::new(0);
    let mut progress = |bytes| {
        told.set(told.get() + bytes);
        Ok(())
    };
    let unpacked = unpack(bytes, "output", &sandbox.path("part"), &LIMITS, &mut progress);
    let (entries, stored) = sandbox.is_contained();
    match unpacked {
        Ok(Unpacked { entries: counted, bytes, left_out }) => {
            assert_eq!((counted, bytes), (entries, told.get()));
            // Hard links are counted once.
            assert!(stored >= bytes && bytes <= LIMITS.bytes && counted <= LIMITS.entries);
            for line in left_out {
                is_plain_message(&line);
            }
        }
        Err(refused) => {
            is_plain_message(&refused.to_string());
            assert!(!matches!(refused.why, Why::Stopped));
        }
    }
}

/// Bytes with the checksum of each header set right, and with the end of an archive. Nearly every change of an archive would
/// otherwise be found by its checksum.
pub fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = bytes.to_vec();
    sealed.resize(bytes.len().next_multiple_of(512), 0);
    let mut at = 0;
    while let Some(block) = sealed.get_mut(at..).and_then(|rest| rest.get_mut(..512)) {
        if block.iter().all(|byte| *byte == 0) {
            break;
        }
        let mut header = tar::Header::new_old();
        header.as_mut_bytes().copy_from_slice(block);
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
        let size = header.entry_size().ok().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
        at = at.saturating_add(512).saturating_add(size.checked_next_multiple_of(512).unwrap_or(0));
    }
    sealed.extend_from_slice(&[0; 1024]);
    sealed
}

/// What is packed is unpacked, placed and digested as the same tree.
pub fn round(source: &Path, sandbox: &Sandbox) {
    let scan = |root: &Path| {
        let scan = Scan { root, ignore: false, with_git: true, without: &[] };
        Tree::scan(&scan).unwrap_or_else(|failure| panic!("{failure}"))
    };
    let tree = scan(source);
    let part = sandbox.path("part");
    let archive = packed(&tree).expect("an archive");
    let limits = Limits { bytes: tree.bytes(), entries: tree.entries() as u64 + 1 };
    let unpacked = unpack(&archive[..], "output", &part, &limits, &mut |_| Ok(()));
    let unpacked = unpacked.unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!((unpacked.entries, unpacked.bytes), (tree.entries() as u64, tree.bytes()));
    assert_eq!(unpacked.left_out, Vec::<String>::new());
    let same = |other: &Tree| {
        assert_eq!(packed(other).expect("an archive"), archive);
        assert_eq!(digest(other), digest(&tree));
    };
    same(&scan(&part));
    let output = sandbox.path("output");
    place(&part, &output).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(listed(&part), Vec::<String>::new());
    same(&scan(&output));
    // Once more, over what is there; then directories that cannot be written to would be in the way.
    make_writable(&output);
    let merged = digest(&scan(&output));
    unpack(&archive[..], "output", &part, &limits, &mut |_| Ok(())).unwrap_or_else(|refused| panic!("{refused}"));
    place(&part, &output).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(digest(&scan(&output)), merged);
}

/// A tree as an archive with the top directory `output`.
pub fn packed(tree: &Tree) -> io::Result<Vec<u8>> {
    let mut pack = Pack::new(Vec::new());
    pack.directory("output", 0o755, 0, 0)?;
    tree.pack("output", &mut pack, &mut |_| Ok(()))?;
    pack.finish()
}

/// The digest of a tree that can be read.
pub fn digest(tree: &Tree) -> String {
    tree.digest(&mut |_| Ok(())).expect("a digest")
}

/// An archive is refused wherever it is cut.
pub fn cut(archive: &[u8], at: usize) {
    let sandbox = Sandbox::new();
    let refused: Refused =
        unpack(&archive[..at], "output", &sandbox.path("part"), &LIMITS, &mut |_| Ok(())).unwrap_err();
    assert_eq!(refused.why, Why::Cut, "at {at}: {refused}");
}

/// Patterns are read or refused. A path that is not left out is found, because the directories above it are read. Without
/// classes and escapes, patterns match what their regular expressions match.
pub fn patterns(text: &str, path: &str) {
    let ignore = match Ignore::parse(text) {
        Ok(ignore) => ignore,
        Err(why) => {
            assert!(grammar!("(?s)^line [0-9]+: ").is_match(&why));
            return;
        }
    };
    let path = names(path).join("/");
    let path = Path::new(&path);
    let is_excluded = ignore.excludes(path);
    let above = || path.ancestors().skip(1).filter(|dir| !dir.as_os_str().is_empty());
    if !is_excluded {
        assert!(above().all(|dir| !ignore.excludes(dir) || ignore.may_hold_exceptions(dir)), "{text:?} {path:?}");
    }
    if !text.contains(['[', '\\', '\u{feff}', '#']) {
        assert_eq!(is_excluded, twin(text, path), "{text:?} {path:?}");
    }
}

fn names(path: &str) -> Vec<&str> {
    path.split('/').filter(|name| !matches!(*name, "" | "." | "..")).collect()
}

/// `MatchesOrParentMatches` of moby/patternmatcher, with its regular expressions.
fn twin(text: &str, path: &Path) -> bool {
    let mut excluded = false;
    for line in text.split('\n').map(str::trim).filter(|line| !line.is_empty()) {
        let exception = line.starts_with('!');
        let pattern = cleaned(if exception { line[1..].trim() } else { line });
        let mut above = path.ancestors().filter(|path| !path.as_os_str().is_empty());
        if exception == excluded && above.any(|path| is_match(&pattern, path.to_str().expect("UTF-8"))) {
            excluded = !exception;
        }
    }
    excluded
}

/// `filepath.Clean`, without the first slash.
fn cleaned(pattern: &str) -> String {
    let mut cleaned: Vec<&str> = Vec::new();
    for name in pattern.split('/') {
        match (name, cleaned.last()) {
            ("" | ".", _) => {}
            ("..", Some(last)) if *last != ".." => drop(cleaned.pop()),
            ("..", _) if pattern.starts_with('/') => {}
            _ => cleaned.push(name),
        }
    }
    cleaned.join("/")
}

fn is_match(pattern: &str, path: &str) -> bool {
    if let Some(ending) = pattern.strip_prefix("**")
        && !ending.contains(['*', '?', ']'])
    {
        return path.ends_with(ending) || ending.strip_prefix('/') == Some(path);
    }
    let (mut expression, mut rest) = (String::from("(?s)^"), pattern);
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        match char {
            '*' if rest.starts_with('*') => {
                rest = rest[1..].strip_prefix('/').unwrap_or(&rest[1..]);
                expression += if rest.is_empty() { ".*" } else { "(.*/)?" };
            }
            '*' => expression += "[^/]*",
            '?' => expression += "[^/]",
            char => expression += &regex::escape(char.encode_utf8(&mut [0; 4])),
        }
    }
    regex::Regex::new(&format!("{expression}$")).is_ok_and(|expression| expression.is_match(path))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Made {
        File(Vec<(bool, u16)>),
        Link(Vec<u8>),
        Directory,
    }

    fn made() -> impl Strategy<Value = Made> {
        prop_oneof![
            3 => prop::collection::vec((any::<bool>(), 0_u16..20_000), 0..4).prop_map(Made::File),
            1 => "[a-c]|(\\.\\./)?[a-c]{90,120}".prop_map(|target: String| Made::Link(target.into_bytes())),
            1 => Just(Made::Directory),
        ]
    }

    /// A name of one of the shapes that are hard to write into a header.
    fn name() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => "[a-c]".prop_map(String::into_bytes),
            1 => "[a-c]{90,160}".prop_map(String::into_bytes),
            1 => "[a\n\u{1b}\u{e9} =\\\\-]{1,5}".prop_map(String::into_bytes),
            1 => prop::collection::vec(0x80_u8..=0xff, 1..4),
        ]
    }

    type Step = (Vec<Vec<u8>>, Made, u32, Duration);

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let time = (0_u64..1 << 34, 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos));
        prop::collection::vec((prop::collection::vec(name(), 1..4), made(), 0_u32..0o1000, time), 0..12)
    }

    /// Makes a tree; what cannot be made because of what is there is left away. Modes come last.
    fn make(root: &Path, steps: &[Step]) {
        let mut modes = Vec::new();
        for (names, made, mode, time) in steps {
            let path = names.iter().fold(root.to_owned(), |path, name| path.join(OsStr::from_bytes(name)));
            // A link out of the tree would not arrive.
            let leads_outside = names.len() == 1 && matches!(made, Made::Link(target) if target.starts_with(b".."));
            if leads_outside
                || path.symlink_metadata().is_ok()
                || fs::create_dir_all(path.parent().expect("a parent")).is_err()
            {
                continue;
            }
            match made {
                Made::Directory => fs::create_dir(&path).expect("a directory"),
                Made::Link(target) => std::os::unix::fs::symlink(OsStr::from_bytes(target), &path).expect("a link"),
                Made::File(pieces) => fs::write(&path, content(pieces)).expect("a file"),
            }
            if !matches!(made, Made::Link(_)) {
                modes.push((path, mode | 0o500, SystemTime::UNIX_EPOCH + *time));
            }
        }
        for (path, mode, time) in modes.into_iter().rev() {
            let file = fs::File::open(&path).expect("an entry");
            file.set_modified(time).expect("a time");
            file.set_permissions(fs::Permissions::from_mode(mode)).expect("a mode");
        }
    }

    fn content(pieces: &[(bool, u16)]) -> Vec<u8> {
        pieces
            .iter()
            .flat_map(|(is_hole, length)| vec![if *is_hole { 0 } else { b'x' }; usize::from(*length)])
            .collect()
    }

    fn archive_of(steps: &[Step]) -> Vec<u8> {
        let sandbox = Sandbox::new();
        make(&sandbox.path("output"), steps);
        let root = sandbox.path("output");
        packed(&Tree::scan(&Scan { root: &root, ignore: false, with_git: true, without: &[] }).unwrap()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_tree_arrives_as_it_was(steps in steps()) {
            let (source, sandbox) = (Sandbox::new(), Sandbox::new());
            make(&source.path("output"), &steps);
            round(&source.path("output"), &sandbox);
        }

        #[test]
        fn an_archive_that_is_cut_is_refused(steps in steps(), at in any::<prop::sample::Index>()) {
            let archive = archive_of(&steps);
            let at = at.index(archive.len());
            cut(&archive, at);
            cut(&archive, at - at % 512);
        }

        #[test]
        fn a_changed_archive_stays_inside(
            steps in steps(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        ) {
            let mut changed = archive_of(&steps);
            for (at, byte) in changes {
                // Mostly in the fields of a header.
                let at = at.index(changed.len());
                changed[at] = byte;
            }
            archive(&changed);
            archive(&sealed(&changed));
        }

        #[test]
        fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            all(&bytes);
        }
    }

    /// A name or the target of a link, mostly one that could be in an archive.
    fn member_name() -> impl Strategy<Value = String> {
        prop_oneof![
            8 => "output/[ab]",
            3 => "output/[ab]/[ab]",
            2 => "output(/([abc]|\\.\\.)){1,3}",
            1 => "(output|[ab.]|\\.\\.|/){0,4}",
        ]
    }

    /// The target of a link: of a hard link, or one of a symbolic link that may lead outside.
    fn target() -> impl Strategy<Value = String> {
        prop_oneof![1 => member_name(), 3 => "\\.\\.(/(\\.\\.|[ab])){0,1}", 2 => "\\.|[ab]/\\.\\."]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn any_members_stay_inside(
            members in prop::collection::vec(
                (member_name(), "[0022225551]", target(), 0_u32..0o10000),
                0..6,
            ),
        ) {
            let mut bytes = Vec::new();
            for (name, kind, link, mode) in members {
                let mut header = tar::Header::new_ustar();
                header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
                header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
                header.set_entry_type(tar::EntryType::new(kind.as_bytes()[0]));
                header.set_mode(mode);
                header.set_size(u64::from(kind == "0"));
                bytes.extend_from_slice(header.as_bytes());
                bytes.extend_from_slice(if kind == "0" { b"x" } else { b"" });
                bytes.resize(bytes.len().next_multiple_of(512), 0);
            }
            archive(&sealed(&bytes));
        }
    }

    proptest! {
        #[test]
        fn patterns_match_what_their_expressions_match(
            text in "((!|/|\\./|\\.\\./)?([ab.?]|\\*{1,3}|/|\\*\\*/){1,6}\n){1,4}", path in "([ab.]{1,2}/){0,3}[ab.]{1,2}"
        ) {
            patterns(&text, &path);
        }

        #[test]
        fn any_text_is_patterns_or_refused(
            text in "([!#/ab\\\\*?\\[\\]^\\-\n \u{feff}é]|\\[a-b\\]){0,20}", path in "([ab]{1,2}/){0,3}[ab]{1,2}"
        ) {
            patterns(&text, &path);
        }

        #[test]
        fn a_digest_tells_any_two_trees_apart(one in steps(), other in steps()) {
            let digest = |steps: &[Step]| {
                let sandbox = Sandbox::new();
                let root = sandbox.path("output");
                make(&root, steps);
                let tree = Tree::scan(&Scan { root: &root, ignore: false, with_git: true, without: &[] }).unwrap();
                (digest(&tree), described(&root, &root))
            };
            let (one, other) = (digest(&one), digest(&other));
            assert_eq!(one.0 == other.0, one.1 == other.1);
        }
    }

    /// What a digest depends on, in words.
    fn described(dir: &Path, root: &Path) -> Vec<String> {
        let mut lines = Vec::new();
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let stat = path.symlink_metadata().unwrap();
            let content = if stat.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            let target = fs::read_link(&path).ok();
            lines.push(format!("{:?} {:o} {target:?} {content:?}", path.strip_prefix(root).unwrap(), stat.mode()));
            if stat.is_dir() {
                lines.extend(described(&path, root));
            }
        }
        lines.sort();
        lines
    }
}
