//! Questions to the engine's own API, one HTTP request each.
//!
//! `docker system dial-stdio` connects its stdin and stdout with the engine, whatever the context is: docker's own client
//! runs it at the far end of ssh. It is a hidden command, and a program that only looks like docker may not have it, so
//! every caller has another way to ask, and takes the reason of a failure from there.
//!
//! The request is one of HTTP/1.0: its answer is not divided into chunks, and ends when the engine closes the connection.

use std::io::{self, Write as _};

use memchr::memmem;
use serde::de::DeserializeOwned;

use super::{Answer, Engine, EngineError, Stdin, argv};

/// The longest request. A pipe takes as much without a reader.
const REQUEST: usize = 4096;
/// The longest status line and headers of an answer, together.
const HEAD: usize = 64 << 10;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Why an answer cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// It is not HTTP/1, or in chunks.
    Foreign,
    /// Its status line and headers do not end within 64 KiB.
    Endless,
    /// The status is not 200.
    Refused(u16),
    /// It has fewer bytes than it says.
    Cut,
}

impl Engine {
    /// The engine's answer to `GET` of this path with these parameters. `None` if it cannot be had in this way or cannot be
    /// used: docker has no such command, no engine answers, the engine refuses the request, or the answer is cut off. Half
    /// of the patience is spent, and the other way to ask has its own.
    ///
    /// # Errors
    /// When docker cannot be started.
    pub fn get<T: DeserializeOwned>(&self, path: &str, parameters: &[(&str, String)]) -> Answer<Option<T>> {
        let request = request(path, parameters);
        let Some((stdin, sent)) = (request.len() <= REQUEST).then(|| filled(&request).ok()).flatten() else {
            return Ok(None);
        };
        let called = self.call(&argv::dial(), self.patience / 2, Stdin::Pipe(stdin), Vec::new());
        // Not before the end of the answer: an engine may drop the request of a client that has closed its side.
        drop(sent);
        match called {
            Ok(output) if output.status.success() => {
                Ok(body(&output.stdout).ok().and_then(|body| serde_json::from_slice(body).ok()))
            }
            Ok(_) | Err(EngineError::TimedOut { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A pipe with these bytes in it.
fn filled(bytes: &[u8]) -> io::Result<(io::PipeReader, io::PipeWriter)> {
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(bytes)?;
    Ok((reader, writer))
}

fn request(path: &str, parameters: &[(&str, String)]) -> Vec<u8> {
    let query: Vec<String> = parameters.iter().map(|(key, value)| format!("{key}={}", escaped(value))).collect();
    format!("GET {path}?{} HTTP/1.0\r\nHost: docker\r\nConnection: close\r\n\r\n", query.join("&")).into_bytes()
}

/// A value as a URL's query has it.
fn escaped(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    value.bytes().map(escape).collect()
}

/// The body of an answer of HTTP/1.0 with status 200. Of the headers, only those that tell the body's length count.
///
/// # Errors
/// As [`Unusable`].
pub fn body(answer: &[u8]) -> Result<&[u8], Unusable> {
    let within = &answer[..answer.len().min(HEAD)];
    let end = match memmem::find(within, END_OF_HEAD) {
        Some(end) => end,
        None if answer.len() > HEAD => return Err(Unusable::Endless),
        None if answer.starts_with(b"HTTP/1.") => return Err(Unusable::Cut),
        None => return Err(Unusable::Foreign),
    };
    let head = str::from_utf8(&answer[..end]).map_err(|_| Unusable::Foreign)?;
    let mut lines = head.split("\r\n");
    let status = status(lines.next().unwrap_or_default()).ok_or(Unusable::Foreign)?;
    if status != 200 {
        return Err(Unusable::Refused(status));
    }
    let mut body = &answer[end + END_OF_HEAD.len()..];
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Unusable::Foreign);
        }
        if name.eq_ignore_ascii_case("content-length") {
            let length = value.trim().parse().map_err(|_| Unusable::Foreign)?;
            body = body.get(..length).ok_or(Unusable::Cut)?;
        }
    }
    Ok(body)
}

/// The number in a status line such as `HTTP/1.0 200 OK`.
fn status(line: &str) -> Option<u16> {
    let code = line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    (code.len() == 3).then(|| code.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_of_http_1_0_with_its_values_escaped() {
        let filters = r#"{"label":{"a=b c&d/é":true}}"#.to_owned();
        let text =
            String::from_utf8(request("/containers/json", &[("all", "1".into()), ("filters", filters)])).unwrap();
        let line =
            "GET /containers/json?all=1&filters=%7B%22label%22%3A%7B%22a%3Db%20c%26d%2F%C3%A9%22%3Atrue%7D%7D HTTP/1.0";
        assert_eq!(text, format!("{line}\r\nHost: docker\r\nConnection: close\r\n\r\n"));
    }

    #[test]
    fn the_body_is_what_follows_the_headers() {
        let long = b"HTTP/1.0 200 OK\r\nServer: Docker/20.10.24 (linux)\r\ncontent-length:  2\r\n\r\n[]\n";
        assert_eq!(body(long), Ok(&b"[]"[..]));
        assert_eq!(body(b"HTTP/1.1 200 \r\n\r\n[\xff\r\n\r\n]"), Ok(&b"[\xff\r\n\r\n]"[..]));
        assert_eq!(body(b"HTTP/1.0 200 OK\r\nno header\r\n\r\n"), Ok(&b""[..]));
    }

    #[test]
    fn an_answer_that_cannot_be_used_says_why() {
        let refused = b"HTTP/1.0 400 Bad Request\r\nContent-Length: 90\r\n\r\n{\"message\":\"no\"}\n";
        assert_eq!(body(refused), Err(Unusable::Refused(400)));
        for cut in ["HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n[]", "HTTP/1.0 200 OK\r\nContent-Le", "HTTP/1."] {
            assert_eq!(body(cut.as_bytes()), Err(Unusable::Cut), "{cut:?}");
        }
        let strange = [
            "",
            "[]",
            "\r\n\r\n[]",
            "HTTP/2 200\r\n\r\n[]",
            "HTTP/1.0 2000 OK\r\n\r\n[]",
            "HTTP/1.0 OK\r\n\r\n[]",
            "HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n[]",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
        ];
        for answer in strange {
            assert_eq!(body(answer.as_bytes()), Err(Unusable::Foreign), "{answer:?}");
        }
    }

    #[test]
    fn headers_are_read_up_to_64_kib() {
        let answer = |size: usize| {
            let head = "HTTP/1.0 200 OK\r\nX: ";
            format!("{head}{}\r\n\r\n[]", "x".repeat(size - head.len() - END_OF_HEAD.len())).into_bytes()
        };
        assert_eq!(body(&answer(HEAD)), Ok(&b"[]"[..]));
        assert_eq!(body(&answer(HEAD + 1)), Err(Unusable::Endless));
    }
}
