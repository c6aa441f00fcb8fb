//! Verification, of one proof and of many under one key.

use std::iter;

use ark_bn254::{Bn254, Fq12, Fr, G1Affine, G1Projective};
use ark_ec::{
    AffineRepr, CurveGroup,
    pairing::{MillerLoopOutput, Pairing},
};
use ark_ff::{One, Zero};
use assay_bn254::{PackedG1, Scalars, msm::msm_g1};
use rayon::prelude::*;

use crate::{
    challenge::challenge,
    encoding::{WORD, fr_from_word},
    error::{Error, Result, bail},
    field::{Limbs, limbs},
    proof::Proof,
    random::Randomness,
    verifying_key::VerifyingKey,
};

type G2Prepared = <Bn254 as Pairing>::G2Prepared;

/// Statement words, each below r.
///
/// # Errors
/// `InvalidInput` naming the first word that is r or more: `x` and `x + r` would be one statement otherwise.
pub fn statement_from_words(words: &[[u8; WORD]]) -> Result<Vec<Fr>> {
    words
        .iter()
        .enumerate()
        .map(|(i, word)| {
            fr_from_word(word)
                .map_err(|why| Error::InvalidInput(format!("public input {i}: {why}")))
        })
        .collect()
}

/// A proof with its statement, checked for shape, its inputs summed up.
struct Claim<'a> {
    proof: &'a Proof,
    scalars: Vec<Fr>,
}

impl<'a> Claim<'a> {
    fn new(
        verifier: &Verifier,
        public: &[Fr],
        proof: &'a Proof,
        model: Option<&G1Affine>,
    ) -> Result<Self> {
        let vk = &verifier.vk;
        if public.len() != vk.n_public() {
            bail!(
                InvalidInput,
                "{} public inputs; the key has {}",
                public.len(),
                vk.n_public()
            );
        }
        if model.is_some() != vk.delta_m.is_some() {
            let needs = if vk.delta_m.is_some() {
                "needs a"
            } else {
                "takes no"
            };
            bail!(InvalidInput, "this key {needs} model commitment");
        }
        if proof.d.is_some() != vk.delta_1.is_some() {
            bail!(InvalidProof, "the proof's commitments are not the key's");
        }
        let mut scalars = Vec::with_capacity(vk.ic.len());
        scalars.push(Fr::one());
        scalars.extend_from_slice(public);
        if let Some(d) = &proof.d {
            scalars.push(challenge(&verifier.hash, public, model, d));
        }
        Ok(Self { proof, scalars })
    }
}

/// Terms of an input sum from which bucket methods beat one multiplication a term.
const MANY_INPUTS: usize = 16;

/// A verifying key made ready for many proofs: what does not depend on them is computed once, which takes about as long as one
/// verification.
pub struct Verifier {
    vk: VerifyingKey,
    hash: [u8; 32],
    /// Miller loop of `-alpha` and `beta`.
    alpha_beta: Fq12,
    beta: G2Prepared,
    gamma: G2Prepared,
    delta: G2Prepared,
    /// `delta_1` and `delta_m`, where the key has them.
    others: Vec<G2Prepared>,
    /// `IC`, where it is long.
    ic: Vec<PackedG1>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("vk", &self.vk)
            .finish_non_exhaustive()
    }
}

impl Verifier {
    /// `vk` must come from [`VerifyingKey::from_bytes`] or setup, which check it.
    #[must_use]
    pub fn new(vk: &VerifyingKey) -> Self {
        let beta = G2Prepared::from(vk.beta);
        Self {
            hash: vk.hash(),
            alpha_beta: miller(vec![-vk.alpha], vec![beta.clone()]),
            beta,
            gamma: vk.gamma.into(),
            delta: vk.delta.into(),
            others: vk
                .delta_1
                .into_iter()
                .chain(vk.delta_m)
                .map(Into::into)
                .collect(),
            ic: if vk.ic.len() < MANY_INPUTS {
                Vec::new()
            } else {
                vk.ic.iter().map(Into::into).collect()
            },
            vk: vk.clone(),
        }
    }

    /// The key.
    #[must_use]
    pub fn vk(&self) -> &VerifyingKey {
        &self.vk
    }

    /// Checks one proof.
    ///
    /// # Errors
    /// `InvalidProof` if it does not prove the statement, `InvalidInput` if the statement or `M` has the wrong shape.
    pub fn verify(&self, public: &[Fr], proof: &Proof, model: Option<&G1Affine>) -> Result<()> {
        self.holds(&Claim::new(self, public, proof, model)?, model)
    }

    fn holds(&self, claim: &Claim<'_>, model: Option<&G1Affine>) -> Result<()> {
        let proof = claim.proof;
        let (left, right) = rayon::join(
            || {
                let right = vec![proof.b.into(), self.delta.clone()];
                miller(vec![proof.a, -proof.c], right)
            },
            || {
                let mut points = vec![(-self.input_sum(&claim.scalars)).into_affine()];
                points.extend(proof.d.iter().chain(model).map(|point| -*point));
                let right = iter::once(&self.gamma).chain(&self.others).cloned();
                miller(points, right.collect())
            },
        );
        if !is_one(left * right * self.alpha_beta) {
            bail!(InvalidProof, "the pairing equation does not hold");
        }
        Ok(())
    }

    fn input_sum(&self, scalars: &[Fr]) -> G1Projective {
        if !self.ic.is_empty() {
            let scalars: Vec<Limbs> = scalars.iter().copied().map(limbs).collect();
            return msm_g1(&self.ic, &[Scalars::Full(&scalars)]);
        }
        let terms = self.vk.ic.iter().zip(scalars);
        terms
            .map(|(point, scalar)| {
                if scalar.is_one() {
                    point.into_group()
                } else {
                    *point * scalar
                }
            })
            .sum()
    }

    /// Checks many proofs (of one model) with a Miller loop a proof and 3 to 5 more, in one product: each equation is raised
    /// to a uniform 128-bit power, so that a false one passes with probability 2^-128.
    ///
    /// # Errors
    /// As [`Self::verify`], naming the first claim that fails.
    pub fn verify_batch(
        &self,
        claims: &[(&[Fr], &Proof)],
        model: Option<&G1Affine>,
        randomness: &mut Randomness,
    ) -> Result<()> {
        let claims = claims
            .iter()
            .enumerate()
            .map(|(i, (public, proof))| {
                Claim::new(self, public, proof, model).map_err(|e| at(i, e))
            })
            .collect::<Result<Vec<_>>>()?;
        if claims.is_empty() {
            return Ok(());
        }
        let weights: Vec<Fr> = claims.iter().map(|_| randomness.combination()).collect();
        let mut scalars = vec![Fr::zero(); self.vk.ic.len()];
        for (claim, weight) in claims.iter().zip(&weights) {
            for (sum, value) in scalars.iter_mut().zip(&claim.scalars) {
                *sum += *value * weight;
            }
        }
        let total: Fr = weights.iter().sum();
        let (left, right) = rayon::join(
            || {
                let chunks = claims.par_chunks(4).zip(weights.par_chunks(4));
                let loops = chunks.map(|(claims, weights)| {
                    let left = claims.iter().zip(weights);
                    let left: Vec<_> = left.map(|(claim, weight)| claim.proof.a * weight).collect();
                    let right = claims.iter().map(|claim| claim.proof.b.into()).collect();
                    miller(G1Projective::normalize_batch(&left), right)
                });
                loops.product::<Fq12>()
            },
            || {
                let limbs: Vec<Limbs> = weights.iter().copied().map(limbs).collect();
                let combine = |element: fn(&Proof) -> G1Affine| {
                    let points = claims.iter().map(|claim| (&element(claim.proof)).into());
                    msm_g1(&points.collect::<Vec<_>>(), &[Scalars::Full(&limbs)])
                };
                let mut points = vec![
                    self.vk.alpha * total,
                    self.input_sum(&scalars),
                    combine(|proof| proof.c),
                ];
                if self.vk.delta_1.is_some() {
                    points.push(combine(|proof| proof.d.unwrap_or_default()));
                }
                points.extend(model.map(|m| *m * total));
                points.iter_mut().for_each(|point| *point = -*point);
                let right = [&self.beta, &self.gamma, &self.delta];
                let right = right.into_iter().chain(&self.others).cloned();
                miller(G1Projective::normalize_batch(&points), right.collect())
            },
        );
        if is_one(left * right) {
            return Ok(());
        }
        for (i, claim) in claims.iter().enumerate() {
            self.holds(claim, model).map_err(|e| at(i, e))?;
        }
        bail!(InvalidProof, "the combined equation does not hold");
    }
}

fn miller(g1: Vec<G1Affine>, g2: Vec<G2Prepared>) -> Fq12 {
    Bn254::multi_miller_loop(g1, g2).0
}

/// Whether a product of Miller loops stands for a product of pairings that is one.
fn is_one(product: Fq12) -> bool {
    Bn254::final_exponentiation(MillerLoopOutput(product)).is_some_and(|result| result.is_zero())
}

/// [`Verifier::verify`] once.
///
/// # Errors
/// As [`Verifier::verify`].
pub fn verify(
    vk: &VerifyingKey,
    public: &[Fr],
    proof: &Proof,
    model: Option<&G1Affine>,
) -> Result<()> {
    Verifier::new(vk).verify(public, proof, model)
}

/// [`Verifier::verify_batch`] once.
///
/// # Errors
/// As [`Verifier::verify_batch`].
pub fn verify_batch(
    vk: &VerifyingKey,
    claims: &[(&[Fr], &Proof)],
    model: Option<&G1Affine>,
    randomness: &mut Randomness,
) -> Result<()> {
    Verifier::new(vk).verify_batch(claims, model, randomness)
}

fn at(index: usize, error: Error) -> Error {
    match error {
        Error::InvalidProof(why) => Error::InvalidProof(format!("claim {index}: {why}")),
        Error::InvalidInput(why) => Error::InvalidInput(format!("claim {index}: {why}")),
        other => other,
    }
}
