//! Edge values against arkworks.

use super::*;
use ark_bn254::{Fq, Fr};
use ark_ff::{BigInt, PrimeField, UniformRand};
use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};

/// Unsigned integers of 320 bits, enough for everything a lane may hold.
type Integer = [u64; 5];

fn add(a: Integer, b: Integer) -> Integer {
    let mut carry = 0u128;
    std::array::from_fn(|k| {
        carry += u128::from(a[k]) + u128::from(b[k]);
        let word = carry as u64;
        carry >>= 64;
        word
    })
}

fn times_small(a: Integer, factor: u64) -> Integer {
    let mut carry = 0u128;
    std::array::from_fn(|k| {
        carry += u128::from(a[k]) * u128::from(factor);
        let word = carry as u64;
        carry >>= 64;
        word
    })
}

fn wide<P: PrimeField<BigInt = BigInt<4>>>() -> Integer {
    let p = P::MODULUS.0;
    [p[0], p[1], p[2], p[3], 0]
}

/// The field element an integer stands for, as a plain residue.
fn residue<P: PrimeField>(value: Integer) -> P {
    let bytes: Vec<u8> = value.iter().flat_map(|w| w.to_le_bytes()).collect();
    P::from_le_bytes_mod_order(&bytes)
}

fn less(a: &Integer, b: &Integer) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

/// Integers below `bound` p near multiples of p, near powers of two, with full limbs, and random ones; a multiple of
/// eight of them.
fn edges<P: PrimeField<BigInt = BigInt<4>> + UniformRand>(
    bound: u64,
    rng: &mut StdRng,
) -> Vec<Integer> {
    let p = wide::<P>();
    let mut out = Vec::new();
    for k in 0..bound {
        let multiple = times_small(p, k);
        for offset in 0..4 {
            out.push(add(multiple, [offset, 0, 0, 0, 0]));
        }
        if k > 0 {
            let below = times_small(p, k - 1);
            let almost = [p[0] - 1, p[1], p[2], p[3], 0];
            out.push(add(below, almost));
        }
        let random: P = P::rand(rng);
        let words = random.into_bigint().0;
        out.push(add(multiple, [words[0], words[1], words[2], words[3], 0]));
    }
    for bit in 1..260 {
        let mut power = [0; 5];
        power[bit / 64] = 1 << (bit % 64);
        let mut below = [0u64; 5];
        for k in 0..bit {
            below[k / 64] |= 1 << (k % 64);
        }
        out.extend([power, below, add(power, [1, 0, 0, 0, 0])]);
    }
    for _ in 0..64 {
        // Limbs that are zero or full, which is where carries run furthest.
        let mut value = [0u64; 5];
        for bit in (0..260).step_by(52) {
            if rng.r#gen() {
                for k in bit..bit + 52 {
                    value[k / 64] |= 1 << (k % 64);
                }
            }
        }
        out.push(value);
    }
    let limit = times_small(p, bound);
    out.retain(|value| less(value, &limit));
    while out.len() % 8 != 0 {
        out.push([0; 5]);
    }
    out
}

fn load<M: Modulus>(values: &[Integer]) -> Lanes<M> {
    let limbs: Vec<[u64; 5]> = values.iter().map(|v| limbs(*v)).collect();
    let vectors: [[u64; 8]; 5] =
        std::array::from_fn(|j| std::array::from_fn(|lane| limbs[lane][j]));
    // SAFETY: arrays of words and of vectors of the same size; any bits are valid.
    Lanes::new(unsafe { std::mem::transmute::<[[u64; 8]; 5], [__m512i; 5]>(vectors) })
}

/// The integers in carried lanes; panics when a limb is not carried.
fn store<M: Modulus>(lanes: Lanes<M>) -> Vec<Integer> {
    // SAFETY: as in `load`.
    let vectors: [[u64; 8]; 5] = unsafe { std::mem::transmute(lanes.limbs) };
    (0..8)
        .map(|lane| {
            let mut out = [0u64; 5];
            for (j, vector) in vectors.iter().enumerate() {
                let limb = vector[lane];
                assert!(limb <= MASK, "limb {j} is carried");
                let (word, bit) = (52 * j / 64, 52 * j % 64);
                out[word] |= limb << bit;
                if bit > 12 {
                    out[word + 1] |= limb >> (64 - bit);
                }
            }
            out
        })
        .collect()
}

/// Runs `check` where the processor can.
fn with_ifma(check: unsafe fn()) {
    if crate::Kernel::ifma().is_some() {
        // SAFETY: the processor has the instructions.
        unsafe { check() };
    }
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
fn check_products<M: Modulus, P: PrimeField<BigInt = BigInt<4>> + UniformRand>() {
    let rng = &mut StdRng::seed_from_u64(1);
    let p = wide::<P>();
    let unshift = P::from(2u64).pow([260]).inverse().expect("not zero");
    let values = edges::<P>(84, rng);
    // Each value with each of a few others: itself, its neighbours and values far away.
    for shift in [0, 1, 3, 100, values.len() / 2, values.len() - 5] {
        for (k, eight) in values.chunks_exact(8).enumerate() {
            let other: Vec<Integer> = (0..8)
                .map(|lane| values[(8 * k + lane + shift) % values.len()])
                .collect();
            let (a, b) = (load::<M>(eight), load::<M>(&other));
            let product = store(a.times(b));
            let wide = a.times_wide(b);
            let [reduced, _] = Wide::redc_pair([wide, wide]).map(|x| store(x.carried()));
            let [square, crossed] = Lanes::square_raw_pair([a, b]).map(|x| store(x.carried()));
            let [first, second] = Lanes::times_raw_pair([a, b], [b, b]).map(|x| store(x.carried()));
            assert_eq!((&first, &second), (&product, &crossed));
            let limit = times_small(p, 85);
            for lane in 0..8 {
                let (x, y) = (residue::<P>(eight[lane]), residue::<P>(other[lane]));
                assert_eq!(residue::<P>(product[lane]), x * y * unshift);
                assert_eq!(product[lane], reduced[lane]);
                assert_eq!(residue::<P>(square[lane]), x * x * unshift);
                assert!(less(&product[lane], &limit));
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
fn check_reductions<M: Modulus, P: PrimeField<BigInt = BigInt<4>> + UniformRand>() {
    let rng = &mut StdRng::seed_from_u64(2);
    let p = wide::<P>();
    for eight in edges::<P>(84, rng).chunks_exact(8) {
        let lanes = load::<M>(eight);
        let any = lanes.reduced_any();
        let (canonical, any) = (store(any.canonical()), store(any));
        for lane in 0..8 {
            let expected = residue::<P>(eight[lane]);
            assert!(less(&any[lane], &times_small(p, 2)));
            assert_eq!(residue::<P>(any[lane]), expected);
            assert_eq!(canonical[lane][..4], expected.into_bigint().0);
        }
        for bits in [1, 6, 20, 28, 51] {
            let halved = store(lanes.halved(bits));
            let inverse = P::from(2u64).pow([u64::from(bits)]).inverse().unwrap();
            for lane in 0..8 {
                let expected = residue::<P>(eight[lane]) * inverse;
                assert_eq!(residue::<P>(halved[lane]), expected, "2^{bits}");
                assert!(less(&halved[lane], &times_small(p, 1 + (84 >> bits) + 1)));
            }
        }
    }
    let quarter = [
        p[0] >> 2 | p[1] << 62,
        p[1] >> 2 | p[2] << 62,
        p[2] >> 2 | p[3] << 62,
        (p[3] >> 2) + 1,
        0,
    ];
    let bound = times_small(p, 165);
    let mut small: Vec<Integer> = edges::<P>(5, rng);
    small.retain(|v| !less(v, &quarter));
    for eight in small.chunks_exact(8) {
        let reduced = store(load::<M>(eight).reduced());
        for lane in 0..8 {
            assert_eq!(residue::<P>(reduced[lane]), residue::<P>(eight[lane]));
            assert!(less(&times_small(reduced[lane], 100), &bound));
        }
    }
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
fn check_sums() {
    let rng = &mut StdRng::seed_from_u64(3);
    for eight in edges::<Fq>(40, rng).chunks_exact(8) {
        let lanes = load::<FqModulus>(eight);
        let (low, high) = (lanes.carried(), lanes.plus(lanes).carried());
        let zero = store(lanes.minus(low).carried());
        let (doubled, shifted) = (store(high), store(lanes.shifted::<1>().carried()));
        let negated = store(lanes.negated_where(0x55).plus_multiple::<40>().carried());
        for lane in 0..8 {
            assert_eq!(zero[lane], [0; 5]);
            assert_eq!(doubled[lane], times_small(eight[lane], 2));
            assert_eq!(shifted[lane], doubled[lane]);
            let x = residue::<Fq>(eight[lane]);
            let expected = if lane % 2 == 0 { -x } else { x };
            assert_eq!(residue::<Fq>(negated[lane]), expected);
        }
    }
}

#[test]
fn products_agree_with_arkworks_on_edge_values() {
    with_ifma(check_products::<FqModulus, Fq>);
    with_ifma(check_products::<FrModulus, Fr>);
}

#[test]
fn reductions_agree_with_arkworks_on_edge_values() {
    with_ifma(check_reductions::<FqModulus, Fq>);
    with_ifma(check_reductions::<FrModulus, Fr>);
}

#[test]
fn sums_of_edge_values_carry() {
    with_ifma(check_sums);
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
fn check_words() {
    let rng = &mut StdRng::seed_from_u64(4);
    let rows: [[u64; 12]; 8] = std::array::from_fn(|_| std::array::from_fn(|_| rng.r#gen()));
    let mut copy = [[0u64; 12]; 8];
    for offset in [0, 4, 8] {
        let from: [*const u64; 8] = std::array::from_fn(|lane| rows[lane].as_ptr());
        let to: [*mut u64; 8] = std::array::from_fn(|lane| copy[lane].as_mut_ptr());
        // SAFETY: rows and copies are twelve words each.
        unsafe {
            let words = load_words(from, offset);
            let transposed: [[u64; 8]; 4] = std::mem::transmute(words);
            for (k, word) in transposed.iter().enumerate() {
                for lane in 0..8 {
                    assert_eq!(word[lane], rows[lane][offset + k]);
                }
            }
            store_words(to, offset, Lanes::<FqModulus>::from_words(words).to_words());
        }
    }
    assert_eq!(rows, copy);
}

#[test]
fn words_survive_loading_and_storing() {
    with_ifma(check_words);
}
