//! The members of an archive, one after the other. Nothing that the archive says is trusted: what it may not say is an error,
//! and nothing takes more memory than is fixed here.

use std::io::Read;

use tar::{EntryType, Header};

use super::refused::Refused;
use super::{LONGEST, Time};

const BLOCK: usize = 512;
/// How many bytes the records before a member may have. The attributes of a file are among them, up to 64 KiB each.
const RECORDS: u64 = 1 << 20;
/// How many bytes a long name of GNU tar may have, with the NUL at its end.
const LONG_NAME: u64 = LONGEST as u64 + 1;
/// How many bytes may follow the end of an archive. GNU tar fills up to 10,240.
const AFTER_END: usize = 1 << 20;

/// A member of an archive.
#[derive(Debug)]
pub struct Member {
    /// Its path as it is in the archive.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// All bits of it.
    pub mode: u32,
    /// When it was modified.
    pub time: Time,
    /// How many bytes of content follow; 0 but for a file.
    pub size: u64,
    /// Where a link leads to; otherwise without meaning.
    pub link: Vec<u8>,
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    SymbolicLink,
    HardLink,
    /// A device or a FIFO, in words.
    Special(&'static str),
}

/// What stands before a member and holds for it alone.
#[derive(Debug, Default)]
struct Before {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    time: Option<Time>,
    /// Whether there were records already.
    records: bool,
}

/// The members of the archive that is read.
#[derive(Debug)]
pub struct Members<R> {
    reader: R,
    /// How many bytes of the last member's content are left.
    left: u64,
    /// How many bytes then follow, up to the next block.
    padding: u64,
}

impl<R: Read> Members<R> {
    /// The members of an archive.
    pub fn of(reader: R) -> Self {
        Self { reader, left: 0, padding: 0 }
    }

    /// The next member; what is left of the last one's content is skipped. `None` if the archive has its proper end here.
    ///
    /// # Errors
    /// When the archive cannot be read, is cut off, or is not one.
    pub fn next(&mut self) -> Result<Option<Member>, Refused> {
        let mut before = Before::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else {
                let is_whole = before.is_empty();
                self.end()?;
                return if is_whole {
                    Ok(None)
                } else {
                    Err(Refused::invalid("the archive ends before a member that it names"))
                };
            };
            let size = size_of(&header)?;
            match header.entry_type() {
                EntryType::XHeader => before.read_records(&self.small(size, RECORDS)?)?,
                EntryType::GNULongName => once(&mut before.name, long_name(self.small(size, LONG_NAME)?))?,
                EntryType::GNULongLink => once(&mut before.link, long_name(self.small(size, LONG_NAME)?))?,
                kind => {
                    let member = member(&header, kind, size, before)?;
                    self.announce(member.size);
                    return Ok(Some(member));
                }
            }
        }
    }

    /// Reads the content of the last member, as much as there is room for. 0 is the end of the content.
    ///
    /// # Errors
    /// When the archive cannot be read or is cut off.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Refused> {
        let length = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.exact(&mut buffer[..length])?;
        self.left -= length as u64;
        Ok(length)
    }

    fn announce(&mut self, size: u64) {
        (self.left, self.padding) = (size, size.wrapping_neg() % BLOCK as u64);
    }

    fn skip(&mut self) -> Result<(), Refused> {
        let mut buffer = [0; 8 << 10];
        self.left += std::mem::take(&mut self.padding);
        while self.read(&mut buffer)? > 0 {}
        Ok(())
    }

    /// The content of something that describes a member.
    fn small(&mut self, size: u64, limit: u64) -> Result<Vec<u8>, Refused> {
        if size > limit {
            return Err(Refused::invalid(format!(
                "a description of {size} bytes in the archive, and at most {limit} are read"
            )));
        }
        self.announce(size);
        let mut content = vec![0; usize::try_from(size).unwrap_or(0)];
        self.read(&mut content)?;
        Ok(content)
    }

    /// The next header, or `None` if a block of zeros is in its place.
    fn header(&mut self) -> Result<Option<Header>, Refused> {
        let mut header = Header::new_old();
        self.exact(header.as_mut_bytes())?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let mut summed = header.clone();
        summed.set_cksum();
        match (header.cksum(), summed.cksum()) {
            (Ok(found), Ok(expected)) if found == expected => Ok(Some(header)),
            _ => Err(Refused::invalid("this is no tar archive, or it is damaged: the checksum of a header is wrong")),
        }
    }

    /// The second block of zeros, and zeros up to the end of the stream.
    fn end(&mut self) -> Result<(), Refused> {
        let mut block = [0; BLOCK];
        self.exact(&mut block)?;
        let (mut rest, mut after) = (Vec::new(), (&mut self.reader).take(AFTER_END as u64 + 1));
        after.read_to_end(&mut rest).map_err(|error| Refused::unread(&error))?;
        if rest.len() <= AFTER_END && block.iter().chain(&rest).all(|byte| *byte == 0) {
            return Ok(());
        }
        Err(Refused::invalid("the archive has something after its end"))
    }

    fn exact(&mut self, buffer: &mut [u8]) -> Result<(), Refused> {
        self.reader.read_exact(buffer).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Refused::cut(),
            _ => Refused::unread(&error),
        })
    }
}

impl Before {
    fn is_empty(&self) -> bool {
        self.name.is_none() && self.link.is_none() && !self.records
    }

    /// Records of POSIX: `LENGTH KEY=VALUE\n`, where the length is that of the whole record. A value is any bytes.
    fn read_records(&mut self, mut text: &[u8]) -> Result<(), Refused> {
        if std::mem::replace(&mut self.records, true) {
            return Err(Refused::invalid("the archive describes a member twice"));
        }
        while !text.is_empty() {
            let (key, value, rest) =
                record(text).ok_or_else(|| Refused::invalid("a record in the archive is malformed"))?;
            text = rest;
            match key {
                // An empty value means that of the header.
                _ if value.is_empty() => {}
                b"path" => once(&mut self.name, value.to_vec())?,
                b"linkpath" => once(&mut self.link, value.to_vec())?,
                b"size" => once(&mut self.size, decimal(value).ok_or_else(|| Refused::invalid(wrong("size", value)))?)?,
                b"mtime" => once(&mut self.time, moment(value).ok_or_else(|| Refused::invalid(wrong("time", value)))?)?,
                _ if key.starts_with(b"GNU.sparse.") => return Err(Refused::invalid("the archive has a sparse file")),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What describes a member may be said once.
fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Refused> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Refused::invalid("the archive describes a member twice")),
    }
}

fn wrong(what: &str, value: &[u8]) -> String {
    format!("a member of the archive has a wrong {what}: {}", super::refused::name_shown(value))
}

fn member(header: &Header, kind: EntryType, size: u64, before: Before) -> Result<Member, Refused> {
    let old = header.as_old();
    let name = before.name.unwrap_or_else(|| header.path_bytes().into_owned());
    let link = before.link.unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned());
    let refused = |why: &str| Refused::member(&name, why);
    let size = before.size.unwrap_or(size);
    let kind = match kind {
        EntryType::Regular => Kind::File,
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => Kind::SymbolicLink,
        EntryType::Link => Kind::HardLink,
        EntryType::Char | EntryType::Block => Kind::Special("a device"),
        EntryType::Fifo => Kind::Special("a FIFO"),
        other => {
            return Err(refused(&format!("its type is unknown ({})", char::from(other.as_byte()).escape_default())));
        }
    };
    if kind != Kind::File && size != 0 {
        return Err(refused("it is not a file, and has content"));
    }
    let seconds = number(&old.mtime).and_then(|seconds| i64::try_from(seconds).ok());
    let time = before.time.or(seconds.map(|seconds| Time { seconds, nanos: 0 }));
    let time = time.ok_or_else(|| refused("its time is not a number"))?;
    let mode = number(&old.mode)
        .and_then(|mode| u32::try_from(mode).ok())
        .ok_or_else(|| refused("its mode is not a number"))?;
    Ok(Member { name, kind, mode, time, size, link })
}

/// The size in a header.
fn size_of(header: &Header) -> Result<u64, Refused> {
    let size = number(&header.as_old().size).and_then(|size| i64::try_from(size).ok());
    let size = size.and_then(|size| u64::try_from(size).ok());
    size.ok_or_else(|| Refused::member(&header.path_bytes(), "its size is not a number, is negative or is too large"))
}

/// A number in a header: octal digits between blanks, or 95 bits of two's complement behind a bit that is set. An empty field
/// is 0.
fn number(field: &[u8]) -> Option<i128> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let start = i128::from(first & 0x7f) - if first & 0x40 != 0 { 0x80 } else { 0 };
        return Some(rest.iter().fold(start, |number, byte| number << 8 | i128::from(*byte)));
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !is_blank(byte)).unwrap_or(field.len());
    let end = field.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    field[start..end].iter().try_fold(0, |number, byte| match byte {
        b'0'..=b'7' => Some(number << 3 | i128::from(byte - b'0')),
        _ => None,
    })
}

/// The key and the value of the first record of a text, and what follows it.
fn record(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = text.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&text[..blank])?).ok()?;
    if length > text.len() || length <= blank + 1 {
        return None;
    }
    let (record, rest) = text.split_at(length);
    let pair = record[blank + 1..].strip_suffix(b"\n")?;
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    Some((&pair[..equals], &pair[equals + 1..], rest))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let is_decimal = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(digits).ok().filter(|_| is_decimal)?.parse().ok()?;
    i64::try_from(number).ok().map(|_| number)
}

/// A time such as `-12.5`. What is finer than a nanosecond is dropped.
fn moment(text: &[u8]) -> Option<Time> {
    let (sign, text) = text.strip_prefix(b"-").map_or((1, text), |rest| (-1, rest));
    let point = text.iter().position(|byte| *byte == b'.').unwrap_or(text.len());
    let (whole, fraction) = (&text[..point], text.get(point + 1..).unwrap_or_default());
    let seconds = sign * i64::try_from(decimal(whole)?).ok()?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |at: usize| u32::from(fraction.get(at).map_or(0, |digit| digit - b'0'));
    let nanos = (0..9).fold(0, |nanos, at| nanos * 10 + digit(at));
    match (sign, nanos) {
        (-1, 1..) => Some(Time { seconds: seconds - 1, nanos: 1_000_000_000 - nanos }),
        _ => Some(Time { seconds, nanos }),
    }
}

/// A long name of GNU tar ends with a NUL.
fn long_name(mut name: Vec<u8>) -> Vec<u8> {
    name.pop_if(|last| *last == 0);
    name
}
