//! Reading forward through a file that may lie about every count.

use bytes::Bytes;

use crate::{Error, Source};

/// Metadata and the list of tensors end before this; the largest vocabularies take a quarter.
const LIMIT: u64 = 64 << 20;
/// What is read at once where the file is not mapped.
const PIECE: u64 = 1 << 18;

/// A place in the head of a file, and the piece of it that is at hand.
pub(crate) struct Cursor<'a> {
    source: &'a Source,
    position: u64,
    end: u64,
    piece: Bytes,
    piece_start: u64,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(source: &'a Source) -> Cursor<'a> {
        Cursor { source, position: 0, end: source.len().min(LIMIT), piece: Bytes::new(), piece_start: 0 }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next `length` bytes. Nothing is allocated for bytes that the file does not have.
    pub(crate) fn take(&mut self, length: u64) -> Result<&[u8], Error> {
        if length > self.end - self.position {
            return Err(self.beyond(&format!("{length} bytes at {}", self.position)));
        }
        let end = self.position + length;
        if end > self.piece_start + self.piece.len() as u64 {
            let upto = end.max(self.position + PIECE).min(self.end);
            self.piece = self.source.read(self.position..upto)?;
            self.piece_start = self.position;
        }
        // The casts lose nothing: both lie within the piece.
        let from = (self.position - self.piece_start) as usize;
        self.position = end;
        Ok(&self.piece[from..from + length as usize])
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn string(&mut self, what: &str) -> Result<String, Error> {
        let length = self.u64()?;
        let at = self.position;
        let text = std::str::from_utf8(self.take(length)?).map(str::to_owned);
        text.map_err(|_| self.malformed(&format!("{what}, at byte {at}, is not UTF-8")))
    }

    /// A count of things that take at least `smallest` bytes each.
    pub(crate) fn count(&mut self, smallest: u64, what: &str) -> Result<u64, Error> {
        let count = self.u64()?;
        self.check_count(count, smallest, what)?;
        Ok(count)
    }

    /// Refuses a count that the rest of the file can't hold.
    pub(crate) fn check_count(&self, count: u64, smallest: u64, what: &str) -> Result<(), Error> {
        let rest = self.end - self.position;
        if count > rest / smallest {
            return Err(self.beyond(&format!("{count} {what} at {}", self.position)));
        }
        Ok(())
    }

    fn beyond(&self, what: &str) -> Error {
        let end = match self.source.len() {
            len if len > LIMIT => format!("the {LIMIT} bytes that metadata may take"),
            len => format!("the file's end at {len}: cut short, or lying"),
        };
        self.malformed(&format!("{what} are beyond {end}"))
    }

    pub(crate) fn malformed(&self, problem: &str) -> Error {
        Error::Malformed { path: self.source.path().to_owned(), format: "GGUF", problem: problem.to_owned() }
    }

    pub(crate) fn unsupported(&self, problem: String) -> Error {
        Error::Unsupported { path: self.source.path().to_owned(), problem }
    }

    pub(crate) fn tensor(&self, name: &str, problem: String) -> Error {
        Error::Tensor { path: self.source.path().to_owned(), tensor: name.to_owned(), problem }
    }
}
