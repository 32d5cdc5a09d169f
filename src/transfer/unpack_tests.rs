use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use tar::EntryType;

use super::super::pack::{Meta, Pack, record};
use super::*;
use crate::properties::transfer::{Sandbox, sealed};

const LIMITS: Limits = Limits { bytes: 1 << 30, entries: 1000 };
const FILE: EntryType = EntryType::Regular;
const DIRECTORY: EntryType = EntryType::Directory;
const SYMLINK: EntryType = EntryType::Symlink;
const HARD_LINK: EntryType = EntryType::Link;

/// A member: its type, its name, and the target of a link or the content of a file.
type Of<'a> = (EntryType, &'a str, &'a str);

/// An archive with the top directory and these members.
fn archive(members: &[Of]) -> Vec<u8> {
    let mut pack = Pack::new(Vec::new());
    pack.directory("output", 0o755, 0, 0).unwrap();
    for (kind, name, text) in members {
        let (link, content) = if *kind == FILE { ("", *text) } else { (*text, "") };
        let meta = Meta { mode: 0o755, uid: 4_000_000_000, gid: 7, time: Time { seconds: 1000, nanos: 5 } };
        pack.begin(*kind, name.as_bytes(), link.as_bytes(), content.len() as u64, &meta).unwrap();
        pack.content(content.as_bytes()).and_then(|()| pack.pad(content.len() as u64)).unwrap();
    }
    pack.finish().unwrap()
}

fn unpacked(archive: &[u8], sandbox: &Sandbox, limits: &Limits) -> Result<Unpacked, Refused> {
    let unpacked = unpack(archive, "output", &sandbox.path("part"), limits, &mut |_| Ok(()));
    sandbox.is_contained();
    unpacked
}

/// The line with which an archive is refused.
fn refusal(archive: &[u8]) -> (Why, String) {
    let refused = unpacked(archive, &Sandbox::new(), &LIMITS).expect_err("a refusal");
    (refused.why, refused.to_string())
}

#[test]
fn what_no_honest_engine_sends_is_refused_in_one_line() {
    let outside = "\"output\"";
    let table: [(Vec<Of>, String); 21] = [
        (vec![(FILE, "/etc/passwd", "x")], r#""/etc/passwd" in the archive: its path is absolute"#.into()),
        (vec![(FILE, "output/../x", "x")], r#""output/../x" in the archive: its path has a "..""#.into()),
        (vec![(FILE, "../x", "x")], r#""../x" in the archive: its path has a "..""#.into()),
        (vec![(FILE, "x", "x")], format!("\"x\" in the archive: it is not in the directory {outside}")),
        (vec![(FILE, "outputs/x", "x")], format!("\"outputs/x\" in the archive: it is not in the directory {outside}")),
        (vec![(FILE, "", "x")], format!("\"\" in the archive: it is not in the directory {outside}")),
        (vec![(FILE, "output", "x")], r#""output" in the archive: it is not a directory"#.into()),
        (vec![(SYMLINK, "output", "/")], r#""output" in the archive: it is not a directory"#.into()),
        (
            vec![(FILE, "output/a/", "x")],
            r#""output/a/" in the archive: it is a file with the name of a directory"#.into(),
        ),
        (
            vec![(FILE, "output/a/b", "x")],
            r#""output/a/b" in the archive: its directory is not in the archive before it"#.into(),
        ),
        (
            vec![(FILE, "output/a", "x"), (FILE, "output/a/b", "x")],
            r#""output/a/b" in the archive: its directory is not in the archive before it"#.into(),
        ),
        // A link, and then what would be written through it.
        (
            vec![(DIRECTORY, "output/d", ""), (SYMLINK, "output/a", "d"), (FILE, "output/a/b", "x")],
            r#""output/a/b" in the archive: its directory is not in the archive before it"#.into(),
        ),
        (
            vec![(SYMLINK, "output/a", "b"), (FILE, "output/a", "x")],
            r#""output/a" in the archive: there are two of that name"#.into(),
        ),
        (
            vec![(FILE, "output/a", "1"), (FILE, "output/./a", "2")],
            r#""output/./a" in the archive: there are two of that name"#.into(),
        ),
        (
            vec![(DIRECTORY, "output/a", ""), (SYMLINK, "output/a", "b")],
            r#""output/a" in the archive: there are two of that name"#.into(),
        ),
        (
            vec![(HARD_LINK, "output/a", "/etc/passwd")],
            r#""output/a" in the archive: a hard link to elsewhere: its path is absolute"#.into(),
        ),
        (
            vec![(HARD_LINK, "output/a", "output/b"), (FILE, "output/b", "x")],
            r#""output/a" in the archive: a hard link to something that is not in the archive before it"#.into(),
        ),
        (
            vec![(DIRECTORY, "output/d", ""), (HARD_LINK, "output/a", "output/d")],
            r#""output/a" in the archive: a hard link to a directory"#.into(),
        ),
        (
            vec![(SYMLINK, "output/a", "")],
            r#""output/a" in the archive: the target of the link is empty, too long or has a NUL"#.into(),
        ),
        (vec![(EntryType::GNUSparse, "output/a", "")], r#""output/a" in the archive: its type is unknown (S)"#.into()),
        (
            vec![(FILE, "output/\u{1b}[31m\n/../a", "x")],
            r#""output/\u{1b}[31m\n/../a" in the archive: its path has a "..""#.into(),
        ),
    ];
    for (members, message) in table {
        assert_eq!(refusal(&archive(&members)), (Why::Invalid, message), "{members:?}");
    }
}

#[test]
fn names_are_bounded() {
    let (deep, long) = (format!("output/{}", "d/".repeat(257)), format!("output/{}", "x/".repeat(3000)));
    assert!(refusal(&archive(&[(DIRECTORY, &deep, "")])).1.ends_with("it is more than 256 directories deep"));
    assert!(refusal(&archive(&[(DIRECTORY, &long, "")])).1.ends_with("its path has a NUL, or more than 4095 bytes"));
    let nul = "output/a\0b".to_owned() + &"c".repeat(100);
    assert!(refusal(&archive(&[(FILE, &nul, "")])).1.ends_with("its path has a NUL, or more than 4095 bytes"));
    let target = "x".repeat(5000);
    assert!(refusal(&archive(&[(SYMLINK, "output/a", &target)])).1.ends_with("is empty, too long or has a NUL"));
}

/// One member with a field of its header changed.
fn changed(change: impl Fn(&mut tar::OldHeader)) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..8].copy_from_slice(b"output/a");
    header.set_mode(0o644);
    header.set_size(3);
    header.set_entry_type(FILE);
    change(header.as_old_mut());
    header.set_cksum();
    [&header.as_bytes()[..], b"abc", &[0; 509], &[0; 1024]].concat()
}

#[test]
fn numbers_that_lie_are_refused() {
    let size = r#""output/a" in the archive: its size is not a number, is negative or is too large"#;
    let sizes: [&[u8; 12]; 6] = [
        b"-0000000003\0",
        b"0000000008 \0",
        b"00 0000003\0\0",
        &[0xff; 12],
        &[0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0],
        &[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3],
    ];
    for field in sizes {
        assert_eq!(refusal(&changed(|header| header.size = *field)), (Why::Invalid, size.into()), "{field:?}");
    }
    // More than there is, more than is allowed, and more than a file has anywhere.
    assert_eq!(refusal(&changed(|header| header.size = *b"00000010000\0")).0, Why::Cut);
    for field in [b"77777777777\0", &[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
        assert_eq!(refusal(&changed(|header| header.size = *field)).0, Why::TooMuch);
    }
    let mode = r#""output/a" in the archive: its mode is not a number"#;
    assert_eq!(refusal(&changed(|header| header.mode = *b"rwxr-xr-")), (Why::Invalid, mode.into()));
    let time = r#""output/a" in the archive: its time is not a number"#;
    assert_eq!(refusal(&changed(|header| header.mtime = *b"yesterday\0\0\0")), (Why::Invalid, time.into()));
    let content = r#""output/a" in the archive: it is not a file, and has content"#;
    assert_eq!(refusal(&changed(|header| header.linkflag = *b"2")), (Why::Invalid, content.into()));
    // Owners are of no interest.
    let sandbox = Sandbox::new();
    assert_eq!(unpacked(&changed(|header| header.uid = *b"nobody\0\0"), &sandbox, &LIMITS).unwrap().entries, 1);
    // A time before 1970, as GNU tar writes it.
    let sandbox = Sandbox::new();
    unpacked(&changed(|header| header.mtime = [0xff; 12]), &sandbox, &LIMITS).unwrap();
    assert_eq!(fs::metadata(sandbox.path("part/a")).unwrap().mtime(), -1);
}

/// A member that is described by something before it.
fn described(kind: u8, text: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(EntryType::new(kind));
    header.set_size(text.len() as u64);
    let mut archive = [&header.as_bytes()[..], text].concat();
    archive.resize(archive.len().next_multiple_of(512), 0);
    sealed(&[archive, changed(|_| {})].concat())
}

fn recorded(pairs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut records = Vec::new();
    for (key, value) in pairs {
        record(&mut records, key, value);
    }
    records
}

#[test]
fn descriptions_of_members_are_bounded_and_well_formed() {
    let malformed = (Why::Invalid, "a record in the archive is malformed".to_owned());
    for text in [
        &b"x"[..],
        b"5 a=b\n",
        b"7 a=b\n",
        b"-6 a=b\n",
        b"6 a=b\n\0",
        b"+6 a=b\n",
        b"6 a-b\n",
        b"2 \n",
        b"18446744073709551615 a=b\n",
        b"99999999999999999999999 a=b\n",
    ] {
        assert_eq!(refusal(&described(b'x', text)), malformed, "{text:?}");
    }
    let refused = |kind, text: &[u8]| refusal(&described(kind, text)).1;
    let recorded = |key: &str, value: &str| refused(b'x', &recorded(&[(key, value.as_bytes())]));
    for size in ["-3", "+3", "0x3", "3 ", "9223372036854775808", "99999999999999999999"] {
        assert_eq!(recorded("size", size), format!("a member of the archive has a wrong size: \"{size}\""));
    }
    for time in ["soon", "1.-1", ".5", "-", "1e9", "9223372036854775808"] {
        assert_eq!(recorded("mtime", time), format!("a member of the archive has a wrong time: \"{time}\""));
    }
    assert_eq!(recorded("GNU.sparse.major", "1"), "the archive has a sparse file");
    assert_eq!(recorded("path", "output/../a"), r#""output/../a" in the archive: its path has a "..""#);
    assert_eq!(refused(b'x', b"10 path=a\n10 path=b\n"), "the archive describes a member twice");
    assert_eq!(refused(b'L', b"output/../a\0"), r#""output/../a" in the archive: its path has a "..""#);
    assert_eq!(refused(b'g', b"10 path=a\n"), r#""" in the archive: its type is unknown (g)"#);
    let long = "a description of 4097 bytes in the archive, and at most 4096 are read";
    assert_eq!((refused(b'L', &[b'x'; 4097]), refused(b'K', &[b'x'; 4097])), (long.into(), long.into()));
    let long = "a description of 1048577 bytes in the archive, and at most 1048576 are read";
    assert_eq!(refused(b'x', &vec![b'x'; (1 << 20) + 1]), long);
    // Nothing follows that it could be about.
    let mut lonely = described(b'L', b"output/b\0");
    lonely.splice(1024.., [0; 1024]);
    assert_eq!(refusal(&lonely), (Why::Invalid, "the archive ends before a member that it names".into()));
}

#[test]
fn a_record_is_read_by_its_length_and_not_by_its_lines() {
    let sandbox = Sandbox::new();
    // An attribute whose value looks like another record.
    let pairs = [("SCHILY.xattr.user.a", &b"\n19 path=../../evil\n."[..]), ("path", b"output/b\nc\xff")];
    unpacked(&described(b'x', &recorded(&pairs)), &sandbox, &LIMITS).unwrap();
    let name = OsStr::from_bytes(b"b\nc\xff");
    assert_eq!(super::super::tree::names(File::open(sandbox.path("part")).unwrap()).unwrap(), [name]);
}

#[test]
fn an_archive_needs_its_end_and_nothing_after_it() {
    let whole = archive(&[(FILE, "output/a", "abc"), (DIRECTORY, "output/d", "")]);
    assert_eq!(whole.len(), 512 * (1 + 4 + 3 + 2), "the times are in records");
    for at in 0..whole.len() {
        let (why, message) = refusal(&whole[..at]);
        assert_eq!(
            (why, &message[..]),
            (Why::Cut, "the archive is incomplete: it ends without the blocks that mark its end")
        );
    }
    let sandbox = Sandbox::new();
    assert_eq!(unpacked(&[&whole[..], &[0; 8192]].concat(), &sandbox, &LIMITS).unwrap().entries, 2);
    let after = (Why::Invalid, "the archive has something after its end".to_owned());
    assert_eq!(refusal(&[&whole[..], b"x"].concat()), after);
    assert_eq!(refusal(&[&whole[..], &whole[..]].concat()), after);
    assert_eq!(refusal(&[&whole[..], &vec![0; (1 << 20) + 1]].concat()), after);
    // One block of zeros is not the end.
    assert_eq!(refusal(&[&whole[..whole.len() - 512], &whole[..]].concat()), after);
    assert_eq!(
        refusal(b""),
        (Why::Cut, "the archive is incomplete: it ends without the blocks that mark its end".into())
    );
    assert_eq!(refusal(&[0; 1024]), (Why::Invalid, "the archive is empty: there is no \"output\" in it".into()));
    let text = "Error response from daemon: ".repeat(50);
    let damaged = "this is no tar archive, or it is damaged: the checksum of a header is wrong";
    assert_eq!(refusal(text.as_bytes()), (Why::Invalid, damaged.into()));
}

#[test]
fn what_honest_programs_make_beside_files_is_left_out_and_named() {
    let sandbox = Sandbox::new();
    let members = [
        (DIRECTORY, "output/d", ""),
        (EntryType::Char, "output/d/null", ""),
        (EntryType::Block, "output/disk", ""),
        (EntryType::Fifo, "output/pipe", ""),
        (HARD_LINK, "output/pipe2", "output/pipe"),
        (SYMLINK, "output/absolute", "/etc/passwd"),
        (SYMLINK, "output/up", ".."),
        (SYMLINK, "output/d/up", "../.."),
        (SYMLINK, "output/here", "."),
        // With the link before, it leads outside, although it has as many names as `..`.
        (SYMLINK, "output/deceit", "here/.."),
        (SYMLINK, "output/d/fine", "../d/x"),
        (HARD_LINK, "output/moved", "output/d/fine"),
        (SYMLINK, "output/\u{1b}[2J", "/\u{1b}[31m"),
        (FILE, "output/last", "x"),
    ];
    let done = unpacked(&archive(&members), &sandbox, &LIMITS).unwrap();
    let left_out = [
        r#""d/null": a device"#,
        r#""disk": a device"#,
        r#""pipe": a FIFO"#,
        r#""pipe2": another name of "pipe""#,
        r#""absolute": a link to "/etc/passwd""#,
        r#""up": a link to "..""#,
        r#""d/up": a link to "../..""#,
        r#""deceit": a link to "here/..""#,
        r#""moved": another name of the link "d/fine""#,
        r#""\u{1b}[2J": a link to "/\u{1b}[31m""#,
    ];
    assert_eq!((&done.left_out[..], done.entries, done.bytes), (&left_out.map(str::to_owned)[..], 4, 1));
    assert_eq!(fs::read_link(sandbox.path("part/d/fine")).unwrap(), Path::new("../d/x"));
    assert_eq!(fs::read_link(sandbox.path("part/here")).unwrap(), Path::new("."));
}

#[test]
fn modes_times_and_hard_links_are_kept_but_not_setuid_and_owners() {
    let sandbox = Sandbox::new();
    let mut pack = Pack::new(Vec::new());
    let meta = |mode, seconds| Meta { mode, uid: 0, gid: 0, time: Time { seconds, nanos: 123_456_789 } };
    pack.begin(DIRECTORY, b"output", b"", 0, &meta(0o500, 1)).unwrap();
    pack.begin(DIRECTORY, b"output/d", b"", 0, &meta(0o555, 2)).unwrap();
    pack.begin(DIRECTORY, b"output/d/e", b"", 0, &meta(0, 3)).unwrap();
    pack.begin(FILE, b"output/d/e/f", b"", 0, &meta(0o4, -4)).unwrap();
    pack.begin(HARD_LINK, b"output/g", b"output/d/e/f", 0, &meta(0o777, 9)).unwrap();
    pack.begin(SYMLINK, b"output/l", b"g", 0, &meta(0o777, 5)).unwrap();
    let mut archive = pack.finish().unwrap();
    // The mode of the file, as an engine would send it.
    let header = archive.windows(8).rposition(|bytes| bytes == b"0000004\0").expect("the mode of the file");
    archive[header..header + 7].copy_from_slice(b"0007004");
    assert_eq!(unpacked_without_a_look(&sealed(&archive), &sandbox).entries, 5);
    let stat = |name: &str| {
        let stat = fs::symlink_metadata(sandbox.path("part").join(name)).unwrap();
        assert_eq!((stat.uid(), stat.mtime_nsec()), (rustix::process::geteuid().as_raw(), 123_456_789), "{name}");
        (stat.mode() & 0o7777, stat.mtime())
    };
    assert_eq!((stat("d"), stat("l").1), ((0o555, 2), 5));
    let part = fs::metadata(sandbox.path("part")).unwrap();
    assert!(part.mode() & 0o777 == 0o700 && part.mtime() > 5, "the directory itself stays as it is");
    assert_eq!(stat("g"), (0o4, -4));
    let inode = fs::metadata(sandbox.path("part/g")).unwrap().ino();
    assert_eq!(stat("d/e"), (0, 3));
    fs::set_permissions(sandbox.path("part/d/e"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!((stat("d/e/f"), fs::metadata(sandbox.path("part/d/e/f")).unwrap().ino()), ((0o4, -4), inode));
}

/// Looking whether everything is inside changes modes.
fn unpacked_without_a_look(archive: &[u8], sandbox: &Sandbox) -> Unpacked {
    unpack(archive, "output", &sandbox.path("part"), &LIMITS, &mut |_| Ok(())).unwrap()
}

#[test]
fn zeros_become_holes() {
    let mut content = vec![0; 3 << 20];
    content[1 << 20] = b'x';
    content[(1 << 20) + 4097] = b'y';
    let sandbox = Sandbox::new();
    let text = std::str::from_utf8(&content).unwrap();
    unpacked(&archive(&[(FILE, "output/a", text), (FILE, "output/zeros", &text[..5000])]), &sandbox, &LIMITS).unwrap();
    assert!(fs::read(sandbox.path("part/a")).unwrap() == content);
    let stat = fs::metadata(sandbox.path("part/a")).unwrap();
    assert!(stat.blocks() * 512 < 100_000, "{} blocks", stat.blocks());
    assert_eq!(fs::metadata(sandbox.path("part/zeros")).unwrap().len(), 5000);
}

#[test]
fn bytes_and_entries_are_limited() {
    let archive = archive(&[(FILE, "output/a", "abc"), (FILE, "output/b", "defg"), (EntryType::Fifo, "output/f", "")]);
    let refusal = |bytes, entries| match unpacked(&archive, &Sandbox::new(), &Limits { bytes, entries }) {
        Ok(_) => String::new(),
        Err(refused) => {
            assert_eq!(refused.why, Why::TooMuch);
            refused.to_string()
        }
    };
    assert_eq!(refusal(7, 4), "");
    assert_eq!(refusal(6, 4), "the files in the archive have more than 6 bytes");
    assert_eq!(refusal(7, 3), "the archive has more than 3 entries");
}

#[test]
fn the_directory_has_to_be_empty_and_private() {
    let whole = archive(&[]);
    let refusal = |sandbox: &Sandbox| {
        let into = sandbox.path("part");
        let refused = unpack(&whole[..], "output", &into, &LIMITS, &mut |_| Ok(())).unwrap_err();
        assert_eq!(refused.why, Why::Local);
        refused.to_string().rsplit(": ").next().unwrap().to_owned()
    };
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("part/x"), "").unwrap();
    assert_eq!(refusal(&sandbox), "it is not empty");
    let sandbox = Sandbox::new();
    fs::set_permissions(sandbox.path("part"), fs::Permissions::from_mode(0o770)).unwrap();
    assert_eq!(refusal(&sandbox), "it belongs to another user, or others can write to it");
    let sandbox = Sandbox::new();
    fs::remove_dir(sandbox.path("part")).unwrap();
    std::os::unix::fs::symlink("outside", sandbox.path("part")).unwrap();
    assert_eq!(refusal(&sandbox), "not a directory");
}

#[test]
fn a_reader_that_fails_and_a_caller_that_stops_end_it() {
    struct Failing(Vec<u8>);
    impl Read for Failing {
        fn read(&mut self, mut buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.len() {
                0 => Err(io::ErrorKind::ConnectionReset.into()),
                length => buffer.write(&self.0.split_off(length - 1)),
            }
        }
    }
    let mut reversed = archive(&[]);
    reversed.truncate(700);
    reversed.reverse();
    let sandbox = Sandbox::new();
    let refused = unpack(Failing(reversed), "output", &sandbox.path("part"), &LIMITS, &mut |_| Ok(())).unwrap_err();
    assert_eq!((refused.why, &refused.to_string()[..]), (Why::Cut, "the archive could not be read: connection reset"));
    let whole = archive(&[(FILE, "output/a", "abc")]);
    let stop = |bytes| if bytes == 3 { Err(io::Error::other("enough")) } else { Ok(()) };
    let refused = unpack(&whole[..], "output", &sandbox.path("part"), &LIMITS, &mut { stop }).unwrap_err();
    assert_eq!((refused.why, &refused.to_string()[..]), (Why::Stopped, "enough"));
}
