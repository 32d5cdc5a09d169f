//! `logs` prints exactly the bytes that the program wrote.

use serde_json::json;

use super::lines;
use crate::support::real::Real;
use crate::support::schema;

#[test]
fn a_megabyte_of_each_stream_is_whole_and_in_order() {
    let real = Real::new();
    // One stream has digits, the other letters: whatever the order between them, each can be told.
    let id = real.start(
        concat!(
            "import sys\n",
            "for number in range(20000):\n",
            "    sys.stdout.write(f'{number:051}\\n'); sys.stdout.flush()\n",
            "    sys.stderr.write(chr(97 + number % 26) * 52); sys.stderr.flush()\n",
        ),
        &[],
    );
    let (job, code) = real.wait(&id);
    assert_eq!((code, &job["log"]), (0, &json!("complete")));
    let (mut letters, mut digits) = (Vec::new(), Vec::new());
    for byte in real.log(&id) {
        if byte.is_ascii_lowercase() { letters.push(byte) } else { digits.push(byte) }
    }
    let stdout: String = (0..20000).map(|number| format!("{number:051}\n")).collect();
    let stderr: Vec<u8> = (0..20000).flat_map(|number| [b'a' + u8::try_from(number % 26).unwrap(); 52]).collect();
    assert!(digits == stdout.as_bytes(), "stdout differs");
    assert!(letters == stderr, "stderr differs");
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
