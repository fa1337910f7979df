//! The threads: a region is published in one atomic word, workers join it while it is open, parts are claimed one by
//! one, first those of a thread's own range, then the others'. The caller works too and waits only for workers that hold a part, so a worker that the system has not woken
//! yet costs nothing. Waiting spins for some microseconds, yields for a bounded time, then parks.

use std::any::Any;
use std::cell::UnsafeCell;
use std::hint;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Looks for the next region, or for the last worker, at full speed: some microseconds.
const EAGER_LOOKS: usize = 200;

/// How long to look on, yielding, before parking.
const PATIENCE: Duration = Duration::from_micros(100);

/// The word: the region's number in the upper half, whether it is open, the number of workers inside.
const OPEN: u64 = 1 << 31;
const INSIDE: u64 = OPEN - 1;
const REGION: u64 = 1 << 32;

type Body<'a> = dyn Fn(usize) + Sync + 'a;

/// A pointer that may cross threads; whoever dereferences it says why that is sound.
pub(crate) struct SyncPtr<T>(pub(crate) *mut T);
// SAFETY: only the pointer crosses; each dereference has its own reason.
unsafe impl<T> Sync for SyncPtr<T> {}
// SAFETY: as above.
unsafe impl<T> Send for SyncPtr<T> {}

impl<T> SyncPtr<T> {
    /// The pointer; a method, so that closures capture the whole wrapper.
    pub(crate) fn get(&self) -> *mut T {
        self.0
    }
}

/// Worker threads that wait for regions. Dropping it ends and joins them.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held during a region: a second caller, or a part that calls again, finds it taken and works alone.
    busy: Mutex<()>,
}

struct Shared {
    word: AtomicU64,
    /// Per thread, the next part of its own range.
    next: Box<[Next]>,
    job: UnsafeCell<Job>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    stop: AtomicBool,
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
    caller_waits: AtomicBool,
    done: Condvar,
}

/// A counter on a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Next(AtomicUsize);

/// The region's closure with its lifetime erased, and its number of parts.
#[derive(Clone, Copy)]
struct Job {
    body: *const Body<'static>,
    parts: usize,
}

// SAFETY: `job` is written only by the caller that holds `busy`, while the region is closed and nobody is inside, and
// read only by workers that are inside; the word orders the two.
unsafe impl Sync for Shared {}
// SAFETY: the pointer in `job` is used only inside a region, as above.
unsafe impl Send for Shared {}

impl Pool {
    /// Starts up to `workers` threads.
    pub(crate) fn new(workers: usize) -> Self {
        let nothing: &'static Body<'static> = &|_| ();
        let shared = Arc::new(Shared {
            word: AtomicU64::new(0),
            next: (0..=workers).map(|_| Next::default()).collect(),
            job: UnsafeCell::new(Job { body: nothing, parts: 0 }),
            panic: Mutex::new(None),
            stop: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
            caller_waits: AtomicBool::new(false),
            done: Condvar::new(),
        });
        let start = |index| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(format!("camelid-{index}")).spawn(move || shared.work(index + 1)).ok()
        };
        Self { workers: (0..workers).map_while(start).collect(), shared, busy: Mutex::new(()) }
    }

    /// Number of threads beside the caller's.
    pub(crate) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Runs one region; see `Backend::run`.
    pub(crate) fn run(&self, parts: usize, body: &Body<'_>) {
        let Ok(guard) = self.busy.try_lock() else {
            return (0..parts).for_each(body);
        };
        let outcome = self.shared.region(parts, body);
        drop(guard);
        if let Some(payload) = outcome {
            panic::resume_unwind(payload);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        drop(lock(&self.shared.sleep));
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its parts, so it ends well.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// Opens a region, works in it, closes it and waits until nobody is inside. Gives the first panic of a part.
    fn region(&self, parts: usize, body: &Body<'_>) -> Option<Box<dyn Any + Send>> {
        // SAFETY: the lifetime is erased for the time of this call only: it returns when nobody is inside, and a
        // closed region lets nobody in.
        let body: *const Body<'static> = unsafe { std::mem::transmute(std::ptr::from_ref(body)) };
        let job = Job { body, parts };
        // SAFETY: the region is closed and nobody is inside (see `Sync for Shared`).
        unsafe { *self.job.get() = job };
        for (thread, next) in self.next.iter().enumerate() {
            next.0.store(self.range(thread, parts).start, SeqCst);
        }
        let number = self.word.load(SeqCst) & !(REGION - 1);
        self.word.store(number.wrapping_add(REGION) | OPEN, SeqCst);
        self.wake_workers();
        self.claim(0, job);
        if self.word.fetch_and(!OPEN, SeqCst) & INSIDE != 0 {
            self.wait_until_empty();
        }
        lock(&self.panic).take()
    }

    /// The Dekker pattern: the word is written before sleepers are read; a sleeper counts itself before it reads the word.
    fn wake_workers(&self) {
        if self.sleepers.load(SeqCst) > 0 {
            drop(lock(&self.sleep));
            self.wake.notify_all();
        }
    }

    /// The parts that a thread claims first, so that it walks through memory in order.
    fn range(&self, thread: usize, parts: usize) -> Range<usize> {
        let threads = self.next.len();
        let start = |thread| (parts / threads) * thread + (parts % threads).min(thread);
        start(thread)..start(thread + 1)
    }

    /// Claims and runs the parts of this thread's own range, then what the others have left of theirs.
    fn claim(&self, thread: usize, job: Job) {
        let all = AssertUnwindSafe(|| {
            for owner in (thread..self.next.len()).chain(0..thread) {
                let end = self.range(owner, job.parts).end;
                let claim = || Some(self.next[owner].0.fetch_add(1, SeqCst)).filter(|&part| part < end);
                while let Some(part) = claim() {
                    // SAFETY: the caller of `region` keeps the closure alive until everybody has left.
                    unsafe { (*job.body)(part) };
                }
            }
        });
        if let Err(payload) = panic::catch_unwind(all) {
            self.next.iter().for_each(|next| next.0.store(job.parts, SeqCst));
            lock(&self.panic).get_or_insert(payload);
        }
    }

    fn wait_until_empty(&self) {
        let empty = || self.word.load(SeqCst) & INSIDE == 0;
        if spin_until(empty) {
            return;
        }
        let mut guard = lock(&self.sleep);
        self.caller_waits.store(true, SeqCst);
        while !empty() {
            guard = self.done.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.caller_waits.store(false, SeqCst);
    }

    /// A worker's life: wait for a region not seen yet, join it while it is open, work, leave.
    fn work(&self, thread: usize) {
        let mut seen = 0;
        loop {
            let news = || self.stop.load(SeqCst) || self.word.load(SeqCst) / REGION != seen;
            if !spin_until(news) {
                self.sleep_until(news);
            }
            if self.stop.load(SeqCst) {
                return;
            }
            let mut word = self.word.load(SeqCst);
            seen = word / REGION;
            while word & OPEN != 0 && word / REGION == seen {
                match self.word.compare_exchange_weak(word, word + 1, SeqCst, SeqCst) {
                    Ok(_) => {
                        self.take_part(thread);
                        break;
                    }
                    Err(now) => word = now,
                }
            }
        }
    }

    fn take_part(&self, thread: usize) {
        // SAFETY: this worker is inside, so the job is not written (see `Sync for Shared`).
        self.claim(thread, unsafe { *self.job.get() });
        let before = self.word.fetch_sub(1, SeqCst);
        if before & INSIDE == 1 && before & OPEN == 0 && self.caller_waits.load(SeqCst) {
            drop(lock(&self.sleep));
            self.done.notify_one();
        }
    }

    fn sleep_until(&self, news: impl Fn() -> bool) {
        self.sleepers.fetch_add(1, SeqCst);
        let mut guard = lock(&self.sleep);
        while !news() {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);
        self.sleepers.fetch_sub(1, SeqCst);
    }
}

/// Looks for `condition` for a bounded time, at first without a pause, then offering the core to others between looks:
/// on a busy machine what is waited for may need this very core. Whether it was seen.
fn spin_until(condition: impl Fn() -> bool) -> bool {
    for _ in 0..EAGER_LOOKS {
        if condition() {
            return true;
        }
        hint::spin_loop();
    }
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        thread::yield_now();
        if condition() {
            return true;
        }
    }
    false
}

/// Nothing under these locks can be left half done, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
