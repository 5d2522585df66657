//! The results of a watcher's methods.

#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::{fs, path::Path};

use notify::{
    Config, ErrorKind,
    RecursiveMode::{NonRecursive, Recursive},
    Watcher,
};

use super::{Folder, Notify, Ours, OursForEach};

/// Calls the methods in many ways, right and wrong, and logs the results.
fn answers<W: Watcher>() -> Vec<String> {
    let folder = Folder::new();
    for name in ["a", "b"] {
        folder.make(name);
    }
    folder.write("file", "");
    let mut watcher = W::new(|_| {}, Config::default()).unwrap();
    let mut lines = vec![];
    let mut log = |what: &str, answer: notify::Result<()>| {
        let answer = match answer {
            Ok(()) => "done".into(),
            Err(error) => {
                let names: Vec<_> = error.paths.iter().map(|path| folder.name_of(path)).collect();
                let kind = match error.kind {
                    // The text is the watcher's own.
                    ErrorKind::Io(error) => format!("Io({:?})", error.kind()),
                    kind => format!("{kind:?}"),
                };
                format!("{kind} {}", names.join(" "))
            }
        };
        lines.push(format!("{what}: {answer}"));
    };
    let path = |name| folder.path(name);

    log("unwatch before all", watcher.unwatch(&path("a")));
    log("watch", watcher.watch(&path("a"), Recursive));
    log("watch again", watcher.watch(&path("a"), Recursive));
    log("watch in another mode", watcher.watch(&path("a"), NonRecursive));
    log("watch another", watcher.watch(&path("b"), NonRecursive));
    log("watch a file", watcher.watch(&path("file"), Recursive));
    log("watch nothing", watcher.watch(&path("missing"), NonRecursive));
    log("watch nothing in nothing", watcher.watch(&path("missing/file"), NonRecursive));
    log("watch below a file", watcher.watch(&path("file/entry"), NonRecursive));
    // Root can read everything, and so can everybody where permissions are no bits.
    folder.make("locked");
    #[cfg(unix)]
    fs::set_permissions(path("locked"), fs::Permissions::from_mode(0o000)).unwrap();
    log("watch a locked folder", watcher.watch(&path("locked"), NonRecursive));
    log("watch a locked folder with all in it", watcher.watch(&path("locked"), Recursive));
    log("unwatch a locked folder", watcher.unwatch(&path("locked")));
    log("unwatch nothing", watcher.unwatch(&path("missing")));
    log("unwatch what was not watched", watcher.unwatch(&path("")));
    log("unwatch with a slash", watcher.unwatch(&path("a/")));
    log("unwatch again", watcher.unwatch(&path("a")));
    log("unwatch a file", watcher.unwatch(&path("file")));
    folder.make("tree");
    folder.make("tree/sub");
    folder.make("tree/sub/deep");
    folder.write("tree/file", "");
    log("watch a tree", watcher.watch(&path("tree"), Recursive));
    log("unwatch a file in it", watcher.unwatch(&path("tree/file")));
    log("unwatch a folder in it", watcher.unwatch(&path("tree/sub")));
    log("unwatch the folder again", watcher.unwatch(&path("tree/sub")));
    log("unwatch a folder in that", watcher.unwatch(&path("tree/sub/deep")));
    log("watch the folder again", watcher.watch(&path("tree/sub"), NonRecursive));
    log("unwatch the folder once more", watcher.unwatch(&path("tree/sub")));
    log("unwatch the tree", watcher.unwatch(&path("tree")));
    log("unwatch a folder of none", watcher.unwatch(&path("tree/sub")));
    log("unwatch another", watcher.unwatch(&path("b")));
    log("unwatch another again", watcher.unwatch(&path("b")));
    log("unwatch a relative path", watcher.unwatch(Path::new("no/such")));
    let mut several = watcher.paths_mut();
    log("add one of several", several.add(&path("a"), Recursive));
    log("add another", several.add(&path("b"), NonRecursive));
    log("add nothing", several.add(&path("missing"), NonRecursive));
    log("remove one of them", several.remove(&path("a")));
    log("remove it again", several.remove(&path("a")));
    log("watch the several", several.commit());
    log("unwatch the removed one", watcher.unwatch(&path("a")));
    log("unwatch the other", watcher.unwatch(&path("b")));
    lines.push(format!("configure: {:?}", watcher.configure(Config::default())));
    lines
}

#[test]
#[cfg_attr(
    windows,
    ignore = "notify's own watcher has other results there: each `unwatch` succeeds"
)]
fn are_those_of_notify() {
    let expected = answers::<Notify>().join("\n");
    for ours in [answers::<Ours>(), answers::<OursForEach>()] {
        let ours = ours.join("\n");
        assert!(ours == expected, "notify's own results:\n{expected}\n\nthe adapter's:\n{ours}");
    }
}

/// The adapter's errors always name the path, notify's own usually.
#[test]
fn errors_name_the_path() {
    let folder = Folder::new();
    let missing = folder.path("missing");
    let mut watcher = Ours::new(|_| {}, Config::default()).unwrap();
    for mode in [Recursive, NonRecursive] {
        let error = watcher.watch(&missing, mode).unwrap_err();
        assert_eq!(error.paths, [missing.as_path()]);
        assert!(matches!(error.kind, ErrorKind::PathNotFound));
    }
    fs::create_dir(&missing).unwrap();
    watcher.watch(&missing, Recursive).unwrap();
}
