//! Proving key files and arguments that must be refused.

mod common;

use std::{fs, path::Path};

use ark_bn254::Fq;
use ark_ff::PrimeField;
use ark_std::rand::{RngCore, SeedableRng, rngs::StdRng};
use assay_bn254::Scalars;
use assay_groth16::{
    Assignment, Error, Layout, MatrixBlock, ProvingKey, Randomness, Rows, SetupBuilder, key::Wide,
    progress::SILENT, verify::verify,
};
use common::{Circuit, Keys, Matrix};

fn key_error(path: &Path, verify: bool) -> String {
    match ProvingKey::open(path, verify) {
        Err(Error::InvalidKey(why)) => why,
        other => panic!("expected InvalidKey, got {other:?}"),
    }
}

#[test]
fn damaged_keys_are_refused() {
    let keys = Circuit::new(4, true, true).setup();
    let good = fs::read(&keys.path).unwrap();
    let path = keys.folder.path().join("bad.pk");
    let attempt = |bytes: &[u8], verify: bool| {
        fs::write(&path, bytes).unwrap();
        key_error(&path, verify)
    };
    for length in [
        0,
        7,
        511,
        512,
        good.len() / 2,
        good.len() - 64,
        good.len() - 1,
    ] {
        let why = attempt(&good[..length], false);
        assert!(
            why.contains("truncated") || why.contains("too short"),
            "{why}"
        );
    }
    assert!(attempt(&[good.as_slice(), &[0; 64]].concat(), false).contains("oversized"));
    for position in (0..512).step_by(5) {
        let mut bytes = good.clone();
        bytes[position] ^= 4;
        attempt(&bytes, false);
    }
    for position in (512..good.len()).step_by(97) {
        let mut bytes = good.clone();
        bytes[position] ^= 0x20;
        assert!(attempt(&bytes, true).contains("damaged"));
    }
    let mut stale = good.clone();
    stale[8] = 99;
    assert!(attempt(&stale, true).contains("run setup again"));
    assert!(attempt(&[0x42; 4096], true).contains("not a proving key"));
    fs::write(&path, &good).unwrap();
    ProvingKey::open(&path, true).unwrap();
}

#[test]
fn a_header_that_lies_is_refused() {
    let keys = Circuit::new(4, true, false).setup();
    let good = fs::read(&keys.path).unwrap();
    let path = keys.folder.path().join("lie.pk");
    // Layout counts, constraints, domain size, section table: a change with a fitting header hash must not be followed
    // out of the file.
    for position in (16..36)
        .step_by(4)
        .chain((40..56).step_by(8))
        .chain((56..280).step_by(8))
    {
        for delta in [1u8, 0x80] {
            let mut bytes = good.clone();
            bytes[position] = bytes[position].wrapping_add(delta);
            let hash = blake3::hash(&bytes[..480]);
            bytes[480..512].copy_from_slice(hash.as_bytes());
            fs::write(&path, &bytes).unwrap();
            match ProvingKey::open(&path, false) {
                Err(Error::InvalidKey(_)) => (),
                // Counts that still fit every section cannot be told from the truth; the table can.
                Ok(_) => assert!(position < 56, "section table, byte {position}"),
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn a_missing_file_is_an_io_error() {
    let error = ProvingKey::open(Path::new("no/such/key.pk"), true).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

#[test]
fn a_setup_that_fails_leaves_no_file() {
    let circuit = Circuit::new(4, false, false);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pk");
    let start = || {
        SetupBuilder::new(
            circuit.layout,
            circuit.n_constraints,
            &mut Randomness::system(),
        )
        .unwrap()
    };
    assert!(
        matches!(start().finish(&path, SILENT), Err(Error::InvalidInput(_))),
        "rows missing"
    );
    let mut builder = start();
    builder.push(&circuit.rows()).unwrap();
    assert!(
        matches!(builder.push(&circuit.rows()), Err(Error::InvalidInput(_))),
        "too many rows"
    );
    let stop = |stage: &'static str, _: f64| stage != "K";
    assert!(matches!(
        builder.finish(&path, &stop),
        Err(Error::Cancelled)
    ));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn rows_may_come_in_any_number_of_blocks() {
    let circuit = Circuit::new(5, true, false);
    let folder = tempfile::tempdir().unwrap();
    let read = |cut: usize, name: &str| {
        let mut builder = SetupBuilder::new(
            circuit.layout,
            circuit.n_constraints,
            &mut Randomness::insecure_from_seed([3; 32]),
        )
        .unwrap();
        let n = circuit.layout.n_wires();
        let part = |m: &Matrix, from: usize, to: usize| {
            let (start, end) = (m.ptr[from] as usize, m.ptr[to] as usize);
            Matrix {
                ptr: m.ptr[from..=to].iter().map(|p| p - m.ptr[from]).collect(),
                col: m.col[start..end].to_vec(),
                coef: m.coef[start..end].to_vec(),
            }
        };
        for (from, to) in [(0, cut), (cut, circuit.n_constraints)] {
            let [a, b, c] = [0, 1, 2].map(|i| part(&circuit.matrices[i], from, to));
            builder
                .push(&Rows {
                    a: a.block(n),
                    b: b.block(n),
                    c: c.block(n),
                })
                .unwrap();
        }
        let path = folder.path().join(name);
        builder.finish(&path, SILENT).unwrap();
        fs::read(path).unwrap()
    };
    assert_eq!(read(0, "a"), read(4, "b"));
}

#[test]
fn malformed_matrices_are_refused() {
    let ones = [1i64, 1];
    let check = |ptr: &[i64], col: &[u32], coef: Scalars<'_>| {
        let result = MatrixBlock::new(ptr, col, coef, 3);
        assert!(matches!(result, Err(Error::InvalidInput(_))), "{result:?}");
    };
    check(&[], &[], Scalars::Small(&[]));
    check(&[1, 2], &[0, 0], Scalars::Small(&ones));
    check(&[0, 3], &[0, 0], Scalars::Small(&ones));
    check(&[0, -1, 2], &[0, 0], Scalars::Small(&ones));
    check(&[0, 3, 2], &[0, 0], Scalars::Small(&ones));
    check(&[0, 2], &[0, 3], Scalars::Small(&ones));
    check(&[0, 2], &[0, 1], Scalars::Small(&ones[..1]));
    let r = <ark_bn254::Fr as ark_ff::PrimeField>::MODULUS.0;
    check(&[0, 1], &[0], Scalars::Full(&[r]));
    MatrixBlock::new(&[0, 2], &[0, 2], Scalars::Small(&ones), 3).unwrap();
}

#[test]
fn impossible_layouts_are_refused() {
    for layout in [
        Layout::new(1, false, 0, 5, 1),
        Layout::new(0, true, u32::MAX, 1, 1),
        Layout::new(u32::MAX, false, 0, 0, 0),
    ] {
        assert!(matches!(layout, Err(Error::InvalidInput(_))));
    }
    let layout = Layout::new(1, false, 0, 0, 1).unwrap();
    for rows in [usize::MAX, 1 << 40] {
        assert!(SetupBuilder::new(layout, rows, &mut Randomness::system()).is_err());
    }
}

#[test]
fn witnesses_of_the_wrong_shape_are_refused() {
    let circuit = Circuit::new(3, true, false);
    let keys = circuit.setup();
    let mut randomness = Randomness::system();
    let r = <ark_bn254::Fr as ark_ff::PrimeField>::MODULUS.0;
    let too_large = [r; 3];
    for w1 in [
        Scalars::Small(&[1, 2]),
        Scalars::Small(&[1; 4]),
        Scalars::Full(&too_large),
    ] {
        let result = keys
            .pk
            .commit(circuit.public.clone(), &[w1], None, &mut randomness);
        assert!(matches!(result.err(), Some(Error::InvalidWitness(_))));
    }
    let result = keys
        .pk
        .commit(vec![], &[Scalars::Small(&[1; 3])], None, &mut randomness);
    assert!(matches!(result.err(), Some(Error::InvalidInput(_))));
    assert!(keys.pk.commit_model(&[], &mut randomness).is_err());

    let rows = vec![0i64; circuit.n_constraints];
    let (short, exact) = ([Scalars::Small(&rows[1..])], [Scalars::Small(&rows)]);
    let w1 = [Scalars::Small(&circuit.values)];
    let zeros = vec![0i64; circuit.layout.n_w2 as usize];
    let w2 = [Scalars::Small(&zeros)];
    let base = Assignment {
        model: &[],
        w1: &w1,
        w2: &w2,
        a: &exact,
        b: &exact,
    };
    let mut finish = |assignment: Assignment<'_>| {
        let session = keys
            .pk
            .commit(circuit.public.clone(), &w1, None, &mut randomness)
            .unwrap();
        keys.pk
            .finish(session, &assignment, &mut Randomness::system(), SILENT)
    };
    finish(base).unwrap();
    for bad in [
        Assignment { a: &short, ..base },
        Assignment { b: &short, ..base },
        Assignment {
            w2: &[Scalars::Small(&zeros[1..])],
            ..base
        },
        Assignment { w1: &[], ..base },
        Assignment { model: &w1, ..base },
        Assignment {
            w2: &[Scalars::Small(&zeros[1..]), Scalars::Full(&[r])],
            ..base
        },
    ] {
        assert!(matches!(finish(bad), Err(Error::InvalidWitness(_))));
    }
}

#[test]
fn a_proof_can_be_cancelled_at_every_stage() {
    let circuit = Circuit::new(3, false, false);
    let keys = circuit.setup();
    let rows = vec![0i64; circuit.n_constraints];
    let zeros = vec![0i64; circuit.layout.n_w2 as usize];
    let (rows, w2) = ([Scalars::Small(&rows)], [Scalars::Small(&zeros)]);
    let assignment = Assignment {
        model: &[],
        w1: &[],
        w2: &w2,
        a: &rows,
        b: &rows,
    };
    for stage in ["quotient", "G1", "G2"] {
        let mut randomness = Randomness::system();
        let session = keys
            .pk
            .commit(circuit.public.clone(), &[], None, &mut randomness)
            .unwrap();
        let stop = move |at: &'static str, _: f64| at != stage;
        let result = keys.pk.finish(session, &assignment, &mut randomness, &stop);
        assert!(matches!(result, Err(Error::Cancelled)), "{stage}");
    }
}

/// Offset and length of a section, by its place in the file.
fn section(key: &[u8], index: usize) -> std::ops::Range<usize> {
    let at = |k: usize| u64::from_le_bytes(key[k..k + 8].try_into().unwrap()) as usize;
    let start = at(56 + 16 * index);
    start..start + at(64 + 16 * index)
}

#[test]
fn points_out_of_range_in_an_unverified_key_prove_nothing() {
    let circuit = Circuit::new(40, true, true);
    let keys = circuit.setup();
    let good = fs::read(&keys.path).unwrap();
    let model = circuit.commit_model(&keys);
    let prime: Vec<u8> = Fq::MODULUS.0.iter().flat_map(|w| w.to_le_bytes()).collect();
    let mut noise = StdRng::seed_from_u64(7);
    for fill in ["ones", "the prime", "noise"] {
        // A, B1, B2, K, D and H; the model's commitment, made under the good key, stays as it is.
        for index in [3, 5, 6, 8, 10, 13] {
            let mut bytes = good.clone();
            let bad = &mut bytes[section(&good, index)];
            match fill {
                "ones" => bad.fill(0xff),
                "the prime" => bad.chunks_mut(32).for_each(|c| c.copy_from_slice(&prime)),
                _ => noise.fill_bytes(bad),
            }
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("bad.pk");
            fs::write(&path, &bytes).unwrap();
            for tables in [false, true] {
                let pk = ProvingKey::open(&path, false).unwrap();
                if tables {
                    pk.prepare_tables(Wide::Wires, ProvingKey::TABLES_BUDGET);
                }
                let bad = Keys {
                    folder: tempfile::tempdir().unwrap(),
                    path: path.clone(),
                    vk: keys.vk.clone(),
                    pk,
                };
                let proof = circuit.prove(&bad, model.as_ref());
                let m = model.as_ref().map(|m| &m.commitment);
                let result = verify(&keys.vk, &circuit.public, &proof, m);
                assert!(
                    matches!(result, Err(Error::InvalidProof(_))),
                    "section {index} of {fill}: {result:?}"
                );
            }
        }
    }
}

#[test]
fn constants_out_of_range_are_refused() {
    let keys = Circuit::new(4, true, true).setup();
    let good = fs::read(&keys.path).unwrap();
    let path = keys.folder.path().join("bad.pk");
    let constants = section(&good, 1);
    for start in constants.step_by(32) {
        let mut bytes = good.clone();
        bytes[start..start + 32].fill(0xff);
        fs::write(&path, &bytes).unwrap();
        assert!(key_error(&path, false).contains("out of range"));
    }
}
