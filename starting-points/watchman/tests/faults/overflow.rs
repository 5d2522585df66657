//! The daemon's own queue overflows: it reads the tree again, and what is reported is right in the end.

use std::{collections::BTreeSet, fs, path::PathBuf};

use notify_backend::prelude::*;

use crate::{Test, scene::Scene};

pub(crate) const ALL: &[Test] = &[("overflow::of_the_daemon_loses_nothing", loses_nothing)];

fn loses_nothing() {
    const FILES: usize = 20_000;

    let scene = Scene::new();
    for i in 0..FILES {
        scene.create(format!("old-{i}"));
    }
    let mut backend = scene.watch();
    // More at once than the kernel's queue takes.
    for i in 0..FILES {
        fs::remove_file(scene.path(format!("old-{i}"))).unwrap();
        scene.create(format!("new-{i}"));
    }
    let all = |name: &str| -> BTreeSet<PathBuf> {
        (0..FILES).map(|i| scene.path(format!("{name}-{i}"))).collect()
    };
    let (mut gone, mut new) = (all("old"), all("new"));
    while !gone.is_empty() || !new.is_empty() {
        let event = scene.next(&mut backend).unwrap();
        match event.kind {
            EventKind::Remove(_) => gone.remove(&event.path),
            EventKind::Create(_) => new.remove(&event.path),
            _ => false,
        };
    }
}
