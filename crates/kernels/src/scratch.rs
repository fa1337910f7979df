//! Buffers for packed operands, kept from one call to the next by the backend that lends them.

use std::sync::{Mutex, PoisonError};

/// A cache line of elements.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Buffers at rest. As many are made as are ever in use at once.
#[derive(Default)]
pub(crate) struct Scratch {
    free: Mutex<Vec<Vec<Line>>>,
}

/// A buffer of at least the length asked for, aligned to a cache line; it goes back when dropped. What it holds at
/// first is of no meaning.
pub(crate) struct Buffer<'a> {
    lines: Vec<Line>,
    home: &'a Scratch,
}

impl Scratch {
    pub(crate) fn buffer(&self, elements: usize) -> Buffer<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = elements.div_ceil(16);
        // The smallest that is large enough, else the largest, to be replaced by a larger one.
        let best = (0..free.len()).min_by_key(|&i| (free[i].len() < needed, free[i].len().abs_diff(needed)));
        let mut lines = best.map(|i| free.swap_remove(i)).unwrap_or_default();
        drop(free);
        if lines.len() < needed {
            lines = vec![Line([0.0; 16]); needed];
        }
        Buffer { lines, home: self }
    }
}

impl Buffer<'_> {
    pub(crate) fn as_mut_ptr(&mut self) -> *mut f32 {
        self.lines.as_mut_ptr().cast()
    }

    /// The first `elements` places.
    ///
    /// # Panics
    /// Where it is shorter.
    pub(crate) fn places(&mut self, elements: usize) -> &mut [f32] {
        assert!(elements <= 16 * self.lines.len(), "{elements} elements");
        // SAFETY: lines are arrays of elements, and what is handed out borrows the buffer.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr(), elements) }
    }

    /// These elements, at the buffer's beginning.
    ///
    /// # Panics
    /// Where it is shorter.
    pub(crate) fn copy(&mut self, elements: &[f32]) -> &[f32] {
        assert!(elements.len() <= 16 * self.lines.len(), "{} elements", elements.len());
        let to = self.as_mut_ptr();
        // SAFETY: there is room, lines are arrays of elements, and what is handed out borrows the buffer.
        unsafe {
            std::ptr::copy_nonoverlapping(elements.as_ptr(), to, elements.len());
            std::slice::from_raw_parts(to, elements.len())
        }
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        self.home.free.lock().unwrap_or_else(PoisonError::into_inner).push(lines);
    }
}
