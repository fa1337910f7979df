//! How much memory a sequence takes, known before it is taken.

use camelid_families::Architecture;

/// Positions that the cache reserves at a time, and the width that a value row is rounded up to.
const BLOCK: u64 = 256;
const LANES: u64 = 16;

/// Bytes that keys and values of `tokens` tokens take, over all layers.
///
/// ```text
/// 4 · ⌈tokens⌉₂₅₆ · Σ over layers of kv_heads · (head_dim + ⌈head_dim⌉₁₆)
/// ```
#[must_use]
pub fn cache_bytes(architecture: &Architecture, tokens: usize) -> u64 {
    let features = architecture.layers.iter().map(|layer| {
        let (kv_heads, head_dim) = (layer.attention.kv_heads as u64, layer.attention.head_dim as u64);
        kv_heads.saturating_mul(head_dim + head_dim.next_multiple_of(LANES))
    });
    let positions = (tokens as u64).div_ceil(BLOCK).saturating_mul(BLOCK);
    features.fold(0, u64::saturating_add).saturating_mul(positions).saturating_mul(4)
}

/// Bytes of memory that this machine, or the container that we run in, has free now. `None` where it does not say.
#[must_use]
pub fn free() -> Option<u64> {
    let memory = sysinfo::MemoryRefreshKind::nothing().with_ram();
    let system =
        sysinfo::System::new_with_specifics(sysinfo::RefreshKind::nothing().with_memory(memory)).ok()?;
    let free = system.available_memory();
    let free = system
        .cgroup_limits()
        .map_or(free, |limits| free.min(limits.total_memory.saturating_sub(limits.rss)));
    (free > 0).then_some(free)
}

/// Physical cores that we may run on.
#[must_use]
pub fn cores() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    sysinfo::System::physical_core_count().map_or(allowed, |physical| physical.min(allowed)).max(1)
}

/// Bytes as a reader would say them: `1.5 GB`.
#[must_use]
pub fn written(bytes: u64) -> String {
    let (size, unit) = match bytes {
        0..1_000 => return format!("{bytes} bytes"),
        1_000..1_000_000 => (1e3, "kB"),
        1_000_000..1_000_000_000 => (1e6, "MB"),
        1_000_000_000..1_000_000_000_000 => (1e9, "GB"),
        _ => (1e12, "TB"),
    };
    format!("{:.1} {unit}", bytes as f64 / size)
}
