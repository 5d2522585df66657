//! The picture in the README is drawn from `docs/first-steps.txt`, the transcript of a terminal. It is
//! compared with the real output of its commands.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::Receiver,
};

use crate::{
    builds::inotify::{DEADLINE, lines_of},
    support::{cargo, passes, read, repository},
};

/// A placeholder for any lines, or for any end of a line.
const ANYTHING: &str = "…";

fn transcript() -> String {
    read(&repository().join("docs/first-steps.txt"))
}

/// Runs the transcript's commands in a new project, except `cargo test`: `tested` is its output, if it was
/// run.
pub(crate) fn check(project: &Path, tested: Option<&str>) {
    let mut sample = None;
    for step in transcript().split("$ ").skip(1) {
        let (command, shown) = step.split_once('\n').unwrap();
        let shown = shown.lines();
        match command.split(' ').collect::<Vec<_>>()[..] {
            // The caller has done that.
            ["cargo", "xtask", ..] | ["cd", _] => {}
            ["cargo", "test"] => {
                let Some(tested) = tested else { continue };
                let mut printed = tested.lines();
                for line in shown.filter(|line| *line != ANYTHING) {
                    assert!(printed.any(|printed| is_shown(printed, line)), "{line}:\n{tested}");
                }
            }
            ["cargo", ref arguments @ .., "&"] => {
                sample = Some(Sample::start(cargo(project, arguments)));
                sample.as_ref().unwrap().prints(shown);
            }
            _ => {
                passes(Command::new("sh").args(["-c", command]).current_dir(project));
                match &sample {
                    Some(sample) => sample.prints(shown),
                    None => assert_eq!(shown.count(), 0, "{command} prints nothing"),
                }
            }
        }
    }
}

/// Returns whether a line of the transcript stands for the printed one. The numbers of trackers differ.
fn is_shown(printed: &str, line: &str) -> bool {
    let without_tracker = |text: &str| text.split("tracker=").next().unwrap().len();
    match line.strip_suffix(ANYTHING) {
        Some(start) => printed.starts_with(start),
        None => printed[..without_tracker(printed)] == line[..without_tracker(line)],
    }
}

/// The command that prints events, while it runs.
struct Sample {
    process: Child,
    lines: Receiver<String>,
}

impl Sample {
    fn start(mut command: Command) -> Self {
        // One pipe for both outputs, as on a terminal.
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdout(writer.try_clone().unwrap()).stderr(writer).stdin(Stdio::null());
        let process = command.spawn().unwrap();
        Self { process, lines: lines_of(reader) }
    }

    fn prints<'a>(&self, shown: impl Iterator<Item = &'a str>) {
        for line in shown {
            let printed = self.lines.recv_timeout(DEADLINE);
            let printed = printed.unwrap_or_else(|error| panic!("{error} for {line}"));
            assert!(is_shown(&printed, line), "it prints {printed}, and not {line}");
        }
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        // On Unix, cargo replaces itself with the sample.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const FONT_SIZE: usize = 14;
const LINE: usize = 20;
const MARGIN: usize = 18;

/// Returns the width of a text: in monospaced fonts, a character is six tenths of its height wide.
fn width_of(text: &str) -> usize {
    text.chars().count() * FONT_SIZE * 6 / 10
}

/// Draws a terminal with this text. `textLength` fixes the width of each line, whatever the font.
fn draw(text: &str) -> String {
    let width = text.lines().map(width_of).max().unwrap() + 2 * MARGIN;
    let height = text.lines().count() * LINE + 2 * MARGIN;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="{FONT_SIZE}">
<style>text {{ fill: #b9c1cc }} .typed {{ fill: #fff; font-weight: bold }} .left-out {{ fill: #7d8794 }}</style>
<rect width="{width}" height="{height}" rx="8" fill="#1f242c"/>
"##
    );
    for (number, line) in text.lines().enumerate() {
        let class = match line {
            _ if line.starts_with("$ ") => r#" class="typed""#,
            ANYTHING => r#" class="left-out""#,
            _ => "",
        };
        let (y, length) = (MARGIN + number * LINE + FONT_SIZE, width_of(line));
        // SVG collapses several spaces into one.
        let line = line.replace('&', "&amp;").replace('<', "&lt;").replace(' ', "\u{a0}");
        writeln!(svg, r#"<text x="{MARGIN}" y="{y}" textLength="{length}"{class}>{line}</text>"#)
            .unwrap();
    }
    svg + "</svg>\n"
}

#[test]
fn picture_shows_the_transcript() {
    let path = repository().join("docs/first-steps.svg");
    let picture = draw(&transcript());
    if env::var_os("UPDATE_GUIDE").is_some() {
        fs::write(&path, &picture).unwrap();
    }
    assert!(
        read(&path) == picture,
        "docs/first-steps.svg is not the picture of docs/first-steps.txt. To draw it again: \
         .ci/update -p xtask --test template picture"
    );
}
