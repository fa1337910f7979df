//! Where the operands of a product lie in memory.

/// Units of depth that lie together in a packed left operand.
pub(crate) const CHUNK: usize = 16;

/// Where the left operand lies: unit d of row r at `at + r·row + (d / CHUNK)·chunk + d % CHUNK`.
#[derive(Clone, Copy)]
pub(crate) struct Left {
    pub(crate) at: *const f32,
    pub(crate) row: usize,
    pub(crate) chunk: usize,
}

/// Where the right operand lies: row d at `at + d·stride`.
#[derive(Clone, Copy)]
pub(crate) struct Right {
    pub(crate) at: *const f32,
    pub(crate) stride: usize,
}

/// Where the result goes: row r at `at + r·stride`.
#[derive(Clone, Copy)]
pub(crate) struct Out {
    pub(crate) at: *mut f32,
    pub(crate) stride: usize,
    pub(crate) write: Write,
}

/// Whether a result replaces what was there or is added to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    Replace,
    Add,
}
