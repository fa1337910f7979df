//! Tensors that a file may hold as one where the family names them apart.
//!
//! `[gguf.fused]` says which roles, and what the one is called: llama.cpp's converter writes it where it is asked to
//! (`--fuse-qkv`, `--fuse-gate-up-exps`), all rows of the first role before those of the next.

use bytes::Bytes;
use camelid_checkpoint::Tensor;
use camelid_checkpoint::gguf::original_rows;

use crate::error::Error;
use crate::waist::architecture::{Architecture, Layer};
use crate::waist::named::{By, Named};
use crate::waist::roles::Role;
use crate::written::declaration::{Declaration, overlay};

/// The family with those names in place of the ones apart that a file has.
pub(super) fn as_the_file_has_it(declaration: &mut Declaration, names: &[&str]) -> Result<(), Error> {
    let apart = |role: &Role| declaration.tensors.iter().any(|(roles, _)| roles.as_slice() == [*role]);
    let there = |text: &str| {
        let (before, after) = text.split_once("{layer}").unwrap_or((text, ""));
        let after = format!("{after}.weight");
        names.iter().any(|name| {
            name.strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after.as_str()))
                .is_some_and(|layer| layer.chars().all(|digit| digit.is_ascii_digit()))
        })
    };
    let fused = declaration.gguf.fused.iter();
    let fused =
        fused.filter(|(roles, entry)| roles.iter().all(apart) && entry.expr.text().is_some_and(there));
    let fused: Vec<_> = fused.cloned().collect();
    overlay(&mut declaration.tensors, &fused)
}

/// Rows of heads in the original's order, in a tensor of one role or of several.
pub(super) fn reordered(
    architecture: &Architecture,
    (index, layer): (usize, &Layer),
    named: &Named,
    tensor: &Tensor,
    permuted: &[Role],
) -> Result<Tensor, Error> {
    let rows = |role: &Role| architecture.shape(Some(index), *role, named.per).first().copied().unwrap_or(0);
    let all = named.roles.iter().map(rows).fold(0, usize::saturating_add);
    let head_dim = layer.attention.head_dim;
    let fits = tensor.shape().first() == Some(&all) && all > 0 && head_dim > 0 && head_dim.is_multiple_of(2);
    if !fits || named.by != By::Rows || !named.roles.iter().any(|role| permuted.contains(role)) {
        return Ok(tensor.clone()); // its shape is refused where all shapes are checked
    }
    let bytes = tensor.bytes()?;
    let row = bytes.len() / all;
    let mut start = 0;
    let mut parts: Vec<Bytes> = Vec::new();
    for role in &named.roles {
        let end = start + rows(role) * row;
        let part = bytes.slice(start..end);
        start = end;
        parts.push(match permuted.contains(role) {
            true => original_rows(&part, rows(role) / head_dim, head_dim),
            false => part,
        });
    }
    let bytes = match parts.len() {
        1 => parts.remove(0),
        _ => parts.concat().into(),
    };
    Ok(Tensor::from_bytes(tensor.name(), tensor.dtype(), tensor.shape(), bytes)?)
}
