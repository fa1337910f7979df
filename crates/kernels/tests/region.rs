//! Parallel regions: every part once, panics handed on, nested and concurrent regions, many in a row.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use camelid_kernels::{Backend, Compute};

fn backends() -> Vec<Backend> {
    [0, 1, 2, 3, 7].map(|threads| Backend::new(threads, Compute::F32)).into()
}

fn counts(backend: &Backend, parts: usize) -> Vec<usize> {
    let counts: Vec<_> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
    backend.run(parts, |part| {
        counts[part].fetch_add(1, Relaxed);
    });
    counts.into_iter().map(AtomicUsize::into_inner).collect()
}

#[test]
fn each_part_runs_once() {
    for backend in backends() {
        for parts in [0, 1, 2, 3, 64, 1000] {
            assert_eq!(counts(&backend, parts), vec![1; parts], "{backend:?}");
        }
    }
}

#[test]
fn a_copy_is_edited_chunk_by_chunk_and_leaves_its_origin_alone() {
    for backend in backends() {
        for length in [0, 1, 7, 8, 100] {
            let from: Vec<f32> = (0..length as u16).map(f32::from).collect();
            let copy = backend.copy_chunks(&from, 8, |index, chunk| {
                chunk.iter_mut().for_each(|x| *x += 1000.0 * index as f32);
            });
            let expected = (0..length).map(|place| place as f32 + 1000.0 * (place / 8) as f32);
            assert_eq!(copy, expected.collect::<Vec<_>>(), "{backend:?}");
        }
    }
}

#[test]
fn many_small_regions_in_a_row() {
    let backend = Backend::new(3, Compute::F32);
    for round in 0..20_000 {
        assert_eq!(counts(&backend, 1 + round % 5), vec![1; 1 + round % 5]);
    }
}

#[test]
fn workers_that_have_parked_wake_again() {
    let backend = Backend::new(2, Compute::F32);
    for _ in 0..5 {
        thread::sleep(Duration::from_millis(5));
        // Each part waits for the other, so that both threads must be there.
        let (here, start) = (AtomicUsize::new(0), Instant::now());
        backend.run(2, |_| {
            here.fetch_add(1, Relaxed);
            while here.load(Relaxed) < 2 {
                assert!(start.elapsed() < Duration::from_secs(20), "nobody woke");
                thread::yield_now();
            }
        });
    }
}

#[test]
fn a_caller_that_has_parked_wakes_again() {
    let backend = Backend::new(2, Compute::F32);
    let main = thread::current().id();
    for _ in 0..5 {
        // The worker holds its part long after the caller has found nothing more to do.
        backend.run(2, |_| {
            let pause = if thread::current().id() == main { 1 } else { 20 };
            thread::sleep(Duration::from_millis(pause));
        });
    }
}

#[test]
fn a_panic_of_any_part_reaches_the_caller_and_leaves_the_threads_usable() {
    for backend in backends() {
        for bad in [0, 5, 19] {
            let region = || backend.run(20, |part| assert_ne!(part, bad, "the part that fails"));
            let payload = catch_unwind(AssertUnwindSafe(region)).expect_err("must panic");
            let message = payload.downcast_ref::<String>().expect("a message");
            assert!(message.contains("the part that fails"), "{message}");
            assert_eq!(counts(&backend, 50), [1; 50]);
        }
    }
}

#[test]
fn regions_within_and_beside_regions_run() {
    let backend = Backend::new(3, Compute::F32);
    let count = AtomicUsize::new(0);
    backend.run(10, |_| {
        backend.run(10, |_| {
            count.fetch_add(1, Relaxed);
        });
    });
    assert_eq!(count.into_inner(), 100);
    thread::scope(|scope| {
        for _ in 0..4 {
            let backend = backend.clone();
            scope.spawn(move || (0..500).for_each(|_| assert_eq!(counts(&backend, 7), [1; 7])));
        }
    });
}

#[test]
fn chunks_are_disjoint_and_cover_everything() {
    for backend in backends() {
        let mut data = vec![0; 103];
        backend.run_chunks(&mut data, 10, |index, chunk| {
            assert_eq!(chunk.len(), if index == 10 { 3 } else { 10 });
            chunk.fill(index);
        });
        assert!(data.iter().enumerate().all(|(place, &index)| index == place / 10));
        let mut items = [1, 2, 3];
        backend.run_each(&mut items, |index, item| *item *= index);
        assert_eq!(items, [0, 2, 6]);
    }
}

#[test]
fn threads_are_counted_and_end() {
    assert_eq!(backends().iter().map(Backend::threads).collect::<Vec<_>>(), [1, 1, 2, 3, 7]);
    for _ in 0..50 {
        drop(Backend::new(4, Compute::F32)); // Joins; a worker that did not end would hang here.
    }
}
