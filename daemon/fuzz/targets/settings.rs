//! Settings files: they are valid, or each line of the error names the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd::config::Config;

fuzz_target!(|text: &str| {
    match Config::parse("m.toml", text) {
        // The files that the settings offer can be offered.
        Ok(config) => drop(config.offer().expect("the globs were looked over")),
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
