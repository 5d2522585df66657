//! Valid names of a backend crate. `cargo xtask new` and cargo-generate's init hook must agree on them.

use std::{fs, sync::Arc, sync::Mutex};

use rhai::{Engine, EvalAltResult, Module};

use crate::support::{fails, folder, new, passes, repository};

const GOOD: [&str; 9] = [
    "notify-backend-a",
    "notify-backend-my-thing",
    // Keywords, a crate that every backend depends on, and one of its modules.
    "notify-backend-fn",
    "notify-backend-self",
    "notify-backend-tokio",
    "notify-backend-prelude",
    "notify-backend-s3",
    "notify-backend-win32-usn",
    "notify-backend-abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvw",
];

const BAD: [&str; 20] = [
    "",
    "demo",
    "fn",
    "notify-backend",
    "notify-backend-",
    "notify_backend_demo",
    "notify-backend_demo",
    "my-notify-backend-demo",
    "Notify-backend-demo",
    "notify-backend-9p",
    "notify-backend-FSEvents",
    "notify-backend-my demo",
    "notify-backend-my_demo",
    "notify-backend-my--demo",
    "notify-backend--demo",
    "notify-backend-demo-",
    "notify-backend-größe",
    "notify-backend-🦀",
    "notify-backend-{{x}}",
    "notify-backend-abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx",
];

#[test]
fn good_names() {
    for name in GOOD {
        passes(&mut new(name, &folder("names-good")));
        assert_eq!(hook(Some(name), ""), Ok(name.into()));
    }
}

#[test]
fn bad_names() {
    let parent = folder("names-bad");
    for name in BAD {
        let said = fails(&mut new(name, &parent));
        let message = said.strip_prefix("error: ").unwrap().strip_suffix('\n').unwrap();
        let (rule, command) = message.split_once(" Try: ").unwrap();
        assert!(rule.starts_with(&format!("{name:?} is not a name for a backend crate")), "{rule}");
        assert_eq!(command, "cargo xtask new notify-backend-demo");
        assert_eq!(fs::read_dir(&parent).unwrap().count(), 0, "{name:?} left something behind");

        let hook = hook(Some(name), "").unwrap_err();
        let (hook_rule, option) = hook.split_once(" Try: ").unwrap();
        assert_eq!((hook_rule, option), (rule, "--name notify-backend-demo"));
    }
}

#[test]
fn hook_asks_for_the_platform() {
    assert_eq!(hook(None, "kqueue"), Ok("notify-backend-kqueue".into()));
    assert_eq!(hook(None, "notify-backend-kqueue"), Ok("notify-backend-kqueue".into()));
    assert!(hook(None, "").unwrap_err().starts_with(r#""notify-backend-" is not a name"#));
}

/// Runs the init hook as cargo-generate does, with `answer` to the question about the platform. Returns
/// the crate's name, or the error message.
fn hook(name: Option<&str>, answer: &str) -> Result<String, String> {
    let name = Arc::new(Mutex::new(name.map(String::from)));
    let mut variable = Module::new();
    let of = Arc::clone(&name);
    variable.set_native_fn("is_set", move |_: &str| Ok(of.lock().unwrap().is_some()));
    let of = Arc::clone(&name);
    variable.set_native_fn("get", move |_: &str| Ok(of.lock().unwrap().clone().unwrap()));
    let of = Arc::clone(&name);
    variable.set_native_fn("set", move |_: &str, value: &str| {
        *of.lock().unwrap() = Some(value.into());
        Ok(())
    });
    let answer = answer.to_owned();
    variable.set_native_fn("prompt", move |_: &str| Ok(answer.clone()));

    let mut engine = Engine::new();
    engine.register_static_module("variable", variable.into());
    engine.register_fn("abort", |message: &str| -> Result<(), Box<EvalAltResult>> {
        Err(message.into())
    });
    match engine.run_file(repository().join("template/init.rhai")) {
        Ok(()) => Ok(name.lock().unwrap().clone().unwrap()),
        Err(error) => match error.unwrap_inner() {
            EvalAltResult::ErrorRuntime(message, _) => Err(message.to_string()),
            other => panic!("{other}"),
        },
    }
}
