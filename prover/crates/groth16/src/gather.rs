//! Picks the scalars of a query that skips wires, keeping small integers small.

use assay_bn254::Scalars;

use crate::field::Limbs;

enum Piece<'a> {
    Borrowed(Scalars<'a>),
    Small(Vec<i64>),
    Full(Vec<Limbs>),
}

/// Scalars of a query, in segments.
pub(crate) struct Gathered<'a>(Vec<Piece<'a>>);

impl Gathered<'_> {
    pub(crate) fn view(&self) -> Vec<Scalars<'_>> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Borrowed(scalars) => *scalars,
                Piece::Small(values) => Scalars::Small(values),
                Piece::Full(values) => Scalars::Full(values),
            })
            .collect()
    }
}

/// The values at `index` (ascending), or all of them, borrowed, when the query skips none; nothing for a query of no points.
pub(crate) fn gather<'a>(
    segments: &[Scalars<'a>],
    index: Option<&[u32]>,
    points: usize,
) -> Gathered<'a> {
    if points == 0 {
        return Gathered(Vec::new());
    }
    let Some(mut index) = index else {
        return Gathered(segments.iter().map(|s| Piece::Borrowed(*s)).collect());
    };
    let mut pieces = Vec::with_capacity(segments.len());
    let mut start = 0usize;
    for segment in segments {
        let end = start + segment.len();
        let (here, rest) = index.split_at(index.partition_point(|&i| (i as usize) < end));
        index = rest;
        let positions = here.iter().map(|&i| i as usize - start);
        pieces.push(match segment {
            _ if here.len() == segment.len() => Piece::Borrowed(*segment),
            Scalars::Small(values) => Piece::Small(positions.map(|i| values[i]).collect()),
            Scalars::Full(values) => Piece::Full(positions.map(|i| values[i]).collect()),
        });
        start = end;
    }
    Gathered(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(gathered: &Gathered<'_>) -> Vec<i64> {
        let mut out = Vec::new();
        for scalars in gathered.view() {
            match scalars {
                Scalars::Small(v) => out.extend(v),
                Scalars::Full(v) => out.extend(v.iter().map(|l| i64::try_from(l[0]).unwrap())),
            }
        }
        out
    }

    #[test]
    fn picks_across_segments_in_order() {
        let full = [[20, 0, 0, 0], [21, 0, 0, 0]];
        let segments = [
            Scalars::Small(&[10, 11, 12]),
            Scalars::Full(&full),
            Scalars::Small(&[30]),
        ];
        assert_eq!(
            values(&gather(&segments, Some(&[0, 2, 4, 5]), 4)),
            [10, 12, 21, 30]
        );
        assert_eq!(values(&gather(&segments, Some(&[3, 4]), 2)), [20, 21]);
        assert_eq!(
            values(&gather(&segments, None, 6)),
            [10, 11, 12, 20, 21, 30]
        );
        assert_eq!(values(&gather(&segments, None, 0)), []);
    }
}
