//! The template as git hands it over makes the same crate as the one in this folder.

use crate::support::{STARTS, clone, files, folder, generate, passes, xtask_of};

const NAME: &str = "notify-backend-demo";

/// What git leaves out, or writes in its own way, is of no importance. What cargo-generate itself does
/// with `--git` is tested where it is installed.
#[test]
fn same_crate() {
    let clone = clone("clone");
    for start in STARTS.iter() {
        let [here, there] = ["clone-here", "clone-there"].map(folder);
        let answers = [&format!("start={start}"), r#"description=Says "Grüße" \o/"#];
        let answers = [&answers[..], &["repository=ada", "notify_backend_path="]].concat();
        let mut new = xtask_of(&clone, ["new", NAME, "--destination", there.to_str().unwrap()]);
        passes(new.args(answers.iter().flat_map(|answer| ["-d", answer])));
        assert_eq!(files(&there.join(NAME)), files(&generate(NAME, &here, &answers)));
    }
}
