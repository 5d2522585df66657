//! A platform's limit, named so that it can be raised: [`Limit`].

use std::{borrow::Cow, fmt, fs, path::Path};

/// A platform limit: the setting to raise, and its value.
///
/// ```
/// use notify_backend::Limit;
///
/// let limit = Limit::new("kern.maxfiles", Some(12_328));
/// assert_eq!(limit.to_string(), "kern.maxfiles (now 12328)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// The setting's name as an administrator knows it, e.g. `fs.inotify.max_user_watches`.
    pub setting: Cow<'static, str>,
    /// Its value, if it could be read.
    pub value: Option<u64>,
}

impl Limit {
    /// The limit is not known to the backend.
    pub const UNKNOWN: Self = Self { setting: Cow::Borrowed("the platform's limit"), value: None };

    /// Creates a limit that an administrator raises with `setting`, with its value if it is known.
    pub fn new(setting: impl Into<Cow<'static, str>>, value: Option<u64>) -> Self {
        Self { setting: setting.into(), value }
    }

    /// Creates a limit from the Linux setting `name` (as in `sysctl NAME`) and its current value. If there
    /// is no such setting, there is no value.
    ///
    /// ```
    /// use notify_backend::Limit;
    ///
    /// let limit = Limit::sysctl("fs.inotify.max_user_watches");
    /// println!("raise {limit}"); // raise fs.inotify.max_user_watches (now 65536)
    /// ```
    #[must_use]
    pub fn sysctl(name: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        let file = Path::new("/proc/sys").join(name.replace('.', "/"));
        let value = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
        Self::new(name, value)
    }
}

/// The setting, and its value if it is known.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.setting)?;
        self.value.map_or(Ok(()), |value| write!(f, " (now {value})"))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_that_of_the_kernel() {
        let limit = Limit::sysctl("kernel.pid_max");
        let file = fs::read_to_string("/proc/sys/kernel/pid_max").unwrap();
        assert_eq!(limit.value, Some(file.trim().parse().unwrap()));
        assert_eq!(limit.to_string(), format!("kernel.pid_max (now {})", file.trim()));
    }

    #[test]
    fn a_setting_that_is_no_number_has_no_value() {
        for name in ["no.such.setting", "kernel", "kernel.ostype", "", ".", "..", "a\0b"] {
            let limit = Limit::sysctl(name);
            assert_eq!(limit, Limit::new(name, None));
            assert_eq!(limit.to_string(), name);
        }
    }
}
