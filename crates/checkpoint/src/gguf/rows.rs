//! The order of query and key rows in GGUF files of some architectures, and back.
//!
//! The converter that most GGUF files come from rewrites rotary pairs: where the original turns feature j of a head with
//! feature j + d/2 (half pairing), the file's rows are ordered so that feature 2j turns with 2j + 1 (adjacent pairing).
//! Which architectures are so treated, a family's declaration says; the order itself is here.
//! Source: llama.cpp, `convert_hf_to_gguf.py`, `permute`.

use bytes::Bytes;

/// Where the file keeps the original row `row`: within each head of d rows, original row s·d/2 + j stands at 2j + s.
///
/// ```
/// # use camelid_checkpoint::gguf::original_row;
/// let order: Vec<usize> = (0..6).map(|row| original_row(row, 6)).collect();
/// assert_eq!(order, [0, 2, 4, 1, 3, 5]);
/// ```
///
/// # Panics
/// Where `head_dim` is odd or zero.
#[track_caller]
pub fn original_row(row: usize, head_dim: usize) -> usize {
    assert!(head_dim > 0 && head_dim.is_multiple_of(2), "head_dim {head_dim} is not even");
    let (head, feature) = (row / head_dim, row % head_dim);
    let (side, pair) = (feature / (head_dim / 2), feature % (head_dim / 2));
    head * head_dim + 2 * pair + side
}

/// The bytes of a tensor `[heads × head_dim, …]` (a weight of any type, or a bias) with its rows in the original order.
///
/// # Panics
/// Where `head_dim` is odd or zero, or the bytes are no whole number of such rows.
#[track_caller]
pub fn original_rows(bytes: &[u8], heads: usize, head_dim: usize) -> Bytes {
    let rows = heads * head_dim;
    assert!(
        rows > 0 && bytes.len().is_multiple_of(rows),
        "{} bytes in {heads} × {head_dim} rows",
        bytes.len()
    );
    let row_len = bytes.len() / rows;
    let mut restored = Vec::with_capacity(bytes.len());
    for row in 0..rows {
        let at = original_row(row, head_dim) * row_len;
        restored.extend_from_slice(&bytes[at..at + row_len]);
    }
    restored.into()
}
