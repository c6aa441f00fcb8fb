//! Threads, progress and cancellation around a computation that runs without the GIL.

use std::{
    collections::HashMap,
    ptr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicPtr, Ordering},
    },
};

use assay_groth16::{Error, Randomness, progress::Progress};
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::errors::{caught, invalid_input, raise};

/// As many threads as there are cores, or as RAYON_NUM_THREADS says.
const ALL: usize = 0;

/// Pools by thread count, kept: starting one costs about as much as a small proof's last step.
///
/// A forked child has its parent's memory but none of its threads, so work given to a pool of the parent's would wait for
/// ever. Rayon's own global pool is therefore never used, and each process makes pools of its own. What a child inherits is
/// left alone, locks included, since one of the parent's threads may have held them.
struct Pools {
    process: u32,
    by_threads: Mutex<HashMap<usize, Arc<ThreadPool>>>,
}

static POOLS: AtomicPtr<Pools> = AtomicPtr::new(ptr::null_mut());

fn pools() -> &'static Pools {
    let process = std::process::id();
    let mut current = POOLS.load(Ordering::Acquire);
    loop {
        // SAFETY: null, or a box that was published here and is never freed.
        if let Some(pools) = unsafe { current.as_ref() }
            && pools.process == process
        {
            return pools;
        }
        let made = Box::into_raw(Box::new(Pools {
            process,
            by_threads: Mutex::default(),
        }));
        match POOLS.compare_exchange(current, made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => current = made,
            Err(other) => {
                // SAFETY: made above, and nobody else has seen it.
                drop(unsafe { Box::from_raw(made) });
                current = other;
            }
        }
    }
}

fn pool(threads: Option<usize>) -> PyResult<Arc<ThreadPool>> {
    if threads.is_some_and(|threads| !(1..=1024).contains(&threads)) {
        return Err(invalid_input("threads: 1 to 1024"));
    }
    let threads = threads.unwrap_or(ALL);
    let mut pools = pools()
        .by_threads
        .lock()
        .expect("no panic while holding the lock");
    if let Some(pool) = pools.get(&threads) {
        return Ok(Arc::clone(pool));
    }
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| invalid_input(format!("cannot start {threads} threads: {e}")))?;
    let pool = Arc::new(pool);
    pools.insert(threads, Arc::clone(&pool));
    Ok(pool)
}

/// Runs `work` without the GIL, on all cores where it is parallel.
pub(crate) fn in_pool<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    let pool = pool(None)?;
    py.detach(|| caught(|| pool.install(work)))
}

/// As [`in_pool`], the core's errors raised.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    in_pool(py, work)?.map_err(raise)
}

/// Runs `work` without the GIL, on `threads` threads (all cores by default). The callback gets a stage and the fraction of
/// it that is done; if it returns False the computation stops and raises Cancelled; if it raises, that goes through.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    threads: Option<usize>,
    callback: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(Progress<'_>) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let pool = pool(threads)?;
    let callback = callback.map(|c| c.clone().unbind());
    let raised: Mutex<Option<PyErr>> = Mutex::new(None);
    let result = py.detach(|| {
        let progress = |stage: &'static str, fraction: f64| {
            let Some(callback) = &callback else {
                return true;
            };
            Python::attach(|py| match callback.call1(py, (stage, fraction)) {
                Ok(answer) => !answer.bind(py).is(&*pyo3::types::PyBool::new(py, false)),
                Err(error) => {
                    let mut raised = raised.lock().expect("no panic while holding the lock");
                    raised.get_or_insert(error); // stages run side by side: the first to fail counts
                    false
                }
            })
        };
        caught(|| pool.install(|| work(&progress)))
    });
    match raised
        .into_inner()
        .expect("no panic while holding the lock")
    {
        Some(error) => Err(error),
        None => result?.map_err(raise),
    }
}

/// The system's randomness, or a test's seed of 32 bytes.
pub(crate) fn randomness(seed: Option<&[u8]>) -> PyResult<Randomness> {
    let Some(seed) = seed else {
        return Ok(Randomness::system());
    };
    let seed = seed
        .try_into()
        .map_err(|_| invalid_input("a seed has 32 bytes"))?;
    Ok(Randomness::insecure_from_seed(seed))
}

/// Panics, as no input should make the core do: for tests of what becomes of a panic.
#[pyfunction]
pub(crate) fn panic_for_test(py: Python<'_>, why: &str) -> PyResult<()> {
    in_pool(py, || panic!("{why}"))
}
