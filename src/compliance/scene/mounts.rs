//! File systems that a case mounts, in a mount namespace of its own.

use std::{path::Path, process::Command};

use super::Scene;
use crate::compliance::{
    record::timeline::Timeline,
    rules::failure::{Step, Stop},
};

/// Mounts a new, empty file system on a folder; ignores the case where that cannot be done.
pub(crate) fn mount(scene: &Scene, folder: &Path) -> Step {
    let mounted = mount_tmpfs(&scene.timeline, folder);
    mounted.map_err(|error| Stop::Ignored(format!("a tmpfs cannot be mounted: {error}")))
}

/// Mounts a new, empty file system on a folder. Returns the system's message as the error.
pub(crate) fn mount_tmpfs(timeline: &Timeline, folder: &Path) -> Result<(), String> {
    call(timeline, "mount", &["-t", "tmpfs", "none"], folder)
}

/// Mounts an overlayfs on a folder, over the folders `lower`, `upper` and `work` beside it, as containers have
/// it; ignores the case where that cannot be done.
pub(crate) fn mount_overlay(scene: &Scene, folder: &Path) -> Step {
    let beside = |name| folder.with_file_name(name).display().to_string();
    let [lower, upper, work] = ["lower", "upper", "work"].map(beside);
    // In a user namespace, other attributes are for root alone.
    let options = format!("userxattr,lowerdir={lower},upperdir={upper},workdir={work}");
    let mounted =
        call(&scene.timeline, "mount", &["-t", "overlay", "none", "-o", &options], folder);
    mounted.map_err(|error| Stop::Ignored(format!("an overlayfs cannot be mounted: {error}")))
}

/// Unmounts the file system on a folder. Returns the system's message as the error, such as that it is in
/// use.
pub(crate) fn unmount(scene: &Scene, folder: &Path) -> Result<(), String> {
    call(&scene.timeline, "umount", &[], folder)
}

fn call(
    timeline: &Timeline,
    program: &str,
    arguments: &[&str],
    folder: &Path,
) -> Result<(), String> {
    let output = Command::new(program).args(arguments).arg(folder).output();
    let shown = timeline.show(folder);
    timeline.did([&[program], arguments, &[shown.as_str()]].concat().join(" "));
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}
