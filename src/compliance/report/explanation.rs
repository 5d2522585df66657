//! The text that explains a failure.

use std::fmt::Write as _;

use crate::compliance::{
    case::Listed,
    record::{mode::Mode, timeline::Timeline},
    rules::failure::Failure,
};

impl Failure {
    /// Returns the whole text for a developer who knows nothing of the suite.
    pub(crate) fn explain(&self, listed: Listed, mode: Mode, timeline: &Timeline) -> String {
        let Listed { case, group } = listed;
        let mut text = String::new();
        let mut line = |label: &str, content: &str| {
            let label = if label.is_empty() { String::new() } else { format!("{label}:") };
            let content = content.replace('\n', "\n            ");
            _ = writeln!(text, "{label:<11} {content}");
        };
        line("case", &format!("{} {} ({})", case.id, listed.full_name(), case.level.name()));
        line("checks", case.checks);
        line("expected", &self.expected);
        line("but", &self.but);
        if let Some(invariant) = self.invariant {
            line("broken rule", &format!("{}, which holds in every case", invariant.id));
        }
        line("driven", &mode.to_string());
        let record = timeline.to_string();
        _ = write!(text, "\nwhat happened:\n{record}\n");
        let mut line = |label: &str, content: &str| {
            _ = writeln!(text, "{:<11} {content}", format!("{label}:"));
        };
        match self.invariant {
            Some(invariant) => line("often", invariant.usual_cause),
            None if self.is_early => {}
            None => line("for this case, often", case.usual_cause),
        }
        line("seen in", self.invariant.map_or(case.why, |invariant| invariant.why));
        line("guide", &format!("\"{}\", for: {}", group.guide, group.title));
        line("alone", &format!("cargo test --test compliance {}", listed.full_name()));
        timeline.shorten(&text)
    }
}
