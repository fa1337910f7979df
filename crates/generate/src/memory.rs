//! How much memory a sequence takes, known before it is taken.

use camelid_families::Architecture;

/// Bytes that a sequence of `tokens` tokens takes: what grows with it, and states, each of them twice, since a session keeps
/// that of its prompt's end beside the running one.
#[must_use]
pub fn sequence_bytes(architecture: &Architecture, tokens: usize) -> u64 {
    architecture.cache_bytes(tokens).saturating_add(architecture.state_bytes().saturating_mul(2))
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
