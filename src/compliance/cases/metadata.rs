//! Metadata (META).

use std::time::{Duration, SystemTime};

use crate::{
    capability::Capability::WatchFolders,
    compliance::{
        case::{Case, Group},
        environment::Environment,
        expect::{metadata_changed, modified, removed_file, written},
        failure::{Check, Stop},
        lab::Lab,
        mode::Mode,
        platform,
    },
};

pub(super) const GROUP: Group = Group {
    name: "metadata",
    title: "Metadata",
    guide: "Reporting events",
    cases: &[
        PERMISSIONS,
        SAME_PERMISSIONS,
        TIMES,
        OWNER,
        EXTENDED,
        MASKS_NOTHING,
        IS_NO_DATA,
        READ_ONLY,
    ],
};

fn tells_metadata(lab: &Lab) -> Check {
    if lab.profile.distinguishes_metadata {
        return Ok(());
    }
    Err(Stop::Ignored("the profile does not tell metadata apart".into()))
}

const PERMISSIONS: Case = Case {
    id: "META01",
    name: "permissions",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "A change of permissions is reported as a change of metadata.",
    why: "fsnotify's scripts chmod and chmod-after-write; notify's chmod_file.",
    usual_cause: "The platform is not asked for changes of attributes.",
    run: |lab| {
        tells_metadata(lab)?;
        lab.tree.write("file", "content")?;
        let mut watcher = lab.watch([lab.flat()])?;
        watcher.perform(lab.mode, |tree| tree.chmod("file", 0o600))?;
        watcher.saw(metadata_changed("file"))?;
        watcher.nothing_else()
    },
    ..Case::MUST
};

const SAME_PERMISSIONS: Case = Case {
    id: "META02",
    name: "same_permissions",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    checks: "Setting the permissions that are there already is reported.",
    why: "Linux tells it; a comparison cannot.",
    usual_cause: "States are compared.",
    run: |lab| {
        tells_metadata(lab)?;
        lab.tree.write("file", "content")?;
        lab.tree.chmod("file", 0o600)?;
        let mut watcher = lab.watch([lab.flat()])?;
        lab.tree.chmod("file", 0o600)?;
        watcher.settle()?;
        watcher.saw(metadata_changed("file"))
    },
    ..Case::MAY
};

const TIMES: Case = Case {
    id: "META03",
    name: "times",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "Setting the time of modification is reported.",
    why: "notify's set_file_mtime; `touch` makes build tools run.",
    usual_cause: "The platform is not asked for changes of attributes.",
    run: |lab| {
        lab.tree.write("file", "content")?;
        let mut watcher = lab.watch([lab.flat()])?;
        let hour = Duration::from_secs(3600);
        watcher.perform(lab.mode, |tree| tree.set_times("file", SystemTime::now() - hour))?;
        watcher.saw(modified("file"))
    },
    ..Case::MUST
};

const OWNER: Case = Case {
    id: "META04",
    name: "owner",
    needs: &[WatchFolders],
    environment: &[Environment::Unix, Environment::Root],
    modes: Mode::ALL,
    checks: "A change of the owner is reported as a change of metadata.",
    why: "fsnotify's script chmod has it beside permissions.",
    usual_cause: "The platform is not asked for changes of attributes.",
    run: |lab| {
        tells_metadata(lab)?;
        lab.tree.write("file", "content")?;
        let mut watcher = lab.watch([lab.flat()])?;
        watcher.perform(lab.mode, |tree| tree.make("chown", "file", platform::chown))?;
        watcher.saw(metadata_changed("file"))
    },
    ..Case::MUST
};

const EXTENDED: Case = Case {
    id: "META05",
    name: "extended",
    needs: &[WatchFolders],
    environment: &[Environment::Linux],
    checks: "A change of an extended attribute is reported as a change of metadata.",
    why: "Backup programs and desktops keep what matters to them there.",
    usual_cause: "The platform is not asked for changes of attributes.",
    run: |lab| {
        tells_metadata(lab)?;
        lab.tree.write("file", "content")?;
        // Not tried with the file itself: to set the same again may change nothing.
        lab.outside.create("file")?;
        if platform::setxattr(&lab.outside.path("file")).is_err() {
            return Err(Stop::Ignored("the file system has no extended attributes".into()));
        }
        let mut watcher = lab.watch([lab.flat()])?;
        lab.tree.make("set an attribute of", "file", platform::setxattr)?;
        watcher.settle()?;
        watcher.saw(metadata_changed("file"))
    },
    ..Case::SHOULD
};

const MASKS_NOTHING: Case = Case {
    id: "META06",
    name: "masks_nothing",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "A change of metadata hides neither the write nor the removal that follows it.",
    why: "gradle's changing metadata doesn't mask content change.",
    usual_cause: "Events of one path are merged, and the first one wins.",
    run: |lab| {
        lab.tree.write("written", "content")?;
        lab.tree.write("removed", "content")?;
        let mut watcher = lab.watch([lab.flat()])?;
        watcher.perform(lab.mode, |tree| {
            tree.chmod("written", 0o600)?;
            tree.append("written", "more")?;
            tree.chmod("removed", 0o600)?;
            tree.remove("removed")
        })?;
        watcher.saw(written("written"))?;
        watcher.saw(removed_file("removed"))?;
        watcher.nothing_else()
    },
    ..Case::MUST
};

const IS_NO_DATA: Case = Case {
    id: "META07",
    name: "is_no_data",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "A change of permissions or times alone is never reported as a change of data.",
    why: "fsnotify#520: everything was built anew for a change of permissions.",
    usual_cause: "All changes are mapped to one kind.",
    run: |lab| {
        tells_metadata(lab)?;
        lab.tree.write("file", "content")?;
        let mut watcher = lab.watch([lab.flat()])?;
        let hour = Duration::from_secs(3600);
        watcher.perform(lab.mode, |tree| {
            tree.chmod("file", 0o600)?;
            tree.set_times("file", SystemTime::now() - hour)
        })?;
        let file = lab.path("file");
        let data = watcher.events().find(|event| {
            use crate::event::{EventKind, ModifyKind};

            event.path == file && matches!(event.kind, EventKind::Modify(ModifyKind::Data(_)))
        });
        crate::compliance::failure::ensure(data.is_none(), "no modify/data", || {
            format!("there was {data:?}")
        })
    },
    ..Case::MUST
};

const READ_ONLY: Case = Case {
    id: "META09",
    name: "read_only",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A file that becomes read-only, and writable again, is reported as changed in its metadata \
             both times.",
    why: "JetBrains' testPermissionUpdate; an editor shows a lock then.",
    usual_cause: "The platform is not asked for changes of attributes.",
    run: |lab| {
        tells_metadata(lab)?;
        lab.tree.write("file", "content")?;
        let mut watcher = lab.watch([lab.flat()])?;
        for read_only in [true, false] {
            watcher.next_step();
            watcher.perform(lab.mode, |tree| tree.set_read_only("file", read_only))?;
            watcher.saw(metadata_changed("file"))?;
            watcher.nothing_else()?;
        }
        Ok(())
    },
    ..Case::MUST
};
