//! Prompts that have been read, with what they left behind: a prompt that begins like one of them is read from there on.

use camelid_families::{Architecture, Backend, Cache};
use camelid_generate::pieces;

/// Read prompts, bounded in bytes; those that nobody came back to go first.
#[derive(Debug)]
pub(crate) struct Prefixes {
    most: usize,
    bytes: usize,
    clock: u64,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    ids: Vec<u32>,
    cache: Cache,
    /// As if it shared nothing with others.
    bytes: usize,
    used: u64,
}

impl Prefixes {
    /// None, and at most so many bytes of them.
    pub(crate) fn new(most: usize) -> Prefixes {
        Prefixes { most, bytes: 0, clock: 0, entries: Vec::new() }
    }

    /// Bytes that they take, counted as if no two shared any.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What a prompt's longest known start left behind, cut so that what follows has the same bits as if all were read.
    /// `size` is that of the pieces in which prompts are read.
    pub(crate) fn find(&mut self, architecture: &Architecture, prompt: &[u32], size: usize) -> Option<Cache> {
        let reach = |entry: &Entry| {
            let common = entry.ids.iter().zip(prompt).take_while(|(held, asked)| held == asked).count();
            entry.cache.reachable(pieces::kept(architecture, common, prompt.len(), size))
        };
        let entries = self.entries.iter().enumerate().map(|(index, entry)| (reach(entry), index));
        let (len, index) = entries.max().filter(|(len, _)| *len > 0)?;
        self.clock += 1;
        let entry = self.entries.get_mut(index)?;
        entry.used = self.clock;
        let mut cache = entry.cache.clone();
        cache.truncate(len).ok()?;
        Some(cache)
    }

    /// Remembers what these ids left behind, if they are as many as are summed as a prompt is.
    pub(crate) fn keep(&mut self, ids: &[u32], cache: &Cache) {
        let bytes = cache.bytes() + size_of_val(ids);
        let known =
            |entry: &Entry| entry.ids.starts_with(ids) && entry.cache.reachable(ids.len()) == ids.len();
        // Fewer tokens are summed in another order, so their bits are not those of a longer prompt's start.
        if bytes > self.most || ids.len() < Backend::MANY || self.entries.iter().any(known) {
            return;
        }
        // A conversation's earlier turns are part of the later ones, where those can be cut.
        self.drop_where(|entry| {
            let len = entry.ids.len();
            ids.starts_with(&entry.ids) && cache.reachable(len) == len
        });
        while self.bytes + bytes > self.most {
            let Some(oldest) = self.entries.iter().map(|entry| entry.used).min() else { break };
            self.drop_where(|entry| entry.used == oldest);
        }
        self.clock += 1;
        self.bytes += bytes;
        self.entries.push(Entry { ids: ids.to_vec(), cache: cache.clone(), bytes, used: self.clock });
    }

    fn drop_where(&mut self, gone: impl Fn(&Entry) -> bool) {
        self.entries.retain(|entry| !gone(entry));
        self.bytes = self.entries.iter().map(|entry| entry.bytes).sum();
    }
}
