//! The process of one case: what it does, and how it answers.

use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::Duration,
};

use super::protocol::{
    CAPABILITIES, CASE, DEAF, FOLDER, OWN_FILE_SYSTEM, Outcome, TYPE, write_answer,
};
use crate::{
    compliance::{
        case::Listed,
        cases,
        record::{measurements::Measurements, timeline::Timeline},
        report::verdict::Verdict,
        rules::{
            failure::{Step, Stop, violates},
            invariants,
            profile::{Outlook, Profile},
            usage::ResourceUsage,
        },
        running::{panics::Panics, watchdog::Watchdog},
        scene::{Scene, environment::Environment, mounts, subject::Subject},
    },
    contract::capability::Capability,
};

/// Runs a case with `subject` if this process was started for that. Returns whether it was.
pub(crate) fn answer(mut subject: Subject, profile: Profile, limit: Duration) -> bool {
    let (Some(id), Some(folder)) = (env::var_os(CASE), env::var_os(FOLDER)) else { return false };
    if env::var_os(TYPE).is_none_or(|name| name != (subject.type_name)()) {
        return false;
    }
    let folder = PathBuf::from(folder);
    let Some(listed) = cases::all().find(|listed| id == listed.case.id) else { return false };
    let mut said = (subject.declared)();
    if let Ok(names) = env::var(CAPABILITIES) {
        let is_said = |it: &Capability| names.split(", ").any(|name| name == it.to_string());
        said.capabilities = Capability::ALL.iter().copied().filter(is_said).collect();
    }
    subject.said = Some(said);
    let measurements = Measurements::default();
    let is_deaf = env::var_os(DEAF).is_some();
    let outlook = if is_deaf { Outlook::Deaf } else { Outlook::Good };
    let profile = profile.with_outlook(outlook);
    let verdict = run_here(listed, &subject, &profile, &folder, limit, &measurements);
    let (figures, barriers) = (measurements.take(), measurements.barriers());
    write_answer(&folder, &Outcome { verdict, figures, barriers });
    true
}

/// Runs a case in this process, once for each of its modes.
fn run_here(
    listed: Listed,
    subject: &Subject,
    profile: &Profile,
    folder: &Path,
    limit: Duration,
    measurements: &Measurements,
) -> Verdict {
    let panics = Panics::install();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.into());
    for &mode in listed.case.modes {
        let folder = folder.join(mode.name());
        if let Err(error) = fs::create_dir(&folder) {
            return Verdict::Failed(format!("could not make {}: {error}", folder.display()));
        }
        let timeline = Timeline::new(folder.clone());
        if env::var_os(OWN_FILE_SYSTEM).is_some()
            && let Err(error) = mounts::mount_tmpfs(&timeline, &folder)
        {
            return Verdict::Ignored(format!("a tmpfs cannot be mounted: {error}"));
        }
        let watchdog = Watchdog::set(listed, mode, &timeline, &folder, limit);
        let scene = || Scene::new(&folder, subject, profile, mode, &timeline, measurements);
        let stop = run_mode(listed, &scene, &panics, profile);
        drop(watchdog);
        match stop {
            Ok(()) | Err(Stop::Passed) => {}
            Err(Stop::Ignored(reason)) => return Verdict::Ignored(reason),
            Err(Stop::Failed(failure)) => {
                return Verdict::Failed(failure.explain(listed, mode, &timeline));
            }
            Err(Stop::Broken(text)) => {
                let name = listed.full_name();
                return Verdict::Failed(format!(
                    "{name}: the scene could not be set, which is not the backend's fault\n{text}\n\n\
                     what happened:\n{timeline}"
                ));
            }
        }
    }
    Verdict::Passed
}

fn run_mode(
    listed: Listed,
    scene: &dyn Fn() -> Step<Scene>,
    panics: &Panics,
    profile: &Profile,
) -> Step {
    let patience = profile.deadline();
    let is_of_process =
        |needed: &&Environment| matches!(needed, Environment::Namespaces | Environment::Mounts);
    if profile.in_another_process
        && let Some(needed) = listed.case.environment.iter().find(is_of_process)
    {
        let reason = format!("needs {needed}, and the profile says that another process watches");
        return Err(Stop::Ignored(reason));
    }
    // A first runtime sets up what Tokio keeps for the whole process.
    let mut first = scene()?;
    first.show()?;
    let mut role = listed.case.environment.iter().find_map(|environment| environment.role());
    if env::var_os(OWN_FILE_SYSTEM).is_some() {
        // A process that was root before still is.
        role = role.or(Environment::Namespaces.role());
    }
    let available = role.map_or(Ok(()), |role| first.is_available_to(role));
    first.close();
    available?;
    let before = ResourceUsage::count();
    let mut scene = scene()?;
    if !listed.case.is_shown_late {
        scene.show()?;
    }
    let ran = catch_unwind(AssertUnwindSafe(|| (listed.case.run)(&mut scene)));
    let tasks = match ran {
        Ok(Ok(())) => scene.expect_no_tasks(patience),
        // A case that ended early may leave anything behind.
        _ => Ok(()),
    };
    scene.close();
    if let Some(text) = panics.first() {
        return Err(violates(invariants::NO_PANIC, text));
    }
    ran.unwrap_or_else(|_| Err(Stop::Broken("the case panicked".into())))?;
    tasks?;
    before.expect_same(patience)
}
