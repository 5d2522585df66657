//! How a watch begins, without a gap in those that there are.
//!
//! First, all that waits around it is reported as before. Then it uses the source that reads its folder anyway, or
//! gets its own, to which everything inside is handed over: what the old and the new source have both read is
//! reported once.

use std::io;

use crate::{
    adding::{Adding, Numbered, Told, Wanted, told_of},
    folder::{Folder, Reading},
    name::Name,
    root::Root,
    source::{Scope, Source},
    watches::Watches,
};

impl<F: Folder> Watches<F> {
    /// Begins to watch a path. It is watched as soon as [`added`](Self::added) says so; until then, reads have to be
    /// completed, and nothing else may begin.
    pub(crate) fn add(&mut self, mut wanted: Wanted<F>) {
        let (_, inside) = &wanted.inside;
        wanted.root.id = inside.id;
        let path = &inside.path;
        for source in self.sources.values_mut() {
            if path.below(&source.path).is_some() || source.path.below(path).is_some() {
                source.settle();
            }
        }
        self.adding = Some(Adding::Settling(Box::new(wanted)));
    }

    /// Returns whether the watch that was added is watched, once that is certain.
    pub(crate) fn added(&mut self) -> Option<io::Result<()>> {
        while self.sources.values().all(Source::is_settled) {
            self.finish();
            let result = match self.adding.take()? {
                Adding::Settling(wanted) => self.start(*wanted),
                Adding::Starting { root, old, told } => {
                    if let Some(source) = self.sources.get_mut(&root.source) {
                        source.settle();
                    }
                    self.adding = Some(Adding::Matching { root, old, told });
                    Ok(())
                }
                Adding::Matching { root, old, told } => {
                    self.hand_over(*root, &old, told);
                    Ok(())
                }
            };
            self.tidy();
            if result.is_err() || self.adding.is_none() {
                return Some(result);
            }
        }
        None
    }

    fn start(&mut self, wanted: Wanted<F>) -> io::Result<()> {
        let Wanted { mut root, inside: (number, mut inside), above } = wanted;
        if let Some(there) = self.reading(&inside.path, root.scope()) {
            let source = &self.sources[&there];
            root.source = there;
            root.place.name = inside.path.below(&source.path).unwrap_or(inside.path);
            if !root.is_in_place(source) {
                return Err(io::ErrorKind::NotFound.into());
            }
            self.begin(number, root);
            return Ok(());
        }
        inside.above = above.and_then(|(above, entry)| Some((self.read_above(above)?, entry)));
        inside.read()?;
        inside.held = Some(vec![]);
        // It may have been renamed before the folder above was read.
        let is_in_place = inside.is_in_place();
        let mut old = vec![];
        for (it, source) in &mut self.sources {
            if is_in_place
                && !source.is_over
                && inside.has(&source.path, source.scope)
                && source.is_in_place()
            {
                source.settle();
                old.push(*it);
            }
        }
        if !is_in_place {
            inside.close();
        }
        self.sources.insert(number, inside);
        root.source = number;
        self.adding =
            is_in_place.then_some(Adding::Starting { root: Box::new(root), old, told: vec![] });
        if is_in_place { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Returns the number of the source that reads a folder already.
    fn reading(&self, path: &Name, scope: Scope) -> Option<u32> {
        let is_it =
            |source: &Source<F>| !source.is_over && source.has(path, scope) && source.is_in_place();
        self.sources.iter().find(|(_, source)| is_it(source)).map(|(number, _)| *number)
    }

    /// Reads a folder above another one. If that fails, it is as if it could not be opened.
    fn read_above(&mut self, (number, mut above): Numbered<F>) -> Option<u32> {
        if let Some(there) = self.reading(&above.path, above.scope) {
            return Some(there);
        }
        above.read().ok()?;
        above.held = Some(vec![]);
        self.sources.insert(number, above);
        Some(number)
    }

    /// Lets a watch begin, in the place of an earlier one of the same path.
    fn begin(&mut self, number: u32, root: Root) {
        self.roots.retain(|_, old| !(old.is_watched() && old.is_at(&root.watch.path)));
        self.roots.insert(number, root);
    }

    /// Lets a watch begin with its own source, which takes over what is inside.
    fn hand_over(&mut self, root: Root, old: &[u32], mut told: Vec<Told>) {
        let number = root.source;
        let Some(path) = self.sources.get(&number).map(|source| source.path.clone()) else {
            return;
        };
        for old in old {
            let Some(below) = self.sources.get(old).and_then(|it| it.path.below(&path)) else {
                continue;
            };
            for root in self.roots.values_mut().filter(|root| root.source == *old) {
                root.source = number;
                root.place.name = below.join(&root.place.name);
            }
            for source in self.sources.values_mut() {
                if let Some((above, entry)) = &mut source.above
                    && above == old
                {
                    *above = number;
                    entry.name = below.join(&entry.name);
                }
            }
        }
        self.begin(number, root);
        let above =
            self.sources.get(&number).and_then(|it| it.above.as_ref()).map(|(above, _)| *above);
        for it in above.into_iter().chain([number]) {
            let held = self.sources.get_mut(&it).and_then(|source| source.held.take());
            let mut held = held.unwrap_or_default();
            for reading in &mut held {
                if let Reading::Records(records) = reading
                    && it == number
                {
                    records.retain(|record| {
                        let found = told.iter().position(|it| *it == told_of(&path, record));
                        found.map(|at| told.remove(at)).is_none()
                    });
                }
            }
            self.follow(it, held);
        }
    }
}
