//! One daemon and many clients: what each side costs.

use std::{env, fs, future::poll_fn, sync::mpsc, thread, time::Instant};

use notify_backend::prelude::*;

use crate::scene::{DEADLINE, Scene};

/// What a process may take altogether, and per client, in KiB. With 20 clients and 20 000 events, it takes a third of that.
const MEMORY: (u64, u64) = (96 * 1024, 1024);

/// Events are made in parts of this size, a few ahead of what is read: the kernel's queue holds 16 384.
const PART: usize = 1000;
const PARTS_AHEAD: usize = 8;

/// As [`run`], with as many clients as `CLIENTS` says (200), and as many events as `EVENTS` says (100 000).
pub(crate) fn run_large(scene: &mut Scene) {
    let number = |name: &str, default: usize| {
        env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    run(scene, number("CLIENTS", 200), number("EVENTS", 100_000));
}

/// Runs so many clients with so many events, and prints what that took. Each client is a thread with its own runtime, and
/// counts what arrives. Nothing is lost, and the memory is bounded.
pub(crate) fn run(scene: &mut Scene, clients: usize, events: usize) {
    let made: Vec<_> = (0..clients).map(|_| scene.client(scene.settings())).collect();
    // Renames along new names: two events for each.
    let folder = scene.folder.path().to_owned();
    // Once a client has read a part, the daemon has read it too, and another one may be made.
    let (go_on, may_go_on) = mpsc::channel();
    (0..PARTS_AHEAD).for_each(|_| go_on.send(()).unwrap());
    let (start, before) = (Instant::now(), cpu("self"));
    let changing = thread::spawn(move || {
        let mut at = folder.join("name-0");
        fs::write(&at, "").unwrap();
        for i in 1..=events / 2 {
            let next = folder.join(format!("name-{i}"));
            fs::rename(&at, &next).unwrap();
            at = next;
            if i % (PART / 2) == 0 {
                may_go_on.recv().unwrap();
            }
        }
        fs::write(folder.join("end"), "").unwrap();
    });
    let end = scene.folder.path().join("end");
    let counting: Vec<_> = made
        .into_iter()
        .enumerate()
        .map(|(number, mut client)| {
            let (end, go_on) = (end.clone(), (number == 0).then(|| go_on.clone()));
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(async {
                    let (mut count, mut missed) = (0_usize, 0_usize);
                    loop {
                        let next = poll_fn(|cx| Pin::new(&mut client).poll_next(cx));
                        match tokio::time::timeout(DEADLINE * 4, next).await {
                            Ok(Some(Ok(event))) => {
                                count += 1;
                                if count % PART == 0
                                    && let Some(go_on) = &go_on
                                {
                                    // At the end, nobody waits for it.
                                    _ = go_on.send(());
                                }
                                missed += usize::from(matches!(event.kind, EventKind::Missed(_)));
                                if event.path == end {
                                    return (count, missed);
                                }
                            }
                            Ok(Some(Err(_))) => {}
                            _ => panic!("nothing comes after {count}"),
                        }
                    }
                })
            })
        })
        .collect();
    changing.join().unwrap();
    let changed = start.elapsed();
    let counted: Vec<_> = counting.into_iter().map(|client| client.join().unwrap()).collect();
    let took = start.elapsed();
    let least = counted.iter().map(|(count, _)| count).min();
    let missed: usize = counted.iter().map(|(_, missed)| missed).sum();
    let total: usize = counted.iter().map(|(count, _)| count).sum();
    println!("{clients} clients, {events} events: changes {changed:.1?}, all read {took:.1?}");
    println!("read in all: {total}; the least by one client: {least:?}; losses: {missed}");
    println!("processor time of daemon and clients: {:.1} s", cpu("self") - before);
    let server = scene.server().pid().to_string();
    println!("processor time of the server: {:.1} s", cpu(&server));
    for (name, pid) in [("this process", "self"), ("server", server.as_str())] {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
        println!("memory of {name}: {peak}");
        let peak: u64 = peak.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
        let most = MEMORY.0 + MEMORY.1 * clients as u64;
        assert!(peak < most, "{name} takes {peak} KiB, and not less than {most} KiB");
    }
    assert_eq!(missed, 0);
    // And the first file and the last.
    assert!(least.is_some_and(|least| *least >= events), "{counted:?}");
}

/// Returns the processor time of a process in seconds, by `/proc/PID/stat` (proc(5)).
fn cpu(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11..=12].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}
