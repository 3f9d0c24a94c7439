//! What new settings and directories that cannot be read do to the files of a job.

use super::machine::{NONE, line, machine, shown};
use super::*;
use tempfile::TempDir;

/// Of a file that is no longer exposed, no look tells anything, and no descriptor is kept. Whether
/// another directory can be read makes no difference.
#[test]
fn what_is_no_longer_exposed_is_not_read_on() {
    for globs in [vec![], vec!["/l/*.log".to_owned()], vec![unreadable_glob()]] {
        let mut machine = machine(Start::Beginning);
        machine.append("x.log", &line(1, "a"));
        machine.look(NONE);
        machine.rename("x.log", "x.log.1");
        machine.append("x.log", &line(1, "b"));
        assert_eq!(machine.told(NONE).len(), 2);
        machine.offer = Arc::new(ExposedFiles::new(&globs).unwrap());
        machine.append("x.log", &line(1, "secret"));
        assert!(!machine.files.has_seen(&machine.offer), "nothing is opened");
        assert_eq!(machine.told(NONE), []);
        assert!(machine.files.files.is_empty());
    }
}

/// Deleted files that are still exposed by their names are read on under new settings, too.
#[test]
fn a_new_offer_takes_no_deleted_file_away() {
    let mut machine = machine(Start::Beginning);
    machine.append("x.log", &line(1, "a"));
    let key = machine.one().key;
    machine.remove("x.log");
    machine.offer = Arc::new(machine.offer.as_ref().clone());
    assert_eq!(shown(&[machine.one()]), [(key, line(1, "a").as_str())]);
}

/// Where links are no longer followed, nothing that they led to is read on.
#[test]
fn what_a_link_led_to_is_not_read_on() {
    let mut machine = machine(Start::Beginning);
    let elsewhere = TempDir::new().unwrap();
    let target = elsewhere.path().join("target");
    std::fs::write(&target, line(1, "a")).unwrap();
    std::os::unix::fs::symlink(&target, machine.path("x.log")).unwrap();
    let plain = machine.offer.as_ref().clone();
    let follows = plain.clone().following_links(&[elsewhere.path().to_str().unwrap()]);
    machine.offer = Arc::new(follows.unwrap());
    assert_eq!(machine.one().text, line(1, "a"));
    machine.offer = Arc::new(plain);
    assert_eq!(machine.told(NONE), []);
}

/// A glob of which no listing can read everything: a name in it is longer than any may be.
fn unreadable_glob() -> String {
    format!("/{}/*.log", "n".repeat(300))
}

/// A directory that cannot be read keeps no deleted file of another one open for ever.
#[test]
fn a_deleted_file_ends_beside_an_unreadable_directory() {
    let mut machine = machine(Start::Beginning);
    let globs = [machine.path("*.log").to_str().unwrap().to_owned(), unreadable_glob()];
    machine.offer = Arc::new(ExposedFiles::new(&globs).unwrap());
    assert_ne!(machine.offer.files(&machine.files.filter).problems, []);
    machine.append("x.log", &line(1, "a"));
    let told = machine.one();
    machine.remove("x.log");
    machine.look(NONE);
    machine.pass(QUIET_MS);
    assert!(machine.one().is_finished);
    assert_eq!(machine.told(&[(told.key, told.text.len() as u64)]), []);
    assert!(machine.files.files.is_empty());
}

/// What lies below a directory that cannot be read may still be there.
#[test]
fn only_what_cannot_be_listed_may_be_there() {
    let problem = |path: &str| Problem { path: path.into(), reason: "no".to_owned() };
    let may_be = |problems: &[Problem]| may_be_there(Path::new("/l/d/x.log"), problems, false);
    assert!(may_be(&[problem("/m"), problem("/l")]));
    assert!(!may_be(&[problem("/m"), problem("/l/e"), problem("/l/d/x.log")]));
    assert!(may_be(&vec![problem("/m"); MAX_PROBLEMS]), "not all problems are named");
    assert!(may_be_there(Path::new("/l/x.log"), &[], true));
}
