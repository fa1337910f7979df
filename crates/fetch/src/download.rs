//! One file: from where the last try ended, checked before it gets its name.

use std::fs::File as Handle;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::cache::Cache;
use crate::client::Answer;
use crate::error::io;
use crate::wanted::{File, Hash};

/// So often in a row a try may bring nothing.
const TRIES: u32 = 4;
/// How long it is waited after the first of them; twice as long after each further one.
const WAIT: Duration = Duration::from_millis(250);
const PIECE: usize = 1 << 17;

/// Fetches a file into the cache. `get` asks for its bytes from a place on; `progress` hears how many are there.
pub(crate) fn download(
    cache: &Cache,
    file: &File,
    url: &str,
    get: &mut dyn FnMut(u64) -> Result<Answer, Error>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), Error> {
    let _lock = cache.lock(file)?;
    if cache.has(file) {
        return Ok(()); // somebody else was faster
    }
    let blob = cache.blob(file);
    let path = blob.with_file_name(format!("{}.incomplete", file.hash.digits()));
    let mut part = Part::open(&path, file)?;
    let mut tries = 0;
    while part.bytes < file.size {
        let before = part.bytes;
        let ended = get(part.bytes).and_then(|answer| part.take(answer, url, progress));
        match ended {
            Ok(()) => {}
            Err(error @ (Error::Network { .. } | Error::Refused { status: 500..600, .. })) => {
                tries = if part.bytes > before { 0 } else { tries + 1 };
                if tries == TRIES {
                    return Err(error);
                }
                std::thread::sleep(WAIT * 2_u32.pow(tries));
            }
            Err(error) => return Err(error),
        }
    }
    part.finish(&blob)
}

/// What is there of a file.
struct Part<'f> {
    file: &'f File,
    path: &'f Path,
    handle: Handle,
    bytes: u64,
    hasher: Hasher,
}

impl<'f> Part<'f> {
    /// Goes on with what an earlier try left.
    fn open(path: &'f Path, file: &'f File) -> Result<Part<'f>, Error> {
        let open = Handle::options().create(true).read(true).append(true).open(path);
        let handle = open.map_err(io(path))?;
        let mut part = Part { file, path, handle, bytes: 0, hasher: Hasher::new(file) };
        let mut piece = vec![0; PIECE];
        loop {
            let read = part.handle.read(&mut piece).map_err(io(path))?;
            if read == 0 {
                break;
            }
            part.hasher.update(&piece[..read]);
            part.bytes += read as u64;
        }
        if part.bytes > file.size {
            part.begin_anew()?;
        }
        Ok(part)
    }

    fn begin_anew(&mut self) -> Result<(), Error> {
        self.handle.set_len(0).map_err(io(self.path))?;
        (self.bytes, self.hasher) = (0, Hasher::new(self.file));
        Ok(())
    }

    /// Writes what an answer brings, until it ends.
    fn take(&mut self, answer: Answer, url: &str, progress: &mut dyn FnMut(u64)) -> Result<(), Error> {
        if self.bytes > 0 && answer.status() != 206 {
            self.begin_anew()?; // the server gives the whole file only
        }
        let mut body = answer.into_body().into_reader();
        let mut piece = vec![0; PIECE];
        while self.bytes < self.file.size {
            let network = |problem: String| Error::Network { url: url.to_owned(), problem };
            let left = (self.file.size - self.bytes).min(PIECE as u64) as usize;
            let told = |bytes, size| {
                format!(
                    "the connection ended after {bytes} of {size} bytes; the same again goes on from there"
                )
            };
            let read = match body.read(&mut piece[..left]) {
                Ok(0) => return Err(network(told(self.bytes, self.file.size))),
                Ok(read) => read,
                Err(error) => return Err(network(format!("{}: {error}", told(self.bytes, self.file.size)))),
            };
            self.handle.write_all(&piece[..read]).map_err(io(self.path))?;
            self.hasher.update(&piece[..read]);
            self.bytes += read as u64;
            progress(self.bytes);
        }
        Ok(())
    }

    /// Gives the file its name, if it is what the hub says.
    fn finish(self, blob: &Path) -> Result<(), Error> {
        let Part { file, path, handle, hasher, .. } = self;
        let (found, wanted) = (hasher.digits(), file.hash.digits());
        if found != wanted {
            std::fs::remove_file(path).map_err(io(path))?;
            let problem = format!("its hash is {found}, and the hub says {wanted}");
            return Err(Error::Corrupt { path: file.path.clone(), problem });
        }
        handle.sync_all().map_err(io(path))?;
        std::fs::rename(path, blob).map_err(io(blob))
    }
}

enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

impl Hasher {
    fn new(file: &File) -> Hasher {
        match file.hash {
            Hash::Sha256(_) => Hasher::Sha256(Sha256::new()),
            Hash::Git(_) => Hasher::Git(Sha1::new_with_prefix(format!("blob {}\0", file.size))),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Git(hasher) => hasher.update(bytes),
        }
    }

    fn digits(self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Hasher::Sha256(hasher) => hex(&hasher.finalize()),
            Hasher::Git(hasher) => hex(&hasher.finalize()),
        }
    }
}
