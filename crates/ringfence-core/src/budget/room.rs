//! Records of subjects, found by key: those of one group in one part of the table.
//!
//! A record is a run of words in a chunk that never moves: its key, then a cell for each limit of the group. An index of
//! slots finds it; both grow by what is used, and nothing is allocated for a subject by itself.

/// Words of a key.
pub(super) const KEY: usize = 2;
/// Records of a chunk.
const CHUNK: usize = 32;
const INDEX: usize = 16;

#[derive(Debug)]
pub(super) struct Room {
    /// Words of a record.
    stride: usize,
    /// At each place, one more than a slot; 0 is free. Its length is a power of two, of which at most three quarters
    /// are used.
    index: Box<[u32]>,
    chunks: Vec<Box<[u64]>>,
    live: usize,
    /// Slots that were used once.
    slots: u32,
    free: Vec<u32>,
    /// Some record was forgotten that was idle from here on: one that is not known may have used all before.
    /// Milliseconds since the epoch; never goes back.
    pub(super) floor_ms: u64,
}

impl Room {
    pub(super) fn new(words: usize) -> Self {
        Self {
            stride: KEY + words,
            index: Box::default(),
            chunks: Vec::new(),
            live: 0,
            slots: 0,
            free: Vec::new(),
            floor_ms: 0,
        }
    }

    /// Returns how many slots were used once: all records stand in these.
    pub(super) const fn slots(&self) -> u32 {
        self.slots
    }

    /// Returns the slot of the record with this key.
    pub(super) fn find(&self, key: u128) -> Option<u32> {
        let mut place = self.place(key)?;
        loop {
            let slot = self.index[place].checked_sub(1)?;
            if self.key(slot) == key {
                return Some(slot);
            }
            place = self.after(place);
        }
    }

    /// Adds a record that is not there; its words are for the caller to write.
    pub(super) fn insert(&mut self, key: u128) -> u32 {
        if self.live * 4 >= self.index.len() * 3 {
            self.grow();
        }
        let slot = self.free.pop().unwrap_or(self.slots);
        if slot == self.slots {
            if (slot as usize).is_multiple_of(CHUNK) {
                self.chunks.push(vec![0; CHUNK * self.stride].into());
            }
            self.slots += 1;
        }
        let record = self.record(slot);
        (record[0], record[1]) = (key as u64, (key >> 64) as u64);
        self.live += 1;
        self.point(key, slot);
        slot
    }

    /// Returns the key at `slot`; 0 if nothing is there.
    pub(super) fn key(&self, slot: u32) -> u128 {
        // INVARIANT: a slot is below `slots`, for which there are chunks; so below.
        let (chunk, at) = (slot as usize / CHUNK, slot as usize % CHUNK * self.stride);
        let record = &self.chunks[chunk][at..at + KEY];
        u128::from(record[0]) | u128::from(record[1]) << 64
    }

    /// Returns the cells at `slot`.
    pub(super) fn cells(&mut self, slot: u32) -> &mut [u64] {
        &mut self.record(slot)[KEY..]
    }

    /// Forgets the record at `slot`.
    pub(super) fn remove(&mut self, slot: u32) {
        let key = self.key(slot);
        let Some(mut hole) = self.place(key) else {
            return;
        };
        while self.index[hole] != slot + 1 {
            hole = self.after(hole);
        }
        // Who stands behind the hole and would be looked for at it or before moves up, so that no search ends early.
        let mut next = self.after(hole);
        while let Some(moved) = self.index[next].checked_sub(1) {
            let home = self.place(self.key(moved)).unwrap_or(next);
            let mask = self.index.len() - 1;
            if next.wrapping_sub(home) & mask >= next.wrapping_sub(hole) & mask {
                self.index[hole] = moved + 1;
                hole = next;
            }
            next = self.after(next);
        }
        self.index[hole] = 0;
        self.record(slot)[..KEY].fill(0);
        self.free.push(slot);
        self.live -= 1;
    }

    fn record(&mut self, slot: u32) -> &mut [u64] {
        let (chunk, at) = (slot as usize / CHUNK, slot as usize % CHUNK * self.stride);
        &mut self.chunks[chunk][at..at + self.stride]
    }

    /// Returns where a search for `key` begins; nowhere while there is no index.
    const fn place(&self, key: u128) -> Option<usize> {
        match self.index.len() {
            0 => None,
            len => Some(key as usize & (len - 1)),
        }
    }

    const fn after(&self, place: usize) -> usize {
        (place + 1) & (self.index.len() - 1)
    }

    fn point(&mut self, key: u128, slot: u32) {
        let Some(mut place) = self.place(key) else {
            return;
        };
        while self.index[place] != 0 {
            place = self.after(place);
        }
        self.index[place] = slot + 1;
    }

    fn grow(&mut self) {
        self.index = vec![0; (self.index.len() * 2).max(INDEX)].into();
        for slot in 0..self.slots {
            let key = self.key(slot);
            if key != 0 {
                self.point(key, slot);
            }
        }
    }
}

#[cfg(test)]
mod tests;
