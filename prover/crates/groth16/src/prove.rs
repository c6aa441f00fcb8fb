//! The prover: commitments first, then one quotient and five multi-scalar multiplications.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use ark_bn254::{Fr, G1Affine, G1Projective, G2Projective};
use ark_ec::CurveGroup;
use ark_ff::Zero;
use assay_bn254::{
    Kernel, PackedG1, Scalars,
    msm::{MsmG1, TableG1, msm_g1, msm_g1_many_watched, msm_g2, msm_g2_watched},
};
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::{
    challenge::challenge,
    error::{Error, Result, bail},
    field::{Limbs, limbs},
    gather::{Gathered, gather},
    key::{ProvingKey, Query, Tables, Wide},
    matrix::check_segments,
    progress::{Progress, report},
    proof::Proof,
    quotient::odd_coset_products,
    random::Randomness,
};

/// A model's published commitment and the secret that opens it.
#[derive(Clone)]
pub struct ModelCommitment {
    /// `M`, public.
    pub commitment: G1Affine,
    /// `mu`, kept by the model's owner: with it and guesses of the weights, `M` can be tested.
    pub opening: Zeroizing<Fr>,
}

impl std::fmt::Debug for ModelCommitment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelCommitment")
            .field("commitment", &self.commitment)
            .finish_non_exhaustive()
    }
}

/// A model ready for many proofs under one key: the sums over its wires, the same in every proof, are known.
pub struct PreparedModel {
    vk_hash: [u8; 32],
    commitment: ModelCommitment,
    /// Stands for the model's wires, which no sum needs any more.
    zeros: Vec<i64>,
    a: G1Projective,
    b: G1Projective,
    b_2: G2Projective,
    k: G1Projective,
}

impl std::fmt::Debug for PreparedModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreparedModel")
            .field("commitment", &self.commitment.commitment)
            .finish_non_exhaustive()
    }
}

/// A proof in the making: everything that the challenge depends on is fixed.
#[allow(missing_debug_implementations)] // holds kappa
pub struct Session {
    public: Vec<Fr>,
    challenge: Option<Fr>,
    commitment: Option<G1Affine>,
    // Secrets stay where they are when a session moves: what is left behind is not wiped.
    kappa: Box<Zeroizing<Fr>>,
    model: Option<Box<ModelCommitment>>,
    prepared: Option<Arc<PreparedModel>>,
}

impl Session {
    /// The challenge, in committed mode.
    #[must_use]
    pub fn challenge(&self) -> Option<Fr> {
        self.challenge
    }

    /// `D`, in committed mode.
    #[must_use]
    pub fn commitment(&self) -> Option<&G1Affine> {
        self.commitment.as_ref()
    }
}

/// Wire values and row evaluations that complete a proof.
#[derive(Clone, Copy, Debug)]
pub struct Assignment<'a> {
    /// Model wires, the same as committed; empty without private weights or with a [`PreparedModel`].
    pub model: &'a [Scalars<'a>],
    /// Committed wires, the same as given to [`ProvingKey::commit`]; empty in plain mode.
    pub w1: &'a [Scalars<'a>],
    /// The other wires.
    pub w2: &'a [Scalars<'a>],
    /// `<A_j, z>` of each constraint.
    pub a: &'a [Scalars<'a>],
    /// `<B_j, z>` of each constraint.
    pub b: &'a [Scalars<'a>],
}

/// One proof of a batch.
#[allow(missing_debug_implementations)] // holds secrets
pub struct Job<'a> {
    /// What was committed.
    pub session: Session,
    /// What completes it.
    pub assignment: Assignment<'a>,
    /// Where `r` and `s` come from.
    pub randomness: Randomness,
}

fn msm_query(query: Query<'_, PackedG1>, scalars: &[Scalars<'_>]) -> G1Projective {
    let gathered = gather(scalars, query.index, query.points.len());
    msm_g1(query.points, &gathered.view())
}

impl ProvingKey {
    /// Commits to a model's private weights: `M`, once for each model.
    ///
    /// # Errors
    /// `InvalidInput` if the key has no model wires, `InvalidWitness` for a wrong number or values out of range.
    pub fn commit_model(
        &self,
        wires: &[Scalars<'_>],
        randomness: &mut Randomness,
    ) -> Result<ModelCommitment> {
        if !self.layout().private_weights() {
            bail!(InvalidInput, "this key has no private weights to commit to");
        }
        check_segments(wires, self.layout().n_model as usize, "model")?;
        let opening = Zeroizing::new(randomness.scalar());
        let sum = msm_query(self.query_m(), wires) + self.constants.delta * *opening;
        Ok(ModelCommitment {
            commitment: sum.into_affine(),
            opening,
        })
    }

    /// Adds up what a model contributes to every proof, and checks that the commitment is to these very wires.
    ///
    /// # Errors
    /// As [`ProvingKey::commit_model`], and `InvalidWitness` for a commitment to other wires or another opening.
    pub fn prepare_model(
        &self,
        commitment: ModelCommitment,
        wires: &[Scalars<'_>],
    ) -> Result<PreparedModel> {
        let layout = self.layout();
        if !layout.private_weights() {
            bail!(InvalidInput, "this key has no private weights to prepare");
        }
        check_segments(wires, layout.n_model as usize, "model")?;
        let opened = msm_query(self.query_m(), wires) + self.constants.delta * *commitment.opening;
        if opened.into_affine() != commitment.commitment {
            bail!(
                InvalidWitness,
                "the model commitment does not open to these weights"
            );
        }
        let (before, after) = (
            vec![0; layout.model().start],
            vec![0; layout.n_wires() - layout.model().end],
        );
        let mut z = vec![Scalars::Small(&before)];
        z.extend(wires);
        z.push(Scalars::Small(&after));
        let b_z = gather(&z, self.query_b1().index, self.query_b1().points.len());
        Ok(PreparedModel {
            vk_hash: *self.vk_hash(),
            zeros: vec![0; layout.n_model as usize],
            a: msm_query(self.query_a(), &z),
            b: msm_g1(self.query_b1().points, &b_z.view()),
            b_2: msm_g2(self.query_b2().points, &b_z.view()),
            k: if self.is_merged() {
                msm_query(self.query_k(), &z)
            } else {
                G1Projective::zero()
            },
            commitment,
        })
    }

    /// [`ProvingKey::commit`] for a prepared model; [`ProvingKey::finish`] then takes no model wires.
    ///
    /// # Errors
    /// As [`ProvingKey::commit`], and `InvalidInput` for a model prepared for another key.
    pub fn commit_prepared(
        &self,
        public: Vec<Fr>,
        w1: &[Scalars<'_>],
        model: Arc<PreparedModel>,
        randomness: &mut Randomness,
    ) -> Result<Session> {
        if model.vk_hash != *self.vk_hash() {
            bail!(InvalidInput, "the model was prepared for another key");
        }
        let mut session = self.commit(public, w1, Some(model.commitment.clone()), randomness)?;
        session.prepared = Some(model);
        Ok(session)
    }

    /// Fixes the statement, the model and the committed wires, and derives the challenge. In plain mode `w1` is empty and
    /// nothing is computed.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong number of public inputs or a model where none belongs (or none where one does),
    /// `InvalidWitness` for a wrong number of wires or values out of range.
    pub fn commit(
        &self,
        public: Vec<Fr>,
        w1: &[Scalars<'_>],
        model: Option<ModelCommitment>,
        randomness: &mut Randomness,
    ) -> Result<Session> {
        let layout = self.layout();
        if public.len() != layout.n_public as usize {
            bail!(
                InvalidInput,
                "{} public inputs; the key has {}",
                public.len(),
                layout.n_public
            );
        }
        if model.is_some() != layout.private_weights() {
            let needs = if layout.private_weights() {
                "needs a"
            } else {
                "takes no"
            };
            bail!(InvalidInput, "this key {needs} model commitment");
        }
        check_segments(w1, layout.n_w1 as usize, "w1")?;
        let mut session = Session {
            public,
            challenge: None,
            commitment: None,
            kappa: Box::new(Zeroizing::new(Fr::zero())),
            model: model.map(Box::new),
            prepared: None,
        };
        if layout.committed {
            **session.kappa = randomness.scalar();
            let sum = msm_query(self.query_d(), w1) + self.constants.delta * **session.kappa;
            let d = sum.into_affine();
            let m = session.model.as_ref().map(|m| &m.commitment);
            session.challenge = Some(challenge(self.vk_hash(), &session.public, m, &d));
            session.commitment = Some(d);
        }
        Ok(session)
    }

    /// Completes a proof. The values are not checked against the circuit: a false witness gives a proof that fails.
    ///
    /// # Errors
    /// `InvalidWitness` for wrong numbers of values or values out of range; `Cancelled`.
    pub fn finish(
        &self,
        session: Session,
        assignment: &Assignment<'_>,
        randomness: &mut Randomness,
        progress: Progress<'_>,
    ) -> Result<Proof> {
        let layout = self.layout();
        let prepared = session.prepared.as_deref();
        let zeros = [Scalars::Small(prepared.map_or(&[], |m| &m.zeros))];
        let model = match prepared {
            Some(_) if !assignment.model.is_empty() => {
                bail!(InvalidInput, "a prepared model takes no model wires")
            }
            Some(_) => &zeros,
            None => assignment.model,
        };
        check_segments(model, layout.n_model as usize, "model")?;
        check_segments(assignment.w1, layout.n_w1 as usize, "w1")?;
        check_segments(assignment.w2, layout.n_w2 as usize, "w2")?;
        check_segments(assignment.a, self.n_constraints(), "a")?;
        check_segments(assignment.b, self.n_constraints(), "b")?;

        // z = (1, x, c | m | w1 | w2)
        let inputs: Vec<Fr> = session
            .public
            .iter()
            .copied()
            .chain(session.challenge)
            .collect();
        let input_limbs: Vec<Limbs> = inputs.iter().copied().map(limbs).collect();
        let mut z = vec![Scalars::Small(&[1]), Scalars::Full(&input_limbs)];
        z.extend([model, assignment.w1, assignment.w2].into_iter().flatten());

        let query = |q: Query<'_, PackedG1>| gather(&z, q.index, q.points.len());
        let b_z = query(self.query_b1());
        report(progress, "quotient", 0, 1)?;
        // G2 runs beside the quotient and G1, so that no core waits at the end of either.
        let (sums, sum_b2) = rayon::join(
            || self.g1_sums(assignment, &z, &b_z, &inputs, progress),
            || {
                let table = self.tables.get().and_then(|t| t.b2.as_ref());
                let points = self.query_b2().points;
                let watch = |begun, tasks| report(progress, "G2", begun, tasks).is_ok();
                msm_g2_watched(Kernel::active(), points, table, &b_z.view(), &watch)
                    .ok_or(Error::Cancelled)
            },
        );
        let [mut sum_a, mut sum_b, mut sum_k, sum_h] = sums?;
        let mut sum_b2 = sum_b2?;
        if let Some(model) = prepared {
            sum_a += model.a;
            sum_b += model.b;
            sum_b2 += model.b_2;
            sum_k += model.k;
        }

        let key = &self.constants;
        let r = Zeroizing::new(randomness.scalar());
        let s = Zeroizing::new(randomness.scalar());
        // Affine, for projective points are multiplied with big integers on the heap, which nobody wipes.
        let a = (sum_a + key.alpha + key.delta * *r).into_affine();
        let b_1 = (sum_b + key.beta + key.delta * *s).into_affine();
        let b = sum_b2 + key.beta_2 + key.delta_2 * *s;
        let mut c = sum_k + sum_h + a * *s + b_1 * *r - key.delta * *Zeroizing::new(*r * *s);
        if session.commitment.is_some() {
            c -= key.delta_1 * **session.kappa;
        }
        if let Some(model) = &session.model {
            c -= key.delta_m * *model.opening;
        }
        report(progress, "done", 1, 1)?;
        Ok(Proof {
            a,
            b: b.into_affine(),
            c: c.into_affine(),
            d: session.commitment,
        })
    }

    /// The quotient, then the sums of A, B, K and H, one queue of windows.
    fn g1_sums(
        &self,
        assignment: &Assignment<'_>,
        z: &[Scalars<'_>],
        b_z: &Gathered<'_>,
        inputs: &[Fr],
        progress: Progress<'_>,
    ) -> Result<[G1Projective; 4]> {
        let products = odd_coset_products(
            self.domain(),
            assignment.a,
            assignment.b,
            inputs,
            self.is_merged(),
        );
        let (a, b, k) = (self.query_a(), self.query_b1(), self.query_k());
        let a_z = gather(z, a.index, a.points.len());
        let wires = if self.is_merged() { z } else { assignment.w2 };
        let k_z = gather(wires, k.index, k.points.len());
        let tables = self.tables.get();
        let job = |bases, scalars, table: fn(&Tables) -> &Option<TableG1>| MsmG1 {
            bases,
            scalars,
            table: tables.and_then(|tables| table(tables).as_ref()),
        };
        let (a_z, b_z, k_z) = (a_z.view(), b_z.view(), k_z.view());
        let products = [Scalars::Full(&products)];
        let jobs = [
            job(a.points, &a_z, |t| &t.a),
            job(b.points, &b_z, |t| &t.b1),
            job(k.points, &k_z, |t| &t.k),
            job(self.query_h(), &products, |t| &t.h),
        ];
        let watch = |begun, tasks| report(progress, "G1", begun, tasks).is_ok();
        let sums = msm_g1_many_watched(Kernel::active(), &jobs, &watch).ok_or(Error::Cancelled)?;
        Ok(sums.try_into().expect("one sum a job"))
    }

    /// Makes tables of multiples when batches, this one included, have asked for as many proofs as pay for them.
    fn prepare_batch(&self, jobs: &[Job<'_>]) {
        let before = self.batched.fetch_add(jobs.len(), Ordering::Relaxed);
        let pays = TableG1::pays_after(self.domain().size());
        if pays.is_some_and(|proofs| before + jobs.len() >= proofs) {
            let wide = |job: &Job<'_>| {
                let Assignment { model, w1, w2, .. } = job.assignment;
                let (mut full, mut all) = (0, 0);
                for segment in [model, w1, w2].into_iter().flatten() {
                    all += segment.len();
                    if matches!(segment, Scalars::Full(_)) {
                        full += segment.len();
                    }
                }
                2 * full > all
            };
            let wide = if jobs.iter().all(wide) {
                Wide::Wires
            } else {
                Wide::Quotient
            };
            self.prepare_tables(wide, Self::TABLES_BUDGET);
        }
    }

    /// Completes several proofs side by side, each on one thread, where nothing waits and buckets stay with their core; those that
    /// do not fill a last round of threads run on all of them, one after the other. Proofs come in the order of the jobs.
    ///
    /// Once batches with this key have asked for so many proofs that tables of multiples pay for themselves, they are made, unless
    /// [`ProvingKey::prepare_tables`] was called: with a budget of 0 they never are.
    ///
    /// # Errors
    /// As [`ProvingKey::finish`], for a job that fails; `Io` when threads cannot be started.
    pub fn finish_batch(
        &self,
        mut jobs: Vec<Job<'_>>,
        progress: Progress<'_>,
    ) -> Result<Vec<Proof>> {
        let total = jobs.len();
        let done = AtomicUsize::new(0);
        report(progress, "batch", 0, total)?;
        self.prepare_batch(&jobs);
        let prove = |mut job: Job<'_>| {
            let quiet = |_: &'static str, _: f64| !cancelled(progress, &done, total);
            let proof = self.finish(job.session, &job.assignment, &mut job.randomness, &quiet)?;
            let finished = done.fetch_add(1, Ordering::Relaxed) + 1;
            report(progress, "batch", finished, total)?;
            Ok(proof)
        };
        let threads = rayon::current_num_threads();
        let rest = jobs.split_off(total - total % threads);
        let mut proofs = if threads > 1 {
            each_on_one_thread(jobs, threads, &prove)?
        } else {
            jobs.into_iter().map(prove).collect::<Result<Vec<_>>>()?
        };
        for job in rest {
            proofs.push(prove(job)?);
        }
        Ok(proofs)
    }
}

/// Results of `work` in the order of `items`, which threads of their own take one at a time; an error ends the work.
fn each_on_one_thread<T: Send, U: Send>(
    items: Vec<T>,
    threads: usize,
    work: &(impl Fn(T) -> Result<U> + Sync),
) -> Result<Vec<U>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let pools = (0..threads)
        .map(|_| rayon::ThreadPoolBuilder::new().num_threads(1).build())
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| Error::Io {
            path: "a batch's threads".to_owned(),
            source: std::io::Error::other(error),
        })?;
    let queue = Mutex::new(items.into_iter().enumerate());
    let queue = || queue.lock().expect("no holder panics");
    let next = || queue().next();
    let lanes = pools
        .into_par_iter()
        .map(|pool| {
            pool.install(|| {
                let mut made = Vec::new();
                while let Some((index, item)) = next() {
                    let value = work(item).inspect_err(|_| queue().by_ref().for_each(drop))?;
                    made.push((index, value));
                }
                Ok(made)
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let mut made: Vec<(usize, U)> = lanes.into_iter().flatten().collect();
    made.sort_by_key(|(index, _)| *index);
    Ok(made.into_iter().map(|(_, value)| value).collect())
}

/// Asks the caller whether to stop, at the batch's own stage.
fn cancelled(progress: Progress<'_>, done: &AtomicUsize, total: usize) -> bool {
    report(progress, "batch", done.load(Ordering::Relaxed), total).is_err()
}
