//! Doctored proving keys that are consistent in themselves: whoever changes a key's points writes fitting hashes, and, with
//! the trapdoors in hand, the hint that fits them, too.

use std::{fs, path::PathBuf, sync::Arc};

use ark_bn254::{Fq, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
use ark_ff::{BigInt, Field, One, PrimeField, Zero};
use assay_bn254::ntt::Domain;
use assay_groth16::{
    KeyCheck, ProvingKey, Randomness, Result, SetupBuilder, VerifyingKey, progress::SILENT,
};

use super::Circuit;

pub const NAMES: [&str; 15] = [
    "vk",
    "constants",
    "index A",
    "A",
    "index B",
    "B1",
    "B2",
    "index K",
    "K",
    "index D",
    "D",
    "index M",
    "M",
    "H",
    "",
];
const SECTIONS: usize = 14;
const HEADER: usize = 512;
const TABLE: usize = 56;
const BODY_HASH: usize = TABLE + 16 * SECTIONS;
const ROWS: usize = BODY_HASH + 32;
const HINT: usize = ROWS + 32;

/// What a setup should have forgotten.
pub struct Trapdoors {
    pub tau: Fr,
    pub alpha: Fr,
    pub beta: Fr,
    pub gamma: Fr,
    pub delta: Fr,
    pub delta_1: Fr,
    pub delta_m: Fr,
}

pub struct Doctor {
    pub circuit: Circuit,
    pub vk: VerifyingKey,
    pub trapdoors: Trapdoors,
    pub header: [u8; HEADER],
    pub sections: [Vec<u8>; SECTIONS],
    /// `w_i(tau)`, for the hint.
    w: Vec<Fr>,
    folder: tempfile::TempDir,
}

impl Doctor {
    /// Keys of a circuit, by a setup that remembers.
    pub fn new(circuit: Circuit, seed: [u8; 32]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("honest.pk");
        let mut randomness = Randomness::insecure_from_seed(seed);
        let mut builder =
            SetupBuilder::new(circuit.layout, circuit.n_constraints, &mut randomness).unwrap();
        builder.push(&circuit.rows()).unwrap();
        let vk = builder.finish(&path, SILENT).unwrap();
        let mut again = Randomness::insecure_from_seed(seed);
        let mut next = || again.nonzero();
        let trapdoors = Trapdoors {
            tau: next(),
            alpha: next(),
            beta: next(),
            gamma: next(),
            delta: next(),
            delta_1: next(),
            delta_m: next(),
        };
        let bytes = fs::read(&path).unwrap();
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        let section = |i: usize| {
            let (offset, length) = (word(TABLE + 16 * i), word(TABLE + 16 * i + 8));
            bytes[offset..offset + length].to_vec()
        };
        let rows = circuit.n_constraints + circuit.layout.n_ic();
        let lagrange = Domain::smallest(rows).unwrap().lagrange_at(trapdoors.tau);
        let mut w = vec![Fr::zero(); circuit.layout.n_wires()];
        let c = &circuit.matrices[2];
        for row in 0..circuit.n_constraints {
            for at in c.ptr[row] as usize..c.ptr[row + 1] as usize {
                let coefficient = assay_bn254::scalars::small_to_field(c.coef[at]);
                w[c.col[at] as usize] += coefficient * lagrange[row];
            }
        }
        Self {
            header: bytes[..HEADER].try_into().unwrap(),
            sections: std::array::from_fn(section),
            circuit,
            vk,
            trapdoors,
            w,
            folder,
        }
    }

    pub fn section(&mut self, name: &str) -> &mut Vec<u8> {
        let i = NAMES.iter().position(|n| *n == name).unwrap();
        &mut self.sections[i]
    }

    /// Number of points of a query.
    pub fn count(&mut self, name: &str) -> usize {
        let size = if name == "B2" { 128 } else { 64 };
        self.section(name).len() / size
    }

    pub fn g1(&mut self, name: &str, i: usize) -> G1Affine {
        read_g1(&self.section(name)[64 * i..])
    }

    pub fn put_g1(&mut self, name: &str, i: usize, point: G1Affine) {
        self.section(name)[64 * i..64 * (i + 1)].copy_from_slice(&g1_bytes(&point));
    }

    pub fn g2(&mut self, name: &str, at: usize) -> G2Affine {
        read_g2(&self.section(name)[at..])
    }

    pub fn put_g2(&mut self, name: &str, at: usize, point: G2Affine) {
        self.section(name)[at..at + 128].copy_from_slice(&g2_bytes(&point));
    }

    /// The position in a query of the first wire from `wire` on.
    pub fn position(&mut self, index: &str, points: &str, wire: usize) -> usize {
        let count = self.count(points);
        let list = self.section(index);
        if list.is_empty() {
            return wire.min(count);
        }
        list.chunks_exact(4)
            .position(|c| u32::from_le_bytes(c.try_into().unwrap()) as usize >= wire)
            .unwrap_or(count)
    }

    /// The file, with the hint that an author who knows tau would write.
    pub fn write(&self) -> PathBuf {
        self.write_with(|weights, w| {
            let sum: Fr = weights.iter().zip(w).map(|(rho, w)| *rho * w).sum();
            (G1Affine::generator() * sum).into_affine()
        })
    }

    pub fn write_with(&self, hint: impl Fn(&[Fr], &[Fr]) -> G1Affine) -> PathBuf {
        let mut header = self.header;
        let mut body = Vec::new();
        for (i, section) in self.sections.iter().enumerate() {
            body.resize(body.len().next_multiple_of(64), 0);
            let (offset, length) = (HEADER + body.len(), section.len());
            header[TABLE + 16 * i..TABLE + 16 * i + 8]
                .copy_from_slice(&(offset as u64).to_le_bytes());
            header[TABLE + 16 * i + 8..TABLE + 16 * i + 16]
                .copy_from_slice(&(length as u64).to_le_bytes());
            body.extend(section);
        }
        header[BODY_HASH..ROWS].copy_from_slice(blake3::hash(&body).as_bytes());
        let mut reader = blake3::Hasher::new_derive_key("assay/proving-key/check/v1")
            .update(&header[..HINT])
            .finalize_xof();
        let weights: Vec<Fr> = self
            .w
            .iter()
            .map(|_| {
                let mut bytes = [0; 16];
                reader.fill(&mut bytes);
                Fr::from(u128::from_le_bytes(bytes))
            })
            .collect();
        header[HINT..HINT + 64].copy_from_slice(&g1_bytes(&hint(&weights, &self.w)));
        let hash = *blake3::hash(&header[..HEADER - 32]).as_bytes();
        header[HEADER - 32..].copy_from_slice(&hash);
        let path = self.folder.path().join("doctored.pk");
        fs::write(&path, [header.as_slice(), &body].concat()).unwrap();
        path
    }

    /// Digest of another circuit's rows, put into the header.
    pub fn claim_rows(&mut self, other: &Doctor) {
        self.header[ROWS..HINT].copy_from_slice(&other.header[ROWS..HINT]);
    }

    /// Opens the file and checks it against the circuit.
    pub fn verdict(&self) -> Result<()> {
        check(&self.write(), &self.circuit)
    }
}

pub fn check(path: &std::path::Path, circuit: &Circuit) -> Result<()> {
    let key = Arc::new(ProvingKey::open(path, true)?);
    let mut check = KeyCheck::new(key)?;
    check.push(&circuit.rows())?;
    check.finish(SILENT)
}

fn put(out: &mut Vec<u8>, value: &Fq) {
    value
        .0
        .0
        .iter()
        .for_each(|limb| out.extend(limb.to_le_bytes()));
}

fn get(bytes: &[u8]) -> Fq {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = u64::from_le_bytes(chunk.try_into().unwrap());
    }
    Fq::new_unchecked(BigInt(limbs))
}

pub fn g1_bytes(point: &G1Affine) -> Vec<u8> {
    let (x, y) = point.xy().unwrap_or_default();
    let mut out = Vec::new();
    put(&mut out, &x);
    put(&mut out, &y);
    out
}

pub fn g2_bytes(point: &G2Affine) -> Vec<u8> {
    let (x, y) = point.xy().unwrap_or_default();
    let mut out = Vec::new();
    [x.c0, x.c1, y.c0, y.c1]
        .iter()
        .for_each(|v| put(&mut out, v));
    out
}

fn read_g1(bytes: &[u8]) -> G1Affine {
    let (x, y) = (get(bytes), get(&bytes[32..]));
    if x.is_zero() && y.is_zero() {
        return G1Affine::identity();
    }
    G1Affine::new_unchecked(x, y)
}

fn read_g2(bytes: &[u8]) -> G2Affine {
    let at = |i: usize| get(&bytes[32 * i..]);
    let pair = |i: usize| ark_bn254::Fq2::new(at(i), at(i + 1));
    if bytes[..128].iter().all(|b| *b == 0) {
        return G2Affine::identity();
    }
    G2Affine::new_unchecked(pair(0), pair(2))
}

/// A point of the twist whose order is 10,069, the smallest prime outside the group's order.
pub fn small_order() -> G2Affine {
    // The cofactor 2 p - r, without its factor 10,069.
    let cofactor: [u64; 4] = [
        0x6c3cd334915f1659,
        0x207142f7671af448,
        0x9e28bcf65b5681da,
        0x13af7a58fce69,
    ];
    let mut x = Fq::one();
    loop {
        x += Fq::one();
        let Some(point) =
            G2Affine::get_point_from_x_unchecked(ark_bn254::Fq2::new(x, Fq::one()), true)
        else {
            continue;
        };
        let result = point
            .mul_bigint(Fr::MODULUS)
            .mul_bigint(cofactor)
            .into_affine();
        if !result.is_zero() {
            assert!(result.mul_bigint([10_069u64]).is_zero());
            return result;
        }
    }
}

pub fn inverse(x: Fr) -> Fr {
    x.inverse().unwrap()
}
