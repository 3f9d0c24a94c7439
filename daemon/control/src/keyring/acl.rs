//! Reads a file's access control list, acl(5): does it give permissions to users or groups beside
//! the file's own? The list has the form in which the kernel returns it.

use rustix::fs::fgetxattr;
use rustix::io::Errno;
use rustix::process::geteuid;
use std::fs::File;
use std::io;

/// The attribute that holds the list: xattr(7).
const NAME: &str = "system.posix_acl_access";

/// The room for entries, which is more than a key file needs.
const MOST: usize = 4 + 8 * 64;

/// The tags of entries, as in `linux/posix_acl.h`.
const USER: u16 = 0x02;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;

/// Whether the list gives a permission to a named group, or to a named user other than this
/// process's own. systemd uses an entry for the service's user to give it a credential.
///
/// # Errors
/// When the list cannot be read.
pub(super) fn lets_others_in(file: &File) -> io::Result<bool> {
    let mut list = [0; MOST];
    match fgetxattr(file, NAME, &mut list) {
        Ok(length) => Ok(gives_to_others(list.get(..length).unwrap_or(&list), geteuid().as_raw())),
        // The file has no list, or its file system does not support them.
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
        Err(Errno::RANGE) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// The list has a version of four bytes, and then entries: a tag, permissions, and a user or group.
/// All numbers are little-endian: `linux/posix_acl_xattr.h`.
fn gives_to_others(list: &[u8], own: u32) -> bool {
    let (entries, _) = list.get(4..).unwrap_or_default().as_chunks::<8>();
    let entries = || {
        entries.iter().map(|[t0, t1, p0, p1, id @ ..]| {
            (
                u16::from_le_bytes([*t0, *t1]),
                u16::from_le_bytes([*p0, *p1]),
                u32::from_le_bytes(*id),
            )
        })
    };
    let mask = entries()
        .find(|(tag, ..)| *tag == MASK)
        .map_or(u16::MAX, |(_, permissions, _)| permissions);
    entries().any(|(tag, permissions, id)| {
        permissions & mask != 0 && (tag == GROUP || tag == USER && id != own)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{XattrFlags, fsetxattr};

    const OWNER: (u16, u16, u32) = (0x01, 6, u32::MAX);
    const OWNERS_GROUP: (u16, u16, u32) = (0x04, 4, u32::MAX);
    const OTHER: (u16, u16, u32) = (0x20, 0, u32::MAX);

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let entry = |(tag, permissions, id): &(u16, u16, u32)| {
            [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
        };
        [2_u32.to_le_bytes().to_vec()]
            .into_iter()
            .chain(entries.iter().map(entry))
            .collect::<Vec<_>>()
            .concat()
    }

    #[test]
    fn entries_for_others_count_if_the_mask_leaves_a_permission() {
        for (entries, others) in [
            (vec![OWNER, OWNERS_GROUP, OTHER], false),
            (vec![OWNER, (USER, 4, 7), OWNERS_GROUP, (MASK, 4, u32::MAX), OTHER], false),
            (vec![OWNER, (USER, 4, 8), OWNERS_GROUP, (MASK, 4, u32::MAX), OTHER], true),
            (
                vec![OWNER, (USER, 4, 7), (USER, 4, 8), OWNERS_GROUP, (MASK, 4, u32::MAX), OTHER],
                true,
            ),
            (vec![OWNER, (USER, 4, 8), OWNERS_GROUP, (MASK, 0, u32::MAX), OTHER], false),
            (vec![OWNER, OWNERS_GROUP, (GROUP, 4, 7), (MASK, 4, u32::MAX), OTHER], true),
        ] {
            assert_eq!(gives_to_others(&list(&entries), 7), others, "{entries:?}");
        }
        for length in 0..20 {
            assert!(!gives_to_others(&vec![0; length], 7));
        }
    }

    #[test]
    fn a_file_has_the_list_that_it_was_given() {
        let file = tempfile::tempfile().unwrap();
        assert!(!lets_others_in(&file).unwrap());
        let own = geteuid().as_raw();
        for (id, others) in [(own, false), (own + 1, true)] {
            let bytes = list(&[OWNER, (USER, 4, id), OWNERS_GROUP, (MASK, 4, u32::MAX), OTHER]);
            match fsetxattr(&file, NAME, &bytes, XattrFlags::empty()) {
                Ok(()) => assert_eq!(lets_others_in(&file).unwrap(), others),
                Err(error) => {
                    assert!(
                        error == Errno::OPNOTSUPP
                            && std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                        "{error}"
                    );
                    return eprintln!(
                        "LEFT OUT: the directory for temporary files has no access control lists"
                    );
                }
            }
        }
    }
}
