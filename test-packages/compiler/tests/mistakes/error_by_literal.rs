use notify_backend::prelude::*;

fn unwritten() -> BackendError {
    BackendError::NotImplemented { what: "the stream" }
}

fn paths(error: BackendError) -> Vec<PathBuf> {
    match error {
        BackendError::NotFound { paths } => paths,
        _ => vec![],
    }
}

fn main() {
    paths(unwritten());
}
