//! The machine on which the benchmark runs.

use std::{fs, thread};

use anyhow::Result;

/// Returns the processor, the cores and the kernel.
pub(crate) fn describe() -> Result<String> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let model =
        processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let cores = thread::available_parallelism()?;
    let kernel = rustix::system::uname();
    // Drops the suffix of the version, which is the builder's choice.
    let version = kernel.release().to_string_lossy();
    let version = version.split('-').next().unwrap_or_default();
    Ok(format!("{model}, {cores} cores, Linux {version}"))
}
