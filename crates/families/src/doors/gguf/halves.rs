//! The two tensors in which newer files hold `latent_up`, put together again.
//!
//! `[gguf] halves` names them, with `{layer}` in them: K, each head's projection to its keys turned over,
//! `[heads, rank, unturned]`, and V, that to its values, `[heads, value_dim, rank]`. `latent_up`,
//! `[heads · (unturned + value_dim), rank]`, is for each head Kᵀ, then V. Floats of one type keep it; what is quantised
//! lies in blocks along the other axis, and is widened to f32.

use bytes::Bytes;
use camelid_checkpoint::{Dtype, Tensor};

use crate::error::Error;
use crate::waist::architecture::{Architecture, Layer};
use crate::waist::plan::Part;
use crate::waist::roles::Role;

/// The sizes of one layer's latent.
struct Sizes {
    heads: usize,
    rank: usize,
    unturned: usize,
    value_dim: usize,
}

/// Puts the whole in place of its halves, in every layer that has both. A layer with the whole keeps it, and its halves.
pub(super) fn join(
    halves: &[String],
    architecture: &Architecture,
    tensors: &mut Vec<Tensor>,
) -> Result<(), Error> {
    let [keys, values] = halves else { return Ok(()) };
    for (index, layer) in architecture.layers.iter().enumerate() {
        let Some((whole, sizes)) = whole(layer) else { continue };
        let name = |half: &String| format!("{}.weight", half.replace("{layer}", &index.to_string()));
        let [keys, values] = [name(keys), name(values)];
        let find = |name: &str| tensors.iter().position(|tensor| tensor.name() == name);
        let (at, other) = match (find(&whole), find(&keys), find(&values)) {
            (Some(_), _, _) | (None, None, None) => continue,
            (None, Some(at), Some(other)) => (at, other),
            (None, Some(_), None) => return Err(lacks(&keys, &values)),
            (None, None, Some(_)) => return Err(lacks(&values, &keys)),
        };
        let joined = joined(&whole, &sizes, &tensors[at], &tensors[other])?;
        tensors.retain(|tensor| ![keys.as_str(), &values].contains(&tensor.name()));
        tensors.push(joined);
    }
    Ok(())
}

/// What the whole is called, and its sizes.
fn whole(layer: &Layer) -> Option<(String, Sizes)> {
    let latent = layer.latent.as_ref()?;
    let named = layer.tensors.iter().find(|named| named.roles == [Role::LatentUp])?;
    let (heads, rank) = (layer.attention.heads, latent.rank);
    let sizes = Sizes { heads, rank, unturned: latent.unturned, value_dim: latent.value_dim };
    Some((named.part(Part::Weight, None), sizes))
}

fn lacks(has: &str, not: &str) -> Error {
    Error::Input(format!("tensor `{has}` is one half of a projection, whose other half `{not}` is missing"))
}

fn joined(whole: &str, sizes: &Sizes, keys: &Tensor, values: &Tensor) -> Result<Tensor, Error> {
    let &Sizes { heads, rank, unturned, value_dim } = sizes;
    check(keys, [heads, rank, unturned])?;
    check(values, [heads, value_dim, rank])?;
    let dtype = match (keys.dtype(), values.dtype()) {
        (one @ (Dtype::F16 | Dtype::Bf16), other) if one == other => one,
        _ => Dtype::F32,
    };
    let size = if dtype == Dtype::F32 { 4 } else { 2 };
    let (keys, values) = (numbers(keys, dtype)?, numbers(values, dtype)?);
    let mut out = Vec::with_capacity(keys.len() + values.len());
    for head in 0..heads {
        for feature in 0..unturned {
            for number in 0..rank {
                let at = ((head * rank + number) * unturned + feature) * size;
                out.extend_from_slice(&keys[at..at + size]);
            }
        }
        let run = value_dim * rank * size;
        out.extend_from_slice(&values[head * run..(head + 1) * run]);
    }
    let shape = [heads * (unturned + value_dim), rank];
    Ok(Tensor::from_bytes(whole, dtype, &shape, out.into())?)
}

fn check(half: &Tensor, wanted: [usize; 3]) -> Result<(), Error> {
    let (name, shape) = (half.name(), half.shape());
    if shape == wanted {
        return Ok(());
    }
    Err(Error::Input(format!("tensor `{name}`: its shape is {shape:?}, the family asks for {wanted:?}")))
}

/// A half's bytes in a type that it is of already, or in f32.
fn numbers(half: &Tensor, dtype: Dtype) -> Result<Bytes, Error> {
    if half.dtype() == dtype {
        return Ok(half.bytes()?);
    }
    let widened: Vec<u8> = half.to_f32()?.iter().flat_map(|number| number.to_le_bytes()).collect();
    Ok(widened.into())
}
