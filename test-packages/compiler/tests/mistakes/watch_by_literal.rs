use notify_backend::prelude::*;

fn main() {
    let watch = Watch { path: "/srv/www".into(), recursive: true };
    let Watch { path, recursive } = watch;
    println!("{path:?} {recursive}");
}
