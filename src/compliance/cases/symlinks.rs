//! Symbolic links (SYM).

use std::{path::PathBuf, time::Duration};

use super::access::{nested, refuses_demand};
use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::{
                appeared, created, created_file, gone, moved_from, moved_to, removed, touched,
                written,
            },
            failure::{Step, ensure},
        },
        scene::{Scene, driver::Driver, environment::Environment, stopwatch::Taken, tree::Tree},
    },
    contract::{
        backend::Watch,
        capability::Capability::{
            FollowSymlinks, WatchFiles, WatchFolders, WatchNewFolders, WatchRecursively,
        },
    },
};

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
        TREE_IN_TREE,
        MIDDLE_LINK_REPLACED,
        TARGET_MOVED,
    ],
};

const TARGET_OF_WATCHED_LINK: Case = Case {
    id: "SYM01",
    name: "target_of_watched_link",
    needs: &[FollowSymlinks, WatchFiles],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "Changes of a watched link's target are reported under the path of the link, even if it leads \
             there through one or two other links, or through a linked folder.",
    why: "fsnotify's scripts to-file and to-dir.",
    usual_cause: "The link is resolved, and the target's path is reported; or only the first of several \
                  links is resolved.",
    run: |scene| {
        scene.tree.mkdir("real")?;
        scene.tree.write("real/file", "content")?;
        scene.tree.mkdir("links")?;
        let links = [
            ("link", "real/file"),
            ("chain", "links/next"),
            ("long", "links/first"),
            ("way", "links/real/file"),
        ];
        scene.tree.symlink("next", "links/first")?;
        scene.tree.symlink("../real/file", "links/next")?;
        scene.tree.symlink("../real", "links/real")?;
        let watches = links.map(|(link, target)| {
            scene.tree.symlink(target, link)?;
            Step::Ok(Watch::non_recursive(scene.path(link)).following_links())
        });
        let mut watches = watches.into_iter().collect::<Step<Vec<_>>>()?;
        watches.push(scene.barrier_watch()?);
        let mut driver = scene.watch(watches)?;
        driver.perform(scene.mode, |tree| tree.append("real/file", "more"))?;
        for (link, _) in links {
            driver.saw(written(link))?;
        }
        driver.nothing_else()
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
    run: |scene| {
        scene.tree.write("target", "content")?;
        scene.tree.symlink("target", "link")?;
        let mut driver =
            scene.watch([Watch::non_recursive(scene.path("link")), scene.barrier_watch()?])?;
        scene.tree.append("target", "more")?;
        driver.settle()?;
        driver.never_saw(&touched("link"))?;
        scene.tree.remove("link")?;
        driver.settle()?;
        driver.saw(gone("link"))
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
    run: |scene| {
        scene.tree.write("target", "content")?;
        let mut driver = scene.watch([scene.flat()])?;
        for target in ["target", "nowhere"] {
            driver.next_step();
            driver.perform(scene.mode, |tree| {
                tree.symlink(target, "link")?;
                tree.rename("link", "renamed")?;
                tree.remove("renamed")
            })?;
            if scene.profile.coalesced && scene.mode != Mode::Stepped {
                continue;
            }
            driver.saw(created("link"))?;
            driver.saw(moved_from("link"))?;
            driver.saw(moved_to("renamed"))?;
            driver.saw(removed("renamed"))?;
            driver.nothing_else()?;
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
    run: |scene| {
        scene.tree.mkdir_all("a/b")?;
        scene.tree.symlink(".", "a/self")?;
        scene.tree.symlink("..", "a/b/up")?;
        scene.tree.symlink(scene.path("a/b"), "to-b")?;
        scene.tree.symlink("two", "one")?;
        scene.tree.symlink("one", "two")?;
        for i in 0..20 {
            let next = format!("fan-{}", i + 1);
            scene.tree.mkdir(format!("fan-{i}"))?;
            for side in ["left", "right"] {
                scene.tree.symlink(format!("../{next}"), format!("fan-{i}/{side}"))?;
            }
        }
        scene.tree.mkdir("fan-20")?;
        let deep = scene.deep();
        let deep = if scene.has(FollowSymlinks) { deep.following_links() } else { deep };
        let (driver, Taken { own: took, .. }) = scene.stopwatch().time(|| scene.watch([deep]));
        let mut driver = driver?;
        driver.allow_errors();
        scene.tree.create("a/b/file")?;
        driver.saw(appeared("a/b/file"))?;
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
    run: |scene| {
        scene.tree.mkdir("real")?;
        scene.tree.symlink("real", "a-link")?;
        scene.tree.symlink("real", "z-link")?;
        let mut driver = scene.watch([scene.deep().following_links()])?;
        driver.perform(scene.mode, |tree| tree.create("real/file"))?;
        driver.saw(created("real/file"))
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
    run: |scene| {
        scene.outside.mkdir("folder")?;
        scene.tree.symlink(scene.outside.path("folder"), "link")?;
        let mut driver = scene.watch([scene.deep()])?;
        let file = scene.outside.path("folder/file");
        driver.perform(scene.mode, |tree| tree.create(&file))?;
        driver.never_saw(&touched("link/file"))?;
        driver.nothing_else()
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
    run: |scene| {
        scene.tree.mkdir("folder")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| tree.symlink("folder", "link"))?;
        driver.saw(created("link"))?;
        let folder =
            crate::contract::event::EventKind::Create(crate::contract::event::CreateKind::Folder);
        let typed = driver.events().any(|event| event.kind == folder);
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
    run: |scene| {
        scene.tree.symlink(scene.outside.path("folder"), "link")?;
        let mut driver = scene.watch([scene.deep().following_links()])?;
        scene.outside.mkdir("folder")?;
        driver.settle()?;
        scene.outside.create("folder/file")?;
        driver.settle()?;
        let reported = driver.count(&appeared("link/file"));
        ensure(reported > 0, "tree/link/file is reported", || {
            "nothing was before the barrier was".into()
        })
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
    run: |scene| {
        scene.tree.mkdir("real")?;
        scene.tree.write("real/file", "content")?;
        scene.tree.symlink("real/file", "one")?;
        scene.tree.symlink("real/file", "other")?;
        let watches =
            ["one", "other"].map(|link| Watch::non_recursive(scene.path(link)).following_links());
        let [one, other] = watches;
        let mut driver = scene.watch([one, other, scene.barrier_watch()?])?;
        driver.perform(scene.mode, |tree| tree.append("real/file", "more"))?;
        driver.saw(written("one"))?;
        driver.saw(written("other"))
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
    run: |scene| {
        let links = Links::prepare(scene)?;
        scene.outside.mkdir("moved")?;
        let mut driver = scene.watch([scene.deep().following_links()])?;
        let from = scene.outside.path("moved");
        driver.perform(scene.mode, |tree| {
            links.make(tree)?;
            tree.symlink("../../outside/e", from.join("link"))?;
            tree.rename(&from, "moved")
        })?;
        links.are_followed(scene, &mut driver, &[("moved/link", "e")])
    },
    ..Case::MUST
};

/// Folders outside the tree, and the links in the tree that lead to them.
struct Links([(&'static str, PathBuf, &'static str); 4]);

impl Links {
    /// Makes the folders, and the links that are not in the tree.
    fn prepare(scene: &Scene) -> Step<Self> {
        for folder in ["a/sub", "b/sub", "c/sub", "way/d/sub", "e/sub"] {
            scene.outside.mkdir_all(folder)?;
        }
        scene.outside.symlink("c", "hop")?;
        scene.outside.symlink("way", "through")?;
        scene.tree.mkdir("old")?;
        Ok(Self([
            ("straight", scene.outside.path("a"), "a"),
            ("old/relative", "../../outside/b".into(), "b"),
            ("chain", scene.outside.path("hop"), "c"),
            ("old/way", scene.outside.path("through/d"), "way/d"),
        ]))
    }

    /// Makes the links in the tree.
    fn make(&self, tree: &Tree) -> Step {
        self.0.iter().try_for_each(|(link, target, _)| tree.symlink(target, link))
    }

    /// Fails unless files that are made where these and `more` links lead are reported under the links.
    fn are_followed(&self, scene: &Scene, driver: &mut Driver, more: &[(&str, &str)]) -> Step {
        let links = self.0.iter().map(|(link, _, real)| (*link, *real));
        for (link, real) in links.chain(more.iter().copied()) {
            driver.next_step();
            for folder in ["", "/sub"] {
                scene.outside.create(format!("{real}{folder}/file"))?;
            }
            driver.settle_in(&[link])?;
            for folder in ["", "/sub"] {
                driver.saw(created_file(format!("{link}{folder}/file")))?;
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
    why: "If a request is ignored silently, the user does not notice until it matters.",
    usual_cause: "`Watch::follow_links` is ignored; `Watch::check` checks it.",
    run: |scene| refuses_demand(scene, scene.anything()?.following_links(), FollowSymlinks),
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
    run: |scene| {
        let links = Links::prepare(scene)?;
        links.make(&scene.tree)?;
        let mut driver = scene.watch([scene.deep().following_links()])?;
        links.are_followed(scene, &mut driver, &[])
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
    run: |scene| {
        for folder in ["one", "other"] {
            scene.outside.mkdir(folder)?;
        }
        let other = scene.outside.path("other");
        scene.tree.symlink(scene.outside.path("one"), "link")?;
        let mut driver = scene.watch([scene.deep().following_links()])?;
        driver.perform(scene.mode, |tree| {
            tree.symlink(&other, "temporary")?;
            tree.rename("temporary", "link")
        })?;
        driver.settle_in(&["link"])?;
        driver.next_step();
        scene.outside.create("one/file")?;
        scene.outside.create("other/new")?;
        driver.settle_in(&["link"])?;
        driver.saw(created_file("link/new"))?;
        driver.never_saw(&touched("link/file"))
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
    run: |scene| {
        scene.outside.write("file", "content")?;
        let file = scene.outside.path("file");
        for link in ["old", "moving"] {
            scene.tree.symlink(&file, link)?;
        }
        let mut driver = scene.watch([scene.deep().following_links()])?;
        driver.perform(scene.mode, |tree| {
            tree.symlink(&file, "new")?;
            tree.rename("moving", "renamed")
        })?;
        driver.saw(created("new"))?;
        driver.saw(moved_from("moving"))?;
        driver.saw(moved_to("renamed"))?;
        driver.nothing_else()?;
        driver.next_step();
        driver.perform(scene.mode, |tree| tree.append(&file, "more"))?;
        for link in ["old", "new", "renamed"] {
            driver.never_saw(&touched(link))?;
        }
        driver.nothing_else()
    },
    ..Case::MUST
};

const TREE_IN_TREE: Case = Case {
    id: "SYM15",
    name: "tree_in_tree",
    needs: &[WatchRecursively, FollowSymlinks],
    environment: &[Environment::Unix],
    checks: "If only one of two watched trees asks for links to be followed, and one is inside the other, the \
             folders that links in the one which asks lead to are watched, in whichever order the two are \
             watched.",
    why: "The counterpart of ACC11.",
    usual_cause: "The inner tree counts as watched already.",
    run: |scene| {
        scene.tree.mkdir_all("outer/inner/old")?;
        let links = ["outer/link", "outer/inner/link", "outer/inner/old/link"];
        let links = links.map(|link| (link, link.replace('/', "-")));
        for (link, target) in &links {
            scene.outside.mkdir(target)?;
            scene.tree.symlink(scene.outside.path(target), link)?;
        }
        let trees = ["outer", "outer/inner"].map(|tree| Watch::recursive(scene.path(tree)));
        for asks in 0..trees.len() {
            let mut watches = trees.clone();
            watches[asks] = watches[asks].clone().following_links();
            let asking = watches[asks].path.clone();
            nested(scene, &watches, |driver| {
                let file = |target: &String| format!("{target}/file");
                links.iter().try_for_each(|(_, target)| scene.outside.create(file(target)))?;
                driver.settle()?;
                for (link, _) in
                    links.iter().filter(|(link, _)| scene.path(link).starts_with(&asking))
                {
                    driver.saw(created_file(format!("{link}/file")))?;
                }
                links.iter().try_for_each(|(_, target)| scene.outside.remove(file(target)))
            })?;
        }
        Ok(())
    },
    ..Case::MUST
};

const MIDDLE_LINK_REPLACED: Case = Case {
    id: "SYM16",
    name: "middle_link_replaced",
    needs: &[FollowSymlinks, WatchFiles],
    environment: &[Environment::Unix],
    checks: "If a watched link leads to a file through other links, and one of these is replaced to lead to another \
             file, that is reported, and so are changes of that file.",
    why: "Debian's alternatives and Kubernetes' volumes are chains of links, of which the middle one changes. A \
          SHOULD: with a platform that observes single files, such as kqueue, each link of the chain would have \
          to be opened.",
    usual_cause: "Only the link itself and the file at the end are watched.",
    run: |scene| {
        for folder in ["links", "real"] {
            scene.tree.mkdir(folder)?;
        }
        for file in ["real/one", "real/other"] {
            scene.tree.write(file, file)?;
        }
        scene.tree.symlink("../real/one", "links/second")?;
        scene.tree.symlink("second", "links/first")?;
        scene.tree.symlink("links/first", "link")?;
        let link = Watch::non_recursive(scene.path("link")).following_links();
        let mut driver = scene.watch([link, scene.barrier_watch()?])?;
        scene.tree.symlink("../real/other", "links/new")?;
        scene.tree.rename("links/new", "links/second")?;
        driver.settle()?;
        driver.saw(touched("link"))?;
        driver.next_step();
        scene.tree.append("real/other", "more")?;
        driver.settle()?;
        driver.saw(written("link"))
    },
    ..Case::SHOULD
};

const TARGET_MOVED: Case = Case {
    id: "SYM17",
    name: "target_moved",
    needs: &[WatchNewFolders, FollowSymlinks],
    environment: &[Environment::Unix],
    checks: "If links are followed, and the folder that a link in a tree leads to is renamed away, what happens in \
             it is not reported under the link any more. The rest of the tree is watched as before.",
    why: "The counterpart of ROOT03 and SYM13: the link leads nowhere now.",
    usual_cause: "The platform's watch moves along with the folder, and the backend keeps its old path.",
    run: |scene| {
        scene.outside.mkdir_all("target/sub")?;
        scene.tree.symlink(scene.outside.path("target"), "link")?;
        let mut driver = scene.watch([scene.deep().following_links()])?;
        scene.outside.rename("target", "renamed")?;
        driver.settle()?;
        driver.next_step();
        for folder in ["renamed", "renamed/sub"] {
            scene.outside.create(format!("{folder}/file"))?;
        }
        scene.tree.create("file")?;
        driver.settle()?;
        driver.saw(created_file("file"))?;
        for file in ["link/file", "link/sub/file"] {
            driver.never_saw(&touched(file))?;
        }
        Ok(())
    },
    ..Case::MUST
};
