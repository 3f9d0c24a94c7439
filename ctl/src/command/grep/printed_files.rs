//! Takes `NAME:FILE`, as grep prints it, for a FILE of that member.

use memberd_control::grep::GrepMembers;

/// Moves the member's name from the files to the members that are asked. Members offer absolute
/// paths, so no other glob begins with a name, a colon and a slash.
///
/// # Errors
/// When files of several members are named, or others beside them: each member is asked for all.
pub(in crate::command) fn take_member(
    files: &mut [String],
    members: &mut GrepMembers,
) -> Result<(), String> {
    let Some((first, name)) =
        files.iter().find_map(|file| Some((file.clone(), split(file)?.0.to_owned())))
    else {
        return Ok(());
    };
    if !members.on.is_empty() {
        return Err(format!("'{first}' names its member, so it cannot be combined with '--on'"));
    }
    for file in files {
        match split(file) {
            Some((other, path)) if other == name => *file = path.to_owned(),
            _ => {
                return Err(format!(
                    "'{first}' and '{file}' are not files of one member: search them one by one"
                ));
            }
        }
    }
    members.on.push(name);
    Ok(())
}

/// The name of a member and an absolute path.
fn split(file: &str) -> Option<(&str, &str)> {
    let (name, path) = file.split_once(':')?;
    let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (!name.is_empty() && name.bytes().all(of_a_name) && path.starts_with('/'))
        .then_some((name, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(files: &[&str], on: &[&str]) -> Result<(Vec<String>, Vec<String>), String> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let mut files: Vec<String> = owned(files);
        let mut members = GrepMembers { on: owned(on), ..GrepMembers::default() };
        take_member(&mut files, &mut members).map(|()| (files, members.on))
    }

    #[test]
    fn a_file_as_printed_is_one_of_its_member() {
        let both = |files: &[&str], on: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            Ok((owned(files), owned(on)))
        };
        assert_eq!(taken(&["vm1:/var/log/a"], &[]), both(&["/var/log/a"], &["vm1"]));
        assert_eq!(taken(&["a.b-1:/x:/y", "a.b-1:/z*"], &[]), both(&["/x:/y", "/z*"], &["a.b-1"]));
        for file in ["/var/log/a", "*.log", "a:b", "*:/x", "/x:/y", ":/x", "vm1:"] {
            assert_eq!(taken(&[file], &["vm2"]), both(&[file], &["vm2"]), "{file}");
        }
    }

    #[test]
    fn files_of_several_members_are_refused() {
        for (files, on, words) in [
            (&["vm1:/a", "vm2:/a"][..], &[][..], "'vm1:/a' and 'vm2:/a' are not files of one"),
            (&["*.log", "vm1:/a"], &[], "'vm1:/a' and '*.log' are not files of one member"),
            (&["vm1:/a"], &["vm1"], "'vm1:/a' names its member, so it cannot be combined with"),
        ] {
            let error = taken(files, on).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
