//! The tensors of a result, streamed shard by shard: what is in hand is a few megabytes of the row at hand.

use std::path::Path;

use anyhow::{Context, bail};
use bytes::Bytes;
use camelid_checkpoint::gguf::{GgufWriter, Value};
use camelid_checkpoint::{Checkpoint, Dtype, Planned, Tensor, Writer};
use camelid_families::{Backend, Compute, Conversion, Form, InFile, Numbers, Rearranged};
use camelid_generate::{Opened, memory};

use super::args::{Args, StoredType};
use super::choose::Chosen;
use super::staged::Staged;
use super::vocabulary;
use super::written::{Rounded, Sums, Written};
use crate::commands::output::progress::bar;

/// The bytes of a tensor, piece by piece.
type Pieces<'a> = dyn Iterator<Item = Result<Bytes, camelid_checkpoint::Error>> + 'a;

/// Writes a folder's safetensors.
pub(super) fn folder(
    args: &Args,
    opened: &Opened,
    chosen: &Chosen<'_>,
    staged: &Staged,
) -> anyhow::Result<Written> {
    let (checkpoint, conversion) = (opened.checkpoint(), &chosen.conversion);
    let carried = carried(opened, chosen);
    let main = main_type(checkpoint, conversion);
    let mut planned = Vec::new();
    for tensor in &conversion.tensors {
        let dtype = stored_type(args, checkpoint, tensor, main)?;
        planned.push(Planned { name: tensor.name.clone(), dtype, shape: tensor.shape.clone() });
    }
    let types: Vec<Dtype> = planned.iter().map(|planned| planned.dtype).collect();
    for tensor in &carried {
        let (name, shape) = (tensor.name().to_owned(), tensor.shape().to_vec());
        planned.push(Planned { name, dtype: tensor.dtype(), shape });
    }
    let bytes = size(&planned);
    let tensors = planned.len();
    let dtype = named(args.dtype.map_or(main, StoredType::dtype)).to_owned();
    let bar = bar(bytes, "writing");
    let mut writer = Writer::create(&staged.path(), planned, args.shard_size.saturating_mul(1_000_000))?;
    let sums = Sums::begin(checkpoint);
    let rounded = streamed(opened, conversion, &types, &bar, |name, pieces| writer.write(name, pieces))?;
    for tensor in carried {
        writer.write(tensor.name(), [tensor.bytes()].into_iter().inspect(|piece| count(&bar, piece)))?;
        opened.checkpoint().release();
    }
    writer.finish()?;
    bar.finish_and_clear();
    Ok(Written { bytes, tensors, rounded, dtype, sums })
}

/// Writes a GGUF file.
pub(super) fn gguf(
    args: &Args,
    opened: &Opened,
    conversion: &Conversion,
    form: &Form,
    staged: &Staged,
) -> anyhow::Result<Written> {
    let checkpoint = opened.checkpoint();
    let main = main_type(checkpoint, conversion);
    let InFile { metadata: own, factors } = conversion.gguf.as_ref().context("the form is no GGUF file")?;
    let mut planned = Vec::new();
    for tensor in &conversion.tensors {
        let dtype = match tensor.shape.len() {
            // The engine adds and multiplies them as they are.
            0 | 1 => Dtype::F32,
            _ => match (args.dtype, whole_type(checkpoint, tensor)) {
                (None, Some(dtype)) if dtype.is_quantised() && !tensor.is_computed() => dtype,
                (Some(_) | None, _) => stored_type(args, checkpoint, tensor, main)?,
            },
        };
        planned.push(Planned { name: tensor.name.clone(), dtype, shape: tensor.shape.clone() });
    }
    let types: Vec<Dtype> = planned.iter().map(|planned| planned.dtype).collect();
    if let Some((name, factors)) = factors {
        planned.push(Planned { name: (*name).to_owned(), dtype: Dtype::F32, shape: vec![factors.len()] });
    }
    let mut metadata = vec![("general.architecture".to_owned(), Value::String(form.name.clone()))];
    metadata.push(("general.name".into(), Value::String(title(opened.path()))));
    let own = own
        .iter()
        .filter_map(|(key, value)| Some((format!("{}.{key}", form.name), vocabulary::value(value)?)));
    metadata.extend(own);
    metadata.extend(vocabulary::metadata(opened, conversion.architecture.embedding.vocab)?);
    let (bytes, tensors) = (size(&planned), planned.len());
    let bar = bar(bytes, "writing");
    let mut writer = GgufWriter::create(&staged.path(), &metadata, &planned)?;
    let sums = Sums::begin(checkpoint);
    let rounded = streamed(opened, conversion, &types, &bar, |name, pieces| writer.write(name, pieces))?;
    if let Some((name, factors)) = factors {
        let bytes: Vec<u8> = factors.iter().flat_map(|factor| factor.to_le_bytes()).collect();
        writer.write(name, [Ok(bytes.into())])?;
    }
    writer.finish()?;
    bar.finish_and_clear();
    Ok(Written { bytes, tensors, rounded, dtype: named(main).to_owned(), sums })
}

/// Writes tensor after tensor. What was written leaves this process's memory before the next piece comes.
fn streamed(
    opened: &Opened,
    conversion: &Conversion,
    types: &[Dtype],
    bar: &indicatif::ProgressBar,
    mut write: impl FnMut(&str, &mut Pieces<'_>) -> Result<(), camelid_checkpoint::Error>,
) -> anyhow::Result<Vec<Rounded>> {
    let backend = Backend::new(memory::cores(), Compute::F32);
    let mut rounded = Vec::new();
    for (tensor, dtype) in conversion.tensors.iter().zip(types) {
        let mut stream = tensor.stream(opened.checkpoint(), *dtype, &backend);
        let mut pieces = std::iter::from_fn(|| {
            opened.checkpoint().release();
            stream.next()
        });
        write(&tensor.name, &mut pieces.by_ref().inspect(|piece| count(bar, piece)))?;
        rounded.extend(Rounded::of(&tensor.name, stream.rounding));
    }
    Ok(rounded)
}

fn count(bar: &indicatif::ProgressBar, piece: &Result<Bytes, camelid_checkpoint::Error>) {
    bar.inc(piece.as_ref().map_or(0, |piece| piece.len() as u64));
}

fn size(planned: &[Planned]) -> u64 {
    planned.iter().map(|planned| planned.dtype.byte_len(&planned.shape).unwrap_or(0) as u64).sum()
}

fn title(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Tensors that mean nothing to the family, and a tied head that stands there all the same: they go along where the family
/// stays the same; another has no use for them.
fn carried<'a>(opened: &'a Opened, chosen: &Chosen<'_>) -> Vec<&'a Tensor> {
    if opened.family().name != chosen.family.name || opened.path().is_file() {
        return Vec::new();
    }
    let inert: Vec<glob::Pattern> =
        chosen.family.unread_tensors().iter().filter_map(|text| glob::Pattern::new(text).ok()).collect();
    let head = chosen.conversion.architecture.plan().tied.map(|planned| planned.name);
    let goes = |tensor: &&Tensor| {
        inert.iter().any(|glob| glob.matches(tensor.name())) || head.as_deref() == Some(tensor.name())
    };
    opened.checkpoint().tensors().filter(goes).collect()
}

/// The type that the largest tensor is stored in; a quantised one's numbers come out as f32.
fn main_type(checkpoint: &Checkpoint, conversion: &Conversion) -> Dtype {
    let sizes = conversion
        .tensors
        .iter()
        .filter_map(|tensor| Some((tensor.shape.iter().product::<usize>(), whole_type(checkpoint, tensor)?)));
    let main = sizes.max_by_key(|(size, _)| *size).map_or(Dtype::F32, |(_, dtype)| dtype);
    if is_float(main) { main } else { Dtype::F32 }
}

fn is_float(dtype: Dtype) -> bool {
    [Dtype::F64, Dtype::F32, Dtype::F16, Dtype::Bf16].contains(&dtype)
}

/// The type that all rows of a tensor are stored in, if it is one.
fn whole_type(checkpoint: &Checkpoint, tensor: &Rearranged) -> Option<Dtype> {
    let mut types = tensor.pieces.iter().filter_map(|piece| match &piece.from {
        Numbers::Rows { tensor, rows: _ } => Some(checkpoint.tensor(tensor)?.dtype()),
        Numbers::Zeros(_) => None,
    });
    let first = types.next()?;
    types.all(|other| other == first).then_some(first)
}

/// The type that a tensor is stored in: what was asked for, else its own, f32 where it has blocks or several.
fn stored_type(
    args: &Args,
    checkpoint: &Checkpoint,
    tensor: &Rearranged,
    main: Dtype,
) -> anyhow::Result<Dtype> {
    if let Some(asked) = args.dtype {
        return Ok(asked.dtype());
    }
    let only_zeros = tensor.pieces.iter().all(|piece| matches!(piece.from, Numbers::Zeros(_)));
    if only_zeros {
        return Ok(main);
    }
    match whole_type(checkpoint, tensor) {
        Some(dtype) if is_float(dtype) => Ok(dtype),
        Some(dtype) if dtype.is_quantised() => Ok(Dtype::F32),
        Some(dtype) => bail!("tensor `{}` is stored in {dtype}, which holds no weights", tensor.name),
        None => Ok(Dtype::F32),
    }
}

/// What config.json calls a type.
fn named(dtype: Dtype) -> &'static str {
    if dtype == Dtype::Bf16 {
        "bfloat16"
    } else if dtype == Dtype::F16 {
        "float16"
    } else if dtype == Dtype::F64 {
        "float64"
    } else {
        "float32"
    }
}
