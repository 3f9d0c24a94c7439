//! Tests of `key generate` and `key list`, which need no daemon.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use crate::fake::{memberctl, run};

#[test]
fn a_new_key_is_private_and_listed_only_by_its_id() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("group.key");
    run(memberctl().args(["key", "generate"]).arg(&path)).printed("");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let more = run(memberctl().args(["key", "generate"]));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}{}", more.stdout)).unwrap();
    let text = format!("{text}{}", more.stdout);
    let ids: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# key ")?.split(',').next()).collect();
    let [first, second] = ids.as_slice() else { panic!("two keys in {text}") };
    assert_ne!(first, second);

    run(memberctl().args(["key", "list"]).arg(&path))
        .printed(&format!("KEY       USE\n{first}  seals\n{second}  accepted\n"));
    let json = format!(
        "[\n  {{\"id\":\"{first}\",\"use\":\"seals\"}},\n  \
        {{\"id\":\"{second}\",\"use\":\"accepted\"}}\n]\n"
    );
    run(memberctl().args(["key", "list", "--json"]).arg(&path)).printed(&json);
}

#[test]
fn no_keyring_is_overwritten() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("group.key");
    fs::write(&path, "precious").unwrap();
    run(memberctl().args(["key", "generate"]).arg(&path))
        .failed(1, "exists already: to add a key to it, memberctl key generate >>");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn an_absent_bad_or_exposed_keyring_is_one_line() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("group.key");
    let list = || run(memberctl().args(["key", "list"]).arg(&path));
    list().failed(1, "group.key: No such file or directory");
    fs::write(&path, "# a comment\nmemberd-key:1234\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    list().failed(1, "group.key: its mode is 0644");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let refused = list();
    refused.failed(1, "group.key: line 2: a key is 64 hexadecimal digits, not 4 characters");
    assert!(!refused.stderr.contains("1234"), "{refused:?}");
}
