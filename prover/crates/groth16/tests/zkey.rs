//! Keys made for snarkjs, beside one that snarkjs made.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use assay_bn254::Scalars;
use assay_groth16::{
    Assignment, Error, Layout, Proof, ProvingKey, Randomness,
    field::{element, limbs},
    interop::{R1cs, import_zkey_file, read_r1cs, read_wtns, setup_zkey},
    matrix::{dense, evaluate_rows},
    progress::SILENT,
    verify::verify,
};

fn vector(name: &str) -> PathBuf {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../tests/vectors/snarkjs"
    );
    Path::new(folder).join(name)
}

fn circuit() -> R1cs {
    read_r1cs(&fs::read(vector("toy.r1cs")).unwrap()).unwrap()
}

/// The bytes of each section.
fn sections(path: &Path) -> BTreeMap<u32, Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut out) = (12, BTreeMap::new());
    for _ in 0..word(8) {
        let length = u64::from_le_bytes(bytes[at + 4..at + 12].try_into().unwrap()) as usize;
        out.insert(word(at), bytes[at + 12..at + 12 + length].to_vec());
        at += 12 + length;
    }
    assert_eq!(at, bytes.len());
    out
}

#[test]
fn the_form_is_that_of_snarkjs() {
    let folder = tempfile::tempdir().unwrap();
    let (zkey, key) = (folder.path().join("o.zkey"), folder.path().join("o.pk"));
    setup_zkey(&circuit(), &zkey, &key, &mut Randomness::system(), SILENT).unwrap();
    let (ours, theirs) = (sections(&zkey), sections(&vector("toy.zkey")));
    for (id, bytes) in &ours {
        // All but the ceremony's record have the size that snarkjs gives them.
        assert!(*id == 10 || bytes.len() == theirs[id].len(), "section {id}");
    }
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        theirs.keys().collect::<Vec<_>>()
    );
    assert_eq!(ours[&1], theirs[&1]);
    // The fields, the numbers of wires and public wires, the domain.
    assert_eq!(ours[&2][..84], theirs[&2][..84]);
    let coefficients = |bytes: &[u8]| {
        let mut entries: Vec<Vec<u8>> = bytes[4..].chunks(44).map(<[u8]>::to_vec).collect();
        entries.sort();
        entries
    };
    assert_eq!(coefficients(&ours[&4]), coefficients(&theirs[&4]));
}

fn prove(key: &Path, circuit: &R1cs) -> Proof {
    let key = ProvingKey::open(key, true).unwrap();
    let z = read_wtns(&fs::read(vector("toy.wtns")).unwrap()).unwrap();
    let wires = dense(&[Scalars::Full(&z)], z.len()).unwrap();
    let (a, b) = evaluate_rows(&[circuit.rows().unwrap()], &wires);
    let [a, b] = [a, b].map(|side| side.into_iter().map(limbs).collect::<Vec<_>>());
    let w2 = circuit.layout.w2();
    let public: Vec<_> = z[1..w2.start]
        .iter()
        .map(|&x| element(x).unwrap())
        .collect();
    let mut randomness = Randomness::insecure_from_seed([8; 32]);
    let session = key
        .commit(public.clone(), &[], None, &mut randomness)
        .unwrap();
    let assignment = Assignment {
        model: &[],
        w1: &[],
        w2: &[Scalars::Full(&z[w2])],
        a: &[Scalars::Full(&a)],
        b: &[Scalars::Full(&b)],
    };
    let proof = key
        .finish(session, &assignment, &mut randomness, SILENT)
        .unwrap();
    verify(key.vk(), &public, &proof, None).unwrap();
    proof
}

/// The key of ours has the half of C merged and the imported one not, so the proofs come about in two ways.
#[test]
fn both_keys_of_one_setup_give_the_same_proof() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let circuit = circuit();
    let (zkey, own, back) = (path("o.zkey"), path("o.pk"), path("back.pk"));
    let vk = setup_zkey(&circuit, &zkey, &own, &mut Randomness::system(), SILENT).unwrap();
    assert_eq!(import_zkey_file(&zkey, &back).unwrap(), vk);
    assert_eq!(
        prove(&own, &circuit).to_bytes(),
        prove(&back, &circuit).to_bytes()
    );
}

#[test]
fn a_cancelled_setup_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for stage in ["zkey A", "zkey B2", "zkey H", "A", "H"] {
        let stop = |at: &'static str, _: f64| at != stage;
        let (zkey, key) = (path("o.zkey"), path("o.pk"));
        let result = setup_zkey(&circuit(), &zkey, &key, &mut Randomness::system(), &stop);
        assert!(matches!(result, Err(Error::Cancelled)), "{stage}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{stage}");
    }
}

#[test]
fn circuits_without_a_place_in_the_format_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut committed = circuit();
    let wires = committed.layout.n_wires() as u32 - 2;
    committed.layout = Layout::new(0, true, 0, 0, wires).unwrap();
    let (zkey, key) = (path("o.zkey"), path("o.pk"));
    let result = setup_zkey(&committed, &zkey, &key, &mut Randomness::system(), SILENT);
    assert!(matches!(result, Err(Error::InvalidInput(_))));
}
