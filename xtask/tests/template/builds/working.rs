//! The starting points that are working backends, besides `inotify`.

use crate::{
    generated::ready,
    support::{STARTS, about, cargo, passes},
};

/// Each passes some quick cases of the compliance suite. In place, each passes the whole suite.
#[test]
#[ignore = "takes long, and in place they pass the whole suite"]
fn others_than_inotify() {
    let machine = if cfg!(target_os = "macos") { "macos-latest" } else { "ubuntu-latest" };
    let works_here = |start: &&String| {
        let about = about(start);
        let is_frame = about.get("is-frame").is_some_and(|it| it.as_bool() == Some(true));
        let systems = about["systems"].as_array().unwrap();
        !is_frame && systems.iter().any(|system| system.as_str() == Some(machine))
    };
    let others: Vec<_> =
        STARTS.iter().filter(|start| *start != "inotify").filter(works_here).collect();
    assert!(others.iter().any(|start| *start == "poll"), "{others:?}");
    for start in others {
        let project = ready(start);
        let said = passes(&mut cargo(&project, &["test", "--", "files::"]));
        // Only root can create some of these backends, and others need a program.
        let is_left_out = said.contains("nothing is proven: ");
        let is_run = said.contains("test [FIL04] files::written_twice_in_a_moment");
        assert!(is_run || is_left_out, "{said}");
    }
}
