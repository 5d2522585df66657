//! The daemon as a program: what its arguments choose.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use crate::scene::Scene;

const PROGRAM: &str = env!("CARGO_BIN_EXE_notify-backend-remote");

/// Ends the program when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Its default backend, and the same by name, publish on the subject that is given.
pub(crate) fn publishes(scene: &mut Scene) {
    for (subject, backend) in
        [("program.default", &[][..]), ("program.named", &["--backend", "looking"])]
    {
        let mut program = Command::new(PROGRAM)
            .args(["--server", &scene.servers[0].address, "--subject", subject])
            .args(backend)
            .arg(scene.folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .map(Running)
            .unwrap();
        let mut line = String::new();
        BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let address = scene.address.clone().subject(subject);
        let mut client = scene.client(Scene::settings_at(address));
        let files = scene.make(1);
        scene.until_made(&mut client, &files[0]);
    }
}

/// A mistake is named, before any server is asked, and the help lists the backends.
pub(crate) fn refuses() {
    let mistakes = [
        (&["--backend", "acme", "/"][..], "acme is no backend of this program"),
        (&["--backend"], "--backend needs a value"),
        (&["--bakend", "looking", "/"], "--bakend is not known"),
        (&[], "no folder is given"),
    ];
    for (arguments, mistake) in mistakes {
        let ended = Command::new(PROGRAM).args(arguments).output().unwrap();
        assert!(!ended.status.success(), "{arguments:?}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.starts_with(mistake), "{arguments:?}: {said}");
        assert!(said.ends_with("\nBackends: looking\n"), "{arguments:?}: {said}");
    }
}
