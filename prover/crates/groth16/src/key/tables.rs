//! Tables of multiples beside a proving key: memory and a one-off cost for faster proofs of a small circuit.

use assay_bn254::msm::{TableG1, TableG2};

use super::ProvingKey;

/// Which scalars of the witness are wide, and so profit from a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wide {
    /// The quotient's values alone: wires are small integers.
    Quotient,
    /// Many wires, too.
    Wires,
}

/// Tables of those queries that fit the budget.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub a: Option<TableG1>,
    pub b1: Option<TableG1>,
    pub b2: Option<TableG2>,
    pub k: Option<TableG1>,
    pub h: Option<TableG1>,
    bytes: usize,
}

impl Tables {
    /// The bytes that a table would take, counted in if they fit.
    fn take(&mut self, bytes: usize, budget: usize) -> bool {
        let fits = bytes <= budget - self.bytes;
        if fits {
            self.bytes += bytes;
        }
        fits
    }

    fn g1(&mut self, points: &[assay_bn254::PackedG1], budget: usize) -> Option<TableG1> {
        let fits = !points.is_empty() && self.take(TableG1::bytes(points.len()), budget);
        fits.then(|| TableG1::new(points))
    }

    fn new(key: &ProvingKey, wide: Wide, budget: usize) -> Self {
        let mut tables = Self::default();
        tables.h = tables.g1(key.query_h(), budget);
        if wide == Wide::Wires {
            let b2 = key.query_b2().points;
            if !b2.is_empty() && tables.take(TableG2::bytes(b2.len()), budget) {
                tables.b2 = Some(TableG2::new(b2));
            }
            tables.k = tables.g1(key.query_k().points, budget);
            tables.a = tables.g1(key.query_a().points, budget);
            tables.b1 = tables.g1(key.query_b1().points, budget);
        }
        tables
    }
}

impl ProvingKey {
    /// Memory for tables that suits a key of 2^14 rows: all its queries.
    pub const TABLES_BUDGET: usize = 256 << 20;

    /// Computes tables of multiples for this key, on all threads of the current pool, within `budget` bytes: first the quotient's
    /// query, then, if wires are `wide`, B in G2, K, A and B in G1. Proofs stay the same and become faster; `docs/engine.md` says
    /// after how many the tables have paid for themselves. Tables that are there already are kept. Returns the bytes they take.
    pub fn prepare_tables(&self, wide: Wide, budget: usize) -> usize {
        if self.tables.get().is_none() {
            // Outside `get_or_init`, which a thread at work on the tables might enter again.
            let _ = self.tables.set(Tables::new(self, wide, budget));
        }
        self.tables_bytes()
    }

    /// Memory that this key's tables take.
    #[must_use]
    pub fn tables_bytes(&self) -> usize {
        self.tables.get().map_or(0, |tables| tables.bytes)
    }
}
