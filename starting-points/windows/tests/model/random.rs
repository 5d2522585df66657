//! Long programs of random changes and reads. Each is made from its seed alone, so a failure can be repeated.

use std::env;

use crate::{
    explore::{CHANGES, CHANGES_OF_WATCHES, settings},
    machine::{
        Change::{self, File, Folder, Remove, Rename, Unwatch, Watch, WatchAmid, Write},
        Machine, Program, READS, Setting, faults_of, run,
    },
    random_numbers::Random,
};

/// The changes in a program.
const LENGTH: usize = 12;

/// How many programs run for each setting, if `NOTIFY_BACKEND_MODEL_PROGRAMS` does not say.
const PROGRAMS: u64 = 300;

/// Changes that need a longer program to have an effect.
const FURTHER: &[Change] = &[
    Folder("w"),
    Folder(r"w\d"),
    Folder(r"w\d\e"),
    File(r"w\f"),
    File(r"w\d\e\f"),
    Write(r"w\d\e\f"),
    Remove(r"w\d\e\f"),
    Remove(r"w\d\e"),
    Remove(r"w\e"),
    Rename(r"w\d\e", r"w\e"),
    Rename(r"w\e", r"w\d\e"),
    Rename(r"w\d\e\f", r"w\d\f"),
    Rename(r"o\f", r"w\d\f"),
    Rename("v", "w"),
    Watch("o", true),
    Watch(r"w\d\e", true),
    Watch(r"w\d\e", false),
    WatchAmid(r"w\d", true, 3, &Rename(r"w\d\e\f", r"w\d\f")),
    WatchAmid("w", true, 6, &File(r"w\d\e\f")),
    Unwatch("o"),
    Unwatch(r"w\d\e"),
];

fn program(setting: Setting, seed: u64) -> Program {
    let mut machine = Machine::new(setting);
    let all: Vec<_> = [CHANGES, CHANGES_OF_WATCHES, FURTHER].concat();
    let (mut random, mut program) = (Random(seed), vec![]);
    for _ in 0..LENGTH {
        let read = READS[random.below(READS.len())];
        machine.read(read);
        // Most changes cannot be made at most times.
        for _ in 0..50 {
            let change = all[random.below(all.len())];
            if machine.change(change) || matches!(change, WatchAmid(..)) {
                program.push((read, change));
                break;
            }
        }
    }
    program
}

/// Leaves out what is not needed for a fault.
fn shrink(setting: Setting, program: &mut Program) {
    let mut at = 0;
    while at < program.len() {
        let removed = program.remove(at);
        if faults_of(setting, program).is_empty() {
            program.insert(at, removed);
            at += 1;
        } else {
            at = 0;
        }
    }
}

#[test]
fn random_programs() {
    let asked = env::var("NOTIFY_BACKEND_MODEL_PROGRAMS").ok();
    let programs = asked.and_then(|count| count.parse().ok()).unwrap_or(PROGRAMS);
    let watched: [&[_]; 3] =
        [&[("w", true)], &[("w", true), (r"w\d", true)], &[("w", false), ("o", true)]];
    let mut changes = 0;
    for setting in watched.into_iter().flat_map(settings) {
        for seed in 0..programs {
            let mut program = program(setting, seed);
            changes += program.len();
            let faults = faults_of(setting, &program);
            if !faults.is_empty() {
                shrink(setting, &mut program);
                eprintln!("seed {seed}");
                run(setting, &program);
            }
        }
    }
    let least = usize::try_from(programs).unwrap_or(usize::MAX) * 12 * LENGTH / 2;
    assert!(changes > least, "only {changes} changes have an effect");
}
