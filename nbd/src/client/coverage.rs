//! Which bytes of a read have arrived. Chunks come in any order, but each byte once and all of them.

use super::error::Violation;

/// A chunk smaller than a sector is no use to anybody; more chunks than sectors is an attack.
const SMALLEST_CHUNK: usize = 512;

#[derive(Debug)]
pub(crate) struct Coverage {
    length: usize,
    /// Disjoint, sorted, never touching.
    ranges: Vec<(usize, usize)>,
    chunks_left: usize,
}

impl Coverage {
    pub(crate) fn new(length: usize) -> Self {
        Self { length, ranges: Vec::new(), chunks_left: length / SMALLEST_CHUNK + 16 }
    }

    /// Counts a chunk of any kind, so that a reply ends.
    pub(crate) fn count_chunk(&mut self) -> Result<(), Violation> {
        match self.chunks_left.checked_sub(1) {
            Some(left) => {
                self.chunks_left = left;
                Ok(())
            }
            None => Err(Violation::TooMany {
                what: "chunks in one reply",
                limit: self.length / SMALLEST_CHUNK + 16,
            }),
        }
    }

    /// Takes the bytes `start..start + length` as arrived.
    pub(crate) fn claim(&mut self, start: usize, length: usize) -> Result<(), Violation> {
        let end =
            start.checked_add(length).filter(|end| *end <= self.length).ok_or(Violation::OutsideRequest)?;
        if length == 0 {
            return Err(Violation::OutOfPlace { what: "an empty data chunk" });
        }
        let at = self.ranges.partition_point(|range| range.1 < start);
        let touches_left = self.ranges.get(at).is_some_and(|range| range.1 == start);
        let next = if touches_left { at + 1 } else { at };
        let following = self.ranges.get(next).copied();
        if following.is_some_and(|range| range.0 < end) {
            return Err(Violation::Overlap);
        }
        let touches_right = following.is_some_and(|range| range.0 == end);
        let merged_start =
            if touches_left { self.ranges.get(at).map_or(start, |range| range.0) } else { start };
        let merged_end = if touches_right { following.map_or(end, |range| range.1) } else { end };
        self.ranges.splice(at..next + usize::from(touches_right), [(merged_start, merged_end)]);
        Ok(())
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.length == 0 || self.ranges.as_slice() == [(0, self.length)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn claims_are_accepted_exactly_when_their_bytes_are_new(
            claims in proptest::collection::vec((0_usize..40, 1_usize..12), 0..40),
        ) {
            let mut coverage = Coverage::new(40);
            let mut seen = [false; 64];
            for (start, length) in claims {
                let wanted = &seen[start..start + length];
                let allowed = start + length <= 40 && !wanted.contains(&true);
                prop_assert_eq!(coverage.claim(start, length).is_ok(), allowed);
                if allowed {
                    seen[start..start + length].fill(true);
                }
                prop_assert_eq!(coverage.is_complete(), seen[..40].iter().all(|byte| *byte));
            }
        }
    }
}
