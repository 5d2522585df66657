use notify_backend::{prelude::*, settings::Made};

struct Fast;

fn main() {
    let _ = Made::<Fast>::new(vec![Watch::recursive("/srv")]);
}
