//! Overflow, and what is said of it (OVF).

use crate::{
    capability::Capability::WatchFolders,
    compliance::{
        case::{Case, Group},
        failure::{Stop, ensure},
    },
};

pub(super) const GROUP: Group = Group {
    name: "overflow",
    title: "Overflow",
    guide: "When events are lost",
    cases: &[LOSS_IS_SAID],
};

const LOSS_IS_SAID: Case = Case {
    id: "OVF01",
    name: "loss_is_said",
    needs: &[WatchFolders],
    checks: "Of more changes than any queue holds, made while nobody reads, each is reported or \
             there is a `Missed`, which names no path.",
    why: "golang/go#16392, watchdog#654, watchfiles#348, PyInotify#23.",
    usual_cause: "The platform's overflow event is left out, or a full channel is ignored.",
    run: |lab| {
        let files = queue_limit() + 2000;
        let mut watcher = lab.watch([lab.flat()])?;
        watcher.guard.may_miss = true;
        lab.tree.create_many(files)?;
        watcher.read_until_told(|watcher| {
            watcher.has_missed() || watcher.created_paths().len() == files
        })?;
        let told = watcher.created_paths().len();
        if told == files {
            return Err(Stop::Ignored(format!("{files} changes do not overflow this backend")));
        }
        ensure(watcher.has_missed(), format!("{files} names, or Missed"), || {
            format!("{told} names were reported, and no Missed")
        })
    },
    ..Case::MUST
};

/// How many events the platform's queue holds, or a number that is commonly more.
fn queue_limit() -> usize {
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events");
    limit.ok().and_then(|limit| limit.trim().parse().ok()).unwrap_or(16_384)
}
