use notify_backend::settings::Maker;

struct Fast;

impl Maker for Fast {}

fn main() {}
