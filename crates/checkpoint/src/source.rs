//! A file as a range of bytes: mapped, or read piece by piece.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::Error;

/// How the bytes of a file are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mapping {
    /// The file is mapped: opening costs nothing, tensors share its pages with every other process that maps it.
    ///
    /// While the map lives, nobody may shorten the file: a page that is gone ends the process (SIGBUS).
    /// A file that is written to in place shows its new bytes. [`Mapping::Read`] has neither limit.
    #[default]
    Map,
    /// Each tensor's bytes are read when they are asked for, into memory of their own.
    Read,
}

/// An open file, or bytes in memory, with the name that messages call it by.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    len: u64,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Bytes(Bytes),
    /// A map, and its bytes.
    Map(Arc<memmap2::Mmap>, Bytes),
    File(Mutex<File>),
}

/// A map that a [`Bytes`] shares.
struct Shared(Arc<memmap2::Mmap>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Source {
    /// Opens a regular file; symbolic links are followed, since the hub's cache consists of them.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::NotAFile`] for folders, pipes and devices.
    pub fn open(path: &Path, mapping: Mapping) -> Result<Source, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        // Asked before opening: to open a pipe is to wait for its writer.
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(Error::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        let held = match mapping {
            Mapping::Map => {
                let map = Arc::new(map(&file).map_err(io)?);
                Held::Map(Arc::clone(&map), Bytes::from_owner(Shared(map)))
            }
            Mapping::Read => Held::File(Mutex::new(file)),
        };
        Ok(Source { path: path.to_owned(), len, held })
    }

    /// Bytes that are in memory already; `name` stands in messages where a path would.
    pub fn from_bytes(name: impl Into<PathBuf>, bytes: impl Into<Bytes>) -> Source {
        let bytes = bytes.into();
        Source { path: name.into(), len: bytes.len() as u64, held: Held::Bytes(bytes) }
    }

    /// The path that was opened, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The length in bytes when it was opened.
    #[expect(clippy::len_without_is_empty, reason = "an empty file is no checkpoint; nobody asks")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The bytes in `range`: a share of the map, or read now.
    ///
    /// # Errors
    /// [`Error::Io`] where the range is not in the file (any more) or reading fails; [`Error::OutOfMemory`].
    pub fn read(&self, range: Range<u64>) -> Result<Bytes, Error> {
        if range.start > range.end || range.end > self.len {
            return Err(self.io(std::io::ErrorKind::UnexpectedEof.into()));
        }
        let length = range.end - range.start;
        match &self.held {
            // The casts lose nothing: both ends are at most the length of a slice.
            Held::Bytes(bytes) | Held::Map(_, bytes) => {
                Ok(bytes.slice(range.start as usize..range.end as usize))
            }
            Held::File(file) => {
                let mut buffer = reserve(length).ok_or_else(|| self.out_of_memory(length))?;
                // A poisoned lock is as good as any: each read seeks first.
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(range.start)).map_err(|error| self.io(error))?;
                (&mut *file).take(length).read_to_end(&mut buffer).map_err(|error| self.io(error))?;
                if buffer.len() as u64 != length {
                    return Err(self.io(std::io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(buffer.into())
            }
        }
    }

    /// Takes the pages of a map out of this process's memory: what is read again comes from the file, or from the system's
    /// cache of it. Where nothing is mapped, or the system can't, nothing happens.
    pub fn release(&self) {
        #[cfg(target_os = "linux")]
        if let Held::Map(map, _) = &self.held {
            // SAFETY: the map is shared with the file and read only, so that its pages are the file's before and after;
            // nothing was written to them that could be lost.
            let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        }
    }

    pub(crate) fn io(&self, source: std::io::Error) -> Error {
        Error::Io { path: self.path.clone(), source }
    }

    pub(crate) fn out_of_memory(&self, bytes: u64) -> Error {
        Error::OutOfMemory { path: self.path.clone(), bytes }
    }
}

/// An empty vector with room for `count` values, or none where memory cannot be had.
pub(crate) fn reserve<T>(count: u64) -> Option<Vec<T>> {
    let mut vector = Vec::new();
    vector.try_reserve_exact(usize::try_from(count).ok()?).ok()?;
    Some(vector)
}

fn map(file: &File) -> std::io::Result<memmap2::Mmap> {
    // SAFETY: the map is read only and private to us; that nobody shortens or rewrites the file while it lives
    // cannot be enforced on any system that we run on, and is the documented contract of `Mapping::Map`.
    let map = unsafe { memmap2::Mmap::map(file) }?;
    // A cold file then comes in huge pages, where the system has them for files; where not, nothing is lost.
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    Ok(map)
}
