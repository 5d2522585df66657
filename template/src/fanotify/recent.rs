//! A cache in bounded memory: [`Recent`].

use std::{borrow::Borrow, collections::HashMap, hash::Hash, mem};

/// How many entries are kept: at least this many, and at most twice as many.
const MANY: usize = 4096;

/// A map that forgets entries that were not used for long. These have to be found out again.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Eq + Hash, V> Recent<K, V> {
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.remove_old(&key);
        if self.young.len() >= MANY {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        if let Some((key, value)) = self.remove_old(key) {
            self.insert(key, value);
        }
        self.young.get(key)
    }

    fn remove_old<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        // An empty map would hash the key first.
        if self.old.is_empty() { None } else { self.old.remove_entry(key) }
    }

    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.young.remove(key);
        self.remove_old(key);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten() {
        let mut recent = Recent::default();
        for i in 0..100_000 {
            recent.insert(i, i);
            assert_eq!(recent.get(&0), Some(&0));
            assert!(recent.young.len() + recent.old.len() <= 2 * MANY);
        }
        assert_eq!(recent.get(&1), None);
        assert_eq!(recent.get(&99_999), Some(&99_999));
        recent.remove(&0);
        assert_eq!(recent.get(&0), None);
    }
}
