//! Fuzzes settings files. They are valid, or each line of the error names the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd::config::Config;

fuzz_target!(|text: &str| {
    match Config::parse("m.toml", text) {
        // Valid settings expose valid globs.
        Ok(config) => drop(config.offer().expect("the settings check the globs")),
        Err(error) => {
            assert!(!error.lines.is_empty());
            assert!(
                error
                    .lines
                    .iter()
                    .all(|line| line.starts_with("m.toml") && !line.contains(char::is_control))
            );
        }
    }
});
