//! What must hold of any bytes given to a reader: a value or an error, never a panic, and a value that survives being written.
//!
//! The fuzz targets call these with whatever libFuzzer makes, the crate's own tests with damaged valid files.

use std::{cell::RefCell, fs, path::PathBuf};

use assay_bn254::Scalars;
use assay_groth16::{
    Assignment, Proof, ProvingKey, Randomness, VerifyingKey, interop, precompile, progress::SILENT,
};

/// Prove with a key only if its witness is this small.
const MOST_ROWS: usize = 1 << 12;
const HEADER: usize = 512;
const HEADER_HASH: usize = 480;

thread_local! {
    static FOLDER: RefCell<tempfile::TempDir> = RefCell::new(tempfile::tempdir().expect("a temporary folder"));
}

fn path(name: &str) -> PathBuf {
    FOLDER.with_borrow(|folder| folder.path().join(name))
}

/// `.r1cs`.
pub fn r1cs(data: &[u8]) {
    let Ok(circuit) = interop::read_r1cs(data) else {
        return;
    };
    circuit.rows().expect("rows of a circuit that was read");
    let written = interop::write_r1cs(&circuit).expect("a plain circuit");
    assert_eq!(interop::read_r1cs(&written).expect("our own file"), circuit);
}

/// `.wtns`.
pub fn wtns(data: &[u8]) {
    let Ok(values) = interop::read_wtns(data) else {
        return;
    };
    let written = interop::write_wtns(&values).expect("values that were read");
    assert_eq!(interop::read_wtns(&written).expect("our own file"), values);
}

/// `.zkey`: a key that is imported can be opened, and leaves nothing behind otherwise.
pub fn zkey(data: &[u8]) {
    let target = path("imported.pk");
    match interop::import_zkey(data, &target) {
        Ok(vk) => {
            let key = ProvingKey::open(&target, true).expect("a key that was imported");
            assert_eq!(key.vk(), &vk);
            prove(&key);
            fs::remove_file(&target).expect("the key's file");
        }
        Err(_) => FOLDER.with_borrow(|folder| {
            let left = fs::read_dir(folder.path()).expect("the folder");
            assert_eq!(left.filter(|e| e.as_ref().is_ok_and(is_partial)).count(), 0);
        }),
    }
}

fn is_partial(entry: &fs::DirEntry) -> bool {
    entry.file_name() != "key.pk"
}

/// A proof's bytes, plain and committed: they have one encoding.
pub fn proof(data: &[u8]) {
    for committed in [false, true] {
        if let Ok(proof) = Proof::from_bytes(data, committed) {
            assert_eq!(proof.to_bytes(), data);
        }
    }
}

/// A verifying key's bytes: they have one encoding, and its checks answer.
pub fn verifying_key(data: &[u8]) {
    if let Ok(vk) = VerifyingKey::from_bytes(data) {
        assert_eq!(vk.to_bytes(), data);
        drop(vk.check());
    }
}

/// A proving key's file, with a header's hash that fits, so that what is behind it is reached. A header that lies is refused, or
/// tells of a key that proves something; a damaged body is opened only by those who ask for no check, and is not proved with.
pub fn proving_key(data: &[u8]) {
    let target = path("key.pk");
    let mut bytes = data.to_vec();
    if data.len() >= HEADER {
        let hash = blake3::hash(&bytes[..HEADER_HASH]);
        bytes[HEADER_HASH..HEADER].copy_from_slice(hash.as_bytes());
    }
    fs::write(&target, &bytes).expect("a temporary file");
    drop(ProvingKey::open(&target, false));
    if let Ok(key) = ProvingKey::open(&target, true) {
        prove(&key);
    }
}

/// The curve's precompiles: 32 or 64 bytes, or an error.
pub fn precompiles(data: &[u8]) {
    drop(precompile::ecadd(data));
    drop(precompile::ecmul(data));
    drop(precompile::ecpairing(data));
}

/// A key that opens proves, whatever its points are: with a witness of zeros, which satisfies nothing.
fn prove(key: &ProvingKey) {
    let layout = *key.layout();
    if key.domain().size().max(layout.n_wires()) > MOST_ROWS {
        return;
    }
    let zeros = vec![0i64; MOST_ROWS];
    let some = |n: usize| [Scalars::Small(&zeros[..n])];
    let mut randomness = Randomness::insecure_from_seed([1; 32]);
    let public = vec![Default::default(); layout.n_public as usize];
    let (model, w1, w2) = (
        some(layout.n_model as usize),
        some(layout.n_w1 as usize),
        some(layout.n_w2 as usize),
    );
    let commitment = if layout.private_weights() {
        match key.commit_model(&model, &mut randomness) {
            Ok(commitment) => Some(commitment),
            Err(_) => return,
        }
    } else {
        None
    };
    let Ok(session) = key.commit(public, &w1, commitment, &mut randomness) else {
        return;
    };
    let rows = some(key.n_constraints());
    let assignment = Assignment {
        model: &model,
        w1: &w1,
        w2: &w2,
        a: &rows,
        b: &rows,
    };
    drop(key.finish(session, &assignment, &mut randomness, SILENT));
}
