use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;

/// Recorded logs of failed builds, a directory for each builder. `tests/data/builds/README.md` says how they were made.
fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/builds")
}

const BUILDERS: [&str; 3] = ["legacy", "buildkit-old", "buildx"];

const DISK: &str = "free some space on the engine's disk; see what uses it with: docker system df";
const CERTIFICATE: &str = "give the certificate of your network with --ca-cert FILE, or set LONGSHORE_CA_CERT";
const MIRROR: &str = "check the URL of --apt-mirror, and whether a container can reach it";
const INDEX: &str = "check the URL of --pip-index-url, and whether a container can reach it";
const NO_HINT: &str = "";

/// A recording, the reason and the hint. They are the same for every builder that has the recording.
const TABLE: &[(&str, &str, &str)] = &[
    (
        "appended-unknown",
        r#"pip found no package "nosuch-package-zzz""#,
        "check the name; or no release of it is for the Python of the base image",
    ),
    ("apt-certificate", "apt does not trust the certificate of apt.example.org", CERTIFICATE),
    ("apt-refused", "apt could not reach 127.0.0.1:9: Connection refused", MIRROR),
    ("apt-space", "no space left on device: apt-get install ended with exit code 100", DISK),
    (
        "apt-unknown",
        r#"apt has no packages "nosuch-a" and "nosuch-b""#,
        "look for its name with: docker run --rm base:bookworm sh -c 'apt-get -q update && apt-cache search nosuch-a'",
    ),
    ("apt-unresolved", "apt could not reach nosuch.invalid: its name cannot be resolved", MIRROR),
    ("apt-version", r#"apt has no version "9.9" of "jq""#, "leave the version out to get the newest one: --apt jq"),
    (
        "apt-virtual",
        r#"apt cannot install "netcat": it stands for one of "netcat-openbsd" and "netcat-traditional""#,
        "name the one to install: --apt netcat-openbsd",
    ),
    (
        "base-denied",
        r#"the engine has no base image "127.0.0.1:5099/denied/base:1" and could not pull it: its registry has no such image, or wants a login"#,
        "see the images it has with: longshore image list   or try to pull it with: docker pull 127.0.0.1:5099/denied/base:1",
    ),
    (
        "base-pull",
        r#"the base image "base:bookworm" could not be pulled: registry.example.org: no such host"#,
        "without --pull, the base image that the engine has is used",
    ),
    (
        "base-refused",
        r#"the engine has no base image "127.0.0.1:9/some/base:1" and could not pull it: 127.0.0.1:9: connection refused"#,
        "see the images it has with: longshore image list   or try to pull it with: docker pull 127.0.0.1:9/some/base:1",
    ),
    (
        "base-unknown",
        r#"the engine has no base image "127.0.0.1:5099/some/base:1" and could not pull it: its registry has no such image"#,
        "see the images it has with: longshore image list   or try to pull it with: docker pull 127.0.0.1:5099/some/base:1",
    ),
    (
        "base-unreachable",
        r#"the engine has no base image "nosuch-base:3" and could not pull it: registry.example.org: no such host"#,
        "see the images it has with: longshore image list   or try to pull it with: docker pull nosuch-base:3",
    ),
    ("command", "command 3 of 4 ended with exit code 9: exit 9", NO_HINT),
    ("command-killed", "the command ended with exit code 137: kill -9 $$", KILLED),
    (
        "command-space",
        "no space left on device: command 2 of 2 ended with exit code 1: dd if=/dev/zero of=/dev/shm/x bs=1M count=200",
        DISK,
    ),
    ("command-syntax", r#"sh cannot read the commands: line 2: Syntax error: "fi" unexpected"#, NO_HINT),
    (
        "no-apt",
        "the base image has no apt-get: apt packages and updates need a base image of Debian or Ubuntu",
        NO_HINT,
    ),
    (
        "no-pip",
        r#"python3 in the base image has no pip: add "python3-pip" to the apt packages, or use a base image that has it"#,
        NO_HINT,
    ),
    ("pip-certificate", "pip does not trust the certificate of pip.example.org", CERTIFICATE),
    (
        "pip-compile",
        r#"pip could not compile "pycurl==7.45.2""#,
        "it has no wheel for the Python of the base image, and may need libraries from apt: see the log",
    ),
    (
        "pip-conflict",
        "pip cannot install what was asked for together: urllib3==1.20; requests 2.31.0 depends on urllib3<3 and >=1.21.1",
        "give a wider range of versions, or none, so that pip can choose",
    ),
    ("pip-refused", "pip could not reach 127.0.0.1:9: Connection refused", INDEX),
    (
        "pip-renamed",
        r#"pip cannot install "sklearn": the package is called "scikit-learn""#,
        r#"install "scikit-learn" instead: --pip scikit-learn"#,
    ),
    (
        "pip-hash",
        r#"the archive of "six==1.16.0" does not have the hash that was asked for: it has 8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"#,
        "find out why it changed before you take the new hash",
    ),
    (
        "pip-hash-missing",
        r#"pip needs a hash for "idna==3.4", because other packages have one"#,
        "add it to the requirements file: idna==3.4 --hash=sha256:90b77e79eaa3eba6de819a0c442c0b4ceefc341a7a2ab77d7562bf49f425c5c2",
    ),
    (
        "pip-hash-version",
        r#"pip needs the version and the hash of "six", which "python-dateutil==2.9.0.post0" needs, because other packages have one"#,
        "a tool such as pip-compile --generate-hashes writes a file with all of them",
    ),
    ("pip-space", "no space left on device: pip ended with exit code 1", DISK),
    (
        "pip-unknown",
        r#"pip found no package "nosuch-package-zzz""#,
        "check the name; or no release of it is for the Python of the base image",
    ),
    ("pip-unresolved", "pip could not reach nosuch.invalid: its name cannot be resolved", INDEX),
    ("uv-certificate", "uv does not trust the certificate of pip.example.org", CERTIFICATE),
    (
        "uv-compile",
        r#"uv could not compile "pycurl""#,
        "it has no wheel for the Python of the base image, and may need libraries from apt: see the log",
    ),
    (
        "uv-conflict",
        "uv cannot install what was asked for together: requests==2.31.0 depends on urllib3>=1.21.1,<3 and you require \
         requests==2.31.0; you require urllib3==1.20",
        "give a wider range of versions, or none, so that uv can choose",
    ),
    (
        "uv-elsewhere",
        "uv cannot be used: the base image has 'setuptools' in a directory that uv does not look into",
        "use --installer auto, which takes pip where uv cannot be used",
    ),
    (
        "uv-hash",
        r#"the archive of "six==1.16.0" does not have the hash that was asked for: it has 8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"#,
        "find out why it changed before you take the new hash",
    ),
    (
        "uv-hash-missing",
        r#"uv needs a hash for "idna==3.4", because other packages have one"#,
        "add it to the requirements file: idna==3.4 --hash=sha256:…",
    ),
    (
        "uv-hash-version",
        r#"uv needs the version and the hash of "six", because other packages have one"#,
        "a tool such as pip-compile --generate-hashes writes a file with all of them",
    ),
    ("uv-newest", r#"uv found no version of "six" that satisfies "six>5""#, "the newest that it found is 1.17.0"),
    ("uv-refused", "uv could not reach 127.0.0.1:9: Connection refused", INDEX),
    (
        "uv-renamed",
        r#"uv cannot install "sklearn": the package is called "scikit-learn""#,
        r#"install "scikit-learn" instead: --pip scikit-learn"#,
    ),
    (
        "uv-unknown",
        r#"uv found no package "nosuch-package-zzz""#,
        "check the name; or give the index that has it with --pip-index-url URL",
    ),
    ("uv-unresolved", "uv could not reach nosuch.invalid: its name cannot be resolved", INDEX),
    (
        "uv-version",
        r#"uv found no version of "six" that satisfies "six==99""#,
        "leave the version out to get the newest one: --pip six",
    ),
    (
        "uv-wheel",
        r#"uv found no package "tensorflow==1.0.0" for the Python of the base image"#,
        "ask for another version, or use a base image with another Python",
    ),
    ("pip-version", r#"pip found no version of "six" that satisfies "six==99""#, "the newest that it found is 1.17.0"),
];

/// What the builds of the recordings were asked to do.
fn asked(name: &str) -> Asked {
    let base = match name {
        "base-unreachable" => "nosuch-base:3",
        "base-refused" => "127.0.0.1:9/some/base:1",
        "base-unknown" => "127.0.0.1:5099/some/base:1",
        "base-denied" => "127.0.0.1:5099/denied/base:1",
        _ => "base:bookworm",
    };
    Asked {
        base: base.into(),
        pull: name == "base-pull",
        ca_cert: false,
        pip_index: matches!(name, "pip-refused" | "pip-unresolved" | "uv-refused" | "uv-unresolved"),
        apt_mirror: matches!(name, "apt-refused" | "apt-unresolved" | "apt-certificate"),
    }
}

fn said(log: &str, asked: &Asked) -> (String, String) {
    let reason = of_build(log, asked).unwrap_or_else(|| panic!("no reason in: {log}"));
    (reason.sentence, reason.hint.unwrap_or_default())
}

#[test]
fn a_build_that_is_repeated_has_the_reason_of_its_last_try() {
    let try_of = |words: &str, said: &str| {
        let step = format!("[stage-0 3/4] RUN x [\"sh\", \"/dev/longshore/step.sh\", \"mounted\", {words}]");
        format!(
            "#7 {step}\n#7 1.5 {said}\n#7 ERROR: it failed\n------\n > {step}:\n1.5 {said}\n------\nERROR: it failed\n"
        )
    };
    let appended =
        try_of(r#""appended", "auto", "pip""#, "longshore: the packages cannot be added to those of the last image");
    let commands = try_of(r#""commands""#, "longshore: the command ended with exit code 9: exit 9");
    let whole = try_of(r#""auto", "pip""#, "longshore: step pip ended with exit code 7");
    let asked = Asked::default();
    let not_added =
        ("the packages cannot be added to those of the last image".to_owned(), "build the image again".to_owned());
    assert_eq!(said(&appended, &asked), not_added.clone());
    let last = said(&format!("{appended}{ANEW}\n{whole}"), &asked);
    assert_eq!(last, ("step pip ended with exit code 7".to_owned(), String::new()));
    // The second client could not be started.
    assert_eq!(said(&format!("{appended}{ANEW}\n"), &asked), not_added);
    for builder in ["buildkit-old", "buildx"] {
        let log = std::fs::read_to_string(recordings().join(builder).join("appended-unknown.log")).unwrap();
        let (first, _) = log.split_once(ANEW).unwrap();
        assert!(failed_at_packages(first) && said(first, &asked) == not_added, "{builder}");
    }
    for (log, expected) in [
        (appended.clone(), true),
        (whole.clone(), true),
        (commands.clone(), false),
        (format!("{appended}{ANEW}\n{commands}"), false),
        (format!("{appended}{ANEW}\n"), true),
        (commands.replace("1.5 ", "1.5 \r > [x /step.sh\", y\r"), false),
        (appended.replace(" > [", "> ["), false),
        (String::new(), false),
    ] {
        assert_eq!(failed_at_packages(&log), expected, "{log}");
    }
}

#[test]
fn each_recorded_failure_has_one_sentence_the_same_for_every_builder() {
    let mut found = BTreeSet::new();
    for builder in BUILDERS {
        for file in std::fs::read_dir(recordings().join(builder)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let row = TABLE.iter().find(|row| row.0 == name).unwrap_or_else(|| panic!("no row for {name}"));
            let log = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert_eq!(said(&log, &asked(&name)), (row.1.to_owned(), row.2.to_owned()), "{builder}/{name}");
            found.insert(name);
        }
    }
    let rows: BTreeSet<String> = TABLE.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(found, rows);
}

/// What other versions of docker, apt and pip write, and what could not be recorded.
#[test]
fn other_words_for_the_same_failures_are_known_too() {
    let asked = Asked { base: "python:3-slim".into(), ..Asked::default() };
    for (log, sentence) in [
        (
            "#3 [internal] load metadata for docker.io/library/python:3-slim\n#3 ERROR: failed to do request: Head \
             \"https://registry.example/v2/python/manifests/3-slim\": tls: failed to verify certificate: x509: certificate \
             signed by unknown authority\n",
            r#"the engine does not trust the certificate of registry.example, which has the base image "python:3-slim""#,
        ),
        (
            "Step 4/6 : RUN [\"sh\"]\n ---> Running in 1dcc00fa71d7\nError response from daemon: write \
             /var/lib/docker/tmp/x: no space left on device\n",
            "no space left on device: write /var/lib/docker/tmp/x: no space left on device",
        ),
        (
            "ERROR: failed to solve: ResourceExhausted: failed to copy: write /x: no space left on device",
            "no space left on device: ResourceExhausted: failed to copy: write /x: no space left on device",
        ),
        (
            "#6 ERROR: process \"sh /dev/longshore/step.sh mounted pip\" did not complete successfully: exit code: 137\n\
             ERROR: failed to solve: process \"sh /dev/longshore/step.sh mounted pip\" did not complete successfully: exit \
             code: 137",
            "the step of pip ended with exit code 137",
        ),
        (
            "The command 'sh /.longshore/step.sh copied ca commands' returned a non-zero code: 9",
            "the commands ended with exit code 9",
        ),
        (
            "Err:1\nE: Failed to fetch http://m.example/x.deb  404  Not Found [IP: 192.0.2.1 80]\nlongshore: apt-get install \
          ended with exit code 100",
            "apt could not fetch http://m.example/x.deb: 404 Not Found",
        ),
        (
            "E: Failed to fetch http://deb.example/x  Temporary failure resolving 'deb.example'\nlongshore: apt-get update \
             ended with exit code 100",
            "apt could not reach deb.example: its name cannot be resolved",
        ),
        (
            "Package old is not available, but is referred to by another package.\nHowever the following packages replace \
             it:\n  new newer\nE: Package 'old' has no installation candidate\nlongshore: apt-get install ended with exit \
             code 100",
            r#"apt cannot install "old": it was replaced by "new""#,
        ),
        (
            "dpkg: error\nE: Sub-process /usr/bin/dpkg returned an error code (1)\nlongshore: apt-get install ended with \
             exit code 100",
            "apt-get failed: Sub-process /usr/bin/dpkg returned an error code (1)",
        ),
        (
            "WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by 'ReadTimeoutError(...)'\nERROR: \
             Could not find a version that satisfies the requirement x>=2 (from y) (from versions: 1.0, 1.1)\nlongshore: \
             pip ended with exit code 1",
            r#"pip found no version of "x" that satisfies "x>=2""#,
        ),
        (
            "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'ConnectTimeoutError(<x>, \
             'Connection to pypi.example timed out. (connect timeout=15)')': /simple/x/\nERROR: No matching \
             distribution found for x\nlongshore: pip ended with exit code 1",
            "pip could not reach its index: the connection timed out",
        ),
        (
            "error: subprocess-exited-with-error\nerror: command 'gcc' failed: No such file or directory\nERROR: Failed \
             building wheel for lxml\nlongshore: pip ended with exit code 1",
            r#"pip could not compile "lxml""#,
        ),
        (
            "error: Failed to install: numpy (numpy==2.4.6)\n  cause: failed to copy file: No space left on device (os error \
             28)\nlongshore: uv ended with exit code 2",
            "no space left on device: uv ended with exit code 2",
        ),
        (
            "error: Failed to fetch: https://pip.example/simple/x/\n  cause: HTTP status client error (403 Forbidden) for url \
             (https://pip.example/simple/x/)\nlongshore: uv ended with exit code 2",
            "uv could not fetch https://pip.example/simple/x/: 403 Forbidden",
        ),
        (
            "error: Failed to parse: `x`\n  cause: something new\nlongshore: uv ended with exit code 2",
            "uv failed: Failed to parse: `x`: something new",
        ),
        // pip downloads uv, and takes its place.
        (
            "ERROR: Could not find a version that satisfies the requirement uv==0.1 (from versions: 0.0.5)\nnote: uv is not \
             used: pip could not download uv 0.1\nlongshore: uv ended with exit code 94",
            r#"pip found no version of "uv" that satisfies "uv==0.1""#,
        ),
        (
            "error: Failed to fetch: https://pip.example/simple/x/\n  cause: client error (Connect)\n  cause: timed \
             out\nnote: pip installs the packages\nERROR: No matching distribution found for x\nlongshore: pip ended with \
             exit code 1",
            "pip failed: No matching distribution found for x",
        ),
        (
            "no end of line longshore: command 1 of 2 ended with exit code 3: x",
            "command 1 of 2 ended with exit code 3: x",
        ),
        ("error during connect: nothing more\nERROR: the builder is away", "the builder is away"),
    ] {
        assert_eq!(said(log, &asked).0, sentence, "{log}");
    }
    assert_eq!(of_build("all went well\n", &asked), None);
    assert_eq!(of_build("", &asked), None);
}

#[test]
fn a_hint_depends_on_what_was_asked_for() {
    let distrust = "host='i.example' CERTIFICATE_VERIFY_FAILED\nlongshore: pip ended with exit code 1";
    let given = Asked { ca_cert: true, ..Asked::default() };
    assert_eq!(
        said(distrust, &given).1,
        "add the certificate that signed the one of i.example to the file of --ca-cert"
    );
    let refused = "Retry(total=0, [Errno 111] Connection refused')'\nlongshore: pip ended with exit code 1";
    assert!(said(refused, &Asked::default()).1.contains("--pip-index-url URL"));
    let in_command = "curl: (60) SSL certificate problem: self-signed certificate in certificate chain\nlongshore: command \
                      1 of 2 ended with exit code 60: curl https://x.example";
    assert!(said(in_command, &Asked::default()).1.contains("--ca-cert FILE"));
    assert_eq!(said(in_command, &given).1, "");
}

#[test]
fn a_reason_has_no_escape_sequence_and_one_line_and_an_end() {
    let log = "\u{1b}[91mlongshore: \u{1b}[0mcommand 1 of 2 ended with exit code 1: echo \u{1b}[31m\tred\u{202e}\r\n";
    assert_eq!(said(log, &Asked::default()).0, "command 1 of 2 ended with exit code 1: echo  red");
    let long = format!("longshore: {}", "é".repeat(500));
    assert_eq!(said(&long, &Asked::default()).0, format!("{}...", "é".repeat(400)));
}

#[test]
fn only_the_output_of_the_step_that_failed_is_searched() {
    let log = "#5 1.0 E: Unable to locate package other\n#5 1.1 longshore: apt-get install ended with exit code 100\n#6 0.1 \
               longshore: pip ended with exit code 1\n#6 ERROR: exit code: 1\n";
    assert_eq!(said(log, &Asked::default()).0, "pip ended with exit code 1");
    let log = "Step 4/6 : RUN\nNo space left on device\nStep 5/6 : RUN\nStep by step\nlongshore: command 1 of 2 ended with \
               exit code 1: x";
    assert_eq!(said(log, &Asked::default()).0, "command 1 of 2 ended with exit code 1: x");
}

#[test]
fn the_reason_of_a_refused_run_is_dockers_own_line() {
    let log = "\u{1b}[31mdocker: invalid mount config\u{1b}[0m\nRun 'docker run --help'";
    assert_eq!(of_run(log).unwrap().sentence, "invalid mount config");
    assert_eq!(of_run("longshore: not docker's"), None);
}
