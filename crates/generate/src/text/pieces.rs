//! How a prompt is read in pieces, so that the bits of its numbers do not depend on where they are cut.

use camelid_families::{Architecture, Backend};

/// Where the piece ends that begins at `from`, of a sequence that is known up to `len`: at the next multiple of `size`, but
/// that no piece is so short that its products would be summed as for single tokens. Where an architecture wants its
/// prompt whole, at its end.
#[must_use]
pub fn end(architecture: &Architecture, from: usize, len: usize, size: usize) -> usize {
    if !architecture.chunks_freely() {
        return len;
    }
    let size = size.max(Backend::MANY);
    let next = (from / size + 1) * size;
    let end = if next - from < Backend::MANY { next + size } else { next };
    if end + Backend::MANY > len { len } else { end }
}

/// How much of a prompt of `len` tokens need not be read, where the first `common` of them were read before, as part of a
/// prompt: what follows then gives the same bits as if all were read. At least [`Backend::MANY`] tokens are left; where bits
/// depend on the cuts, they are those of [`end`].
#[must_use]
pub fn kept(architecture: &Architecture, common: usize, len: usize, size: usize) -> usize {
    let kept = common.min(len.saturating_sub(Backend::MANY));
    if architecture.cuts_exactly() {
        return kept;
    }
    let size = size.max(Backend::MANY);
    if architecture.chunks_freely() { kept / size * size } else { 0 }
}
