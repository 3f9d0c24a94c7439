//! What a reload takes, keeps and forgets.

use super::*;

/// A reload, which logrotate requests too, must not fail because a cable is out.
#[test]
fn a_reload_without_a_default_route_keeps_the_address() {
    let text = "[security]\nkey_file = '/x'";
    let last_address = Some([192, 0, 2, 5].into());
    let offline = System { default_address: |_| None, last_address, ..SYSTEM };
    assert_eq!(parse("m.toml", text, &offline).unwrap().address.to_string(), "192.0.2.5:8946");
    let online = System { last_address, ..SYSTEM };
    assert_eq!(parse("m.toml", text, &online).unwrap().address.to_string(), "127.0.0.1:8946");
}

#[test]
fn a_reload_takes_what_can_change_and_names_what_cannot() {
    let old = good("[node]\nname = 'a'");
    let new = good(
        "[node]\nname = 'b'\nport = 1\n[logs]\nlevel = 'debug'\nfiles = ['/var/log/x']\n\
         follow_links = ['/a']",
    );
    let (now, kept) = old.reload(new);
    assert_eq!(kept, ["node.name", "node.machine", "node.port"]);
    assert_eq!((now.name.as_str(), now.log_level, now.log_files.len()), ("a", Level::Debug, 1));
    assert_eq!(now.follow_links, ["/a"]);
}

/// Whichever key differs, the reload takes its value, or names it. With another detector there are
/// other keys.
#[test]
fn a_reload_forgets_no_key() {
    let old = good("[node]\nname = 'a'\n[group]\njoin_on_start = true\n[streams]\nenabled = false");
    let new = good(
        "[node]\nname = 'b'\nmachine = 9\naddress = '127.0.0.9'\nbind = '127.0.0.8'\nport = 1\n\
         tags = { role = 'db' }\n\
         [group]\nintroducers = ['127.0.0.1:8946']\njoin_on_start = false\n\
         max_simultaneous_failures = 3\nheartbeat_interval = '500ms'\nfailure_timeout = '1600ms'\n\
         forget_after = '48h'\n\
         [paths]\nstate_dir = '/s'\nlog_dir = '/l'\n\
         [logs]\nfiles = ['/a']\nfollow_links = ['/b']\njournal = true\n\
         journal_namespaces = ['x']\nlevel = 'debug'\nsearches = false\n\
         copies = 1\nno_copies = ['x']\ncopies_space = '64MiB'\ncopies_total = '1GiB'\n\
         copies_age = '2d'\ncopies_rate = '1MiB'\n\
         [limits]\nsearches = 9\nsearch_threads = 1\nsearch_time = '2h'\nsearch_output = '1GiB'\n\
         search_memory = '200MiB'\ngreps = 9\n\
         [control]\nsocket = '/c.sock'\n\
         [search]\nsocket = '/s.sock'\ngroup = 'x'\nfiles = ['/a']\ntags = ['role=db']\n\
         journal = true\n\
         [security]\nkey_file = '/k'\nallow_plaintext = true\n\
         [metrics]\nlisten = '127.0.0.1:9946'\n\
         [agreement]\nenabled = true\ninitial_council = ['x']\ncouncil = 5\nlease = '2s'\n\
         vote = false\n\
         [files]\nenabled = true\nspace = '1GiB'\nrepair_after = '1min'\n\
         webhdfs = '127.0.0.1:9870'\nwebhdfs_may = 'write'\nwebhdfs_shares = ['a']\n\
         [streams]\nenabled = true\nworker = '/w.sock'\njobs = true\n",
    );
    let (before, asked) = (old.settings(), new.settings());
    let (now, kept) = old.reload(new);
    for ((before, asked), now) in before.iter().zip(&asked).zip(now.settings()) {
        assert_eq!(before == asked, now.key == "group.detector", "{}", now.key);
        let expected = if kept.contains(&now.key) { before } else { asked };
        assert_eq!(&now, expected);
    }
    let is_taken = |key: &&str| !kept.contains(key) && *key != "group.detector";
    let taken: Vec<_> = asked.iter().map(|asked| asked.key).filter(is_taken).collect();
    assert_eq!(
        taken,
        [
            "node.tags",
            "group.introducers",
            "group.join_on_start",
            "logs.files",
            "logs.follow_links",
            "logs.journal",
            "logs.journal_namespaces",
            "logs.level",
            "logs.searches",
            "logs.copies",
            "logs.no_copies",
            "logs.copies_space",
            "logs.copies_total",
            "logs.copies_age",
            "logs.copies_rate",
            "search.files",
            "search.tags",
            "search.journal",
            "security.key_file",
            "files.repair_after",
            "files.webhdfs",
            "files.webhdfs_may",
            "files.webhdfs_shares",
            "streams.enabled",
            "streams.worker",
        ]
    );
}

#[test]
fn tags_are_checked_and_change_with_a_reload() {
    let old = good("[node]\nname = 'a'\ntags = { role = 'web', zone = 'a' }");
    assert_eq!(old.tags.to_string(), "role=web zone=a");
    let (now, kept) = old.reload(good("[node]\nname = 'a'\ntags = { role = 'db' }"));
    assert_eq!((now.tags.to_string().as_str(), kept), ("role=db", Vec::new()));
    let error = bad("[node]\ntags = { Role = 'web' }");
    assert_eq!(
        error,
        "m.toml:2: node.tags: \"Role\" is not a tag's key: 1 to 32 of a-z, 0-9, '.', '_', '-'"
    );
    assert!(
        bad(&format!("[node]\ntags = {{ role = '{}' }}", "x".repeat(65)))
            .contains("is not a tag's value: at most 64 bytes")
    );
    let many: Vec<String> = (0..17).map(|i| format!("k{i} = ''")).collect();
    assert_eq!(
        bad(&format!("[node]\ntags = {{ {} }}", many.join(", "))),
        "m.toml:2: node.tags: more than 16 tags"
    );
}
