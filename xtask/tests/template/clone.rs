//! The template makes the same crate in a clone as in this folder.

use crate::support::{STARTS, clone, files, folder, generate, passes, xtask_of};

const NAME: &str = "notify-backend-demo";

/// Files that git leaves out or converts make no difference. cargo-generate's own `--git` is tested if it is
/// installed.
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
