use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;

use proptest::prelude::*;

use super::super::member::Members;
use super::*;
use crate::properties::transfer::{digest, packed};

fn make(root: &Path, files: &[&str]) {
    for file in files {
        fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
        fs::write(root.join(file), file).unwrap();
    }
}

fn scanned(root: &Path) -> Tree {
    Tree::scan(&Scan { root, ignore: true, with_git: false, without: &[] })
        .unwrap_or_else(|failure| panic!("{failure}"))
}

fn refusal(root: &Path) -> Failure {
    Tree::scan(&Scan { root, ignore: true, with_git: false, without: &[] }).unwrap_err()
}

fn paths(tree: &Tree) -> Vec<String> {
    tree.entries.iter().map(|entry| entry.path.to_string_lossy().into_owned()).collect()
}

#[test]
fn entries_are_sorted_by_the_bytes_of_their_paths_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &["a/x", "a-b", "B", "a/y/z"]);
    symlink("nowhere", dir.path().join("link")).unwrap();
    let tree = scanned(dir.path());
    assert_eq!(paths(&tree), ["B", "a", "a-b", "a/x", "a/y", "a/y/z", "link"]);
    assert_eq!((tree.files(), tree.entries(), tree.bytes(), tree.ignored()), (4, 7, 1 + 3 + 3 + 5, 0));
    let mode = fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(tree.top(), (mode, rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()));
}

#[test]
fn what_is_mounted_over_and_git_are_not_shipped() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &["data/x", "output/x", "sub/data/x", ".git/config", "sub/.git", ".gitignore"]);
    let scan = Scan { root: dir.path(), ignore: true, with_git: false, without: &["data", "output"] };
    let tree = Tree::scan(&scan).unwrap();
    assert_eq!(
        (paths(&tree), tree.ignored()),
        ([".gitignore", "sub", "sub/data", "sub/data/x"].map(String::from).into(), 2)
    );
    let tree = Tree::scan(&Scan { with_git: true, ..scan }).unwrap();
    assert_eq!(paths(&tree), [".git", ".git/config", ".gitignore", "sub", "sub/.git", "sub/data", "sub/data/x"]);
}

#[test]
fn patterns_leave_out_and_a_directory_of_an_exception_is_shipped() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &["docs/a", "docs/keep/README.md", "docs/other/b", "main.py", "big.bin", "venv/x"]);
    fs::write(dir.path().join(IGNORE_FILE), "*.bin\nvenv\ndocs\n!**/README.md\n").unwrap();
    let tree = scanned(dir.path());
    assert_eq!(paths(&tree), [IGNORE_FILE, "docs", "docs/keep", "docs/keep/README.md", "main.py"]);
    // docs/a, docs/other, big.bin and venv.
    assert_eq!(tree.ignored(), 4);
    let all = Tree::scan(&Scan { root: dir.path(), ignore: false, with_git: false, without: &[] }).unwrap();
    assert_eq!((all.files(), all.ignored()), (7, 0));
}

#[test]
fn patterns_that_cannot_be_read_are_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(IGNORE_FILE);
    let shown = file.display();
    for (bytes, why) in [
        (&b"a\n["[..], "line 2: \"[\" without its \"]\" or its range in \"[\""),
        (b"caf\xe9", "it is not UTF-8"),
        (&vec![b'#'; (1 << 20) + 1], "it is larger than 1 MiB"),
    ] {
        fs::write(&file, bytes).unwrap();
        assert_eq!(refusal(dir.path()).message, format!("could not read {shown}: {why}"));
    }
    fs::remove_file(&file).unwrap();
    symlink("/dev/null", &file).unwrap();
    assert_eq!(refusal(dir.path()).message, format!("could not read {shown}: it is not a file"));
    // A link to a file is as good as the file; one to nowhere is none.
    fs::remove_file(&file).unwrap();
    make(dir.path(), &["x"]);
    fs::write(dir.path().join(".dockerignore"), "x").unwrap();
    symlink(".dockerignore", &file).unwrap();
    assert_eq!(paths(&scanned(dir.path())), [".dockerignore", IGNORE_FILE]);
}

#[test]
fn sockets_and_fifos_are_left_out_and_named_and_links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &["a"]);
    let _socket = UnixListener::bind(dir.path().join("so\x1bcket")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, dir.path().join("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    symlink("/", dir.path().join("root")).unwrap();
    let tree = scanned(dir.path());
    let mut special = tree.special().to_vec();
    special.sort();
    assert_eq!(
        (paths(&tree), special),
        (["a", "root"].map(String::from).into(), ["fifo", "so\\u{1b}cket"].map(String::from).into())
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("no\nne");
    let shown = format!("{}/no\\nne", dir.path().display());
    assert_eq!(refusal(&missing).message, format!("could not read {shown}: no such file or directory"));
    make(dir.path(), &["file", "secret/x"]);
    let file = dir.path().join("file");
    assert_eq!(refusal(&file).message, format!("could not read {}: not a directory", file.display()));
    let deep: PathBuf = std::iter::repeat_n("d", DEEPEST + 1).collect();
    fs::create_dir_all(dir.path().join(&deep)).unwrap();
    let message = refusal(dir.path()).message;
    assert!(message.ends_with("/d/d: it is more than 256 directories deep"), "{message}");
}

#[test]
fn what_may_not_be_read_is_named_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &["secret/x", "file"]);
    let failure = |path: &str| {
        let (path, root) = (dir.path().join(path), rustix::process::geteuid().is_root());
        let usual = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        // The message and the hint are those of this error, whoever runs the test.
        let error = io::Error::from(io::ErrorKind::PermissionDenied);
        let failure = if root { unreadable(&path, &error) } else { refusal(dir.path()) };
        fs::set_permissions(&path, usual).unwrap();
        assert!(
            failure.message.starts_with(&format!("could not read {}: permission denied", path.display())),
            "{failure}"
        );
        failure.hint.unwrap()
    };
    let hint = "make it readable, or name it in .longshoreignore so that it is not shipped";
    assert_eq!((failure("file"), failure("secret")), (hint.to_owned(), hint.to_owned()));
}

#[test]
fn a_file_that_changes_after_the_scan_is_an_error_that_names_it() {
    type Change = (&'static str, fn(&Path));
    let changes: [Change; 5] = [
        ("it changed while it was read", |path| fs::write(path, "more than it was").unwrap()),
        ("it changed while it was read", |path| File::options().write(true).open(path).unwrap().set_len(1).unwrap()),
        ("it changed while it was read", |path| {
            fs::rename(path, path.with_extension("old")).unwrap();
            fs::write(path, "file").unwrap();
        }),
        ("no such file or directory", |path| fs::remove_file(path).unwrap()),
        ("too many levels of symbolic links", |path| {
            fs::remove_file(path).unwrap();
            symlink("/etc/passwd", path).unwrap();
        }),
    ];
    for (why, change) in changes {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), &["file"]);
        let tree = scanned(dir.path());
        let path = dir.path().join("file");
        change(&path);
        let message = format!("could not read {}: {why}", path.display());
        let error = packed(&tree).unwrap_err().to_string();
        assert!(error.starts_with(&message), "{error}");
        let error = tree.digest(&mut |_| Ok(())).unwrap_err().to_string();
        assert!(error.starts_with(&message), "{error}");
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    for grows in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        fs::write(&path, vec![b'x'; 3 * READING]).unwrap();
        let tree = scanned(dir.path());
        let size = if grows { 4 * READING } else { 2 * READING };
        let mut change = |_| File::options().write(true).open(&path).unwrap().set_len(size as u64);
        let error = tree.pack("app", &mut Pack::new(io::sink()), &mut change).unwrap_err();
        assert_eq!(error.to_string(), format!("could not read {}: it changed while it was read", path.display()));
    }
}

#[test]
fn progress_adds_up_and_its_error_ends_the_packing() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &["a", "d/bcd"]);
    fs::write(dir.path().join("large"), vec![b'x'; 2 * READING + 1]).unwrap();
    let tree = scanned(dir.path());
    let (told, calls) = (RefCell::new(0), RefCell::new(0));
    let mut add = |bytes| {
        *told.borrow_mut() += bytes;
        *calls.borrow_mut() += 1;
        Ok(())
    };
    tree.pack("app", &mut Pack::new(io::sink()), &mut add).unwrap();
    assert_eq!((*told.borrow(), *calls.borrow()), (tree.bytes(), 4 + 1 + 1 + 3));
    let mut stop = |_| Err(io::ErrorKind::Interrupted.into());
    let stopped = tree.pack("app", &mut Pack::new(io::sink()), &mut stop).unwrap_err();
    assert_eq!(stopped.kind(), io::ErrorKind::Interrupted);
    assert_eq!(tree.digest(&mut stop).unwrap_err().kind(), io::ErrorKind::Interrupted);
}

#[test]
fn a_writer_that_fails_gives_its_own_error_and_the_archive_gets_no_end() {
    struct Full<'a>(&'a mut Vec<u8>);
    impl Write for Full<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0.len() > 600 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &["a", "b"]);
    let mut written = Vec::new();
    let mut pack = Pack::new(Full(&mut written));
    let error = scanned(dir.path()).pack("app", &mut pack, &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let mut members = Members::of(&written[..]);
    while members.next().is_ok_and(|member| member.is_some()) {}
    assert_eq!(members.next().unwrap_err().why, super::super::Why::Cut);
}

#[test]
fn the_digest_is_of_all_that_is_shipped_but_times() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &["a", "d/b"]);
    symlink("a", dir.path().join("link")).unwrap();
    for path in [".", "a", "d", "d/b"] {
        fs::set_permissions(dir.path().join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let now = || digest(&scanned(dir.path()));
    let first = now();
    assert!(first.len() == 64 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
    File::open(dir.path().join("a")).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(now(), first);
    let changes: [fn(&Path); 8] = [
        |dir| fs::write(dir.join("a"), "b").unwrap(),
        |dir| fs::rename(dir.join("a"), dir.join("c")).unwrap(),
        |dir| fs::set_permissions(dir.join("d/b"), fs::Permissions::from_mode(0o644)).unwrap(),
        |dir| fs::set_permissions(dir.join("d"), fs::Permissions::from_mode(0o700)).unwrap(),
        |dir| fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap(),
        |dir| fs::remove_file(dir.join("link")).and_then(|()| symlink("d", dir.join("link"))).unwrap(),
        |dir| fs::remove_file(dir.join("link")).and_then(|()| fs::write(dir.join("link"), "d")).unwrap(),
        |dir| fs::create_dir(dir.join("empty")).unwrap(),
    ];
    let mut seen = vec![first];
    for change in changes {
        change(dir.path());
        let next = now();
        assert!(!seen.contains(&next));
        seen.push(next);
    }
}

/// The volume of a source is found by this text, so a release that changes it has to change the number in it, too.
#[test]
fn the_digest_stays_the_same_from_release_to_release() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &["a", "d/b"]);
    symlink("a", dir.path().join("link")).unwrap();
    let mut tree = scanned(dir.path());
    let metas = tree.entries.iter_mut().map(|entry| &mut entry.meta).chain([&mut tree.top]);
    metas.for_each(|meta| (meta.mode, meta.uid, meta.gid) = (0o755, 1000, 1000));
    assert_eq!(digest(&tree), "296a7cb397bb67c0ff28b0f745d1d4c9ed9fd5c0583b1f051d52c5b503187687");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_scan_finds_the_files_that_the_patterns_do_not_leave_out(
        files in prop::collection::vec("([ab]/){0,3}[ab.]{2,3}", 1..8),
        text in "((!|/)?([ab.?]|\\*{1,2}|/|\\*\\*/){1,5}\n){1,4}",
    ) {
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<&str> = files.iter().map(String::as_str).filter(|file| !file.ends_with("/..")  && *file != "..").collect();
        make(dir.path(), &files);
        fs::write(dir.path().join(IGNORE_FILE), &text).unwrap();
        let ignore = Ignore::parse(&text).unwrap();
        let mut wanted: Vec<&str> = files.into_iter().chain([IGNORE_FILE]).filter(|file| !ignore.excludes(Path::new(file))).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let tree = scanned(dir.path());
        let is_file = |entry: &&Entry| matches!(entry.what, What::File { .. });
        let found: Vec<&str> = tree.entries.iter().filter(is_file).map(|entry| entry.path.to_str().unwrap()).collect();
        prop_assert_eq!(found, wanted);
    }
}
