//! Construction and errors (CON).

use std::{collections::HashSet, path::Path};

use crate::{
    backend::Watch,
    capability::{Capabilities, Capability},
    compliance::{
        case::{Case, Group},
        expect::{created_file, touched},
        failure::{Check, ensure, fail},
        lab::Lab,
    },
    error::BackendError,
};

pub(super) const GROUP: Group = Group {
    name: "construction",
    title: "Construction and errors",
    guide: "Setting up watches",
    cases: &[
        MISSING_PATH,
        MISSING_PATH_AMONG_OTHERS,
        CHANGE_RIGHT_AFTER_NEW,
        CHANGE_BEFORE_NEW,
        CAPABILITIES,
        NAME,
    ],
};

const MISSING_PATH: Case = Case {
    id: "CON01",
    name: "missing_path",
    checks: "A path that does not exist is refused with `NotFound`, which names it.",
    why: "notify#685; a bare system error does not tell which path is meant.",
    usual_cause: "The platform's error is passed on as it is; use `BackendError::from_io`.",
    run: |lab| {
        let missing = lab.path("missing");
        refuses_missing(lab, &[Watch::non_recursive(&missing)], &missing)
    },
    ..Case::MUST
};

const MISSING_PATH_AMONG_OTHERS: Case = Case {
    id: "CON02",
    name: "missing_path_among_others",
    checks: "One missing path among others is the one that is named; the others can be watched \
             afterwards.",
    why: "fsnotify#471; fsnotify's TestRemoveState.",
    usual_cause: "The error names the first path, or all of them, or what was set up before the \
                  error stays behind.",
    run: |lab| {
        let good = lab.anything()?;
        let missing = lab.path("missing");
        let bad = Watch::non_recursive(&missing);
        refuses_missing(lab, &[good.clone(), bad.clone()], &missing)?;
        refuses_missing(lab, &[bad, good.clone()], &missing)?;
        lab.watch([good])?.settle()
    },
    ..Case::MUST
};

fn refuses_missing(lab: &Lab, watches: &[Watch], missing: &Path) -> Check {
    let expected = format!("`new` answers NotFound for {}", lab.timeline.show(missing));
    match lab.try_watch(watches)? {
        Ok(_) => fail(expected, "it made a backend"),
        Err(BackendError::NotFound { paths }) => {
            let shown: Vec<_> = paths.iter().map(|path| lab.timeline.show(path)).collect();
            ensure(paths == [missing], expected, || {
                format!("it answered NotFound for {}", shown.join(", "))
            })
        }
        Err(error) => fail(expected, format!("it answered {error:?}")),
    }
}

const CHANGE_RIGHT_AFTER_NEW: Case = Case {
    id: "CON11",
    name: "change_right_after_new",
    needs: &[Capability::WatchFolders],
    checks: "A change made right after `new` has returned, before the first poll, is reported.",
    why: "watchexec#1024; dart-archive/watcher#159.",
    usual_cause: "Watches are set up by a thread or task that `new` does not wait for.",
    run: |lab| {
        let mut watcher = lab.watch([lab.flat()])?;
        lab.tree.create("new")?;
        watcher.saw(created_file("new"))
    },
    ..Case::MUST
};

const CHANGE_BEFORE_NEW: Case = Case {
    id: "CON12",
    name: "change_before_new",
    needs: &[Capability::WatchFolders],
    checks: "What was changed before `new`, and what merely exists, is not reported.",
    why: "joyent/libuv#986, dart-lang/tools#2176: events from before the watch.",
    usual_cause: "A first scan reports what it finds, or the platform replays its history.",
    run: |lab| {
        lab.tree.write("changed", "before")?;
        lab.tree.create("removed")?;
        lab.tree.remove("removed")?;
        lab.tree.mkdir("folder")?;
        let mut watcher = lab.watch([lab.flat()])?;
        watcher.settle()?;
        for path in ["changed", "removed", "folder"] {
            watcher.never_saw(&touched(path))?;
        }
        watcher.nothing_else()
    },
    ..Case::MUST
};

const CAPABILITIES: Case = Case {
    id: "CON13",
    name: "capabilities",
    checks: "The capabilities are the same at every call, name something to watch, and include \
             what they imply.",
    why: "A frontend chooses a backend by them, once.",
    usual_cause: "They are computed from the machine's state, or one is left out.",
    run: |lab| {
        let all: Vec<Capabilities> = (0..3).map(|_| lab.capabilities()).collect();
        let first = all[0];
        let different: HashSet<_> = all.into_iter().collect();
        ensure(different.len() == 1, "the same capabilities at every call", || {
            format!("they were {different:?}")
        })?;
        let watches = [Capability::WatchFiles, Capability::WatchFolders];
        ensure(
            watches.into_iter().any(|capability| first.contains(capability)),
            "WatchFiles or WatchFolders is declared",
            || format!("declared is: {first}"),
        )?;
        ensure(first.missing().is_empty(), "what a capability implies is declared too", || {
            format!("declared is: {first}; missing is: {}", first.missing())
        })
    },
    ..Case::MUST
};

const NAME: Case = Case {
    id: "CON14",
    name: "name",
    checks: "The backend's name has the form `namespace/platform`, and the version of the trait is \
             that of this crate.",
    why: "Frontends list backends by name; two of one name cannot be told apart.",
    usual_cause: "The namespace is left out, or `trait_version` is not left as it is provided.",
    run: |lab| {
        let name = lab.name();
        let (namespace, platform) = name.split_once('/').unwrap_or_default();
        let whole = [namespace, platform].iter().all(|part| {
            !part.is_empty() && !part.contains('/') && !part.contains(char::is_whitespace)
        });
        ensure(whole, "a name of the form `namespace/platform`", || format!("it is {name:?}"))?;
        let (ours, theirs) = (env!("CARGO_PKG_VERSION"), lab.trait_version());
        ensure(ours == theirs, format!("trait_version() is {ours}"), || format!("it is {theirs}"))
    },
    ..Case::SHOULD
};
