//! Proofs that pass, for tests that change one thing.

use std::sync::LazyLock;

use ark_bn254::{Fq2, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use assay_groth16::{Error, ModelCommitment, Proof, Result, VerifyingKey, verify::verify};

use super::{Circuit, Keys};

/// A proof that passes, with all that made it.
pub struct Baseline {
    pub circuit: Circuit,
    pub keys: Keys,
    pub model: Option<ModelCommitment>,
    pub proof: Proof,
}

impl Baseline {
    pub fn new(committed: bool, private: bool) -> Self {
        let circuit = Circuit::new(6, committed, private);
        let keys = circuit.setup();
        let model = circuit.commit_model(&keys);
        let proof = circuit.prove(&keys, model.as_ref());
        let baseline = Self {
            circuit,
            keys,
            model,
            proof,
        };
        baseline
            .check(&baseline.proof)
            .expect("the baseline passes");
        baseline
    }

    pub fn m(&self) -> Option<&G1Affine> {
        self.model.as_ref().map(|m| &m.commitment)
    }

    pub fn check(&self, proof: &Proof) -> Result<()> {
        verify(&self.keys.vk, &self.circuit.public, proof, self.m())
    }
}

pub static PLAIN: LazyLock<Baseline> = LazyLock::new(|| Baseline::new(false, false));
pub static FULL: LazyLock<Baseline> = LazyLock::new(|| Baseline::new(true, true));

pub fn g1(point: &G1Affine) -> G1Affine {
    (*point + G1Affine::generator()).into_affine()
}

pub fn g2(point: &G2Affine) -> G2Affine {
    (*point + G2Affine::generator()).into_affine()
}

pub fn assert_proof_refused(result: Result<()>, what: &str) {
    assert!(
        matches!(result, Err(Error::InvalidProof(_))),
        "{what}: {result:?}"
    );
}

pub fn assert_key_refused(key: &VerifyingKey, what: &str) {
    let result = VerifyingKey::from_bytes(&key.to_bytes());
    assert!(
        matches!(result, Err(Error::InvalidKey(_))),
        "{what}: {result:?}"
    );
}

/// A point of the twist outside the subgroup of order r (the cofactor is about 2^254).
pub fn outside_the_subgroup() -> G2Affine {
    (1u64..)
        .filter_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::new(x.into(), 1u64.into()), true))
        .find(|p| p.is_on_curve() && !p.is_in_correct_subgroup_assuming_on_curve())
        .unwrap()
}
