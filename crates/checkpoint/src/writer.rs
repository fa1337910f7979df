//! Writing safetensors: shard by shard, each whole under its final name or not there at all.
//!
//! What is written is known before it is written, so that headers come first and nothing is held in memory but the piece
//! at hand. Files grow under hidden names in the same folder (`.….partial`), are synced, and get their final names at the
//! end, the index last. An error removes them; a killed process leaves them under their hidden names.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use safetensors::tensor::{Metadata, TensorInfo};
use tempfile::NamedTempFile;

use crate::safetensors::stored;
use crate::{Dtype, Error, Tensor};

const INDEX: &str = "model.safetensors.index.json";

/// A tensor to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// The type that it is stored in; the quantised types are not safetensors'.
    pub dtype: Dtype,
    /// Its extents, slowest first.
    pub shape: Vec<usize>,
}

/// Writes a folder's `model.safetensors`, or shards with their index. Dropped before [`Writer::finish`], it leaves nothing.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    shards: Vec<Shard>,
    /// Name → shard, first byte in its file, bytes; an entry goes when it is written.
    pending: HashMap<String, Place>,
    index: BTreeMap<String, usize>,
    total: u64,
    flusher: Flusher,
}

#[derive(Debug)]
struct Shard {
    file: NamedTempFile,
    name: String,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    shard: usize,
    start: u64,
    len: u64,
}

impl Writer {
    /// Begins to write `tensors` into `folder`, which is made if it is not there. In the order given, they fill shards of
    /// at most `max_shard_bytes` of data; a larger tensor has a shard of its own.
    ///
    /// Within a shard, tensors are ordered as the reference implementation orders them, widest type first, then by name.
    ///
    /// # Errors
    /// [`Error::Exists`] where the folder holds safetensors already; [`Error::Tensor`] for a name twice, a quantised type,
    /// an impossible shape; [`Error::Io`].
    pub fn create(folder: &Path, tensors: Vec<Planned>, max_shard_bytes: u64) -> Result<Writer, Error> {
        std::fs::create_dir_all(folder).map_err(|error| io(folder, error))?;
        refuse_existing(folder)?;
        let plan = divide(folder, tensors, max_shard_bytes)?;
        let (pending, index, flusher) = (HashMap::new(), BTreeMap::new(), Flusher::default());
        let mut writer =
            Writer { folder: folder.to_owned(), shards: vec![], pending, index, total: 0, flusher };
        let count = plan.len();
        for (shard, tensors) in plan.into_iter().enumerate() {
            let name = match count {
                1 => "model.safetensors".to_owned(),
                _ => format!("model-{:05}-of-{count:05}.safetensors", shard + 1),
            };
            writer.begin(shard, name, tensors)?;
        }
        Ok(writer)
    }

    /// Creates a shard's file and writes its header.
    fn begin(&mut self, shard: usize, name: String, mut tensors: Vec<(Planned, u64)>) -> Result<(), Error> {
        tensors.sort_by(|(a, _), (b, _)| {
            stored(b.dtype).cmp(&stored(a.dtype)).then_with(|| a.name.cmp(&b.name))
        });
        let mut file = hidden_file(&self.folder)?;
        let header = header(&tensors).map_err(|error| io(&self.folder.join(&name), error))?;
        file.write_all(&header).map_err(|error| io(file.path(), error))?;
        let mut start = header.len() as u64;
        for (Planned { name, .. }, len) in tensors {
            self.index.insert(name.clone(), shard);
            if self.pending.insert(name.clone(), Place { shard, start, len }).is_some() {
                return Err(self.wrong(&name, "is planned twice".to_owned()));
            }
            start += len;
            self.total += len;
        }
        self.shards.push(Shard { file, name });
        Ok(())
    }

    /// Writes the bytes of one tensor, in pieces of any length, each written as it comes. Tensors may come in any order.
    ///
    /// # Errors
    /// What a piece brings; [`Error::Tensor`] for a name that was not planned or is written already, and for more or fewer
    /// bytes than planned; [`Error::Io`], a full disk among them. After an error the writer is of no more use.
    pub fn write(
        &mut self,
        name: &str,
        pieces: impl IntoIterator<Item = Result<Bytes, Error>>,
    ) -> Result<(), Error> {
        let Some(Place { shard, start, len }) = self.pending.get(name).copied() else {
            return Err(self.wrong(name, "was not planned, or is written already".to_owned()));
        };
        let file = self.shards[shard].file.as_file_mut();
        let failed = |error| io(&self.folder, error);
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let mut written = 0_u64;
        for piece in pieces {
            let piece = piece?;
            written += piece.len() as u64;
            if written > len {
                break;
            }
            file.write_all(&piece).map_err(failed)?;
            self.flusher.wrote(file, piece.len());
        }
        if written != len {
            return Err(self.wrong(name, format!("{written} bytes or more, where {len} were planned")));
        }
        self.pending.remove(name);
        Ok(())
    }

    /// Syncs the files and gives them their names; the index, if there are several, last. Returns their paths.
    ///
    /// # Errors
    /// [`Error::Tensor`] where a planned tensor was not written, [`Error::Io`]; either way nothing is left.
    pub fn finish(mut self) -> Result<Vec<PathBuf>, Error> {
        if let Some(name) = self.pending.keys().min() {
            return Err(self.wrong(name, "was planned and not written".to_owned()));
        }
        let index = self.index_text();
        let mut named = Vec::new();
        let named_all = self.name_all(index, &mut named);
        if let Err(error) = named_all {
            for path in named {
                // The error at hand is the one to tell; that a file can't be removed follows from it.
                let _ = std::fs::remove_file(path);
            }
            return Err(error);
        }
        Ok(named)
    }

    fn name_all(&mut self, index: Option<String>, named: &mut Vec<PathBuf>) -> Result<(), Error> {
        std::mem::take(&mut self.flusher).finish().map_err(|error| io(&self.folder, error))?;
        for Shard { file, .. } in &self.shards {
            file.as_file().sync_all().map_err(|error| io(&self.folder, error))?;
        }
        for Shard { file, name } in self.shards.drain(..) {
            let path = self.folder.join(name);
            file.persist_noclobber(&path).map_err(|error| io(&path, error.error))?;
            named.push(path);
        }
        if let Some(text) = index {
            let path = self.folder.join(INDEX);
            write_file(&path, text.as_bytes())?;
            named.push(path);
        }
        sync_folder(&self.folder)
    }

    /// The index of several shards, as transformers writes it.
    fn index_text(&self) -> Option<String> {
        if self.shards.len() < 2 {
            return None;
        }
        let map: serde_json::Map<_, _> = self
            .index
            .iter()
            .map(|(name, &shard)| (name.clone(), self.shards[shard].name.as_str().into()))
            .collect();
        let index = serde_json::json!({"metadata": {"total_size": self.total}, "weight_map": map});
        Some(format!("{index:#}\n"))
    }

    fn wrong(&self, name: &str, problem: String) -> Error {
        Error::Tensor { path: self.folder.clone(), tensor: name.to_owned(), problem }
    }
}

/// Sends what was written to the disk while more is written, from a thread of its own, so that the wait at the end is short.
#[derive(Debug, Default)]
pub(crate) struct Flusher {
    /// Bytes since the last time.
    waiting: usize,
    thread: Option<(SyncSender<File>, JoinHandle<std::io::Result<()>>)>,
}

impl Flusher {
    const EVERY: usize = 64 << 20;

    /// That so many bytes more were written to a file.
    pub(crate) fn wrote(&mut self, file: &File, bytes: usize) {
        self.waiting += bytes;
        if self.waiting < Flusher::EVERY {
            return;
        }
        self.waiting = 0;
        let (sender, _) = self.thread.get_or_insert_with(|| {
            let (sender, files) = sync_channel::<File>(1);
            (sender, std::thread::spawn(move || files.iter().try_for_each(|file| file.sync_data())))
        });
        // One that can't be sent now is sent at the end: nothing is lost but time.
        let _ = file.try_clone().map(|file| sender.try_send(file));
    }

    /// Waits for the thread. The system tells an error of writing once, so one that it was told counts.
    pub(crate) fn finish(self) -> std::io::Result<()> {
        let Some((sender, thread)) = self.thread else { return Ok(()) };
        drop(sender);
        thread.join().unwrap_or_else(|_| Err(std::io::Error::other("the thread that syncs files panicked")))
    }
}

/// Writes one safetensors file, whole or not at all; what stood under the name before is replaced.
///
/// # Errors
/// [`Error::Tensor`] for a name twice or a quantised type, [`Error::Io`].
pub fn write_safetensors(path: &Path, tensors: &[Tensor]) -> Result<(), Error> {
    let mut planned = Vec::new();
    for tensor in tensors {
        let wrong = |problem: &str| Error::Tensor {
            path: path.to_owned(),
            tensor: tensor.name().to_owned(),
            problem: problem.to_owned(),
        };
        stored(tensor.dtype()).ok_or_else(|| wrong("its type is none of safetensors"))?;
        if planned.iter().any(|(known, _): &(Planned, u64)| known.name == tensor.name()) {
            return Err(wrong("is written twice"));
        }
        let (name, shape) = (tensor.name().to_owned(), tensor.shape().to_vec());
        planned.push((Planned { name, dtype: tensor.dtype(), shape }, tensor.byte_len() as u64));
    }
    let header = header(&planned).map_err(|error| io(path, error))?;
    whole(path, |file| {
        file.write_all(&header).map_err(|error| io(path, error))?;
        tensors
            .iter()
            .try_for_each(|tensor| file.write_all(&tensor.bytes()?).map_err(|error| io(path, error)))
    })
}

/// Writes a file so that it is there whole or not at all; what stood under the name before is replaced.
///
/// # Errors
/// [`Error::Io`].
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    whole(path, |file| file.write_all(bytes).map_err(|error| io(path, error)))
}

/// A file that gets its name when it is written and synced.
fn whole(path: &Path, write: impl FnOnce(&mut File) -> Result<(), Error>) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = hidden_file(folder)?;
    write(file.as_file_mut())?;
    file.as_file().sync_all().map_err(|error| io(path, error))?;
    file.persist(path).map_err(|error| io(path, error.error))?;
    sync_folder(folder)
}

/// A file under a hidden name, which goes when it is dropped; readable as any new file is.
pub(crate) fn hidden_file(folder: &Path) -> Result<NamedTempFile, Error> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".partial");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(|error| io(folder, error))
}

fn refuse_existing(folder: &Path) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).map_err(|error| io(folder, error))? {
        let path = entry.map_err(|error| io(folder, error))?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") || path.ends_with(INDEX) {
            return Err(Error::Exists { path });
        }
    }
    Ok(())
}

/// The tensors of each shard, each with its bytes. At least one shard, were it empty.
fn divide(folder: &Path, tensors: Vec<Planned>, most: u64) -> Result<Vec<Vec<(Planned, u64)>>, Error> {
    let (mut shards, mut shard, mut filled, mut total) = (vec![], vec![], 0_u64, 0_usize);
    for tensor in tensors {
        let Planned { name, dtype, shape } = &tensor;
        let wrong = |problem| Error::Tensor { path: folder.to_owned(), tensor: name.clone(), problem };
        if stored(*dtype).is_none() {
            return Err(wrong(format!("{dtype} is no type of safetensors")));
        }
        let Some(len) = dtype.byte_len(shape) else {
            return Err(wrong(format!("no tensor of {dtype} can have the shape {shape:?}")));
        };
        // So that no sum of lengths or offsets overflows anywhere below.
        total = match total.checked_add(len) {
            Some(total) if total <= isize::MAX as usize => total,
            _ => return Err(wrong("with it the tensors are larger than any disk".to_owned())),
        };
        let len = len as u64;
        if filled + len > most && !shard.is_empty() {
            shards.push(std::mem::take(&mut shard));
            filled = 0;
        }
        filled += len;
        shard.push((tensor, len));
    }
    shards.push(shard);
    Ok(shards)
}

/// Length and JSON, padded to a multiple of eight, as the reference implementation writes them.
fn header(tensors: &[(Planned, u64)]) -> std::io::Result<Vec<u8>> {
    let (mut entries, mut start) = (Vec::new(), 0);
    for (Planned { name, dtype, shape }, len) in tensors {
        let end = start + *len as usize;
        let dtype = stored(*dtype).ok_or(std::io::ErrorKind::InvalidInput)?;
        entries.push((name.clone(), TensorInfo { dtype, shape: shape.clone(), data_offsets: (start, end) }));
        start = end;
    }
    // What the file's arrays are meant for; transformers refuses a file without it.
    let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let metadata = Metadata::new(Some(format), entries).map_err(std::io::Error::other)?;
    let mut json = serde_json::to_vec(&metadata)?;
    json.resize(json.len().next_multiple_of(8), b' ');
    Ok([&(json.len() as u64).to_le_bytes()[..], &json].concat())
}

/// Makes new names last, where the system lets a folder be synced.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    if cfg!(unix) {
        File::open(folder).and_then(|file| file.sync_all()).map_err(|error| io(folder, error))?;
    }
    Ok(())
}

pub(crate) fn io(path: &Path, source: std::io::Error) -> Error {
    Error::Io { path: path.to_owned(), source }
}
