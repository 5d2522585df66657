//! Symbolic links (SYM).

use std::{path::PathBuf, time::Duration};

use crate::{
    backend::Watch,
    capability::Capability::{
        FollowSymlinks, WatchFiles, WatchFolders, WatchNewFolders, WatchRecursively,
    },
    compliance::{
        case::{Case, Group},
        environment::Environment,
        expect::{
            appeared, created, created_file, gone, moved_from, moved_to, removed, touched, written,
        },
        failure::{Check, ensure},
        lab::Lab,
        mode::Mode,
        stopwatch::Taken,
        tree::Tree,
        watcher::Watcher,
    },
};

use super::access::refuses_demand;

pub(super) const GROUP: Group = Group {
    name: "symlinks",
    title: "Symbolic links",
    guide: "Symbolic links",
    cases: &[
        TARGET_OF_WATCHED_LINK,
        WATCHED_LINK_ITSELF,
        LINK_IN_FOLDER,
        CYCLES,
        TARGET_IN_THE_SAME_TREE,
        OUTSIDE_TARGET_NOT_FOLLOWED,
        LINK_IS_NO_FOLDER,
        DANGLING_LINK,
        TWO_LINKS_TO_ONE,
        NEW_LINK_TO_FOLDER,
        ASKED_IN_VAIN,
        LINKS_IN_TREE,
        LINK_REPLACED,
        LINK_TO_FILE_IN_TREE,
    ],
};

const TARGET_OF_WATCHED_LINK: Case = Case {
    id: "SYM01",
    name: "target_of_watched_link",
    needs: &[FollowSymlinks, WatchFiles],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "Changes of a watched link's target are reported under the path of the link.",
    why: "fsnotify's scripts to-file and to-dir.",
    usual_cause: "The link is resolved, and the target's path is reported.",
    run: |lab| {
        lab.tree.mkdir("real")?;
        lab.tree.write("real/file", "content")?;
        lab.tree.symlink("real/file", "link")?;
        let mut watcher =
            lab.watch([Watch::non_recursive(lab.path("link")).following_links(), lab.beacon()?])?;
        watcher.perform(lab.mode, |tree| tree.append("real/file", "more"))?;
        watcher.saw(written("link"))?;
        watcher.nothing_else()
    },
    ..Case::MUST
};

const WATCHED_LINK_ITSELF: Case = Case {
    id: "SYM02",
    name: "watched_link_itself",
    needs: &[WatchFiles],
    environment: &[Environment::Unix],
    checks: "If a watch does not ask for links to be followed, a watched link is reported as removed, \
             and changes of its target are not reported.",
    why: "notify#255; notify's watch_with_dereference_disabled.",
    usual_cause: "The platform follows links unless told otherwise.",
    run: |lab| {
        lab.tree.write("target", "content")?;
        lab.tree.symlink("target", "link")?;
        let mut watcher = lab.watch([Watch::non_recursive(lab.path("link")), lab.beacon()?])?;
        lab.tree.append("target", "more")?;
        watcher.settle()?;
        watcher.never_saw(&touched("link"))?;
        lab.tree.remove("link")?;
        watcher.settle()?;
        watcher.saw(gone("link"))
    },
    ..Case::MUST
};

const LINK_IN_FOLDER: Case = Case {
    id: "SYM03",
    name: "link_in_folder",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "A link that is made, renamed and removed in a watched folder is reported as itself.",
    why: "fsnotify's scripts symlink-file, rename-symlink and remove-symlink.",
    usual_cause: "The link is resolved; a dangling one is not reported at all.",
    run: |lab| {
        lab.tree.write("target", "content")?;
        let mut watcher = lab.watch([lab.flat()])?;
        for target in ["target", "nowhere"] {
            watcher.next_step();
            watcher.perform(lab.mode, |tree| {
                tree.symlink(target, "link")?;
                tree.rename("link", "renamed")?;
                tree.remove("renamed")
            })?;
            if lab.profile.sampled && lab.mode != Mode::Stepped {
                continue;
            }
            watcher.saw(created("link"))?;
            watcher.saw(moved_from("link"))?;
            watcher.saw(moved_to("renamed"))?;
            watcher.saw(removed("renamed"))?;
            watcher.nothing_else()?;
        }
        Ok(())
    },
    ..Case::MUST
};

const CYCLES: Case = Case {
    id: "SYM04",
    name: "cycles",
    needs: &[WatchRecursively],
    environment: &[Environment::Unix],
    checks: "Links that lead back into the tree, to each other, or fan out to 2^20 paths are watched \
             in bounded time.",
    why: "chokidar#56, listen#259, rb-inotify#21, node-watch#3, efsw#64, fsnotify#101.",
    usual_cause: "Links are followed without remembering which folders were visited.",
    run: |lab| {
        lab.tree.mkdir_all("a/b")?;
        lab.tree.symlink(".", "a/self")?;
        lab.tree.symlink("..", "a/b/up")?;
        lab.tree.symlink(lab.path("a/b"), "to-b")?;
        lab.tree.symlink("two", "one")?;
        lab.tree.symlink("one", "two")?;
        for i in 0..20 {
            let next = format!("fan-{}", i + 1);
            lab.tree.mkdir(format!("fan-{i}"))?;
            for side in ["left", "right"] {
                lab.tree.symlink(format!("../{next}"), format!("fan-{i}/{side}"))?;
            }
        }
        lab.tree.mkdir("fan-20")?;
        let deep = lab.deep();
        let deep = if lab.has(FollowSymlinks) { deep.following_links() } else { deep };
        let (watcher, Taken { own: took, .. }) = lab.stopwatch().time(|| lab.watch([deep]));
        let mut watcher = watcher?;
        watcher.allow_errors();
        lab.tree.create("a/b/file")?;
        watcher.saw(appeared("a/b/file"))?;
        let limit = Duration::from_secs(5);
        ensure(took < limit, format!("`new` takes less than {limit:?}"), || {
            format!("it took {took:?}")
        })
    },
    ..Case::MUST
};

const TARGET_IN_THE_SAME_TREE: Case = Case {
    id: "SYM05",
    name: "target_in_the_same_tree",
    needs: &[WatchRecursively, FollowSymlinks],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "Changes in a folder that is both in the tree and the target of a link in it are reported \
             at least under its real path.",
    why: "notify#572, dart-lang/sdk#24815: only the path of the link was reported.",
    usual_cause: "The platform gives both the same number, and the link replaces the folder.",
    run: |lab| {
        lab.tree.mkdir("real")?;
        lab.tree.symlink("real", "a-link")?;
        lab.tree.symlink("real", "z-link")?;
        let mut watcher = lab.watch([lab.deep().following_links()])?;
        watcher.perform(lab.mode, |tree| tree.create("real/file"))?;
        watcher.saw(created("real/file"))
    },
    ..Case::MUST
};

const OUTSIDE_TARGET_NOT_FOLLOWED: Case = Case {
    id: "SYM06",
    name: "outside_target_not_followed",
    needs: &[WatchRecursively],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "If a watch does not ask for links to be followed, the content of a linked folder is not \
             reported.",
    why: "dotnet's IncludeSubdirectories_DoNotDereferenceChildLink.",
    usual_cause: "The scan looks at the target's kind and not at the link's.",
    run: |lab| {
        lab.outside.mkdir("folder")?;
        lab.tree.symlink(lab.outside.path("folder"), "link")?;
        let mut watcher = lab.watch([lab.deep()])?;
        let file = lab.outside.path("folder/file");
        watcher.perform(lab.mode, |tree| tree.create(&file))?;
        watcher.never_saw(&touched("link/file"))?;
        watcher.nothing_else()
    },
    ..Case::MUST
};

const LINK_IS_NO_FOLDER: Case = Case {
    id: "SYM07",
    name: "link_is_no_folder",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "If a watch does not ask for links to be followed, a new link to a folder is not reported \
             as a folder.",
    why: "dart's watcher 1.2.0.",
    usual_cause: "The kind is that of the target.",
    run: |lab| {
        lab.tree.mkdir("folder")?;
        let mut watcher = lab.watch([lab.flat()])?;
        watcher.perform(lab.mode, |tree| tree.symlink("folder", "link"))?;
        watcher.saw(created("link"))?;
        let folder = crate::event::EventKind::Create(crate::event::CreateKind::Folder);
        let typed = watcher.events().any(|event| event.kind == folder);
        ensure(!typed, "no create/folder", || "there was one".into())
    },
    ..Case::MUST
};

const DANGLING_LINK: Case = Case {
    id: "SYM08",
    name: "dangling_link",
    needs: &[WatchNewFolders, FollowSymlinks],
    environment: &[Environment::Unix],
    checks: "If links are followed, and a folder appears where a link in the tree leads, it is watched \
             from then on.",
    why: "For example a link to a file system that is not mounted yet.",
    usual_cause: "No event reports what happens outside the tree; the link has to be checked from time to \
                  time.",
    run: |lab| {
        lab.tree.symlink(lab.outside.path("folder"), "link")?;
        let mut watcher = lab.watch([lab.deep().following_links()])?;
        lab.outside.mkdir("folder")?;
        watcher.settle()?;
        lab.outside.create("folder/file")?;
        watcher.settle()?;
        let told = watcher.count(&appeared("link/file"));
        ensure(told > 0, "tree/link/file is reported", || "nothing was, by the barrier".into())
    },
    ..Case::MAY
};

const TWO_LINKS_TO_ONE: Case = Case {
    id: "SYM09",
    name: "two_links_to_one",
    needs: &[WatchFiles, FollowSymlinks],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "When two links to one file are watched, a change is reported under both.",
    why: "JetBrains' testMultipleSymbolicLinkPathsToFile.",
    usual_cause: "The platform gives both the same number, and the second replaces the first.",
    run: |lab| {
        lab.tree.mkdir("real")?;
        lab.tree.write("real/file", "content")?;
        lab.tree.symlink("real/file", "one")?;
        lab.tree.symlink("real/file", "other")?;
        let watches =
            ["one", "other"].map(|link| Watch::non_recursive(lab.path(link)).following_links());
        let [one, other] = watches;
        let mut watcher = lab.watch([one, other, lab.beacon()?])?;
        watcher.perform(lab.mode, |tree| tree.append("real/file", "more"))?;
        watcher.saw(written("one"))?;
        watcher.saw(written("other"))
    },
    ..Case::MUST
};

const NEW_LINK_TO_FOLDER: Case = Case {
    id: "SYM10",
    name: "new_link_to_folder",
    needs: &[WatchNewFolders, FollowSymlinks],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "If links are followed, the folder that a new link in a tree leads to is watched: \
             directly, through other links, in an old folder and in one that was moved in.",
    why: "chokidar's follow newly created symlinks.",
    usual_cause: "A new entry is watched only if the platform calls it a folder.",
    run: |lab| {
        let links = Links::prepare(lab)?;
        lab.outside.mkdir("moved")?;
        let mut watcher = lab.watch([lab.deep().following_links()])?;
        let from = lab.outside.path("moved");
        watcher.perform(lab.mode, |tree| {
            links.make(tree)?;
            tree.symlink("../../outside/e", from.join("link"))?;
            tree.rename(&from, "moved")
        })?;
        links.are_followed(lab, &mut watcher, &[("moved/link", "e")])
    },
    ..Case::MUST
};

/// Folders outside the tree, and the links in the tree that lead to them.
struct Links([(&'static str, PathBuf, &'static str); 4]);

impl Links {
    /// Makes the folders, and the links that are not in the tree.
    fn prepare(lab: &Lab) -> Check<Self> {
        for folder in ["a/sub", "b/sub", "c/sub", "way/d/sub", "e/sub"] {
            lab.outside.mkdir_all(folder)?;
        }
        lab.outside.symlink("c", "hop")?;
        lab.outside.symlink("way", "through")?;
        lab.tree.mkdir("old")?;
        Ok(Self([
            ("straight", lab.outside.path("a"), "a"),
            ("old/relative", "../../outside/b".into(), "b"),
            ("chain", lab.outside.path("hop"), "c"),
            ("old/way", lab.outside.path("through/d"), "way/d"),
        ]))
    }

    /// Makes the links in the tree.
    fn make(&self, tree: &Tree) -> Check {
        self.0.iter().try_for_each(|(link, target, _)| tree.symlink(target, link))
    }

    /// What is made where these and `more` links lead is reported under them.
    fn are_followed(&self, lab: &Lab, watcher: &mut Watcher, more: &[(&str, &str)]) -> Check {
        let links = self.0.iter().map(|(link, _, real)| (*link, *real));
        for (link, real) in links.chain(more.iter().copied()) {
            watcher.next_step();
            for folder in ["", "/sub"] {
                lab.outside.create(format!("{real}{folder}/file"))?;
            }
            watcher.settle_in(&[link])?;
            for folder in ["", "/sub"] {
                watcher.saw(created_file(format!("{link}{folder}/file")))?;
            }
        }
        Ok(())
    }
}

const ASKED_IN_VAIN: Case = Case {
    id: "SYM11",
    name: "asked_in_vain",
    without: &[FollowSymlinks],
    checks: "Without FollowSymlinks, a watch that asks for links to be followed is refused with \
             `NotSupported`, which names the path.",
    why: "If a request is ignored silently, nobody notices until it matters.",
    usual_cause: "`Watch::follow_links` is ignored; `Watch::check` checks it.",
    run: |lab| refuses_demand(lab, lab.anything()?.following_links(), FollowSymlinks),
    ..Case::MUST
};

const LINKS_IN_TREE: Case = Case {
    id: "SYM12",
    name: "links_in_tree",
    needs: &[WatchRecursively, FollowSymlinks],
    environment: &[Environment::Unix],
    checks: "If links are followed, the folders that links in a tree lead to are watched: directly, \
             through another link, and through a linked folder.",
    why: "The packages of a workspace, and those that `npm link` makes, are links to folders.",
    usual_cause: "The given path is followed, and the links below it are not.",
    run: |lab| {
        let links = Links::prepare(lab)?;
        links.make(&lab.tree)?;
        let mut watcher = lab.watch([lab.deep().following_links()])?;
        links.are_followed(lab, &mut watcher, &[])
    },
    ..Case::MUST
};

const LINK_REPLACED: Case = Case {
    id: "SYM13",
    name: "link_replaced",
    needs: &[WatchNewFolders, FollowSymlinks],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "If links are followed, and a link in a tree is replaced by a link to another folder, \
             changes in the new folder are reported, and those in the old one are not.",
    why: "Deployments switch a link `current` from one release to the next.",
    usual_cause: "The link's path is recorded as watched, and not checked again.",
    run: |lab| {
        for folder in ["one", "other"] {
            lab.outside.mkdir(folder)?;
        }
        let other = lab.outside.path("other");
        lab.tree.symlink(lab.outside.path("one"), "link")?;
        let mut watcher = lab.watch([lab.deep().following_links()])?;
        watcher.perform(lab.mode, |tree| {
            tree.symlink(&other, "temporary")?;
            tree.rename("temporary", "link")
        })?;
        watcher.settle_in(&["link"])?;
        watcher.next_step();
        lab.outside.create("one/file")?;
        lab.outside.create("other/new")?;
        watcher.settle_in(&["link"])?;
        watcher.saw(created_file("link/new"))?;
        watcher.never_saw(&touched("link/file"))
    },
    ..Case::MUST
};

const LINK_TO_FILE_IN_TREE: Case = Case {
    id: "SYM14",
    name: "link_to_file_in_tree",
    needs: &[WatchRecursively, FollowSymlinks],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "A link to a file in a tree is an entry like any other, even if links are followed: the \
             link itself is reported, and changes of the file are not reported under it.",
    why: "bun#43090, chokidar#696: a consumer has to know which of the two is reported. One that needs the \
          file's changes watches the link by its path.",
    usual_cause: "Some links are looked at through their targets.",
    run: |lab| {
        lab.outside.write("file", "content")?;
        let file = lab.outside.path("file");
        for link in ["old", "moving"] {
            lab.tree.symlink(&file, link)?;
        }
        let mut watcher = lab.watch([lab.deep().following_links()])?;
        watcher.perform(lab.mode, |tree| {
            tree.symlink(&file, "new")?;
            tree.rename("moving", "renamed")
        })?;
        watcher.saw(created("new"))?;
        watcher.saw(moved_from("moving"))?;
        watcher.saw(moved_to("renamed"))?;
        watcher.nothing_else()?;
        watcher.next_step();
        watcher.perform(lab.mode, |tree| tree.append(&file, "more"))?;
        for link in ["old", "new", "renamed"] {
            watcher.never_saw(&touched(link))?;
        }
        watcher.nothing_else()
    },
    ..Case::MUST
};
