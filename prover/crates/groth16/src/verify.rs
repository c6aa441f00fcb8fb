//! Verification, of one proof and of many under one key.

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM, pairing::Pairing};
use ark_ff::{One, Zero};

use crate::{
    challenge::challenge,
    encoding::{WORD, fr_from_word},
    error::{Error, Result, bail},
    proof::Proof,
    random::Randomness,
    verifying_key::VerifyingKey,
};

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
        vk: &VerifyingKey,
        vk_hash: &[u8; 32],
        public: &[Fr],
        proof: &'a Proof,
        model: Option<&G1Affine>,
    ) -> Result<Self> {
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
            scalars.push(challenge(vk_hash, public, model, d));
        }
        Ok(Self { proof, scalars })
    }
}

/// Right-hand sides of the equation, negated: `alpha, IC, C` and, where present, `D`, `M`, beside their G2 elements.
fn right_sides(
    vk: &VerifyingKey,
    weight: Fr,
    scalars: &[Fr],
    c: G1Projective,
    d: G1Projective,
    model: Option<&G1Affine>,
) -> (Vec<G1Affine>, Vec<G2Affine>) {
    let ic = G1Projective::msm(&vk.ic, scalars).expect("as many scalars as elements");
    let mut g1 = vec![-(vk.alpha * weight), -ic, -c];
    let mut g2 = vec![vk.beta, vk.gamma, vk.delta];
    if let Some(delta_1) = vk.delta_1 {
        g1.push(-d);
        g2.push(delta_1);
    }
    if let (Some(delta_m), Some(model)) = (vk.delta_m, model) {
        g1.push(-(*model * weight));
        g2.push(delta_m);
    }
    (G1Projective::normalize_batch(&g1), g2)
}

/// Checks one proof. `vk` must come from [`VerifyingKey::from_bytes`] or setup, which check it.
///
/// # Errors
/// `InvalidProof` if it does not prove the statement, `InvalidInput` if the statement or `M` has the wrong shape.
pub fn verify(
    vk: &VerifyingKey,
    public: &[Fr],
    proof: &Proof,
    model: Option<&G1Affine>,
) -> Result<()> {
    let claim = Claim::new(vk, &vk.hash(), public, proof, model)?;
    holds(vk, &claim, model)
}

fn holds(vk: &VerifyingKey, claim: &Claim<'_>, model: Option<&G1Affine>) -> Result<()> {
    let d = claim.proof.d.unwrap_or_default();
    let (mut g1, mut g2) = right_sides(
        vk,
        Fr::one(),
        &claim.scalars,
        claim.proof.c.into_group(),
        d.into_group(),
        model,
    );
    g1.push(claim.proof.a);
    g2.push(claim.proof.b);
    if !Bn254::multi_pairing(g1, g2).is_zero() {
        bail!(InvalidProof, "the pairing equation does not hold");
    }
    Ok(())
}

/// Checks many proofs under one key (and one model) with N + 3 to N + 5 pairings in one product: each equation is
/// raised to a uniform 128-bit power, so that a false one passes with probability 2^-128.
///
/// # Errors
/// As [`verify`], naming the first claim that fails.
pub fn verify_batch(
    vk: &VerifyingKey,
    claims: &[(&[Fr], &Proof)],
    model: Option<&G1Affine>,
    randomness: &mut Randomness,
) -> Result<()> {
    let vk_hash = vk.hash();
    let claims = claims
        .iter()
        .enumerate()
        .map(|(i, (public, proof))| {
            Claim::new(vk, &vk_hash, public, proof, model).map_err(|e| at(i, e))
        })
        .collect::<Result<Vec<_>>>()?;
    if claims.is_empty() {
        return Ok(());
    }
    let weights: Vec<Fr> = claims.iter().map(|_| randomness.combination()).collect();
    let mut scalars = vec![Fr::zero(); vk.ic.len()];
    for (claim, weight) in claims.iter().zip(&weights) {
        for (sum, value) in scalars.iter_mut().zip(&claim.scalars) {
            *sum += *value * weight;
        }
    }
    let combine = |element: fn(&Proof) -> G1Affine| {
        let bases: Vec<G1Affine> = claims.iter().map(|c| element(c.proof)).collect();
        G1Projective::msm(&bases, &weights).expect("as many scalars as elements")
    };
    let c = combine(|proof| proof.c);
    let d = combine(|proof| proof.d.unwrap_or_default());
    let (mut g1, mut g2) = right_sides(vk, weights.iter().sum(), &scalars, c, d, model);
    let left: Vec<G1Projective> = claims
        .iter()
        .zip(&weights)
        .map(|(claim, weight)| claim.proof.a * weight)
        .collect();
    g1.extend(G1Projective::normalize_batch(&left));
    g2.extend(claims.iter().map(|claim| claim.proof.b));
    if Bn254::multi_pairing(g1, g2).is_zero() {
        return Ok(());
    }
    for (i, claim) in claims.iter().enumerate() {
        holds(vk, claim, model).map_err(|e| at(i, e))?;
    }
    bail!(InvalidProof, "the combined equation does not hold");
}

fn at(index: usize, error: Error) -> Error {
    match error {
        Error::InvalidProof(why) => Error::InvalidProof(format!("claim {index}: {why}")),
        Error::InvalidInput(why) => Error::InvalidInput(format!("claim {index}: {why}")),
        other => other,
    }
}
