//! Every reader of foreign bytes under random damage: it answers with a value or an error, and never panics.

mod common;

use std::panic::catch_unwind;

use assay_groth16::{Proof, ProvingKey, VerifyingKey, interop, precompile};
use common::Circuit;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

const ROUNDS: usize = 1500;

fn below(rng: &mut ChaCha20Rng, n: usize) -> usize {
    (rng.next_u64() % n.max(1) as u64) as usize
}

/// Flips, overwrites, cuts, repeats, or sets a word to an extreme.
fn damage(rng: &mut ChaCha20Rng, bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=below(rng, 3) {
        let at = below(rng, out.len());
        match below(rng, 5) {
            0 if !out.is_empty() => out[at] ^= 1 << below(rng, 8),
            1 if !out.is_empty() => out[at] = rng.next_u32() as u8,
            2 => out.truncate(at),
            3 => out.extend_from_slice(&bytes[..below(rng, bytes.len())]),
            _ => {
                let fill = if below(rng, 2) == 0 { 0xff } else { 0 };
                let end = (at + [4, 8, 32][below(rng, 3)]).min(out.len());
                out[at..end].fill(fill);
            }
        }
    }
    out
}

fn survives(name: &str, good: &[u8], read: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    read(good);
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    for round in 0..ROUNDS {
        let bytes = damage(&mut rng, good);
        assert!(
            catch_unwind(|| read(&bytes)).is_ok(),
            "{name}, round {round}"
        );
    }
}

fn vector(name: &str) -> Vec<u8> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../tests/vectors/snarkjs/"
    );
    std::fs::read(format!("{folder}{name}")).unwrap()
}

#[test]
fn damaged_bytes_never_panic_a_reader() {
    let circuit = Circuit::new(3, true, false);
    let keys = circuit.setup();
    let proof = circuit.prove(&keys, None).to_bytes();
    survives("proof", &proof, |b| drop(Proof::from_bytes(b, true)));
    survives("key", &keys.vk.to_bytes(), |b| {
        drop(VerifyingKey::from_bytes(b))
    });
    survives("ecpairing", &[0; 192 * 2], |b| {
        drop(precompile::ecpairing(b))
    });
    survives("r1cs", &vector("toy.r1cs"), |b| drop(interop::read_r1cs(b)));
    survives("wtns", &vector("toy.wtns"), |b| drop(interop::read_wtns(b)));
}

#[test]
fn damaged_key_files_never_panic_a_reader() {
    let keys = Circuit::new(3, true, true).setup();
    let path = keys.folder.path().join("damaged.pk");
    let good = std::fs::read(&keys.path).unwrap();
    survives("proving key", &good, |bytes| {
        // With a header hash that fits, so that the checks behind it are reached.
        let mut bytes = bytes.to_vec();
        if bytes.len() >= 512 {
            let hash = blake3::hash(&bytes[..480]);
            bytes[480..512].copy_from_slice(hash.as_bytes());
        }
        std::fs::write(&path, &bytes).unwrap();
        drop(ProvingKey::open(&path, false));
    });
}

#[test]
fn damaged_zkeys_never_panic_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.pk");
    survives("zkey", &vector("toy.zkey"), |b| {
        drop(interop::import_zkey(b, &target))
    });
}
