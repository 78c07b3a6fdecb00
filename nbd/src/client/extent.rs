//! Which ranges of an export hold data, and which only read as zeroes.

use crate::protocol::constants::allocation;

/// What a range is, as far as a reader cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtentKind {
    /// Must be read to be known.
    Data,
    /// Allocated, and reads as zeroes.
    Zero,
    /// Not allocated, and reads as zeroes.
    Hole,
}

impl ExtentKind {
    /// A hole that does not promise zeroes may read as anything: it counts as data.
    pub(crate) fn from_status(status: u32) -> Self {
        match (status & allocation::ZERO != 0, status & allocation::HOLE != 0) {
            (true, true) => Self::Hole,
            (true, false) => Self::Zero,
            (false, _) => Self::Data,
        }
    }

    /// Whether the range need not be read.
    pub fn reads_as_zeroes(self) -> bool {
        self != Self::Data
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub offset: u64,
    pub length: u64,
    pub kind: ExtentKind,
}

/// Extents in order without gaps; neighbours of one kind become one.
#[derive(Debug)]
pub(crate) struct ExtentList {
    extents: Vec<Extent>,
    next: u64,
    end: u64,
}

impl ExtentList {
    pub(crate) fn new(offset: u64, length: u64) -> Self {
        Self { extents: Vec::new(), next: offset, end: offset.saturating_add(length) }
    }

    /// Where the next extent begins.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    pub(crate) fn remaining(&self) -> u64 {
        self.end - self.next
    }

    /// Adds what lies inside the range; a server may say more than it was asked.
    pub(crate) fn push(&mut self, length: u64, kind: ExtentKind) {
        let length = length.min(self.remaining());
        if length == 0 {
            return;
        }
        match self.extents.last_mut() {
            Some(last) if last.kind == kind => last.length += length,
            _ => self.extents.push(Extent { offset: self.next, length, kind }),
        }
        self.next += length;
    }

    pub(crate) fn into_extents(self) -> Vec<Extent> {
        self.extents
    }
}
