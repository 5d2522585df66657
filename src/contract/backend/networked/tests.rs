//! The types of mounts, and of the paths on this machine.

use std::{io, path::Path};

use super::{
    is_networked,
    system::{is_type_networked, type_of},
};

const MOUNTS: &str = "\
21 1 0:31 /root / rw,relatime shared:1 - btrfs /dev/sda2 rw,subvol=/root
36 21 8:1 / /boot rw - ext4 /dev/sda1 rw
40 21 0:44 / /mnt/a\\040-\\040b rw,nosuid shared:9 master:3 - fuse.sshfs ann@host: rw,user_id=0
41 21 259:300 / /srv rw - nfs4 server:/export rw,vers=4.2
";

/// Returns a device's number, from numbers that are less than 256.
fn device(major: u64, minor: u64) -> u64 {
    major << 8 | minor
}

#[test]
fn the_type_is_found_by_the_device() {
    assert_eq!(type_of(MOUNTS, device(8, 1)), Some("ext4"));
    assert_eq!(type_of(MOUNTS, device(0, 44)), Some("fuse.sshfs"));
    // 300 is 0x12c; its last eight bits stay in place.
    assert_eq!(type_of(MOUNTS, 259 << 8 | 0x1 << 20 | 0x2c), Some("nfs4"));
    // A subvolume of btrfs.
    assert_eq!(type_of(MOUNTS, device(0, 32)), None);
    assert_eq!(type_of("", device(8, 1)), None);
}

#[test]
fn types_of_servers_are_networked() {
    for name in ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs", "fuse.rclone"] {
        assert!(is_type_networked(name), "{name}");
    }
    for name in ["ext4", "btrfs", "overlay", "tmpfs", "fuse", "fuseblk", "fuse.gocryptfs", "sshfs"]
    {
        assert!(!is_type_networked(name), "{name}");
    }
}

#[test]
fn this_machine_is_not_networked() {
    for path in ["/proc", "/sys", "/dev"] {
        assert!(!is_networked(Path::new(path)).expect("the path exists"), "{path}");
    }
}

#[test]
fn a_missing_path_is_an_error() {
    let error = is_networked(Path::new("/no/such/folder")).expect_err("the path does not exist");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
