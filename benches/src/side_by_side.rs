//! Measures the cost of watching with this project's backends, `notify`, and the bare system calls: the same work
//! in the same run. See `benches/README.md`.

mod clock;
mod contender;
mod load;
mod machine;
mod scenario;
mod sheet;
mod tally;
mod watcher;

// The fanotify backend's own modules, so that both make the same system calls.
#[allow(dead_code, reason = "the backend uses the rest")]
#[path = "../../template/src/fanotify/record.rs"]
mod record;
#[allow(dead_code, reason = "the backend uses the rest")]
#[path = "../../template/src/fanotify/sys.rs"]
mod sys;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::{contender::Contender, scenario::Scenario, sheet::Sheet, watcher::Assignment};

#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    /// The scenarios to measure [default: all]
    scenarios: Vec<Scenario>,
    /// The number of runs of each scenario
    #[arg(long, default_value_t = 11)]
    runs: usize,
    /// The divisor of the amount of work
    #[arg(long, default_value_t = 1)]
    share: usize,
    /// Do a hundredth of the work, once: shows that everything runs, and measures nothing
    #[arg(long)]
    quick: bool,
    /// The folder in which to create the watched folders
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    place: PathBuf,
    // Cargo passes this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    child: Option<Child>,
}

#[derive(Subcommand)]
enum Child {
    /// The assignment of a child process
    #[command(hide = true)]
    Watch(Assignment),
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(Child::Watch(assignment)) = options.child {
        return assignment.carry_out();
    }
    let scenarios =
        if options.scenarios.is_empty() { Scenario::ALL.to_vec() } else { options.scenarios };
    let (runs, share) = if options.quick { (1, 100) } else { (options.runs, options.share) };
    let place = tempfile::tempdir_in(&options.place)
        .with_context(|| format!("no folder to work in at {}", options.place.display()))?;

    let mut sheets =
        [&Contender::TOLD[..], &Contender::ASKING, &Contender::MARKING, &Contender::LOOKING]
            .map(Sheet::new);
    for scenario in scenarios {
        if let Some(obstacle) = scenario.obstacle(place.path()) {
            eprintln!("{scenario:?}: left out: {obstacle:#}");
            continue;
        }
        eprintln!("{scenario:?}: {runs} runs");
        let work = scenario.prepare(place.path(), share)?;
        let contenders = scenario.contenders();
        let sheet = sheets.iter_mut().find(|sheet| sheet.compares(contenders));
        let sheet = sheet.context("each has its sheet")?;
        for run in 0..runs {
            // Each in turn goes first, so that none has an advantage in all runs.
            let order = contenders.iter().cycle().skip(run).take(contenders.len());
            for &contender in order {
                work.run(contender, sheet)
                    .with_context(|| format!("{scenario:?} with {contender:?}"))?;
            }
        }
    }
    println!("{}", machine::describe()?);
    for sheet in sheets.iter().filter(|sheet| !sheet.is_empty()) {
        println!("\n{sheet}");
    }
    Ok(())
}
