//! The cases as data, for documents and for programs: [`catalogue`].

use crate::{
    compliance::{case::Listed, cases},
    contract::capability::Capabilities,
};

/// A description of one case.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CaseInfo {
    /// The number, e.g. `REC03`; it never changes.
    pub id: &'static str,
    /// The name, e.g. `recursion::new_folder_race`.
    pub name: String,
    /// The subject of its group.
    pub group: &'static str,
    /// `MUST`, `SHOULD` or `MAY`.
    pub level: &'static str,
    /// The capabilities without which it is ignored.
    pub needs: Capabilities,
    /// What the machine has to offer, e.g. `Linux`; otherwise the case is ignored.
    pub environment: Vec<String>,
    /// The promise, in one sentence.
    pub checks: &'static str,
    /// Where this went wrong in practice.
    pub why: &'static str,
    /// What to look for in a backend that fails.
    pub usual_cause: &'static str,
}

/// Returns every case of the suite, in the order in which they run.
#[must_use]
pub fn catalogue() -> Vec<CaseInfo> {
    let info = |listed: Listed| CaseInfo {
        id: listed.case.id,
        name: listed.full_name(),
        group: listed.group.title,
        level: listed.case.level.name(),
        needs: listed.case.needs.iter().copied().collect(),
        environment: listed.case.environment.iter().map(ToString::to_string).collect(),
        checks: listed.case.checks,
        why: listed.case.why,
        usual_cause: listed.case.usual_cause,
    };
    cases::all().map(info).collect()
}

#[cfg(test)]
mod tests {
    use std::{env, fmt::Write as _, fs, path::Path};

    use super::*;

    /// The page that the module's documentation includes.
    fn page() -> String {
        let cases = catalogue();
        let [must, should, may] = ["MUST", "SHOULD", "MAY"]
            .map(|level| cases.iter().filter(|case| case.level == level).count());
        let all = cases.len();
        let mut text = format!("{all} cases: {must} MUST, {should} SHOULD and {may} MAY.\n");
        let mut group = "";
        for case in cases {
            if case.group != group {
                group = case.group;
                _ = write!(text, "\n## {group}\n\n");
            }
            let CaseInfo { id, name, level, checks, why, .. } = &case;
            let needs = case.needs.iter().map(|capability| capability.to_string());
            let needs: Vec<_> = needs.chain(case.environment.iter().cloned()).collect();
            let needs = if needs.is_empty() {
                String::new()
            } else {
                format!(", needs {}", needs.join(", "))
            };
            _ = writeln!(text, "- **{id}** `{name}` ({level}{needs}): {checks} *Seen in:* {why}");
        }
        text
    }

    #[test]
    fn page_is_up_to_date() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/compliance/catalogue.md");
        if env::var_os("UPDATE_CATALOGUE").is_some() {
            fs::write(&file, page()).expect("the page can be written");
        }
        let written = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == page(),
            "the page of the cases is out of date; run \
             `UPDATE_CATALOGUE=1 cargo test --all-features --lib page_is_up_to_date`"
        );
    }
}
