//! What was written, what was rounded, and the sums of what it was made of.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, bail};
use camelid_checkpoint::Checkpoint;
use camelid_families::Rounding;
use sha2::{Digest, Sha256};

/// What was written.
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) tensors: usize,
    pub(super) rounded: Vec<Rounded>,
    /// The type of most numbers, as config.json calls it.
    pub(super) dtype: String,
    pub(super) sums: Sums,
}

/// A tensor of which numbers were rounded, and how far: the largest change over the largest number.
#[derive(Debug, Clone)]
pub(super) struct Rounded {
    pub(super) tensor: String,
    pub(super) by: f64,
}

impl Rounded {
    pub(super) fn of(tensor: &str, rounding: Rounding) -> Option<Rounded> {
        let by = rounding.relative();
        (by > 0.0).then(|| Rounded { tensor: tensor.to_owned(), by })
    }
}

/// A file's name, and the SHA-256 of its bytes.
type Sum = (String, String);

/// The sums of the source's files, taken by a thread of their own while the result is written and proved.
pub(super) struct Sums {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<Vec<Sum>>>>,
}

impl Sums {
    pub(super) fn begin(checkpoint: &Checkpoint) -> Sums {
        let files: BTreeSet<PathBuf> = checkpoint
            .tensors()
            .map(|tensor| tensor.path().to_owned())
            .filter(|path| path.is_file())
            .collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let all = move || files.iter().map(|path| sum(path, &stopped)).collect();
        Sums { stop, thread: Some(std::thread::spawn(all)) }
    }

    /// Waits for them.
    ///
    /// # Errors
    /// A file can't be read.
    pub(super) fn finish(mut self) -> anyhow::Result<Vec<Sum>> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(sums)) => sums,
            Some(Err(_)) | None => bail!("the sums of the source's files could not be taken"),
        }
    }
}

impl Drop for Sums {
    fn drop(&mut self) {
        // Nobody waits for them any more.
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn sum(path: &Path, stop: &AtomicBool) -> anyhow::Result<Sum> {
    let failed = || path.display().to_string();
    let mut file = std::fs::File::open(path).with_context(failed)?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 18]);
    while !stop.load(Ordering::Relaxed) {
        match file.read(&mut piece).with_context(failed)? {
            0 => break,
            read => hash.update(&piece[..read]),
        }
    }
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    Ok((name, hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}
