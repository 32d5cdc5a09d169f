//! The command lines, word by word.

use super::*;

const ID: &str = "0123456789ab";

fn path(text: &str) -> MountPath {
    MountPath::parse(text).unwrap()
}

fn minimal() -> RunPlan {
    RunPlan {
        id: JobId::parse(ID).unwrap(),
        name: None,
        image: ImageRef::parse("web").unwrap(),
        src: path("/home/me/src"),
        input: None,
        output: None,
        parts: None,
        mounts: Vec::new(),
        publish: Vec::new(),
        cache: None,
        program: "python3".into(),
        args: vec!["main.py".into()],
        user: None,
        user_name: None,
        env: Vec::new(),
        labels: BTreeMap::new(),
        cpus: None,
        memory: None,
        shm_size: None,
        gpus: None,
        network: None,
        log_driver: "none".into(),
        copied: None,
    }
}

fn build_plan(builder: Builder) -> BuildPlan {
    BuildPlan {
        tag: "web:latest".into(),
        context: "/state/ctx".into(),
        iid: "/state/iid".into(),
        labels: BTreeMap::from([(JOB_LABEL.into(), ID.into())]),
        pull: false,
        no_cache: false,
        builder,
    }
}

/// The words that follow a flag, each time it stands before the image.
fn values<'a>(argv: &'a [String], flag: &str) -> Vec<&'a str> {
    argv.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1].as_str()).collect()
}

#[test]
fn a_run_of_the_least_says_everything_that_must_be_said() {
    #[rustfmt::skip]
    let expected = [
        "run", "--name", "longshore-0123456789ab", "--label", "longshore.run=0123456789ab",
        "--init", "--restart", "no", "--pull", "never", "--log-driver", "none",
        "--mount", "type=bind,source=/home/me/src,target=/app", "--workdir", "/app",
        "--env", "PYTHONUNBUFFERED=1",
        "--entrypoint", "python3", "web", "main.py",
    ];
    assert_eq!(run(&minimal(), &[]), expected);
}

#[test]
fn a_run_of_everything_has_each_flag_once_and_in_its_place() {
    let plan = RunPlan {
        name: Some("nightly".into()),
        image: ImageRef::parse("registry.example:5000/team/web:1.2").unwrap(),
        input: Some(path("/data")),
        output: Some(path("/out")),
        mounts: vec![Mount::parse("type=bind,\"source=/a,b\",target=/more,ro").unwrap()],
        publish: vec![Publish::parse("8080:80/tcp").unwrap()],
        args: vec!["main.py".into(), "--epochs".into(), "3".into(), "; rm -rf /".into(), String::new()],
        user: Some("1000:100".into()),
        user_name: Some("me".into()),
        env: vec!["A".into(), "B".into()],
        labels: BTreeMap::from([("b".into(), "2,3".into()), ("a".into(), String::new())]),
        cpus: Some(Cpus::parse("1.50").unwrap()),
        memory: Some(2 << 30),
        shm_size: Some(1 << 20),
        gpus: Some(Gpus::parse("device=0,1").unwrap()),
        network: Some(NetworkName::parse("none").unwrap()),
        log_driver: "local".into(),
        copied: None,
        ..minimal()
    };
    #[rustfmt::skip]
    let expected = [
        "run", "--name", "longshore-0123456789ab", "--label", "longshore.run=0123456789ab",
        "--label", "longshore.name=nightly", "--label", "a=", "--label", "b=2,3",
        "--init", "--restart", "no", "--pull", "never", "--log-driver", "local",
        "--log-opt", "max-size=1000p", "--log-opt", "max-file=1", "--log-opt", "compress=false",
        "--mount", "type=bind,source=/home/me/src,target=/app",
        "--mount", "type=bind,source=/data,target=/app/data,readonly",
        "--mount", "type=bind,source=/out,target=/app/output",
        "--mount", "type=bind,\"source=/a,b\",target=/more,readonly", "--publish", "8080:80", "--workdir", "/app",
        "--user", "1000:100",
        "--env", "PYTHONUNBUFFERED=1", "--env", "HOME=/tmp", "--env", "USER=me", "--env", "LOGNAME=me",
        "--env-file", "/dev/stdin", "--env", "A", "--env", "B",
        "--cpus", "1.5", "--memory", "2147483648", "--shm-size", "1048576",
        "--gpus", "\"device=0,1\"", "--network", "none",
        "--entrypoint", "python3", "registry.example:5000/team/web:1.2", "main.py",
        "--epochs", "3", "; rm -rf /", "",
    ];
    let variables = words(["--env-file", "/dev/stdin", "--env", "A", "--env", "B"]);
    assert_eq!(run(&plan, &variables), expected);
}

#[test]
fn a_cache_is_the_home_unless_the_user_says_otherwise() {
    let plan = RunPlan { cache: Some("longshore-cache-7-pip".into()), user: Some("7:7".into()), ..minimal() };
    let argv = run(&plan, &[]);
    assert!(values(&argv, "--mount").contains(&"type=volume,source=longshore-cache-7-pip,target=/cache,volume-nocopy"));
    let homes = [
        "HOME=/cache",
        "XDG_CACHE_HOME=/cache/.cache",
        "PIP_CACHE_DIR=/cache/.cache/pip",
        "HF_HOME=/cache/.cache/huggingface",
    ];
    assert_eq!(values(&argv, "--env"), [&["PYTHONUNBUFFERED=1"], &homes[..], &["USER=user", "LOGNAME=user"]].concat());
    let argv = run(&RunPlan { env: vec!["HOME".into()], ..plan }, &[]);
    assert!(!values(&argv, "--env").contains(&"HOME=/cache"));
}

#[test]
fn a_source_directory_in_parts_is_mounted_below_a_directory_in_memory() {
    let part = |name: &str| Mount::parse(&format!("type=bind,source=/src/{name},target=/app/{name}")).unwrap();
    let argv = run(&RunPlan { parts: Some(vec![part("a"), part("b.py")]), input: Some(path("/in")), ..minimal() }, &[]);
    let mounts = [
        "type=tmpfs,target=/app,tmpfs-size=1048576,tmpfs-mode=555",
        "type=bind,source=/src/a,target=/app/a",
        "type=bind,source=/src/b.py,target=/app/b.py",
        "type=bind,source=/in,target=/app/data,readonly",
    ];
    assert_eq!(values(&argv, "--mount"), mounts);
}

#[test]
fn a_run_is_never_removed_by_the_engine_nor_named_by_a_file() {
    let argv = run(&minimal(), &[]);
    for flag in ["--rm", "--cidfile", "--detach", "-d", "-v", "--volume", "--privileged", "-it"] {
        assert!(!argv.iter().any(|word| word == flag), "{flag}");
    }
}

#[test]
fn each_log_driver_gets_the_options_that_lift_its_limits() {
    let table: [(&str, &[&str]); 4] = [
        ("local", &["max-size=1000p", "max-file=1", "compress=false"]),
        ("json-file", &["max-size=1000p", "max-file=1"]),
        ("journald", &[]),
        ("none", &[]),
    ];
    for (driver, options) in table {
        let argv = run(&RunPlan { log_driver: driver.into(), ..minimal() }, &[]);
        assert_eq!(values(&argv, "--log-driver"), [driver]);
        assert_eq!(values(&argv, "--log-opt"), options, "{driver}");
    }
}

#[test]
fn paths_of_any_name_are_one_field_of_the_mount() {
    let table = [
        ("/a b", "type=bind,source=/a b,target=/app"),
        ("/a:b", "type=bind,source=/a:b,target=/app"),
        ("/a,readonly", "type=bind,\"source=/a,readonly\",target=/app"),
        ("/a\"b", "type=bind,\"source=/a\"\"b\",target=/app"),
        ("/a=b", "type=bind,source=/a=b,target=/app"),
        ("/a\nb", "type=bind,\"source=/a\nb\",target=/app"),
        ("/a ", "type=bind,\"source=/a \",target=/app"),
        ("/-é", "type=bind,source=/-é,target=/app"),
    ];
    for (source, expected) in table {
        let argv = run(&RunPlan { src: path(source), ..minimal() }, &[]);
        assert_eq!(values(&argv, "--mount"), [expected], "{source:?}");
    }
}

#[test]
fn what_the_user_sets_is_not_set_by_default_too() {
    let table: [(&[&str], &[&str]); 3] = [
        (&[], &["PYTHONUNBUFFERED=1", "HOME=/tmp", "USER=user", "LOGNAME=user"]),
        (&["HOME"], &["PYTHONUNBUFFERED=1", "USER=user", "LOGNAME=user"]),
        (&["PYTHONUNBUFFERED", "USER", "X"], &["HOME=/tmp", "LOGNAME=user"]),
    ];
    for (env, expected) in table {
        let plan = RunPlan { user: Some("1000".into()), env: words(env.iter().copied()), ..minimal() };
        assert_eq!(values(&run(&plan, &[]), "--env"), expected, "{env:?}");
    }
    assert_eq!(values(&run(&minimal(), &[]), "--env"), ["PYTHONUNBUFFERED=1"]);
    assert_eq!(values(&run(&minimal(), &[]), "--user"), <[&str; 0]>::default());
}

#[test]
fn the_images_own_user_keeps_its_home_and_name() {
    assert_eq!(values(&run(&minimal(), &[]), "--env"), ["PYTHONUNBUFFERED=1"]);
    assert_eq!(values(&run(&minimal(), &[]), "--user"), <[&str; 0]>::default());
}

#[test]
fn a_build_is_told_to_each_builder_in_its_own_words() {
    let beginnings: [(Builder, &[&str]); 3] = [
        (Builder::Buildx, &["buildx", "build", "--load", "--progress=plain"]),
        (Builder::BuiltIn, &["build", "--progress=plain"]),
        (Builder::Legacy, &["image", "--help=false", "build", "--force-rm"]),
    ];
    for (builder, beginning) in beginnings {
        let rest = ["--tag", "web:latest", "--iidfile", "/state/iid", "--label", "longshore.job=0123456789ab"];
        let expected = [beginning, &rest, &["/state/ctx"]].concat();
        assert_eq!(build(&build_plan(builder)), expected, "{builder:?}");
    }
}

#[test]
fn a_build_asks_for_fresh_layers_only_when_told_and_names_the_context_last() {
    let argv = build(&BuildPlan { pull: true, no_cache: true, ..build_plan(Builder::Legacy) });
    assert_eq!(argv[argv.len() - 3..], ["--pull", "--no-cache", "/state/ctx"]);
}

#[test]
fn only_the_legacy_builder_is_switched_off_buildkit() {
    let table =
        [(Builder::Buildx, "buildx", "1"), (Builder::BuiltIn, "buildkit", "1"), (Builder::Legacy, "legacy", "0")];
    for (client, word, switch) in table {
        assert_eq!((client.word(), client.switch()), (word, switch));
    }
}

#[test]
fn the_small_questions_are_asked_word_by_word() {
    let table: [(Vec<String>, &str); 8] = [
        (version(), "version --format {{json .}}"),
        (engine_id(), "info --format {{json (print .ID \" \" .DockerRootDir)}}"),
        (image_inspect(&words(["a", "b"])), "image inspect a b"),
        (image_ids(&words(["label=x"])), "image ls --no-trunc --format {{json .ID}} --filter label=x"),
        (
            containers_labelled(RUN_LABEL, Some(&JobId::parse("0123456789ab").unwrap())),
            "ps --all --no-trunc --filter label=longshore.run=0123456789ab --format \
             {\"id\":{{json .ID}},\"job\":{{json (.Label \"longshore.run\")}}}",
        ),
        (logs("c", "all"), "logs --tail all c"),
        (kill("c", "TERM"), "kill --signal TERM c"),
        (remove("c"), "rm --volumes c"),
    ];
    for (argv, expected) in table {
        assert_eq!(argv.join(" "), expected);
    }
}
