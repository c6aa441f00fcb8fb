//! Multiplications as a queue of tasks, longest first, that all threads of the current pool draw from.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ark_ec::short_weierstrass::Projective;
use ark_ec::{AdditiveGroup, CurveGroup};

use super::accumulate::Accumulator;
use super::digits::{self, Block, Digits};
use super::reduce::{WindowSums, window_sums};
use super::table::Table;
use crate::curve::{BATCH, Curve, NEGATE};
use crate::kernel::Kernel;
use crate::scalars::Scalars;

/// Told how many tasks were begun and how many there are, before each and by the thread that takes it; answers whether to go on.
pub type Watch<'a> = &'a (dyn Fn(usize, usize) -> bool + Sync);

/// Slots of one task: a megabyte of G1 points at most, so that they stay in L2.
const TASK_SLOTS: usize = 1 << 14;

/// Slots below which buckets get copies, so that a batch rarely meets a bucket twice.
const ENOUGH_SLOTS: usize = 8 * BATCH;

/// Points whose digits are taken window by window when a task holds several windows.
const STRIP: usize = 64;

/// Tasks a thread at which their unequal ends no longer matter.
const TASKS_PER_THREAD: usize = 8;

/// Additions below which cutting a window among threads costs more than it saves.
const SMALLEST_CUT: usize = 1 << 14;

/// Additions a bucket that a piece of a multiplication with a table has at least.
const PIECE_PER_BUCKET: usize = 4;

/// One multi-scalar multiplication.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'a, C: Curve> {
    pub bases: &'a [C::Slot],
    pub scalars: &'a [Scalars<'a>],
    pub table: Option<&'a Table<C>>,
}

/// Some windows of some blocks of one group of digits.
#[derive(Clone, Debug)]
struct Task {
    group: usize,
    windows: Range<usize>,
    blocks: Range<usize>,
    /// Whether all windows fill one array of buckets.
    shared: bool,
    cost: usize,
}

/// The result of a task.
struct Done<C: Curve> {
    group: usize,
    first_window: usize,
    sums: Vec<WindowSums<C>>,
}

/// Runs all jobs on the current rayon pool; results are in the jobs' order, with z = 1 or infinity. `None` when `watch`,
/// asked before each task, said no.
pub(crate) fn run<C: Curve>(
    kernel: Kernel,
    jobs: &[Job<'_, C>],
    watch: Watch<'_>,
) -> Option<Vec<Projective<C>>> {
    let groups: Vec<(usize, Digits)> = jobs
        .iter()
        .enumerate()
        .flat_map(|(index, job)| {
            let length: usize = job.scalars.iter().map(Scalars::len).sum();
            assert_eq!(length, job.bases.len(), "as many scalars as bases");
            let points = job.table.map_or(length, |table| {
                assert_eq!(table.bases, length, "a table of these bases");
                table.points.len()
            });
            assert!(points < NEGATE as usize, "bases are counted in 31 bits");
            [
                digits::small_digits::<C>(job.bases, job.scalars),
                digits::full_digits::<C>(job.bases, job.scalars, job.table),
            ]
            .into_iter()
            .flatten()
            .map(move |digits| (index, digits))
        })
        .collect();
    let threads = rayon::current_num_threads();
    let tasks = plan(&groups, threads);
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let done = Mutex::new(Vec::with_capacity(tasks.len()));
    rayon::scope(|scope| {
        for _ in 0..threads.min(tasks.len()) {
            scope.spawn(|_| {
                let mut accumulator = Accumulator::new(kernel, 0);
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = tasks.get(index) else {
                        break;
                    };
                    if stopped.load(Ordering::Relaxed) || !watch(index, tasks.len()) {
                        stopped.store(true, Ordering::Relaxed);
                        break;
                    }
                    let (job, digits) = &groups[task.group];
                    let sums = run_task(&mut accumulator, &jobs[*job], digits, task);
                    done.lock()
                        .expect("no task panics while it holds the lock")
                        .push(Done {
                            group: task.group,
                            first_window: if task.shared { 0 } else { task.windows.start },
                            sums,
                        });
                }
            });
        }
    });
    if stopped.into_inner() {
        return None;
    }
    let done = done.into_inner().expect("a panic has already propagated");
    let sums: Vec<Projective<C>> = (0..jobs.len())
        .map(|job| {
            combine(
                done.iter()
                    .filter(|d| groups[d.group].0 == job)
                    .map(|d| (groups[d.group].1.width as usize, d)),
            )
        })
        .collect();
    let affine = Projective::normalize_batch(&sums);
    Some(affine.into_iter().map(Into::into).collect())
}

/// `sum 2^position * sums`, by Horner's rule over bit positions.
fn combine<'a, C: Curve>(parts: impl Iterator<Item = (usize, &'a Done<C>)>) -> Projective<C> {
    let mut positions: Vec<Projective<C>> = Vec::new();
    let mut add = |position: usize, point: Projective<C>| {
        if positions.len() <= position {
            positions.resize(position + 1, Projective::default());
        }
        positions[position] += point;
    };
    for (width, done) in parts {
        for (k, sums) in done.sums.iter().enumerate() {
            let low = (done.first_window + k) * width;
            add(low, sums.total);
            for (bit, &point) in sums.bits.iter().enumerate() {
                add(low + bit, point);
            }
        }
    }
    positions
        .iter()
        .rev()
        .fold(Projective::default(), |mut sum, point| {
            sum.double_in_place();
            sum + point
        })
}

/// Non-zero digits of a window.
fn cost_of(blocks: &[Block], window: usize) -> usize {
    blocks.iter().map(|b| b.nonzero[window] as usize).sum()
}

/// The windows of a group whose bases have a table, in a piece a thread: each piece has buckets to reduce.
fn shared_tasks(group: usize, digits: &Digits, threads: usize) -> Vec<Task> {
    let cost =
        |windows: Range<usize>| -> usize { windows.map(|w| cost_of(&digits.blocks, w)).sum() };
    let worthwhile = cost(0..digits.windows) / (PIECE_PER_BUCKET << (digits.width - 1));
    let pieces = threads.min(digits.windows).min(worthwhile).max(1);
    (0..pieces)
        .map(|k| k * digits.windows / pieces..(k + 1) * digits.windows / pieces)
        .map(|windows| Task {
            group,
            cost: cost(windows.clone()),
            windows,
            blocks: 0..digits.blocks.len(),
            shared: true,
        })
        .filter(|task| task.cost > 0)
        .collect()
}

/// Tasks for all groups, longest first.
fn plan(groups: &[(usize, Digits)], threads: usize) -> Vec<Task> {
    let total: usize = groups
        .iter()
        .flat_map(|(_, digits)| (0..digits.windows).map(move |w| (digits, w)))
        .map(|(digits, window)| cost_of(&digits.blocks, window))
        .sum();
    let share = total / (threads * TASKS_PER_THREAD) + 1;
    let mut tasks: Vec<Task> = Vec::new();
    for (group, (_, digits)) in groups.iter().enumerate() {
        if digits.shared {
            tasks.extend(shared_tasks(group, digits, threads));
            continue;
        }
        let most_windows = (TASK_SLOTS >> (digits.width - 1)).max(1);
        let mut open: Option<Task> = None;
        for window in 0..digits.windows {
            let cost = cost_of(&digits.blocks, window);
            if cost == 0 {
                continue;
            }
            match &mut open {
                Some(task)
                    if task.windows.end == window
                        && task.windows.len() < most_windows
                        && task.cost + cost <= share =>
                {
                    task.windows.end += 1;
                    task.cost += cost;
                }
                _ => {
                    tasks.extend(open.replace(Task {
                        group,
                        windows: window..window + 1,
                        blocks: 0..digits.blocks.len(),
                        shared: false,
                        cost,
                    }));
                }
            }
        }
        tasks.extend(open);
    }
    tasks.sort_by_key(|task| std::cmp::Reverse(task.cost));
    if threads > 1 {
        tasks = cut_tail(tasks, total, threads);
    }
    tasks
}

/// Cuts the tasks that start last, and any that are longer than a thread's share, into a piece a thread.
fn cut_tail(tasks: Vec<Task>, total: usize, threads: usize) -> Vec<Task> {
    let mut out: Vec<Task> = Vec::with_capacity(2 * tasks.len());
    let mut begun = 0;
    for task in tasks {
        let late = begun + task.cost > total - total / TASKS_PER_THREAD;
        begun += task.cost;
        let pieces = threads.min(task.blocks.len());
        let long = task.cost > total / (threads * TASKS_PER_THREAD);
        if pieces > 1
            && !task.shared
            && task.cost >= 2 * SMALLEST_CUT
            && long
            && (late || task.cost > total / threads)
        {
            let per = task.blocks.len().div_ceil(pieces);
            for start in task.blocks.clone().step_by(per) {
                let end = (start + per).min(task.blocks.end);
                out.push(Task {
                    blocks: start..end,
                    cost: task.cost * (end - start) / task.blocks.len(),
                    ..task.clone()
                });
            }
        } else {
            out.push(task);
        }
    }
    out.sort_by_key(|task| std::cmp::Reverse(task.cost));
    out
}

fn run_task<C: Curve>(
    accumulator: &mut Accumulator<C>,
    job: &Job<'_, C>,
    digits: &Digits,
    task: &Task,
) -> Vec<WindowSums<C>> {
    let log_buckets = digits.width - 1;
    // With a table, window w has bases of its own, `stride` further on; all go to the same buckets.
    let (bases, stride, windows) = match job.table {
        Some(table) if task.shared => (table.points.as_slice(), table.bases, 1),
        _ => (job.bases, 0, task.windows.len()),
    };
    let mut copies = 1;
    while (windows << log_buckets) * copies < ENOUGH_SLOTS.min(task.cost / 4) {
        copies *= 2;
    }
    accumulator.reset((windows << log_buckets) * copies);
    for block in &digits.blocks[task.blocks.clone()] {
        let strip = if windows == 1 { block.len } else { STRIP };
        for first in (0..block.len).step_by(strip) {
            let last = (first + strip).min(block.len);
            for (k, window) in task.windows.clone().enumerate() {
                let low = if task.shared {
                    0
                } else {
                    (k << log_buckets) as u32
                };
                let first_base = block.start + window * stride;
                for (point, &digit) in (first..last).zip(&block.row(window)[first..last]) {
                    if digit == 0 {
                        continue;
                    }
                    let bucket = low + u32::from(digit.unsigned_abs()) - 1;
                    let dst = bucket * copies as u32 + (point as u32 & (copies as u32 - 1));
                    let sign = if digit < 0 { NEGATE } else { 0 };
                    accumulator.push(bases, dst, (first_base + point) as u32 | sign);
                }
            }
        }
    }
    accumulator.finish(bases);
    window_sums(accumulator, windows, log_buckets, copies)
}
