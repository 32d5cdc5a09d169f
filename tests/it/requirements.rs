//! `image create` with files of other tools: what becomes of them, and what is refused. The engine is a fake.

use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::fake::{Fake, assert_failure_document, job_ids};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};

const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// `image create web` from the base of the fake, with these flags.
fn create(fake: &Fake, flags: &[&str]) -> Ran {
    fake.run(&[&["image", "create", "web", "--base", "base"], flags].concat())
}

/// The files of the context that would be built.
#[track_caller]
fn files(fake: &Fake, flags: &[&str]) -> Value {
    let ran = create(fake, &[flags, &["--dry-run", "--json"]].concat()).code(0);
    schema::validated("image-dry-run", ran.json())["files"].take()
}

/// What was recorded of the newest build.
fn recorded(fake: &Fake) -> Value {
    let id = fake.run(&["image", "status", "web", "--json"]).code(0).json()["id"].as_str().unwrap().to_owned();
    let record = std::fs::read(fake.job("build", &id).join("job.json")).unwrap();
    serde_json::from_slice::<Value>(&record).unwrap()["work"]["build"]["recipe"].take()
}

#[test]
fn files_become_text_of_the_recipe_and_of_the_build() {
    let fake = Fake::new();
    let hashed = format!("# of a tool\r\nsix==1.16.0 \\\r\n    --hash=sha256:{DIGEST}\r\n    # via x\r\n");
    fake.write("reqs/main.txt", "\u{feff}-c limits.txt\n-r more/hashed.txt\n--no-binary :all:\n");
    fake.write("reqs/more/hashed.txt", hashed);
    fake.write("reqs/limits.txt", "idna<9 # é\n");
    fake.write("apt.txt", "# tools\ngit\n\ng++ curl\n");
    let flags =
        ["--requirements", "reqs/main.txt", "--apt-file", "apt.txt", "--apt", "jq", "--pip", "a; os_name == 'x'"];
    let wanted = format!("six==1.16.0 --hash=sha256:{DIGEST}\n--no-binary :all:\n");
    let shown = files(&fake, &flags);
    assert_eq!(shown["requirements.txt"], format!("a; os_name == 'x'\n{wanted}"));
    assert_eq!((&shown["constraints.txt"], &shown["apt.txt"]), (&json!("idna<9\n"), &json!("curl\ng++\ngit\njq\n")));

    create(&fake, &[&flags[..], &["--wait"]].concat()).code(0);
    let recipe = recorded(&fake);
    assert_eq!((&recipe["requirements"], &recipe["constraints"]), (&json!(wanted), &json!("idna<9\n")));
    assert_eq!(recipe["aptInstall"], "jq\ngit\ng++\ncurl");
    // The recipe needs none of the files any more.
    fake.write("spec.json", recipe.to_string());
    for file in ["reqs/main.txt", "reqs/more/hashed.txt", "reqs/limits.txt", "apt.txt"] {
        std::fs::remove_file(fake.path(file)).unwrap();
    }
    let again = fake.run(&["image", "create", "--spec", "spec.json", "--dry-run", "--json"]).code(0).json();
    assert_eq!(again["files"], shown);
}

#[test]
fn the_dockerfile_is_the_same_whatever_the_files_say() {
    let fake = Fake::new();
    fake.write("a.txt", "six\n");
    fake.write(
        "b.txt",
        format!("idna [x] ; os_name == 'RUN touch /x' # ${{HOME}} \\\nsix==1 --hash=sha512:{DIGEST}{DIGEST}\n"),
    );
    let dockerfile = |file: &str| files(&fake, &["-r", file])["Dockerfile"].take();
    assert_eq!(dockerfile("a.txt"), dockerfile("b.txt"));
    assert_eq!(dockerfile("a.txt"), files(&fake, &["--pip", "six"])["Dockerfile"]);
}

#[test]
fn flags_take_the_place_of_what_a_spec_has_of_their_kind() {
    let fake = Fake::new();
    let spec = json!({"aptInstall": "jq", "pipInstall": "a", "requirements": "b\n# c", "constraints": "d<1"});
    fake.write("spec.json", spec.to_string());
    for (name, text) in [("r.txt", "e\n"), ("c.txt", "f<1\n"), ("both.txt", "g\n-c c.txt"), ("apt.txt", "git\n")] {
        fake.write(name, text);
    }
    let built = |flags: &[&str]| {
        let files = files(&fake, &[&["--spec", "spec.json"], flags].concat());
        ["apt.txt", "requirements.txt", "constraints.txt"].map(|name| files[name].as_str().unwrap_or("").to_owned())
    };
    assert_eq!(built(&[]), ["jq\n", "a\nb\n", "d<1\n"]);
    assert_eq!(built(&["-r", "r.txt"]), ["jq\n", "a\ne\n", "d<1\n"]);
    assert_eq!(built(&["-r", "both.txt", "--requirement=r.txt"]), ["jq\n", "a\ng\ne\n", "f<1\n"]);
    assert_eq!(built(&["--constraints", "c.txt"]), ["jq\n", "a\nb\n", "f<1\n"]);
    assert_eq!(built(&["--apt-file", "apt.txt"]), ["git\n", "a\nb\n", "d<1\n"]);
    assert_eq!(built(&["--apt-file", "apt.txt", "--apt", "tini"]), ["git\ntini\n", "a\nb\n", "d<1\n"]);
    // An index that the spec names is the one that a file may name.
    fake.write("index.json", json!({"pipIndexUrl": "https://pip.example.org/simple"}).to_string());
    fake.write("index.txt", "-i https://pip.example.org/simple/\nsix\n");
    let named = files(&fake, &["--spec", "index.json", "-r", "index.txt"]);
    assert_eq!(named["requirements.txt"], "six\n");
    assert_eq!(named["pip-index-url.txt"], "https://pip.example.org/simple\n");
}

#[test]
fn what_cannot_be_used_is_named_with_its_file_and_line_and_starts_nothing() {
    let fake = Fake::new();
    std::fs::create_dir(fake.path("directory")).unwrap();
    let cases: [(&str, &str); 14] = [
        ("editable.txt", "six\n-e .\n"),
        ("local.txt", "# x\n\n./wheels/six.whl\n"),
        ("url.txt", "six @ https://me:hunter2@example.org/six.whl\n"),
        ("vcs.txt", "git+https://example.org/six\n"),
        ("index.txt", "--index-url https://pip.example.org/simple\nsix\n"),
        ("extra.txt", "--extra-index-url=https://pip.example.org/simple\nsix\n"),
        ("links.txt", "-f ./wheels\n"),
        ("trusted.txt", "--trusted-host pip.example.org\n"),
        ("variable.txt", "six==${VERSION}\n"),
        ("continued.txt", "six \\\n\n  --hash=md5:00\n"),
        ("nested.txt", "six\n-r editable.txt\n"),
        ("missing.txt", "-c nosuch.txt\n"),
        ("cycle.txt", "-r ./cycle.txt\n"),
        ("hashes.txt", &format!("idna==3.4\nsix==1.16.0 --hash=sha256:{DIGEST}\n")),
    ];
    let refused = cases.map(|(name, text)| {
        fake.write(name, text);
        create(&fake, &["--requirements", name]).code(2)
    });
    fake.write("hashed.txt", format!("six==1.16.0 --hash=sha256:{DIGEST}\n"));
    fake.write("latin.txt", b"six\n# caf\xe9\n");
    fake.write("apt.txt", "git\n\ncurl-\n");
    let more = [
        create(&fake, &["-r", "hashed.txt", "--pip", "idna"]).code(2),
        create(&fake, &["-r", "latin.txt"]).code(2),
        create(&fake, &["-r", "nosuch.txt"]).code(2),
        create(&fake, &["-r", "directory"]).code(2),
        create(&fake, &["--apt-file", "apt.txt"]).code(2),
        create(&fake, &["--apt-file", "nosuch.txt"]).code(2),
        create(&fake, &["-r", "vcs.txt", "--wait"]).code(125),
    ];
    let document = create(&fake, &["-r", "editable.txt", "--json"]).code(2);
    assert_failure_document(&document, "usage");
    let bodies = [
        json!({"requirements": "six\n-r x.txt"}),
        json!({"constraints": "six[x]==1"}),
        json!({"requirements": ["six"]}),
        json!({"requirements": "six\u{0}"}),
    ];
    let bodies = bodies.map(|body| {
        let args = ["image", "create", "web", "--base", "base", "--spec", "-"];
        format!("{body}\n{}", fake.run_with(&args, body.to_string().as_bytes()).code(2))
    });
    snapshot!(fake, together(refused), together(more), document, together(bodies));
    assert!(job_ids(&fake.jobs("build")).is_empty());
    assert_eq!(fake.calls(), Vec::<String>::new(), "no engine is asked");
}

#[test]
fn files_that_are_too_large_or_endless_are_refused() {
    let fake = Fake::new();
    fake.write("large.txt", "#".repeat(9 << 20));
    let line = format!("{}\n", "a".repeat(900));
    fake.write("long.txt", line.repeat(2000));
    fake.write("commented.txt", format!("six\n{}", "# a comment\n".repeat(600_000)));
    let large = create(&fake, &["-r", "large.txt"]).code(2);
    assert!(large.stderr.starts_with("error: large.txt is larger than 8 MiB\n"), "{large}");
    let endless = create(&fake, &["-r", "/dev/zero"]).code(2);
    assert!(endless.stderr.starts_with("error: /dev/zero is larger than 8 MiB\n"), "{endless}");
    let long = create(&fake, &["-r", "long.txt"]).code(2);
    assert!(long.stderr.starts_with("error: the requirements are too long: 180"), "{long}");
    assert_eq!(files(&fake, &["-r", "commented.txt"])["requirements.txt"], "six\n");
}

#[test]
fn a_file_may_be_a_pipe_or_a_link() {
    let fake = Fake::new();
    fake.write("real/six.txt", "six\n-r idna.txt\n");
    fake.write("idna.txt", "idna\n");
    std::os::unix::fs::symlink("real/six.txt", fake.path("link.txt")).unwrap();
    // As with pip, a name is relative to the path that was given, and not to what a link points to.
    assert_eq!(files(&fake, &["-r", "link.txt"])["requirements.txt"], "six\nidna\n");
    let args = ["image", "create", "web", "--base", "base", "-r", "/dev/stdin", "--dry-run", "--json"];
    let piped = fake.run_with(&args, b"six # x").code(0).json();
    assert_eq!(piped["files"]["requirements.txt"], "six\n");
    // A directory that leads back to itself has no end of paths.
    std::os::unix::fs::symlink(".", fake.path("again")).unwrap();
    fake.write("loop.txt", "-r again/loop.txt\n");
    let looped = create(&fake, &["-r", "loop.txt"]).code(2);
    assert!(
        looped.stderr.starts_with("error: loop.txt:1: invalid file \"again/loop.txt\": it is being read"),
        "{looped}"
    );
}
