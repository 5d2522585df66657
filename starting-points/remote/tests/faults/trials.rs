//! The tests.

use std::{
    process::{Command, ExitCode},
    sync::Arc,
    task::{Context, Poll, Wake},
    thread,
    time::Instant,
};

use async_nats::ConnectOptions;
use libtest_mimic::{Arguments, Completion, Trial};
use notify_backend::prelude::*;
use notify_backend_remote::RemoteBackend;

use crate::{
    cluster,
    compliance::Server,
    forgery, load, program,
    proxy::Proxy,
    scene::{DEADLINE, SUBJECT, Scene, is_made, is_missed, is_read_error, made},
    streams,
};

/// What the stream keeps where nothing is to be dropped.
const ENOUGH: u32 = 64 * 1024 * 1024;

pub(crate) fn run() -> ExitCode {
    let trials = vec![
        trial("a_killed_server_loses_nothing", ENOUGH, |scene| killed(scene, 2)),
        trial("a_killed_server_loses_nothing_50_times", ENOUGH, |scene| killed(scene, 50))
            .with_ignored_flag(true),
        trial("a_cut_network_is_an_error_and_loses_nothing", ENOUGH, cut),
        trial("what_a_full_stream_drops_is_missed", 64 * 1024, full),
        trial("a_stream_that_takes_no_more_is_an_error_and_loses_nothing", ENOUGH, streams::full),
        trial("a_deleted_stream_is_made_again", ENOUGH, streams::deleted),
        trial("what_is_purged_unread_is_missed_at_once", ENOUGH, streams::purged),
        trial("a_replaced_stream_is_read_from_its_beginning", ENOUGH, streams::replaced),
        trial("a_client_needs_no_runtime", ENOUGH, without_runtime),
        trial("a_slow_client_loses_nothing_that_is_kept", ENOUGH, slow),
        trial("a_full_client_watches_and_unwatches", ENOUGH, watched_when_full),
        trial("a_daemon_that_was_started_again_is_a_loss", ENOUGH, started_again),
        trial("a_daemon_that_is_gone_is_an_error", ENOUGH, gone),
        trial("a_second_daemon_with_the_same_subject_ends", ENOUGH, second),
        trial("forged_and_damaged_messages_are_losses", ENOUGH, forgery::strange),
        trial("a_message_that_comes_twice_is_read_once", ENOUGH, forgery::twice),
        trial("imitated_messages_are_losses", ENOUGH, forgery::imitated),
        trial("a_client_goes_on_where_it_stopped", ENOUGH, resumed),
        trial("the_program_publishes", ENOUGH, program::publishes),
        Trial::test("the_program_says_what_is_wrong_with_its_arguments", || {
            program::refuses();
            Ok(())
        }),
        Trial::ignorable_test("a_password_and_a_certificate_are_settings", || {
            for program in ["openssl", "nats-server"] {
                if Command::new(program).arg("-v").output().is_err() {
                    return Ok(Completion::ignored_with(format!("needs `{program}`")));
                }
            }
            guarded();
            Ok(Completion::Completed)
        }),
        Trial::ignorable_test("each_side_needs_only_the_rights_of_the_guide", || match limited() {
            Err(reason) => Ok(Completion::ignored_with(reason)),
            Ok(()) => Ok(Completion::Completed),
        }),
        Trial::ignorable_test("a_killed_leader_of_a_cluster_loses_nothing", || {
            match cluster::servers() {
                Err(reason) => Ok(Completion::ignored_with(reason)),
                Ok(servers) => {
                    let mut scene = Scene::with(servers, &ConnectOptions::new(), ENOUGH);
                    cluster::leader_killed(&mut scene);
                    Ok(Completion::Completed)
                }
            }
        })
        .with_ignored_flag(true),
        trial("twenty_clients_lose_nothing_and_need_little_memory", ENOUGH, |scene| {
            load::run(scene, 20, 20_000);
        })
        .with_ignored_flag(true),
        trial("load", 1024 * 1024 * 1024, load::run_large).with_ignored_flag(true),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Creates a test with its own server, which is ignored if there is none.
fn trial(name: &str, keep: u32, test: fn(&mut Scene)) -> Trial {
    Trial::ignorable_test(name, move || match Scene::new(keep) {
        Err(reason) => Ok(Completion::ignored_with(reason)),
        Ok(mut scene) => {
            test(&mut scene);
            Ok(Completion::Completed)
        }
    })
}

/// Both sides name the server's certificate, and a user with a password. A client without them gets nowhere.
fn guarded() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("certificate"), folder.path().join("key"));
    let signed = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"])
        .args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-out")
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output()
        .unwrap();
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    let settings = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\" }}\n\
         authorization {{ user: daemon, password: secret }}\n",
        certificate.display(),
        key.display(),
    );
    let server = Server::start_with(&settings).unwrap();
    let encrypted = |options: ConnectOptions| {
        options.require_tls(true).add_root_certificates(certificate.clone())
    };
    let options =
        encrypted(ConnectOptions::with_user_and_password("daemon".into(), "secret".into()));
    let mut scene = Scene::with(vec![server], &options, ENOUGH);
    let known = scene.address.clone().options(options);
    let mut client = scene.client(Scene::settings_at(known));
    let files = scene.make(3);
    let items = scene.until_made(&mut client, &files[2]);
    assert_eq!(made(&items, &files), 3, "{items:?}");
    let strangers = [
        encrypted(ConnectOptions::with_user_and_password("daemon".into(), "guess".into())),
        encrypted(ConnectOptions::new()),
        // It does not know the certificate.
        ConnectOptions::with_user_and_password("daemon".into(), "secret".into()),
    ];
    for stranger in strangers {
        let watches = vec![Watch::recursive(scene.folder.path())];
        let settings = Scene::settings_at(scene.address.clone().options(stranger));
        let refused = RemoteBackend::with_settings(settings, watches);
        let error = refused.unwrap_err();
        assert!(matches!(error, BackendError::Unavailable { .. }), "{error}");
    }
}

/// Daemon and clients work with the rights that the guide's page on many machines names. With them, a client cannot
/// publish events.
fn limited() -> Result<(), String> {
    let user = |name: &str, publish: &[&str], subscribe: &[&str]| {
        format!(
            "{{ user: {name}, password: secret, permissions: \
             {{ publish: {publish:?}, subscribe: {subscribe:?} }} }}"
        )
    };
    let daemon = user(
        "daemon",
        &[
            "files.host.root.events",
            "files.host.root.alive",
            "_INBOX.>",
            "$JS.API.STREAM.NAMES",
            "$JS.API.STREAM.CREATE.>",
        ],
        &["files.host.root.questions", "files.host.root.alive", "_INBOX.>"],
    );
    let client = user(
        "client",
        &[
            "files.host.root.questions",
            "$JS.API.STREAM.NAMES",
            "$JS.API.STREAM.INFO.>",
            "$JS.API.CONSUMER.CREATE.>",
            "$JS.API.CONSUMER.MSG.NEXT.>",
        ],
        &["files.host.root.alive", "_INBOX.>"],
    );
    let users = format!("authorization {{ users: [{daemon}, {client}] }}\n");
    let login = |name: &str| ConnectOptions::with_user_and_password(name.into(), "secret".into());
    let mut scene = Scene::with(vec![Server::start_with(&users)?], &login("daemon"), ENOUGH);
    let known = scene.address.clone().options(login("client"));
    let mut client = scene.client(Scene::settings_at(known));
    let first = scene.make(1);
    scene.until_made(&mut client, &first[0]);
    scene.runtime.block_on(async {
        let nats = login("client").connect(&scene.servers[0].address).await.unwrap();
        nats.publish(format!("{SUBJECT}.events"), "forged".into()).await.unwrap();
        // The server replies after it has handled what came before.
        nats.flush().await.unwrap();
    });
    let second = scene.make(1);
    let items = scene.until_made(&mut client, &second[0]);
    assert!(!items.iter().any(is_missed), "{items:?}");
    Ok(())
}

fn killed(scene: &mut Scene, times: usize) {
    let mut client = scene.client(scene.settings());
    for _ in 0..times {
        let mut files = scene.make(20);
        scene.server().kill();
        files.extend(scene.make(20));
        scene.server().restart().unwrap();
        files.extend(scene.make(20));
        let items = scene.until_made(&mut client, &files[59]);
        assert!(items.iter().any(is_read_error), "no error: {items:?}");
        if !items.iter().any(is_missed) {
            assert_eq!(made(&items, &files), 60, "{items:?}");
        }
    }
}

fn cut(scene: &mut Scene) {
    let proxy = Proxy::start(&scene.server().address);
    let behind = scene.address.clone().server(&proxy.address);
    let mut client = scene.client(Scene::settings_at(behind));
    let first = scene.make(1);
    scene.until_made(&mut client, &first[0]);
    proxy.cut();
    let files = scene.make(100);
    // Without a connection that ends: the heartbeats are missing.
    scene.until(&mut client, is_read_error);
    proxy.mend();
    let items = scene.until_made(&mut client, &files[99]);
    assert_eq!(made(&items, &files), 100);
    assert!(!items.iter().any(is_missed), "{items:?}");
}

fn full(scene: &mut Scene) {
    let mut client = scene.client(scene.settings().capacity(10));
    scene.make(5000);
    let last = scene.make(1);
    // It has received no more than fits, and the stream has dropped the rest.
    let items = scene.until_made(&mut client, &last[0]);
    assert!(items.iter().any(is_missed), "{} items without a loss", items.len());
    assert!(items.len() < 5000, "nothing was dropped");
    let next = scene.make(1);
    let items = scene.until_made(&mut client, &next[0]);
    assert!(!items.iter().any(is_missed), "{items:?}");
}

fn slow(scene: &mut Scene) {
    let mut client = scene.client(scene.settings().capacity(10));
    let files = scene.make(3000);
    let items = scene.until_made(&mut client, &files[2999]);
    assert_eq!(made(&items, &files[..100]), 100);
    assert!(!items.iter().any(is_missed), "{} items", items.len());
}

fn started_again(scene: &mut Scene) {
    let mut client = scene.client(scene.settings());
    scene.end_daemon();
    // No daemon sees this.
    scene.make(1);
    scene.start_daemon();
    scene.until(&mut client, is_missed);
    let file = scene.make(1);
    scene.until_made(&mut client, &file[0]);
}

fn gone(scene: &mut Scene) {
    let mut client = scene.client(scene.settings());
    scene.end_daemon();
    let items = scene.until(&mut client, is_read_error);
    let error = items.last().unwrap().as_ref().unwrap_err().to_string();
    assert!(error.contains("the daemon of files.host.root has been silent"), "{error}");
}

/// It names the mistake before it has published anything, and the first daemon goes on.
fn second(scene: &mut Scene) {
    let mut client = scene.client(scene.settings());
    let error = scene.end_of_second_daemon().to_string();
    assert!(error.contains("another daemon publishes on files.host.root at nats://"), "{error}");
    let files = scene.make(3);
    let items = scene.until_made(&mut client, &files[2]);
    assert_eq!(made(&items, &files), 3, "{items:?}");
    assert!(!items.iter().any(is_missed), "{items:?}");
}

fn resumed(scene: &mut Scene) {
    let mut client = scene.client(scene.settings());
    let files = scene.make(3);
    scene.until_made(&mut client, &files[1]);
    let cursor = client.cursor().unwrap();
    drop(client);
    let later = scene.make(3);
    let watches = vec![Watch::recursive(scene.folder.path())];
    let start = Instant::now();
    let mut client =
        RemoteBackend::resume_with_settings(scene.settings(), watches, &cursor).unwrap();
    let items = scene.until_made(&mut client, &later[2]);
    assert!(start.elapsed() < DEADLINE);
    assert!(!items.iter().any(|item| is_made(item, &files[1])), "twice: {items:?}");
    assert_eq!(made(&items, &files[2..]) + made(&items, &later), 4, "{items:?}");
}

/// It is made in a runtime that has ended, and polled outside of any, where no timer of a program's runtime goes.
fn without_runtime(scene: &mut Scene) {
    struct Thread(thread::Thread);

    impl Wake for Thread {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut client = runtime.block_on(async { scene.client(scene.settings()) });
    drop(runtime);
    let waker = Arc::new(Thread(thread::current())).into();
    let start = Instant::now();
    let mut poll = |is_it: &dyn Fn(&StreamItem) -> bool| {
        loop {
            match Pin::new(&mut client).poll_next(&mut Context::from_waker(&waker)) {
                Poll::Ready(Some(item)) if is_it(&item) => return,
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => panic!("it has ended"),
                Poll::Pending => thread::park_timeout(DEADLINE),
            }
            assert!(start.elapsed() < DEADLINE, "nothing comes");
        }
    };
    let file = scene.make(1);
    poll(&|item| is_made(item, &file[0]));
    // By a timer of the client's own.
    scene.end_daemon();
    poll(&is_read_error);
}

/// While nothing is read, and there is no room for another report.
fn watched_when_full(scene: &mut Scene) {
    let inner = scene.folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let mut client = scene.client(scene.settings().capacity(1));
    let files = scene.make(100);
    // The client has taken in what it has room for.
    scene.until_made(&mut client, &files[10]);
    client.watch(Watch::recursive(&inner)).unwrap();
    client.unwatch(scene.folder.path()).unwrap();
    let file = inner.join("file");
    std::fs::write(&file, "").unwrap();
    let items = scene.until_made(&mut client, &file);
    assert!(items.iter().all(|item| is_below(item, &inner)), "not watched any more: {items:?}");
}

fn is_below(item: &StreamItem, folder: &Path) -> bool {
    item.as_ref().is_ok_and(|event| event.path.starts_with(folder))
}
