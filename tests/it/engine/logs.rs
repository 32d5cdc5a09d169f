//! `logs` prints exactly the bytes that the program wrote.

use serde_json::json;

use super::lines;
use crate::support::real::Real;
use crate::support::schema;

/// Prints numbered lines on stdout and stderr in turn, each with a write of its own; those on stderr have letters for
/// digits. Whatever the order between the two, each stream must be whole and in order.
pub fn lines_of_both_streams(pairs: usize) {
    let real = Real::new();
    let code = format!(
        "import os\nletters = bytes.maketrans(b'0123456789', b'abcdefghij')\nfor number in range({pairs}):\n    \
         line = b'%051d\\n' % number\n    os.write(1, line)\n    os.write(2, line.translate(letters))\n"
    );
    let id = real.start(&code, &[]);
    let (job, code) = real.wait(&id);
    assert_eq!((code, &job["log"]), (0, &json!("complete")));
    let log = real.log(&id);
    let stream = |belongs: fn(&u8) -> bool| log.iter().copied().filter(belongs).collect::<Vec<u8>>();
    let digits: Vec<u8> = (0..pairs).flat_map(|number| format!("{number:051}").into_bytes()).collect();
    let letters: Vec<u8> = digits.iter().map(|digit| digit - b'0' + b'a').collect();
    assert!(stream(u8::is_ascii_digit) == digits, "stdout differs");
    assert!(stream(u8::is_ascii_lowercase) == letters, "stderr differs");
    assert_eq!(log.len(), pairs * 2 * 52, "there is something else");
    assert_eq!(stream(|byte| *byte == b'\n').len(), pairs * 2);
}

#[test]
fn forty_thousand_lines_of_both_streams_are_whole_and_in_order() {
    lines_of_both_streams(20_000);
}

#[test]
fn a_log_without_a_last_newline_and_with_bytes_that_are_no_text_is_exact() {
    let real = Real::new();
    let bytes: &[u8] = b"caf\xc3\xa9 \xff\xfe\xc3\n\0\x1b[31mred\r\n\n\xf0\x9f\x98\x80\nno newline\xe2\x82";
    let literal: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    let id = real.start(&format!("import sys; sys.stdout.buffer.write(b'{literal}')"), &[]);
    assert_eq!(real.wait(&id).1, 0);
    assert_eq!(real.log(&id), bytes);
    let followed = real.command(&["exec", "logs", "--follow", &id]).output().unwrap().stdout;
    assert_eq!(followed, bytes);
    let logs = schema::validated("logs", real.run(&["exec", "logs", &id, "--json"]).code(0).json());
    let shown = ["caf\u{e9} \u{fffd}\u{fffd}\u{fffd}", "\0\u{1b}[31mred\r", "", "\u{1f600}", "no newline\u{fffd}"];
    assert_eq!(lines(&logs), shown);
    let rows = real.run(&["exec", "logs", "--follow", "--json", &id]).code(0).stdout;
    let rows: Vec<String> = rows
        .lines()
        .map(|row| {
            schema::validated("log-line", serde_json::from_str(row).unwrap())["line"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(rows, shown);
    let tail = real.run(&["exec", "logs", "-n", "2", &id, "--json"]).code(0).json();
    assert_eq!(lines(&tail), shown[3..]);
}

#[test]
fn a_line_of_twenty_megabytes_is_one_line() {
    let real = Real::new();
    let code = concat!(
        "import sys\n",
        "for part in range(20): sys.stdout.write(chr(97 + part) * (1 << 20))\n",
        "print(); print('end')\n",
    );
    let id = real.start(code, &[]);
    let (job, code) = real.wait(&id);
    assert_eq!((code, &job["log"]), (0, &json!("complete")));
    let mut truth: Vec<u8> = (0..20).flat_map(|part| vec![b'a' + part; 1 << 20]).collect();
    truth.extend(b"\nend\n");
    assert!(real.log(&id) == truth, "the log differs");
    let logs = real.run(&["exec", "logs", &id, "--json"]).code(0).json();
    assert_eq!(lines(&logs).iter().map(|line| line.len()).collect::<Vec<_>>(), [20 << 20, 3]);
}

#[test]
fn a_program_that_says_nothing_has_an_empty_log() {
    let real = Real::new();
    let id = real.start("", &[]);
    assert_eq!(real.wait(&id).1, 0);
    assert_eq!(real.log(&id), b"");
    assert_eq!(real.run(&["exec", "logs", &id, "--json"]).code(0).json(), json!({"lines": []}));
}
