//! Threads, progress and cancellation around a computation that runs without the GIL.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

use assay_groth16::{Error, Randomness, progress::Progress};
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::errors::{invalid_input, raise};

/// Pools by thread count, kept: starting one costs about as much as a small proof's last step.
static POOLS: LazyLock<Mutex<HashMap<usize, Arc<ThreadPool>>>> = LazyLock::new(Mutex::default);

fn pool(threads: usize) -> PyResult<Arc<ThreadPool>> {
    if !(1..=1024).contains(&threads) {
        return Err(invalid_input("threads: 1 to 1024"));
    }
    let mut pools = POOLS.lock().expect("no panic while holding the lock");
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

/// Runs `work` without the GIL, on `threads` threads (all cores by default). The callback gets a stage and the fraction of
/// it that is done; if it returns False the computation stops and raises Cancelled; if it raises, that goes through.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    threads: Option<usize>,
    callback: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(Progress<'_>) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let pool = threads.map(pool).transpose()?;
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
        match pool {
            Some(pool) => pool.install(|| work(&progress)),
            None => work(&progress),
        }
    });
    match raised
        .into_inner()
        .expect("no panic while holding the lock")
    {
        Some(error) => Err(error),
        None => result.map_err(raise),
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
