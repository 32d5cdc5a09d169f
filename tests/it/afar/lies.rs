//! An engine that lies about an output: whatever archive it sends, nothing changes outside the output directory, and nothing
//! half is in it. The run has failed, its container stays, and when the engine is honest again the output is fetched.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use tar::{EntryType, Header};

use super::{SHIP, tree};
use crate::support::fake::Fake;
use crate::support::schema;

const FILE: EntryType = EntryType::Regular;
const DIRECTORY: EntryType = EntryType::Directory;
const SYMLINK: EntryType = EntryType::Symlink;
const HARD_LINK: EntryType = EntryType::Link;

/// The last words of a client whose line broke.
const BROKEN: &str = "error during connect: unexpected EOF";

/// A member with any name; what a link leads to, or the content of a file.
fn member(kind: EntryType, name: &str, text: &str) -> Vec<u8> {
    let content = if kind == FILE { text } else { "" };
    let mut bytes = header(kind, name, text, content.len() as u64, 0o755);
    bytes.extend(content.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn header(kind: EntryType, name: &str, link: &str, size: u64, mode: u32) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    if matches!(kind, EntryType::Symlink | EntryType::Link) {
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    }
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000_000);
    header.set_size(size);
    header.set_entry_type(kind);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// An archive of the output directory with these members, without its end.
fn unended(members: &[Vec<u8>]) -> Vec<u8> {
    let first = [member(DIRECTORY, "output/", ""), member(FILE, "output/first", "half")];
    first.iter().chain(members).flatten().copied().collect()
}

fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    [unended(members), vec![0; 1024]].concat()
}

/// A run whose output the engine sends as this archive, between things that must not change.
struct Lie {
    fake: Fake,
    id: String,
    around: PathBuf,
    before: Vec<String>,
}

impl Lie {
    fn told(archive: &[u8], exit: i32) -> (Self, Value) {
        let fake = Fake::new();
        let around = fake.path("around");
        for name in ["around/victim", "around/beside/file", "around/out/mine"] {
            fake.write(name, "untouched");
        }
        let before = tree(&around);
        let file = fake.write("archive", archive);
        fake.scenario(json!({"output": {"file": file, "exit": exit, "stderr": BROKEN}}));
        let out = around.join("out");
        let more = [&SHIP[..], &["--output", out.to_str().unwrap()]].concat();
        let id = fake.ended_run_with("echo done; echo made >output/made", &more);
        let view = fake.end_of(&id);
        (Self { fake, id, around, before }, view)
    }

    /// The run has failed for this reason, and nothing was done. After that it is fetched.
    #[track_caller]
    fn is_refused(&self, view: &Value, why: &str) {
        let Self { fake, id, around, before } = self;
        let name = [format!("longshore-{id}")];
        assert_eq!((&view["outcome"], &view["exitCode"]), (&json!("failed"), &json!(0)), "{why}: {view:#}");
        let reason = view["reason"].as_str().unwrap();
        assert!(reason.starts_with(&format!("could not fetch the output of run {id}: ")), "{why}: {reason}");
        assert!(reason.contains(why) && !reason.contains(char::is_control), "{why}: {reason:?}");
        assert!(view["hint"].as_str().unwrap().ends_with(&format!("longshore exec fetch {id}")), "{why}: {view:#}");
        let again = fake.run(&["exec", "fetch", id]).code(1);
        let error = again.stderr.lines().next().unwrap();
        assert!(again.stderr.contains(why) && !error.contains(char::is_control), "{why}: {again:?}");
        assert_eq!(&tree(around), before, "{why}: something has changed");
        assert_eq!(fake.containers(), name, "{why}: the only copy of the output is gone");
        fake.scenario(json!({}));
        fake.run(&["exec", "fetch", id]).code(0);
        assert_eq!(std::fs::read(around.join("out/made")).unwrap(), b"made\n");
        let mut after = tree(around);
        after.retain(|entry| !entry.starts_with("out/made "));
        assert_eq!(&after, before, "{why}: something has changed");
        assert_eq!((&fake.end_of(id)["outcome"], fake.containers()), (&json!("succeeded"), vec![]), "{why}");
    }
}

/// Tells these lies one after the other; each is to be refused for its reason.
#[track_caller]
fn refuse(lies: impl IntoIterator<Item = (Vec<u8>, i32, &'static str)>) {
    for (archive, exit, why) in lies {
        let (lie, view) = Lie::told(&archive, exit);
        lie.is_refused(&view, why);
    }
}

#[test]
fn nothing_is_written_elsewhere_whatever_the_names_in_an_archive_are() {
    let file = |name: &str| member(FILE, name, "lie");
    let colours = "output/../\u{1b}[31mred\n";
    refuse([
        (archive(&[file("../x")]), 0, "its path has a \"..\""),
        (archive(&[file("output/../../victim")]), 0, "its path has a \"..\""),
        (archive(&[file(colours)]), 0, "its path has a \"..\""),
        (archive(&[file("/tmp/longshore-absolute")]), 0, "its path is absolute"),
        (archive(&[file("other/x")]), 0, "it is not in the directory \"output\""),
        ([member(DIRECTORY, "other/", ""), vec![0; 1024]].concat(), 0, "it is not in the directory \"output\""),
        (
            archive(&[member(SYMLINK, "output/door", "../beside"), file("output/door/file")]),
            0,
            "its directory is not in the archive before it",
        ),
        (
            archive(&[member(DIRECTORY, "output/a/", ""), member(SYMLINK, "output/in", "a"), file("output/in/x")]),
            0,
            "its directory is not in the archive before it",
        ),
    ]);
    assert!(!std::fs::exists("/tmp/longshore-absolute").unwrap());
}

#[test]
fn an_archive_that_is_not_what_an_engine_sends_is_refused_whole() {
    let file = |name: &str| member(FILE, name, "lie");
    let too_large = |kind: EntryType, name: &str| header(kind, name, "", 1 << 60, 0o644);
    refuse([
        (archive(&[member(HARD_LINK, "output/hard", "output/../../victim")]), 0, "a hard link to elsewhere"),
        (archive(&[member(HARD_LINK, "output/hard", "/etc/passwd")]), 0, "a hard link to elsewhere"),
        (archive(&[file("output/a"), member(DIRECTORY, "output/a", "")]), 0, "there are two of that name"),
        (archive(&[member(SYMLINK, "output/a", "first"), file("output/a")]), 0, "there are two of that name"),
        (archive(&[file("output/a"), member(SYMLINK, "output/a", "first")]), 0, "there are two of that name"),
        (
            [unended(&[too_large(FILE, "output/bomb")]), vec![0; 4 << 20]].concat(),
            0,
            "the files in the archive have more than ",
        ),
        (archive(&[member(EntryType::new(b'7'), "output/odd", "")]), 0, "its type is unknown (7)"),
        ([archive(&[]), vec![1; 512]].concat(), 0, "the archive has something after its end"),
        (b"no archive, ".repeat(1000), 0, "this is no tar archive, or it is damaged"),
        (vec![0; 1024], 0, "the archive is empty: there is no \"output\" in it"),
    ]);
}

#[test]
fn an_archive_that_ends_too_early_is_not_taken_for_a_whole_one() {
    let whole = archive(&[member(FILE, "output/large", &"x".repeat(200_000))]);
    refuse([
        (Vec::new(), 0, "the archive is incomplete"),
        // Between two members, and docker has seen nothing.
        (unended(&[]), 0, "the archive is incomplete"),
        (whole[..100_000].to_vec(), 1, "unexpected EOF"),
        // As good as whole, but docker says that it is not.
        (whole, 1, "unexpected EOF"),
    ]);
}

#[test]
fn what_is_odd_in_an_output_and_harmless_is_unpacked_without_its_power() {
    let odd = "output/\u{1b}[31mred\nline";
    let content = |mode: u32, name: &str| [header(FILE, name, "", 0, mode)].concat();
    let (lie, view) = Lie::told(
        &archive(&[
            content(0o6755, "output/setuid"),
            content(0o644, odd),
            [header(DIRECTORY, "output/sticky/", "", 0, 0o7777)].concat(),
            member(EntryType::Char, "output/device", ""),
            member(EntryType::Block, "output/disk", ""),
            member(EntryType::Fifo, "output/pipe\u{1b}[2J", ""),
            member(SYMLINK, "output/door", "../victim"),
        ]),
        0,
    );
    let Lie { fake, id, around, before } = &lie;
    assert_eq!((&view["outcome"], fake.containers()), (&json!("succeeded"), vec![]), "{view:#}");
    let mode = |name: &str| std::fs::metadata(around.join("out").join(name)).unwrap().permissions().mode();
    assert_eq!((mode("setuid"), mode("sticky"), mode(&odd[7..])), (0o100_755, 0o40_777, 0o100_644));
    let made = ["first", "setuid", "sticky", &odd[7..]].map(|name| format!("out/{name} "));
    let mut after = tree(around);
    after.retain(|entry| !made.iter().any(|name| entry.starts_with(name)));
    assert_eq!(&after, before, "something else has changed");
    let status = schema::validated("exec-status", fake.run(&["exec", "status", id, "--json"]).code(0).json());
    assert_eq!(status["leftOut"].as_array().unwrap().len(), 4, "{status:#}");
    let shown = fake.run(&["exec", "status", id]).code(0).stdout;
    assert!(shown.contains("a device") && shown.contains("a FIFO") && shown.contains("\"../victim\""), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}
