//! The directory of a zip archive: where the bytes of each record are, and whether they are stored or deflated.
//!
//! Our own, since what is wanted is not a reader of records but their place in the file, so that a tensor can be a share
//! of the map; what a general crate brings (a dozen compressions, dates, paths, extraction) would be surface to hostile
//! files and nothing else.
//!
//! ```text
//! records │ directory: one entry each │ [end, 64 bits │ its locator] │ end │ comment
//! ```
//! Reference: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use crate::{Error, Source};

const END: u32 = 0x0605_4b50;
const END_LEN: usize = 22;
const LONGEST_COMMENT: u64 = u16::MAX as u64;
const LOCATOR: u32 = 0x0706_4b50;
const LOCATOR_LEN: u64 = 20;
const END_64: u32 = 0x0606_4b50;
const END_64_LEN: u64 = 56;
const ENTRY: u32 = 0x0201_4b50;
const ENTRY_LEN: usize = 46;
const RECORD: u32 = 0x0403_4b50;
const RECORD_LEN: u64 = 30;
const EXTRA_64: u16 = 1;
const ENCRYPTED: u16 = 1;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Half a million records.
const DIRECTORY_LIMIT: u64 = 64 << 20;

/// The records of an archive, by name.
pub(crate) type Records = BTreeMap<String, Record>;

/// Where a record's bytes are.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) range: Range<u64>,
    /// How many bytes they become, where they are deflated.
    pub(crate) inflated: Option<u64>,
}

/// An archive, and the format that it is part of, for messages.
#[derive(Clone, Copy)]
pub(crate) struct Archive<'a> {
    pub(crate) source: &'a Source,
    pub(crate) format: &'static str,
}

impl Archive<'_> {
    /// Reads the directory, and the head of each record.
    pub(crate) fn records(self) -> Result<Records, Error> {
        let (directory, count) = directory(self)?;
        let bytes = self.source.read(directory)?;
        let mut fields = Fields { archive: self, bytes, position: 0 };
        let mut records = Records::new();
        for _ in 0..count {
            let (name, record) = entry(&mut fields)?;
            if let Some(first) = records.insert(name.clone(), record) {
                let start = first.range.start;
                return Err(self.malformed(format!("record {name:?} stands twice, at {start} too")));
            }
        }
        match fields.bytes.len() - fields.position {
            0 => Ok(records),
            surplus => {
                Err(self.malformed(format!("{surplus} bytes more in its directory than {count} entries")))
            }
        }
    }

    pub(crate) fn malformed(self, problem: String) -> Error {
        Error::Malformed { path: self.source.path().to_owned(), format: self.format, problem }
    }
}

/// Where the directory is, and how many entries it says it has.
fn directory(archive: Archive<'_>) -> Result<(Range<u64>, u64), Error> {
    let (at, mut end) = find_end(archive)?;
    end.skip(10)?;
    let count = u64::from(end.u16()?);
    let size = u64::from(end.u32()?);
    let offset = u64::from(end.u32()?);
    let (count, size, offset) = end_64(archive, at)?.unwrap_or((count, size, offset));
    let beyond = || {
        archive.malformed(format!("a directory of {size} bytes at {offset}, in a file of {at}: cut short?"))
    };
    let stop = offset.checked_add(size).filter(|&stop| stop <= at).ok_or_else(beyond)?;
    if size > DIRECTORY_LIMIT || count > size / ENTRY_LEN as u64 {
        return Err(archive.malformed(format!("a directory of {count} entries in {size} bytes")));
    }
    Ok((offset..stop, count))
}

/// The last record of all: its place, and its fields.
fn find_end(archive: Archive<'_>) -> Result<(u64, Fields<'_>), Error> {
    let start = archive.source.len().saturating_sub(END_LEN as u64 + LONGEST_COMMENT);
    let tail = archive.source.read(start..archive.source.len())?;
    let Some(at) = (0..tail.len()).rev().find(|&at| is_end(&tail[at..])) else {
        return Err(archive.malformed("no end of a zip archive: cut short, or no such file".to_owned()));
    };
    Ok((start + at as u64, Fields { archive, bytes: tail.slice(at..), position: 0 }))
}

/// Whether an end, with the comment whose length it gives, fills these bytes.
fn is_end(bytes: &[u8]) -> bool {
    let Some((end, comment)) = bytes.split_first_chunk::<END_LEN>() else { return false };
    end.starts_with(&END.to_le_bytes())
        && usize::from(u16::from_le_bytes([end[20], end[21]])) == comment.len()
}

/// Count, size and offset in 64 bits, where a locator stands before the end at `at`.
fn end_64(archive: Archive<'_>, at: u64) -> Result<Option<(u64, u64, u64)>, Error> {
    let Some(start) = at.checked_sub(LOCATOR_LEN) else { return Ok(None) };
    let mut locator = Fields { archive, bytes: archive.source.read(start..at)?, position: 0 };
    if locator.u32()? != LOCATOR {
        return Ok(None);
    }
    locator.skip(4)?;
    let offset = locator.u64()?;
    let beyond = || archive.malformed(format!("its 64-bit end lies at {offset}, beyond {start}"));
    let stop = offset.checked_add(END_64_LEN).filter(|&stop| stop <= start).ok_or_else(beyond)?;
    let mut end = Fields { archive, bytes: archive.source.read(offset..stop)?, position: 0 };
    end.signature(END_64, "the 64-bit end")?;
    end.skip(28)?;
    Ok(Some((end.u64()?, end.u64()?, end.u64()?)))
}

/// One entry of the directory: the record's name, and where its bytes are.
fn entry(fields: &mut Fields<'_>) -> Result<(String, Record), Error> {
    fields.signature(ENTRY, "an entry of the directory")?;
    fields.skip(4)?;
    let (flags, method) = (fields.u16()?, fields.u16()?);
    fields.skip(8)?;
    let (packed, size) = (u64::from(fields.u32()?), u64::from(fields.u32()?));
    let (name_len, extra_len, comment_len) = (fields.u16()?, fields.u16()?, fields.u16()?);
    fields.skip(8)?;
    let offset = u64::from(fields.u32()?);
    let name = fields.text(name_len)?;
    let extra = fields.part(extra_len)?;
    fields.skip(comment_len.into())?;
    if flags & ENCRYPTED != 0 || ![STORED, DEFLATED].contains(&method) {
        let problem = format!(
            "record {name:?} is encrypted, or compressed in a way that is not read (method {method}, flags {flags:#x})"
        );
        return Err(fields.archive.malformed(problem));
    }
    let [size, packed, offset] = widen(extra, [size, packed, offset])?;
    if method == STORED && size != packed {
        let problem = format!("record {name:?} is stored, yet {size} bytes are in {packed}");
        return Err(fields.archive.malformed(problem));
    }
    let range = record(fields.archive, &name, offset, packed)?;
    Ok((name, Record { range, inflated: (method == DEFLATED).then_some(size) }))
}

/// Fields that are all ones stand in the 64-bit part of `extra`, in this order.
fn widen(mut extra: Fields<'_>, mut fields: [u64; 3]) -> Result<[u64; 3], Error> {
    while extra.bytes.len() - extra.position >= 4 {
        let (kind, len) = (extra.u16()?, extra.u16()?);
        let mut part = extra.part(len)?;
        if kind == EXTRA_64 {
            for field in fields.iter_mut().filter(|field| **field == u64::from(u32::MAX)) {
                *field = part.u64()?;
            }
        }
    }
    Ok(fields)
}

/// Where a record's bytes are: after its head at `offset`, whose name and extra fields have lengths of their own.
fn record(archive: Archive<'_>, name: &str, offset: u64, size: u64) -> Result<Range<u64>, Error> {
    let beyond =
        || archive.malformed(format!("record {name:?}, {size} bytes at {offset}, is beyond its end"));
    let head =
        offset.checked_add(RECORD_LEN).filter(|&end| end <= archive.source.len()).ok_or_else(beyond)?;
    let mut fields = Fields { archive, bytes: archive.source.read(offset..head)?, position: 0 };
    fields.signature(RECORD, "the head of a record")?;
    fields.skip(22)?;
    let start = head + u64::from(fields.u16()?) + u64::from(fields.u16()?);
    let end = start.checked_add(size).filter(|&end| end <= archive.source.len()).ok_or_else(beyond)?;
    Ok(start..end)
}

/// Little-endian fields, one after the other.
struct Fields<'a> {
    archive: Archive<'a>,
    bytes: Bytes,
    position: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Result<Bytes, Error> {
        let end = self.position.saturating_add(len);
        if end > self.bytes.len() {
            return Err(self.archive.malformed("a field of its directory is cut short".to_owned()));
        }
        let part = self.bytes.slice(self.position..end);
        self.position = end;
        Ok(part)
    }

    fn skip(&mut self, len: usize) -> Result<(), Error> {
        self.take(len).map(drop)
    }

    fn part(&mut self, len: u16) -> Result<Fields<'a>, Error> {
        Ok(Fields { archive: self.archive, bytes: self.take(len.into())?, position: 0 })
    }

    fn text(&mut self, len: u16) -> Result<String, Error> {
        let bytes = self.take(len.into())?;
        let text = String::from_utf8(bytes.to_vec());
        text.map_err(|error| self.archive.malformed(format!("a record's name is not UTF-8: {error}")))
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut number = [0; N];
        number.copy_from_slice(&self.take(N)?);
        Ok(number)
    }

    fn u16(&mut self) -> Result<u16, Error> {
        self.number().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.number().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Error> {
        self.number().map(u64::from_le_bytes)
    }

    fn signature(&mut self, expected: u32, what: &str) -> Result<(), Error> {
        match self.u32()? {
            found if found == expected => Ok(()),
            found => Err(self.archive.malformed(format!("{found:#x} where {what} should begin"))),
        }
    }
}
