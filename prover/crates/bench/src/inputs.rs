//! Points and scalars that every engine reads, so that all compute the same sums.
//!
//! Little-endian canonical coordinates and values of 32 bytes each; a smaller size is a prefix.

use std::{
    error::Error,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use ark_bn254::{Fq, Fq2, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::CurveGroup;
use ark_ff::{BigInt, PrimeField, UniformRand};
use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};
use assay_bn254::Scalars;
use rayon::prelude::*;

const ELEMENT: usize = 32;
/// One scalar in so many is full-width among `mixed` ones.
const MIXED_PERIOD: usize = 4;

/// Full-width or small values, as the prover takes them.
pub enum Values {
    /// Machine integers.
    Small(Vec<i64>),
    /// Elements of the field.
    Full(Vec<[u64; 4]>),
}

impl Values {
    /// The values as one segment.
    pub fn segment(&self) -> Scalars<'_> {
        match self {
            Self::Small(v) => Scalars::Small(v),
            Self::Full(v) => Scalars::Full(v),
        }
    }
}

fn bytes(limbs: &[u64; 4]) -> impl Iterator<Item = u8> {
    limbs.iter().flat_map(|limb| limb.to_le_bytes())
}

fn limbs(bytes: &[u8]) -> [u64; 4] {
    std::array::from_fn(|i| {
        u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().expect("eight bytes"))
    })
}

fn coordinates(values: &[Fq]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|v| bytes(&v.into_bigint().0).collect::<Vec<_>>())
        .collect()
}

fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    bytes
        .into_iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `x y`, little-endian.
pub fn hex_g1(point: &G1Affine) -> String {
    hex(coordinates(&[point.x, point.y]))
}

/// `x0 x1 y0 y1`, little-endian.
pub fn hex_g2(point: &G2Affine) -> String {
    hex(coordinates(&[
        point.x.c0, point.x.c1, point.y.c0, point.y.c1,
    ]))
}

/// Little-endian.
pub fn hex_scalar(value: &Fr) -> String {
    hex(bytes(&value.into_bigint().0))
}

/// The inputs' folder.
pub struct Inputs(PathBuf);

impl Inputs {
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    fn read(&self, name: &str, length: usize) -> Result<Vec<u8>, Box<dyn Error>> {
        let mut out = vec![0; length];
        let path = self.0.join(name);
        File::open(&path)
            .and_then(|mut file| file.read_exact(&mut out))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(out)
    }

    fn coordinates(&self, name: &str, count: usize) -> Result<Vec<Fq>, Box<dyn Error>> {
        let read = |chunk: &[u8]| Fq::from_bigint(BigInt(limbs(chunk))).ok_or("not below p");
        let bytes = self.read(name, count * ELEMENT)?;
        Ok(bytes
            .chunks_exact(ELEMENT)
            .map(read)
            .collect::<Result<_, _>>()?)
    }

    pub fn g1(&self, n: usize) -> Result<Vec<G1Affine>, Box<dyn Error>> {
        let xy = self.coordinates("bases.g1", 2 * n)?;
        Ok(xy
            .chunks_exact(2)
            .map(|c| G1Affine::new_unchecked(c[0], c[1]))
            .collect())
    }

    pub fn g2(&self, n: usize) -> Result<Vec<G2Affine>, Box<dyn Error>> {
        let xy = self.coordinates("bases.g2", 4 * n)?;
        let point = |c: &[Fq]| G2Affine::new_unchecked(Fq2::new(c[0], c[1]), Fq2::new(c[2], c[3]));
        Ok(xy.chunks_exact(4).map(point).collect())
    }

    fn words(&self, kind: &str, n: usize) -> Result<Vec<[u64; 4]>, Box<dyn Error>> {
        let bytes = self.read(&format!("scalars.{kind}"), n * ELEMENT)?;
        Ok(bytes.chunks_exact(ELEMENT).map(limbs).collect())
    }

    /// `8-bit` scalars as machine integers, the others full-width: width grouping within a vector is the engine's work.
    pub fn scalars(&self, kind: &str, n: usize) -> Result<Values, Box<dyn Error>> {
        let words = self.words(kind, n)?;
        Ok(if kind == "8-bit" {
            let small = words.iter().map(|v| i64::try_from(v[0]));
            Values::Small(small.collect::<Result<_, _>>()?)
        } else {
            Values::Full(words)
        })
    }

    pub fn elements(&self, n: usize) -> Result<Vec<Fr>, Box<dyn Error>> {
        let element = |v| Fr::from_bigint(BigInt(v)).ok_or("not below r");
        Ok(self
            .words("random", n)?
            .into_iter()
            .map(element)
            .collect::<Result<_, _>>()?)
    }
}

/// `n` points: a random one and successive sums with another, an addition each; nothing depends on their logarithms.
pub fn points<G: CurveGroup<ScalarField = Fr>>(n: usize, rng: &mut StdRng) -> Vec<G::Affine> {
    const CHUNK: usize = 1 << 12;
    let (first, step) = (G::rand(rng), G::rand(rng));
    (0..n.div_ceil(CHUNK))
        .into_par_iter()
        .flat_map_iter(|chunk| {
            let start = first + step * Fr::from((chunk * CHUNK) as u64);
            let all: Vec<G> = std::iter::successors(Some(start), |p| Some(*p + step))
                .take(CHUNK.min(n - chunk * CHUNK))
                .collect();
            G::normalize_batch(&all)
        })
        .collect()
}

/// Writes `2^log_size` points of either group and scalars of every kind.
pub fn write(folder: &Path, log_size: u32) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let n = 1 << log_size;
    let mut rng = StdRng::seed_from_u64(1);
    for kind in ["random", "8-bit", "mixed"] {
        let scalar = |i: usize| match kind {
            "random" => Fr::rand(&mut rng),
            "mixed" if i.is_multiple_of(MIXED_PERIOD) => Fr::rand(&mut rng),
            _ => Fr::from(rng.gen_range(0..256u64)),
        };
        let values: Vec<u8> = (0..n)
            .map(scalar)
            .flat_map(|v| bytes(&v.into_bigint().0).collect::<Vec<_>>())
            .collect();
        fs::write(folder.join(format!("scalars.{kind}")), values)?;
    }
    let g1: Vec<G1Affine> = points::<G1Projective>(n, &mut rng);
    let g1 = g1.iter().flat_map(|p| [p.x, p.y]).collect::<Vec<_>>();
    fs::write(folder.join("bases.g1"), coordinates(&g1))?;
    let g2: Vec<G2Affine> = points::<G2Projective>(n, &mut rng);
    let flat = |p: &G2Affine| [p.x.c0, p.x.c1, p.y.c0, p.y.c1];
    let g2 = g2.iter().flat_map(flat).collect::<Vec<_>>();
    fs::write(folder.join("bases.g2"), coordinates(&g2))?;
    Ok(())
}
