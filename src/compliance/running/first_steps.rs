//! Makes the backend once before the cases, so that what would make every case fail is reported once.

use std::env;

use crate::{
    compliance::{
        cases,
        record::{measurements::Measurements, mode::Mode, timeline::Timeline},
        report::obstacle::{Obstacle, UNWRITTEN},
        rules::{
            failure::{Step, Stop},
            profile::Profile,
        },
        scene::{Scene, subject::Subject},
    },
    contract::{backend::About, error::BackendError},
};

/// Returns what a backend declares of itself, if one could be made, or what keeps every case from being run.
/// `lacking` returns what to do if the backend says itself that it is unavailable here.
pub(crate) fn take(
    subject: &Subject,
    profile: &Profile,
    named: &[(&str, &str)],
    lacking: impl Fn() -> Option<String>,
) -> Result<Option<About>, Obstacle> {
    let unknown = named.iter().find(|(id, _)| cases::all().all(|listed| listed.case.id != *id));
    if let Some((id, _)) = unknown {
        let text = format!("{id} is named, and there is no such case");
        return Err(Obstacle::other("deviations", text));
    }
    let backend = (subject.type_name)();
    match make_once(subject, profile) {
        Ok(Err(error @ BackendError::NotImplemented { .. })) => {
            let is_allowed = env::var_os(UNWRITTEN).is_some_and(|it| it == "allowed");
            Err(Obstacle::not_written(backend, &error.to_string(), is_allowed))
        }
        Ok(Err(error @ BackendError::Unavailable { .. })) => {
            Err(Obstacle::unavailable(backend, &error.to_string(), lacking()))
        }
        // The cases report whatever else is wrong.
        Ok(Err(_)) | Err(Stop::Passed) => Ok(None),
        Ok(Ok(said)) => Ok(Some(said)),
        Err(Stop::Ignored(text) | Stop::Broken(text)) => Err(Obstacle::other("first_steps", text)),
        Err(Stop::Failed(failure)) => Err(Obstacle::other("first_steps", failure.but)),
    }
}

/// Returns what a backend declares of itself, or why it cannot be made.
fn make_once(subject: &Subject, profile: &Profile) -> Step<Result<About, BackendError>> {
    let folder = tempfile::Builder::new().prefix("compliance-").tempdir();
    let folder = folder.map_err(|error| Stop::Broken(format!("no temporary folder: {error}")))?;
    let timeline = Timeline::new(folder.path().into());
    let (mode, figures) = (Mode::Stepped, Measurements::default());
    let mut scene = Scene::new(folder.path(), subject, profile, mode, &timeline, &figures)?;
    scene.show()?;
    let answer = scene.make(vec![scene.anything()?]);
    // Whether it can be dropped elsewhere is for a case to say.
    let runtime = scene.runtime();
    let _entered = runtime.enter();
    Ok(answer.map(|backend| backend.about()))
}
