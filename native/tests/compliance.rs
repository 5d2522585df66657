//! Checks the backend that is chosen for the suite's folders, on Linux `inotify`, through the choice.

use notify_backend_native::NativeBackend;

notify_backend::test_compliance!(NativeBackend);
