//! A double-array trie over bytes: which keys begin here?
//!
//! Every state is one slot; the child of a state by byte b is slot `base + b`, valid if that slot's `parent` is the state.
//! Aoe, "An efficient digital search algorithm by using a double-array structure", 1989.

/// Keys to values, asked for by prefix.
#[derive(Clone, Debug)]
pub(crate) struct Trie {
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    base: u32,
    parent: u32,
    value: u32,
}

/// No parent, no value.
const NONE: u32 = u32::MAX;
const FREE: Slot = Slot { base: 0, parent: NONE, value: NONE };

/// A place in the trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(u32);

impl Trie {
    pub(crate) const ROOT: State = State(0);

    /// The trie of `keys`. Of two that are the same, the one of the lower value stays; an empty key is no key.
    pub(crate) fn new<'a>(keys: impl IntoIterator<Item = (&'a [u8], u32)>) -> Trie {
        let mut keys: Vec<(&[u8], u32)> = keys.into_iter().filter(|(key, _)| !key.is_empty()).collect();
        keys.sort_unstable();
        keys.dedup_by_key(|(key, _)| *key);
        let mut builder = Builder { slots: vec![FREE; 257], next: 1 };
        builder.place(&keys);
        builder.slots.shrink_to_fit();
        Trie { slots: builder.slots }
    }

    /// The state behind `byte`, if any key goes on there.
    #[inline]
    pub(crate) fn step(&self, state: State, byte: u8) -> Option<State> {
        let child = self.slots[state.0 as usize].base + u32::from(byte);
        match self.slots.get(child as usize) {
            Some(slot) if slot.parent == state.0 => Some(State(child)),
            _ => None,
        }
    }

    /// The value of the key that ends at `state`.
    #[inline]
    pub(crate) fn value(&self, state: State) -> Option<u32> {
        let value = self.slots[state.0 as usize].value;
        (value != NONE).then_some(value)
    }

    /// The longest key that `bytes` begins with: its length and value.
    pub(crate) fn longest(&self, bytes: &[u8]) -> Option<(usize, u32)> {
        let mut state = Self::ROOT;
        let mut found = None;
        for (at, &byte) in bytes.iter().enumerate() {
            let Some(next) = self.step(state, byte) else { break };
            state = next;
            if let Some(value) = self.value(state) {
                found = Some((at + 1, value));
            }
        }
        found
    }

    /// Whether `bytes`, to their end, are the beginning of a longer key.
    pub(crate) fn continues(&self, bytes: &[u8]) -> bool {
        let mut state = Self::ROOT;
        for &byte in bytes {
            match self.step(state, byte) {
                Some(next) => state = next,
                None => return false,
            }
        }
        (0..=u8::MAX).any(|byte| self.step(state, byte).is_some())
    }

    /// Which bytes begin a key.
    pub(crate) fn first_bytes(&self) -> [bool; 256] {
        std::array::from_fn(|byte| self.step(Self::ROOT, byte as u8).is_some())
    }
}

struct Builder {
    slots: Vec<Slot>,
    /// Below it, hardly a slot is free.
    next: usize,
}

impl Builder {
    /// Lays out sorted `keys`, depth first, with a stack of its own: a key may be as long as a file.
    fn place(&mut self, keys: &[(&[u8], u32)]) {
        let mut stack = vec![(0u32, 0usize, 0..keys.len())];
        while let Some((state, depth, range)) = stack.pop() {
            let mut rest = range;
            if let Some((key, value)) = keys.get(rest.start).filter(|_| !rest.is_empty())
                && key.len() == depth
            {
                self.slots[state as usize].value = *value;
                rest.start += 1;
            }
            let groups: Vec<_> = groups(&keys[rest.clone()], depth);
            if groups.is_empty() {
                continue;
            }
            let base = self.free_base(&groups);
            self.slots[state as usize].base = base as u32;
            let mut start = rest.start;
            for (byte, length) in groups {
                let child = base + usize::from(byte);
                self.slots[child] = Slot { base: 0, parent: state, value: NONE };
                stack.push((child as u32, depth + 1, start..start + length));
                start += length;
            }
        }
    }

    /// The least base, from where the slots begin to be free, at which every child's slot is free.
    fn free_base(&mut self, groups: &[(u8, usize)]) -> usize {
        let first = usize::from(groups[0].0);
        let mut slot = self.next.max(first + 1);
        let (from, mut taken) = (slot, 0);
        loop {
            if self.slots.len() < slot + 257 {
                self.slots.resize((slot + 257).max(self.slots.len() * 2), FREE);
            }
            if self.slots[slot].parent == NONE {
                let base = slot - first;
                if groups.iter().all(|&(byte, _)| self.slots[base + usize::from(byte)].parent == NONE) {
                    // Where nearly all slots on the way were taken, no later search need pass there.
                    if taken * 20 >= (slot - from) * 19 {
                        self.next = slot;
                    }
                    return base;
                }
            } else {
                taken += 1;
            }
            slot += 1;
        }
    }
}

/// The bytes at `depth` of sorted keys that are all longer, with how many keys share each.
fn groups(keys: &[(&[u8], u32)], depth: usize) -> Vec<(u8, usize)> {
    let mut groups: Vec<(u8, usize)> = Vec::new();
    for (key, _) in keys {
        let byte = key[depth];
        match groups.last_mut() {
            Some((last, count)) if *last == byte => *count += 1,
            _ => groups.push((byte, 1)),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_longest_key_is_what_a_search_of_all_keys_finds(
            keys in proptest::collection::btree_set(proptest::collection::vec(0u8..4, 1..6), 0..40),
            text in proptest::collection::vec(0u8..4, 0..12),
        ) {
            let trie = Trie::new(keys.iter().enumerate().map(|(value, key)| (&key[..], value as u32)));
            let expected = keys
                .iter()
                .enumerate()
                .filter(|(_, key)| text.starts_with(key))
                .max_by_key(|(_, key)| key.len())
                .map(|(value, key)| (key.len(), value as u32));
            prop_assert_eq!(trie.longest(&text), expected);
        }

        #[test]
        fn every_key_of_any_bytes_is_found(
            keys in proptest::collection::btree_set(proptest::collection::vec(any::<u8>(), 1..9), 0..200),
        ) {
            let trie = Trie::new(keys.iter().enumerate().map(|(value, key)| (&key[..], value as u32)));
            for (value, key) in keys.iter().enumerate() {
                prop_assert_eq!(trie.longest(key), Some((key.len(), value as u32)));
            }
        }
    }
}
