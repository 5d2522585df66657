//! Calls of the backend that have to succeed.

use std::path::Path;

use crate::{
    compliance::{
        rules::failure::{Step, fail},
        scene::driver::Driver,
    },
    contract::backend::Watch,
};

/// Adds a watch; fails if that returns an error.
pub(super) fn add(driver: &mut Driver, watch: Watch) -> Step {
    match driver.watch(watch)? {
        Ok(()) => Ok(()),
        Err(error) => fail("`watch` adds a path", format!("it returned: {error}")),
    }
}

/// Removes a watch; fails if that returns an error.
pub(super) fn remove(driver: &mut Driver, path: &Path) -> Step {
    match driver.unwatch(path)? {
        Ok(()) => Ok(()),
        Err(error) => fail("`unwatch` removes a path", format!("it returned: {error}")),
    }
}
