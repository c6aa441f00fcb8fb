//! What setup and the prover must forget is not in the memory that they give back.

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use ark_bn254::Fr;
use ark_ff::{Field, One, PrimeField};
use assay_bn254::{Scalars, ntt::Domain};
use assay_groth16::{ProvingKey, Randomness, SetupBuilder, progress::SILENT};
use common::{Circuit, Keys};

/// Names and words, Montgomery's and canonical, of what is looked for once it is set.
static SECRETS: OnceLock<Vec<(&'static str, [u64; 4])>> = OnceLock::new();

/// One more than the place of a secret that was found.
static FOUND: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which looks at every block that comes back.
struct Watchful;

#[global_allocator]
static ALLOCATOR: Watchful = Watchful;

// SAFETY: every call goes to the system's allocator as it came; blocks are only read, and zeroed when made so that all of one can be.
unsafe impl GlobalAlloc for Watchful {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(secrets) = SECRETS.get() {
            // SAFETY: the caller is done with the block, all of which was zeroed when made.
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            // SAFETY: any bytes are words.
            let (_, words, _) = unsafe { bytes.align_to::<u64>() };
            for window in words.windows(4) {
                if let Some(k) = secrets.iter().position(|(_, secret)| window == secret) {
                    FOUND.store(k + 1, Ordering::Relaxed);
                }
            }
        }
        // SAFETY: by the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

fn found() -> Option<&'static str> {
    let k = FOUND.swap(0, Ordering::Relaxed).checked_sub(1)?;
    Some(SECRETS.get().expect("set before")[k].0)
}

#[test]
fn memory_that_is_freed_holds_no_secret() {
    let circuit = Circuit::new(40, true, true);
    let (setup_seed, proof_seed) = ([3; 32], [4; 32]);
    let rows = circuit.n_constraints + circuit.layout.n_ic();
    let shift = Domain::smallest(rows).unwrap().odd_shift();
    let mut waste = Randomness::insecure_from_seed(setup_seed);
    let tau = waste.nonzero();
    let mut secrets = vec![
        ("tau", tau),
        ("tau less the domain's first element", tau - Fr::one()),
        ("tau less the odd coset's first element", tau - shift),
    ];
    for name in ["alpha", "beta", "gamma", "delta", "delta_1", "delta_m"] {
        let value = waste.nonzero();
        secrets.extend([(name, value), (name, value.inverse().unwrap())]);
    }
    let mut blinding = Randomness::insecure_from_seed(proof_seed);
    for name in ["kappa", "r", "s"] {
        secrets.push((name, blinding.scalar()));
    }
    let words = secrets
        .iter()
        .flat_map(|&(name, value)| [(name, value.0.0), (name, value.into_bigint().0)]);
    SECRETS.set(words.collect()).expect("set once");
    drop(std::hint::black_box(vec![tau]));
    assert_eq!(found(), Some("tau"), "the allocator looks");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pk");
    let mut randomness = Randomness::insecure_from_seed(setup_seed);
    let mut builder =
        SetupBuilder::new(circuit.layout, circuit.n_constraints, &mut randomness).unwrap();
    builder.push(&circuit.rows()).unwrap();
    // Those who hold a setup take it out.
    let builder = std::hint::black_box(vec![builder]).remove(0);
    let vk = builder.finish(&path, SILENT).unwrap();
    assert_eq!(found(), None, "setup");

    let pk = ProvingKey::open(&path, true).unwrap();
    let keys = Keys {
        folder,
        path,
        vk,
        pk,
    };
    let model = circuit.commit_model(&keys);
    let mut randomness = Randomness::insecure_from_seed(proof_seed);
    let w1 = [Scalars::Small(circuit.w1())];
    let session = keys
        .pk
        .commit(circuit.public.clone(), &w1, model, &mut randomness)
        .unwrap();
    // So do batches with sessions.
    let session = std::hint::black_box(vec![session]).remove(0);
    let witness = circuit.witness(session.challenge());
    circuit
        .complete(&keys, session, &witness, &mut randomness)
        .unwrap();
    assert_eq!(found(), None, "a proof");
}
