//! Bucket accumulation: a stream of (bucket, point) pairs turned into batches of independent additions.
//!
//! A batch may touch a bucket once. A pair that meets a bucket already in the batch waits in a queue; when the queue is
//! long (few buckets, or skewed scalars) its points are first added among themselves, pairs at a time, so that the
//! cost an addition stays that of a batch whatever the distribution.

use crate::curve::{Addition, BATCH, Curve, NEGATE, Source, Workspace};
use crate::kernel::{Kernel, prefetch};

/// Waiting pairs that trigger addition among themselves.
const QUEUE: usize = 4 * BATCH;

/// No pending entry.
const NONE: u32 = u32::MAX;

/// Slot without a point.
const EMPTY: u8 = 0;

/// Slot with a point, untouched by the current batch.
const IDLE: u8 = 1;

/// Buckets and the machinery that fills them.
#[derive(Debug)]
pub(crate) struct Accumulator<C: Curve> {
    kernel: Kernel,
    slots: Vec<C::Slot>,
    state: Vec<u8>,
    epoch: u8,
    batch: Vec<Addition>,
    queue: Vec<Addition>,
    spare: Vec<Addition>,
    pending: Vec<u32>,
    workspace: Workspace<C>,
    cancelled: Vec<u32>,
}

impl<C: Curve> Accumulator<C> {
    /// `count` empty buckets.
    pub fn new(kernel: Kernel, count: usize) -> Self {
        Self {
            kernel,
            slots: vec![C::BLANK; count],
            state: vec![EMPTY; count],
            epoch: IDLE + 1,
            batch: Vec::with_capacity(BATCH),
            queue: Vec::with_capacity(QUEUE + BATCH),
            spare: Vec::with_capacity(QUEUE + BATCH),
            pending: Vec::new(),
            workspace: Workspace::default(),
            cancelled: Vec::new(),
        }
    }

    /// Starts anew with `count` empty buckets, in the same memory.
    pub fn reset(&mut self, count: usize) {
        debug_assert!(self.batch.is_empty() && self.queue.is_empty());
        self.slots.resize(count, C::BLANK);
        self.state.clear();
        self.state.resize(count, EMPTY);
    }

    /// The point in `slot`, if any.
    pub fn get(&self, slot: usize) -> Option<&C::Slot> {
        (self.state[slot] != EMPTY).then(|| &self.slots[slot])
    }

    /// Adds base `src` (its top bit negates) to bucket `dst`, now or in a later batch.
    #[inline(always)]
    pub fn push(&mut self, bases: &[C::Slot], dst: u32, src: u32) {
        let state = &mut self.state[dst as usize];
        if *state == EMPTY || *state == self.epoch {
            self.set_aside(bases, Addition { dst, src });
            return;
        }
        *state = self.epoch;
        prefetch(&self.slots[dst as usize]);
        prefetch(&bases[(src & !NEGATE) as usize]);
        self.batch.push(Addition { dst, src });
        if self.batch.len() == BATCH {
            self.flush(bases);
        }
    }

    /// Puts the first point into an empty bucket, or makes one wait whose bucket the batch already touches.
    #[cold]
    #[inline(never)]
    fn set_aside(&mut self, bases: &[C::Slot], addition: Addition) {
        let state = &mut self.state[addition.dst as usize];
        if *state == EMPTY {
            *state = IDLE;
            let base = &bases[(addition.src & !NEGATE) as usize];
            self.slots[addition.dst as usize] = C::signed(base, addition.src & NEGATE != 0);
        } else {
            self.queue.push(addition);
            if self.queue.len() >= QUEUE {
                self.flush(bases);
            }
        }
    }

    /// Runs the batch, then gives the waiting pairs their turn.
    #[cold]
    #[inline(never)]
    fn flush(&mut self, bases: &[C::Slot]) {
        self.run(Source::Bases(bases));
        if self.queue.len() >= QUEUE {
            self.drain_queue(bases);
            return;
        }
        let mut waiting = std::mem::replace(&mut self.queue, std::mem::take(&mut self.spare));
        for addition in waiting.drain(..) {
            // A full batch would have to run before its turn: the rest waits for the next.
            if self.batch.len() + 1 == BATCH {
                self.queue.push(addition);
            } else {
                self.push(bases, addition.dst, addition.src);
            }
        }
        self.spare = waiting;
    }

    /// Brings every pair pushed so far into its bucket.
    pub fn finish(&mut self, bases: &[C::Slot]) {
        self.run(Source::Bases(bases));
        self.drain_queue(bases);
    }

    fn run(&mut self, source: Source<'_, C>) {
        if !self.batch.is_empty() {
            self.cancelled.clear();
            C::add_batch(
                self.kernel,
                &mut self.slots,
                source,
                &self.batch,
                &mut self.workspace,
                &mut self.cancelled,
            );
            self.batch.clear();
            for &slot in &self.cancelled {
                self.state[slot as usize] = EMPTY;
            }
        }
        self.next_epoch();
    }

    fn next_epoch(&mut self) {
        if self.epoch == u8::MAX {
            for state in &mut self.state {
                *state = (*state).min(IDLE);
            }
            self.epoch = IDLE;
        }
        self.epoch += 1;
    }

    /// Adds the waiting points of each bucket among themselves, halving their number each round, and an odd one out to
    /// the bucket: rounds are logarithmic in the longest wait.
    fn drain_queue(&mut self, bases: &[C::Slot]) {
        if self.queue.is_empty() {
            return;
        }
        let first = self.slots.len();
        let mut entries: Vec<Addition> = Vec::with_capacity(self.queue.len());
        for (k, addition) in self.queue.drain(..).enumerate() {
            let base = &bases[(addition.src & !NEGATE) as usize];
            self.slots.push(C::signed(base, addition.src & NEGATE != 0));
            entries.push(Addition {
                dst: addition.dst,
                src: u32::try_from(first + k).expect("slots are counted in 32 bits"),
            });
        }
        self.state.resize(self.slots.len(), IDLE);
        self.pending.resize(first, NONE);
        while !entries.is_empty() {
            let mut sums = Vec::with_capacity(entries.len() / 2);
            for entry in &entries {
                let pending = &mut self.pending[entry.dst as usize];
                if *pending == NONE {
                    *pending = entry.src;
                } else {
                    let src = std::mem::replace(pending, NONE);
                    self.add_slots(src as usize, entry.src as usize);
                    sums.push(Addition { src, ..*entry });
                }
            }
            for entry in &entries {
                let pending = std::mem::replace(&mut self.pending[entry.dst as usize], NONE);
                if pending != NONE {
                    self.add_slots(entry.dst as usize, pending as usize);
                }
            }
            self.run_slots();
            sums.retain(|sum| self.state[sum.src as usize] != EMPTY);
            entries = sums;
        }
        self.slots.truncate(first);
        self.state.truncate(first);
    }

    /// Schedules `slots[dst] += slots[src]`. Until [`Self::run_slots`], a destination is neither scheduled again nor
    /// read as a source.
    pub fn add_slots(&mut self, dst: usize, src: usize) {
        if self.state[src] == EMPTY {
            return;
        }
        if self.state[dst] == EMPTY {
            self.copy_slot(dst, src);
            return;
        }
        let index = |slot: usize| u32::try_from(slot).expect("slots are counted in 32 bits");
        self.batch.push(Addition {
            dst: index(dst),
            src: index(src),
        });
        if self.batch.len() == BATCH {
            self.run(Source::Slots);
        }
    }

    /// Runs what [`Self::add_slots`] scheduled.
    pub fn run_slots(&mut self) {
        self.run(Source::Slots);
    }

    /// Makes `dst` equal to `src`.
    pub fn copy_slot(&mut self, dst: usize, src: usize) {
        self.slots[dst] = self.slots[src];
        self.state[dst] = self.state[src].min(IDLE);
    }

    /// Makes at least `count` slots, the new ones empty.
    pub fn reserve_slots(&mut self, count: usize) {
        if self.slots.len() < count {
            self.slots.resize(count, C::BLANK);
            self.state.resize(count, EMPTY);
        }
    }
}
