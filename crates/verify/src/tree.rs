//! RFC 6962: hashes of leaves and nodes, roots of ranges, and what a proof of inclusion leads to.

use sha2::{Digest, Sha256};
use std::ops::Range;

pub(crate) type Root = [u8; 32];

pub(crate) fn hash_leaf(record: &[u8]) -> Root {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(record);
    hasher.finalize().into()
}

fn hash_pair(left: Root, right: Root) -> Root {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// The root over leaves that come one after the other. Each peak is the root of as many leaves as its number says.
#[derive(Clone, Default)]
pub(crate) struct Growing {
    peaks: Vec<(u64, Root)>,
}

impl Growing {
    pub(crate) fn add(&mut self, leaf: Root) {
        let mut last = (1, leaf);
        while let Some((count, root)) = self.peaks.last().copied().filter(|peak| peak.0 == last.0) {
            self.peaks.pop();
            last = (count * 2, hash_pair(root, last.1));
        }
        self.peaks.push(last);
    }

    pub(crate) fn root(&self) -> Root {
        let joined =
            self.peaks.iter().rev().map(|(_, root)| *root).reduce(|right, left| hash_pair(left, right));
        joined.unwrap_or_else(|| Sha256::digest([]).into())
    }

    pub(crate) fn hashes(&self) -> impl Iterator<Item = Root> {
        self.peaks.iter().map(|(_, root)| *root)
    }
}

/// The ranges of leaves whose roots are the proof for one of them, the nearest first.
pub(crate) fn siblings(index: u64, size: u64) -> Vec<Range<u64>> {
    fn collect(index: u64, range: Range<u64>, out: &mut Vec<Range<u64>>) {
        let count = range.end - range.start;
        if count < 2 {
            return;
        }
        let middle = range.start + count.next_power_of_two() / 2;
        let (own, other) = match index < middle {
            true => (range.start..middle, middle..range.end),
            false => (middle..range.end, range.start..middle),
        };
        collect(index, own, out);
        out.push(other);
    }
    let mut out = Vec::new();
    collect(index, 0..size, &mut out);
    out
}

/// The root that a leaf and its proof lead to; nothing if the proof is not as long as it has to be.
pub(crate) fn leads_to(index: u64, size: u64, leaf: Root, proof: &[Root]) -> Option<Root> {
    let ranges = siblings(index, size);
    if index >= size || ranges.len() != proof.len() {
        return None;
    }
    Some(ranges.iter().zip(proof).fold(leaf, |own, (range, other)| {
        if range.start > index { hash_pair(own, *other) } else { hash_pair(*other, own) }
    }))
}
