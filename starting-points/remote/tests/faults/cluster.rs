//! Three servers that keep each message three times: [`servers`], and what happens when one of them dies.

use std::net::TcpListener;

use crate::{
    compliance::Server,
    scene::{SUBJECT, Scene, is_missed, made},
};

/// Starts three servers that form a cluster, or says why that is not possible.
pub(crate) fn servers() -> Result<Vec<Server>, String> {
    // All at once, or the system might give the same port twice.
    let free = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = free.each_ref().map(|free| free.local_addr().unwrap());
    drop(free);
    let routes = addresses.map(|address| format!("nats://{address}"));
    let settings = |(i, address)| {
        format!(
            "server_name: server-{i}\n\
             cluster {{ name: test, listen: \"{address}\", routes: {routes:?} }}\n"
        )
    };
    addresses.iter().enumerate().map(settings).map(|it| Server::start_with(&it)).collect()
}

/// The server that leads the stream is killed while files change, and comes back. Nothing is lost, and nothing hangs:
/// the others go on, and it learns from them what it has not stored.
pub(crate) fn leader_killed(scene: &mut Scene) {
    let mut client = scene.client(scene.settings());
    let mut files = scene.make(20);
    let leader = scene.with_streams(async |context| {
        let stream = context.stream_by_subject(format!("{SUBJECT}.events")).await.unwrap();
        let stream = context.get_stream(stream).await.unwrap();
        let cluster = stream.cached_info().cluster.clone().unwrap();
        assert_eq!(cluster.replicas.len(), 2, "{cluster:?}");
        cluster.leader.unwrap()
    });
    let leader: usize = leader.trim_start_matches("server-").parse().unwrap();
    scene.servers[leader].kill();
    files.extend(scene.make(20));
    let mut items = scene.until_made(&mut client, files.last().unwrap());
    scene.servers[leader].restart().unwrap();
    files.extend(scene.make(20));
    items.extend(scene.until_made(&mut client, files.last().unwrap()));
    assert_eq!(made(&items, &files), files.len(), "{items:?}");
    assert!(!items.iter().any(is_missed), "a loss: {items:?}");
}
