use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::Mutex;

/// What was made of something, kept while it is in use: when entries that weigh `most` together have come, those that nobody
/// has asked for since as many before are dropped. So neighbours that share much find it, and memory does not grow with the
/// repository.
pub(crate) struct Kept<K, V> {
    most: usize,
    halves: Mutex<Halves<K, V>>,
}

struct Halves<K, V> {
    newer: HashMap<K, Weighed<V>>,
    /// What the newer half weighs.
    weight: usize,
    older: HashMap<K, Weighed<V>>,
}

struct Weighed<V> {
    value: V,
    weight: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> Kept<K, V> {
    /// Keeps entries that together weigh twice `most`, and little more than that.
    pub(crate) fn new(most: usize) -> Self {
        let halves = Halves { newer: HashMap::new(), weight: 0, older: HashMap::new() };
        Self { most, halves: Mutex::new(halves) }
    }

    /// An entry, which stays for longer.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut halves = self.halves.lock();
        if let Some(known) = halves.newer.get(key) {
            return Some(known.value.clone());
        }
        let (key, known) = halves.older.remove_entry(key)?;
        let value = known.value.clone();
        self.add(&mut halves, key, known);
        Some(value)
    }

    /// Adds an entry, or replaces it.
    pub(crate) fn insert(&self, key: K, value: V, weight: usize) {
        self.add(&mut self.halves.lock(), key, Weighed { value, weight });
    }

    fn add(&self, halves: &mut Halves<K, V>, key: K, new: Weighed<V>) {
        if halves.weight >= self.most {
            halves.older = std::mem::take(&mut halves.newer);
            halves.weight = 0;
        }
        halves.weight += new.weight;
        halves.newer.insert(key, new);
    }

    /// Drops an entry.
    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        let mut halves = self.halves.lock();
        halves.newer.remove(key);
        halves.older.remove(key);
    }

    /// Drops everything.
    pub(crate) fn clear(&self) {
        let mut halves = self.halves.lock();
        *halves = Halves { newer: HashMap::new(), weight: 0, older: HashMap::new() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays() {
        let kept = Kept::new(2);
        for number in 0..100 {
            kept.insert(number, number, 1);
            assert_eq!(kept.get(&0), Some(0), "{number}");
            assert_eq!(kept.get(&number), Some(number));
        }
        assert_eq!(kept.get(&50), None);
        kept.remove(&0);
        assert_eq!(kept.get(&0), None);
        kept.clear();
        assert_eq!(kept.get(&99), None);
    }
}
