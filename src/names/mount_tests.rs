//! The two syntaxes of a mount, and what of them is refused.

use super::*;

fn shown(text: &str) -> String {
    Volume::parse(text).expect(text).0.to_string()
}

fn refusal(refused: Result<impl fmt::Debug, Invalid>) -> String {
    format!("{:#}", refused.expect_err("it is refused"))
}

#[test]
fn a_volume_is_the_mount_that_docker_would_make_of_it() {
    for (text, mount) in [
        ("/a:/b", "type=bind,source=/a,target=/b"),
        ("./a:/b:ro", "type=bind,source=./a,target=/b,readonly"),
        ("..:/b:rw", "type=bind,source=..,target=/b"),
        (".:/b//c/", "type=bind,source=.,target=/b/c"),
        ("../a,b:/c d", "type=bind,\"source=../a,b\",target=/c d"),
        ("cache:/b", "type=volume,source=cache,target=/b"),
        ("cache.1:/b:nocopy,ro", "type=volume,source=cache.1,target=/b,readonly,volume-nocopy"),
    ] {
        assert_eq!(shown(text), mount);
    }
}

#[test]
fn a_mount_is_written_in_one_way() {
    for (text, mount) in [
        ("type=bind,src=a:b,dst=/c,ro=1", "type=bind,source=a:b,target=/c,readonly"),
        ("TYPE=Bind,\"source=/a,\"\"b\",destination=/c", "type=bind,\"source=/a,\"\"b\",target=/c"),
        ("source=data,target=/c/,readonly=false", "type=volume,source=data,target=/c"),
        ("type=volume,target=/c,volume-nocopy", "type=volume,target=/c,volume-nocopy"),
        (
            "type=tmpfs,target=/c,tmpfs-size=64m,tmpfs-mode=0700",
            "type=tmpfs,target=/c,tmpfs-size=67108864,tmpfs-mode=700",
        ),
    ] {
        let read = Mount::parse(text).expect(text);
        assert_eq!(read.to_string(), mount);
        assert_eq!(Mount::parse(mount).as_ref(), Ok(&read));
    }
}

#[test]
fn a_refusal_says_what_to_write_instead() {
    for (text, why) in [
        ("/data", "it has no target\nwrite SOURCE:TARGET"),
        (":/b", "it has no source"),
        ("data/x:/b", "the name of a volume has no \"/\"\nwrite ./ before"),
        ("~/x:/b", "the shell did not replace"),
        ("x:/b", "docker does not accept a name of one character"),
        ("/a:b", "its target: it must be absolute"),
        ("/a:/", "its target: the root directory cannot be mounted"),
        ("/a:/b/../c", "its target: no part of it may be"),
        ("/a:/b:rx", "a run has no such option of a volume\nthe options are"),
        ("/a:/b:", "a run has no such option of a volume"),
        ("/a:/b:ro,z", "longshore does not change the SELinux label"),
        ("/a:/b:nocopy", "only a volume has the option nocopy"),
        ("/a:/b:cached", "its option has no effect on Linux"),
        ("/a:b:/c:ro", "it has more than two colons\na path with a colon needs --mount"),
        ("/a\r:/b", "docker does not support a carriage return"),
        ("/a\0:/b", "it contains a NUL"),
    ] {
        let text = refusal(Volume::parse(text));
        assert!(text.contains(why), "{text}");
    }
    for (text, why) in [
        ("", "docker has no such field"),
        ("type=bind,target=/b", "it has no source"),
        ("type=bind,source=/a", "it has no target"),
        ("type=bind,source=/a,source=/c,target=/b", "it has source twice"),
        ("type=bind,source=/a,target=b", "its target: it must be absolute"),
        ("type=image,source=a,target=/b", "the type must be bind, volume or tmpfs"),
        ("type=npipe,source=a,target=/b", "the type must be"),
        ("type=volume,source=a/b,target=/b", "\"/\" is not allowed"),
        ("type=volume,target=/b,volume-driver=local", "a run has no such field"),
        ("type=volume,target=/b,\"volume-opt=o=bind,device=/\"", "a run has no such field"),
        ("type=bind,source=/a,target=/b,bind-propagation=shared", "a run has no such field"),
        ("type=bind,source=/a,target=/b,tmpfs-size=1", "a mount of type bind has no tmpfs-size"),
        ("type=tmpfs,target=/b,source=/a", "a mount of type tmpfs has no source"),
        ("type=tmpfs,target=/b,tmpfs-mode=9", "tmpfs-mode must be a file mode"),
        ("type=tmpfs,target=/b,tmpfs-mode=+7", "tmpfs-mode must be a file mode"),
        ("type=tmpfs,target=/b,tmpfs-size=x", "tmpfs-size: "),
        ("type=bind,source=/a,target=/b,readonly=maybe", "readonly must be true or false"),
        ("type=bind,source=/a\",target=/b", "docker cannot read it as one line of CSV"),
        ("type=bind,source=/a,target=/b\n--privileged", "docker cannot read it as one line of CSV"),
        ("type=bind,source=/a,target=/b,consistency=cached", "consistency has no effect"),
        ("privileged", "docker has no such field"),
    ] {
        let text = refusal(Mount::parse(text));
        assert!(text.contains(why), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn what_is_accepted_is_read_back_and_nothing_of_it_is_another_field(
        text in "(type=(bind|volume|tmpfs),)?(\"?(source|target|readonly|tmpfs-mode)=[/a-c:, \"\n.]{0,6}\"?,?){0,4}|(?s).{0,24}",
    ) {
        if let Ok(mount) = Mount::parse(&text) {
            let line = mount.to_string();
            proptest::prop_assert_eq!(Mount::parse(&line), Ok(mount));
            let fields = csv_fields(&line).unwrap();
            let known = ["type=", "source=", "target=", "readonly", "volume-nocopy", "tmpfs-"];
            proptest::prop_assert!(fields.iter().all(|field| known.iter().any(|known| field.starts_with(known))));
        }
    }

    #[test]
    fn a_volume_that_is_accepted_is_read_back(text in "[./a-c~]{0,5}:[/a-c.]{0,5}(:(ro|rw|nocopy|,){0,3})?|(?s).{0,16}") {
        if let Ok(volume) = Volume::parse(&text) {
            proptest::prop_assert_eq!(Volume::parse(&volume.to_string()), Ok(volume.clone()));
            proptest::prop_assert_eq!(Mount::parse(&volume.0.to_string()), Ok(volume.0));
        }
    }
}
