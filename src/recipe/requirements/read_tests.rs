//! Tests of [`Reader`], with files that are texts.

use super::*;
use crate::recipe::requirements::text;

const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Reads `main.txt` of these files.
fn read_all(files: &[(&str, &[u8])]) -> Result<Requirements, Failure> {
    let open = |path: &Path| {
        // As the file system would: without `.` and `..`.
        let mut identity = PathBuf::new();
        for part in path.components() {
            match part {
                std::path::Component::ParentDir => drop(identity.pop()),
                std::path::Component::CurDir => {}
                part => identity.push(part),
            }
        }
        let found = files.iter().find(|(name, _)| Path::new(name) == identity);
        let (_, bytes) = found.ok_or_else(|| Failure::usage(format!("could not read {}", path.display())))?;
        Ok(Source { identity, bytes: bytes.to_vec() })
    };
    let index = "https://pip.example.org/simple".parse().unwrap();
    let mut reader = Reader::new(Some(&index), &open);
    reader.file(Path::new("main.txt"), Role::Wanted)?;
    Ok(reader.finish())
}

fn read(files: &[(&str, &str)]) -> Result<(String, String), String> {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let found = read_all(&files).map_err(|failure| failure.message)?;
    Ok((text(&found.wanted), text(&found.constraints)))
}

fn one(text: &str) -> Result<String, String> {
    Ok(read(&[("main.txt", text)])?.0)
}

#[test]
fn a_file_of_pip_is_written_anew_line_by_line() {
    let file = format!(
        "\u{feff}# made by a tool: é\n--index-url https://pip.example.org/simple/\n--pre\n\
         six==1.16.0 \\\n    --hash=sha256:{DIGEST} \\\n    --hash=SHA\n    # via x\n\
         idna [x] ; python_version < \"3.12\" # why\n\n--no-binary=:all: --only-binary 'a,b'\n"
    );
    let wrong = one(&file).unwrap_err();
    assert_eq!(wrong, "main.txt:4: invalid hash \"SHA\": pip accepts sha256:…, sha384:… and sha512:…");
    let upper = DIGEST.to_uppercase();
    let expected = format!(
        "--pre\nsix==1.16.0 --hash=sha256:{DIGEST} --hash=sha256:{DIGEST}\nidna [x] ; python_version < \"3.12\"\n\
         --no-binary :all:\n--only-binary a,b\n"
    );
    let file = file.replace("--hash=SHA\n", &format!("--hash=sha256:{upper}\r\n"));
    assert_eq!(one(&file), Ok(expected.clone()));
    assert_eq!(one(&expected), Ok(expected), "what is written reads back as it was");
}

#[test]
fn files_that_a_line_names_are_relative_to_its_file_and_stand_in_its_place() {
    let files = [
        ("main.txt", "a\n-r more/b.txt\n-c c.txt\nz\n"),
        ("more/b.txt", "b\n--constraint=../c.txt\n-r d.txt\n"),
        ("more/d.txt", "d\n"),
        // A file that a constraint names with -r is to be installed, as with pip.
        ("c.txt", "b<2\n-r more/d.txt\n-r e.txt\n-c e.txt\n"),
        ("e.txt", "e\n"),
    ];
    assert_eq!(read(&files), Ok(("a\nb\nd\ne\nz\n".into(), "b<2\ne\n".into())));
}

#[test]
fn a_file_that_is_missing_or_names_itself_is_reported_with_the_line_that_names_it() {
    let refusal = |main: &str, other: &str| read(&[("main.txt", main), ("d/other.txt", other)]).unwrap_err();
    assert_eq!(refusal("\n-r nosuch.txt", ""), "main.txt:2: could not read nosuch.txt");
    assert_eq!(refusal("-r d/other.txt", "-c nosuch.txt"), "d/other.txt:1: could not read d/nosuch.txt");
    let itself = "it is being read already, so the files name each other in a circle";
    assert_eq!(refusal("-r ./main.txt", ""), format!("main.txt:1: invalid file \"./main.txt\": {itself}"));
    let loops = refusal("six\n-r d/other.txt", "idna\n-c ../main.txt");
    assert_eq!(loops, format!("d/other.txt:2: invalid file \"../main.txt\": {itself}"));
    assert_eq!(refusal("-r d/other.txt -c x", ""), {
        "main.txt:1: invalid line \"-r d/other.txt -c x\": pip reads one file for each line"
    });
    assert_eq!(refusal("-r https://example.org/x", ""), {
        "main.txt:1: invalid file \"https://example.org/x\": a URL is not read"
    });
}

#[test]
fn files_that_are_named_again_and_again_are_read_once() {
    let texts: Vec<(String, String)> =
        (0..90).map(|at| (format!("{at}.txt"), format!("-r {0}.txt\n-r {0}.txt\n", at + 1))).collect();
    let mut files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    files.extend([("main.txt", "-r 0.txt"), ("90.txt", "six")]);
    assert_eq!(read(&files), Ok(("six\n".into(), String::new())));
    let texts: Vec<(String, String)> = (0..200).map(|at| (format!("{at}.txt"), format!("-r {}.txt", at + 1))).collect();
    let mut files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    files.push(("main.txt", "-r 0.txt"));
    assert_eq!(read(&files).unwrap_err(), "98.txt:1: invalid file \"99.txt\": files name each other too deeply");
}

#[test]
fn what_reaches_outside_or_acts_is_refused_with_its_line() {
    for (line, why) in [
        ("-e .", "invalid pip option \"-e\": it refers to something outside of the recipe"),
        ("./wheel", "invalid pip requirement \"./wheel\": pip would read it as the path of a file"),
        ("six @ https://me:pw@example.org/x", "\"six @ https://***@example.org/x\": a URL is not accepted here"),
        ("git+https://example.org/x", "it is a URL without a name"),
        ("six==${TOKEN}", "invalid line \"six==${TOKEN}\": pip would insert the value of a variable"),
        ("-r ${HOME}/x.txt", "pip would insert the value of a variable"),
        ("six==$x", "\"$\" is not allowed"),
        ("si\\x", "\"\\\" would join it to the next line"),
        ("six\0", "\"\\u{0}\" is not allowed"),
        ("-r a\0", "invalid file \"a\\u{0}\": it contains a NUL"),
        ("six\t--pre", "\"\\t\" is not allowed"),
        ("six\u{7f}", "\"\\u{7f}\" is not allowed"),
        ("six --pre", "invalid line \"six\": only --hash can follow a package"),
        ("six -r x.txt", "only --hash can follow a package"),
        ("--hash=sha256:", "it must have 64 hexadecimal digits"),
        (&format!("--hash=sha256:{DIGEST}"), "a hash must follow a package"),
        ("-r 'x", "a quote in it is not closed"),
        ("numpy, pandas", "it contains a comma"),
    ] {
        let message = one(&format!("idna\n\n{line}")).expect_err(line);
        assert!(message.starts_with("main.txt:3: ") && message.contains(why), "{line:?}: {message}");
    }
    // These are names of variables for a shell, and not for pip.
    assert!(one("a; os_name == '${x}'").unwrap_err().contains("\"$\" is not allowed"));
}

#[test]
fn a_constraint_has_no_extras() {
    let refused = read(&[("main.txt", "-c c.txt"), ("c.txt", "six\na[b]==1\n")]).unwrap_err();
    assert_eq!(refused, "c.txt:2: invalid constraint \"a[b]==1\": pip allows no extras in a constraint");
    let marked = read(&[("main.txt", "-c c.txt"), ("c.txt", "a==1; os_name in '[b]'\n")]);
    assert_eq!(marked, Ok((String::new(), "a==1; os_name in '[b]'\n".into())));
}

#[test]
fn a_text_of_a_spec_is_named_by_its_key_and_names_no_file() {
    let open = |_: &Path| -> Result<Source, Failure> { panic!("a file is opened") };
    let mut reader = Reader::new(None, &open);
    reader.text("requirements", "six\nidna==3.4", Role::Wanted).unwrap();
    let failure = reader.text("requirements", "\n-r x.txt", Role::Wanted).unwrap_err();
    assert_eq!(failure.message, "line 2 of \"requirements\": invalid file \"x.txt\": a spec has no other files");
    assert_eq!(failure.hint.unwrap(), "give the file itself with --requirements FILE");
    let failure = reader.text("constraints", "--index-url https://example.org", Role::Constraint).unwrap_err();
    assert_eq!(failure.hint.unwrap(), "give it with --pip-index-url https://example.org");
    assert_eq!(text(&reader.finish().wanted), "six\nidna==3.4\n");
}

#[test]
fn where_one_package_has_a_hash_each_needs_one() {
    let check = |text: &str, constraints: &str, listed: &[&str]| {
        let files = [("main.txt", text.as_bytes()), ("c.txt", constraints.as_bytes())];
        let listed: Vec<PipRequirement> = listed.iter().map(|text| text.parse().unwrap()).collect();
        read_all(&files).unwrap().check_hashes(&listed).map_err(|failure| failure.message)
    };
    let hashed = format!("six==1.16.0 --hash=sha256:{DIGEST}\n");
    let asks = |place: &str| format!("and {place} asks for hashes");
    assert_eq!(check(&hashed, "", &[]), Ok(()));
    assert_eq!(check("six\nidna", "", &["numpy"]), Ok(()));
    assert_eq!(check(&format!("{hashed}idna; os_name == 'nt'"), "idna<9", &["a; os_name == 'nt'"]), Ok(()));
    let bare = check(&format!("idna==3\n{hashed}"), "", &["numpy"]).unwrap_err();
    assert_eq!(bare, format!("main.txt:1: the package \"idna==3\" has no hash, {}", asks("main.txt:2")));
    let listed = check(&hashed, "", &["numpy<2"]).unwrap_err();
    assert_eq!(listed, format!("the package \"numpy<2\" has no hash, {}", asks("main.txt:1")));
    let constrained = check("-c c.txt\nsix", &hashed, &[]).unwrap_err();
    assert_eq!(constrained, format!("main.txt:2: the package \"six\" has no hash, {}", asks("c.txt:1")));
    assert!(check("--require-hashes\nsix", "", &[]).is_err());
}
