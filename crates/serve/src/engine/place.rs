//! Places, among those that run and in the queue: a request that finds none is told at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The places that there are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    taken: Arc<AtomicUsize>,
    all: usize,
}

/// Some places, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    taken: Arc<AtomicUsize>,
    count: usize,
}

impl Places {
    pub(crate) fn new(all: usize) -> Places {
        Places { taken: Arc::default(), all }
    }

    /// How many there are.
    pub(crate) fn all(&self) -> usize {
        self.all
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes so many, or none.
    pub(crate) fn take(&self, count: usize) -> Option<Place> {
        let more = |taken: usize| taken.checked_add(count).filter(|taken| *taken <= self.all);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).ok()?;
        Some(Place { taken: self.taken.clone(), count })
    }
}

impl Place {
    /// So many of them.
    pub(crate) fn split(&mut self, count: usize) -> Place {
        self.count -= count;
        Place { taken: self.taken.clone(), count }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.count, Ordering::AcqRel);
    }
}
