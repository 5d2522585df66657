//! Checks the backend against the contract and the capabilities that it declares. {%- capture source %}

use notify_backend_inotify::InotifyBackend;

notify_backend::test_compliance!(InotifyBackend);
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_inotify", crate_name | replace: "InotifyBackend", type_name -}}
