//! The names of all folders in a tree: [`Names`].

/// The names of all nodes, one after the other.
#[derive(Debug, Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    // How many of the bytes no longer belong to a name.
    unused: usize,
}

/// The place of a name. Packed, since every folder has one.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, packed(2))]
pub(super) struct Name {
    start: u32,
    // No system call accepts a longer path.
    length: u16,
}

impl Names {
    pub(super) fn add(&mut self, name: &[u8]) -> Name {
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        // The names of tens of millions of folders fit into 4 GiB.
        let start = u32::try_from(self.bytes.len()).expect("less than 4 GiB of names");
        reserve(&mut self.bytes, length.into());
        self.bytes.extend_from_slice(&name[..length.into()]);
        Name { start, length }
    }

    pub(super) fn get(&self, name: Name) -> &[u8] {
        &self.bytes[name.start as usize..][..name.length.into()]
    }

    pub(super) fn remove(&mut self, name: Name) {
        self.unused += usize::from(name.length);
    }

    /// Returns whether going through the names of all `slots` pays: a good part of the whole is unused, and
    /// at least a byte for each step of the work, so that over many removals none costs more than a few
    /// steps.
    pub(super) fn are_worth_compacting(&self, slots: usize) -> bool {
        self.unused >= (self.bytes.len() / 4).max(slots).max(4096)
    }

    /// Creates an empty store with room for the names that are in use.
    pub(super) fn with_same_room(&self) -> Self {
        Self { bytes: Vec::with_capacity(self.bytes.len() - self.unused), unused: 0 }
    }

    /// Returns how many bytes the names take on the heap.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Makes room for `more` elements, and for an eighth of the present ones. Doubling would waste half.
pub(super) fn reserve<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        vec.reserve_exact(more.max(vec.len() / 8));
    }
}
