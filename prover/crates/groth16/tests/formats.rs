//! Every reader of foreign bytes under damage: what `prover/fuzz` asks of any bytes, asked of valid files with a little changed.

mod common;
#[path = "../../../fuzz/src/formats.rs"]
mod formats;

use std::{fs, panic::catch_unwind, path::PathBuf};

use assay_groth16::{Error, Proof, ProvingKey, VerifyingKey, interop};
use common::{Circuit, MODES};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

const ROUNDS: usize = 1500;
/// Files whose checks cost more, and which are larger.
const FEWER_ROUNDS: usize = 600;

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

fn survives(name: &str, good: &[u8], rounds: usize, check: fn(&[u8])) {
    check(good);
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    for round in 0..rounds {
        let bytes = damage(&mut rng, good);
        assert!(
            catch_unwind(|| check(&bytes)).is_ok(),
            "{name}, round {round}"
        );
    }
}

fn vector(name: &str) -> Vec<u8> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../tests/vectors/snarkjs/"
    );
    fs::read(format!("{folder}{name}")).unwrap()
}

/// A proof, a verifying key and a proving key of every mode.
fn made() -> Vec<[Vec<u8>; 3]> {
    let one = |(committed, private)| {
        let circuit = Circuit::new(3, committed, private);
        let keys = circuit.setup();
        let model = circuit.commit_model(&keys);
        let proof = circuit.prove(&keys, model.as_ref()).to_bytes();
        let key = fs::read(&keys.path).unwrap();
        [proof, keys.vk.to_bytes(), key]
    };
    MODES.into_iter().map(one).collect()
}

#[test]
fn damaged_proofs_and_keys_never_panic_a_reader() {
    for [proof, vk, _] in made() {
        survives("proof", &proof, FEWER_ROUNDS, formats::proof);
        survives("key", &vk, FEWER_ROUNDS, formats::verifying_key);
    }
    survives("precompiles", &[0; 192 * 2], ROUNDS, formats::precompiles);
}

#[test]
fn damaged_circuits_and_witnesses_never_panic_a_reader() {
    survives("r1cs", &vector("toy.r1cs"), ROUNDS, formats::r1cs);
    survives("wtns", &vector("toy.wtns"), ROUNDS, formats::wtns);
}

#[test]
fn damaged_proving_keys_never_panic_a_reader_or_the_prover() {
    for [_, _, key] in made() {
        survives("proving key", &key, FEWER_ROUNDS / 2, formats::proving_key);
    }
}

#[test]
fn damaged_zkeys_never_panic_a_reader() {
    survives("zkey", &vector("toy.zkey"), FEWER_ROUNDS, formats::zkey);
}

/// What a hash or an encoding guards is refused, whatever bit is wrong.
#[test]
fn no_damage_is_accepted_silently() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.pk");
    for [proof, vk, key] in made() {
        for at in (0..key.len()).step_by(13) {
            let mut bytes = key.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&path, &bytes).unwrap();
            let result = ProvingKey::open(&path, true);
            assert!(
                matches!(result, Err(Error::InvalidKey(_))),
                "byte {at} of a proving key"
            );
        }
        // Another bit is another proof or key, or none; and a length has one mode.
        let committed = proof.len() > 256;
        for at in 0..proof.len() {
            let mut bytes = proof.clone();
            bytes[at] ^= 1 << (at % 8);
            if let Ok(other) = Proof::from_bytes(&bytes, committed) {
                assert_ne!(other.to_bytes(), proof, "byte {at} of a proof");
            }
        }
        assert!(Proof::from_bytes(&proof, !committed).is_err());
        for at in 0..vk.len() {
            let mut bytes = vk.clone();
            bytes[at] ^= 1 << (at % 8);
            if let Ok(other) = VerifyingKey::from_bytes(&bytes) {
                assert_ne!(other.hash(), VerifyingKey::from_bytes(&vk).unwrap().hash());
            }
        }
    }
}

/// A section that claims more than there is, or less, or comes twice, is refused in every format of iden3's container.
#[test]
fn sections_fill_their_file_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.pk");
    let read = |name: &str, bytes: &[u8]| match name {
        "toy.r1cs" => interop::read_r1cs(bytes).map(drop),
        "toy.wtns" => interop::read_wtns(bytes).map(drop),
        _ => interop::import_zkey(bytes, &target).map(drop),
    };
    for name in ["toy.r1cs", "toy.wtns", "toy.zkey"] {
        let good = vector(name);
        read(name, &good).unwrap();
        let refused = |bytes: &[u8], what: &str| {
            let result = read(name, bytes);
            assert!(
                matches!(result, Err(Error::InvalidInput(_))),
                "{name}, {what}: {result:?}"
            );
        };
        let word = |at: usize| u32::from_le_bytes(good[at..at + 4].try_into().unwrap());
        let mut at = 12;
        for _ in 0..word(8) {
            let length = u64::from_le_bytes(good[at + 4..at + 12].try_into().unwrap());
            for other in [length - 1, length + 1, length + 32, 0, u64::MAX, 1 << 40] {
                let mut bytes = good.clone();
                bytes[at + 4..at + 12].copy_from_slice(&other.to_le_bytes());
                refused(&bytes, &format!("section {} of {other} bytes", word(at)));
            }
            let end = at + 12 + length as usize;
            let twice = [&good[..8], &(word(8) + 1).to_le_bytes(), &good[12..end]].concat();
            refused(&[&twice, &good[at..]].concat(), "a section twice");
            // A section with a byte more or less than its contents need, its length telling the truth.
            for (change, bytes) in [
                (1, [&good[..end], &[0], &good[end..]].concat()),
                (-1, [&good[..end - 1], &good[end..]].concat()),
            ] {
                let mut bytes = bytes;
                let told = length.checked_add_signed(change).unwrap();
                bytes[at + 4..at + 12].copy_from_slice(&told.to_le_bytes());
                refused(&bytes, &format!("section {} by {change}", word(at)));
            }
            at = end;
        }
    }
}

#[test]
fn a_section_that_asks_for_more_is_refused() {
    // Custom gates: a circuit that holds only with them would be read as one that holds without.
    let good = vector("toy.r1cs");
    let sections = u32::from_le_bytes(good[8..12].try_into().unwrap());
    let gates = [&4u32.to_le_bytes()[..], &4u64.to_le_bytes(), &[0; 4]].concat();
    let more = [
        &good[..8],
        &(sections + 1).to_le_bytes(),
        &good[12..],
        &gates,
    ]
    .concat();
    let result = interop::read_r1cs(&more);
    assert!(matches!(result, Err(Error::InvalidInput(why)) if why.contains("not known")));
}

#[test]
fn coefficients_of_a_zkey_out_of_range_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.pk");
    let good = vector("toy.zkey");
    // The first entry of section 4: matrix, row, wire, value.
    let mut at = 12;
    while good[at] != 4 {
        at += 12 + u64::from_le_bytes(good[at + 4..at + 12].try_into().unwrap()) as usize;
    }
    let entry = at + 16;
    interop::import_zkey(&good, &target).unwrap();
    for (offset, change) in [
        (0, vec![2]),
        (4, vec![0xff; 4]),
        (8, vec![0xff; 4]),
        (12, vec![0xff; 32]),
    ] {
        let mut bytes = good.clone();
        bytes[entry + offset..entry + offset + change.len()].copy_from_slice(&change);
        let result = interop::import_zkey(&bytes, &target);
        assert!(
            matches!(result, Err(Error::InvalidInput(_))),
            "at {offset}: {result:?}"
        );
    }
}

#[test]
fn circuits_that_contradict_themselves_are_not_written() {
    let good = interop::read_r1cs(&vector("toy.r1cs")).unwrap();
    interop::write_r1cs(&good).unwrap();
    let mut outputs = good.clone();
    outputs.n_outputs = good.layout.n_public + 1;
    let mut announced = good.clone();
    announced.n_constraints += 1;
    let mut uneven = good.clone();
    uneven.matrices[1].ptr.pop();
    for circuit in [outputs, announced, uneven] {
        let result = interop::write_r1cs(&circuit);
        assert!(matches!(result, Err(Error::InvalidInput(_))), "{result:?}");
    }
}

/// Where fuzzing starts: `make fuzz` sets the folder.
#[test]
#[ignore = "writes files; `make fuzz` runs it"]
fn write_seeds() {
    let folder = PathBuf::from(std::env::var("ASSAY_FUZZ_SEEDS").expect("ASSAY_FUZZ_SEEDS"));
    let put = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(folder.join(target)).unwrap();
        fs::write(folder.join(target).join(name), bytes).unwrap();
    };
    for (mode, [proof, vk, key]) in made().into_iter().enumerate() {
        put("proof", &format!("mode{mode}"), &proof);
        put("verifying_key", &format!("mode{mode}"), &vk);
        put("proving_key", &format!("mode{mode}"), &key);
    }
    for kind in ["r1cs", "wtns", "zkey"] {
        put(kind, "toy", &vector(&format!("toy.{kind}")));
    }
    put("precompiles", "zeros", &[0; 384]);
}
