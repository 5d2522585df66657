//! Holds the backend to its contract and to the capabilities it declares.
notify_backend::test_compliance!(notify_backend_inotify::InotifyBackend);
