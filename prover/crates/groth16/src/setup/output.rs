//! Writes a proving key, section by section.

use std::path::Path;

use ark_bn254::Fr;
use ark_ff::Zero;
use assay_bn254::{PackedG1, PackedG2};
use rayon::prelude::*;
use zeroize::Zeroizing;

use super::{CHUNK, Elements};
use crate::{
    error::Result,
    key::{
        KeyWriter,
        format::{Description, Section},
    },
    progress::{Progress, report},
    verifying_key::VerifyingKey,
};

impl Elements<'_> {
    /// Writes the proving key's file.
    pub(crate) fn write_key(
        &self,
        path: &Path,
        vk: &VerifyingKey,
        progress: Progress<'_>,
    ) -> Result<()> {
        let layout = self.layout();
        let wires = layout.n_wires();
        let mut writer = KeyWriter::create(path)?;
        writer.section(Section::VerifyingKey, &vk.to_bytes())?;
        writer.section(Section::Constants, &self.constants(vk))?;
        let mut output = Output {
            keys: self,
            writer: &mut writer,
            progress,
        };
        output.g1("A", Section::IndexA, Section::A, wires, &|i| self.a(i))?;
        output.g1("B1", Section::IndexB, Section::B1, wires, &|i| self.b(i))?;
        output.g2("B2", Section::B2, wires, &|i| self.b(i))?;
        let w2 = layout.w2();
        output.g1("K", Section::IndexK, Section::K, wires, &|i| {
            if w2.contains(&i) {
                self.half_of_c(i) + self.w2(i)
            } else {
                self.half_of_c(i)
            }
        })?;
        let start = layout.w1().start;
        output.g1("D", Section::IndexD, Section::D, layout.w1().len(), &|i| {
            self.w1(start + i)
        })?;
        let start = layout.model().start;
        output.g1(
            "M",
            Section::IndexM,
            Section::M,
            layout.model().len(),
            &|i| self.model(start + i),
        )?;
        let h = self.h();
        output.dense("H", Section::H, h.len(), &|j| h[j])?;
        let description = Description {
            origin: self.origin(),
            merged: true,
            layout: *layout,
            n_constraints: self.n_constraints(),
            domain_size: h.len(),
            rows: self.rows_digest(),
        };
        writer.finish(&description, |weights| self.hint(weights))
    }
}

/// Scalars by position.
type Scalar<'a> = &'a (dyn Fn(usize) -> Fr + Sync);

struct Output<'a> {
    keys: &'a Elements<'a>,
    writer: &'a mut KeyWriter,
    progress: Progress<'a>,
}

impl Output<'_> {
    /// The list of positions with a non-zero scalar (empty when that is all of them), then their points.
    fn g1(
        &mut self,
        stage: &'static str,
        index: Section,
        points: Section,
        n: usize,
        scalar: Scalar<'_>,
    ) -> Result<()> {
        let kept: Vec<u32> = (0..u32::try_from(n).expect("32-bit wires"))
            .into_par_iter()
            .filter(|&i| !scalar(i as usize).is_zero())
            .collect();
        self.writer.begin(index)?;
        if kept.len() != n {
            let bytes: Vec<u8> = kept.iter().flat_map(|i| i.to_le_bytes()).collect();
            self.writer.append(index, &bytes)?;
        }
        self.dense(stage, points, n, scalar)
    }

    /// Points of the non-zero scalars.
    fn dense(
        &mut self,
        stage: &'static str,
        section: Section,
        n: usize,
        scalar: Scalar<'_>,
    ) -> Result<()> {
        self.chunks(stage, section, n, scalar, |keys, scalars| {
            PackedG1::as_bytes(&keys.g1.mul_many(scalars)).to_vec()
        })
    }

    fn g2(
        &mut self,
        stage: &'static str,
        section: Section,
        n: usize,
        scalar: Scalar<'_>,
    ) -> Result<()> {
        self.chunks(stage, section, n, scalar, |keys, scalars| {
            PackedG2::as_bytes(&keys.g2.mul_many(scalars)).to_vec()
        })
    }

    fn chunks(
        &mut self,
        stage: &'static str,
        section: Section,
        n: usize,
        scalar: Scalar<'_>,
        make: impl Fn(&Elements<'_>, &[Fr]) -> Vec<u8>,
    ) -> Result<()> {
        self.writer.begin(section)?;
        for start in (0..n).step_by(CHUNK) {
            report(self.progress, stage, start, n)?;
            let end = (start + CHUNK).min(n);
            let scalars: Zeroizing<Vec<Fr>> = Zeroizing::new(
                (start..end)
                    .into_par_iter()
                    .map(scalar)
                    .filter(|s| !s.is_zero())
                    .collect(),
            );
            self.writer.append(section, &make(self.keys, &scalars))?;
        }
        report(self.progress, stage, n, n)
    }
}
