//! Generates `memberd.toml.5` from the shipped settings, which explain every key.

use clap_mangen::roff::{Roff, bold, roman};

/// The settings of a machine. A fleet test checks them.
const EXAMPLE: &str = include_str!("example.toml");

/// The page for settings in the form of `packaging/memberd.toml`: comments, and below each comment
/// its key as `#key = value`.
pub(super) fn page(settings: &str, source: &str) -> String {
    let mut page = Roff::new();
    page.control("TH", ["memberd.toml", "5", "", source, "memberd manual"]);
    page.control("SH", ["NAME"]).text([roman("memberd.toml - the settings of memberd")]);
    page.control("SH", ["DESCRIPTION"]);
    let mut comment = Vec::new();
    for line in settings.lines() {
        match line.strip_prefix('#') {
            Some(text) if text.is_empty() || text.starts_with(' ') => comment.push(text.trim()),
            Some(key) => {
                page.control("TP", []).text([bold(key)]).text([roman(comment.join(" "))]);
                comment.clear();
            }
            None => {
                if !comment.is_empty() {
                    page.text([roman(comment.join(" "))]);
                    comment.clear();
                }
                if line.starts_with('[') {
                    page.control("SH", [line]);
                }
            }
        }
    }
    page.control("SH", ["EXAMPLE"]).control("nf", []);
    for line in EXAMPLE.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    page.control("SH", ["FILES"]).text([roman("/etc/memberd/memberd.toml")]);
    page.control("SH", ["SEE ALSO"]).text([roman("memberd(8), memberctl(1)")]);
    page.to_roff()
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn every_key_of_the_shipped_settings_is_explained() {
        let settings = include_str!("../memberd.toml");
        let page = page(settings, "memberd").replace('\\', "");
        let keys: Vec<&str> = settings
            .lines()
            .filter(|line| line.starts_with('#') && !line.starts_with("# "))
            .collect();
        assert!(keys.len() > 10, "{keys:?}");
        for key in keys {
            let (_, explained) =
                page.split_once(&format!("fB{}fR", key.trim_start_matches('#'))).expect(key);
            let first = explained.trim_start().lines().next().unwrap_or_default();
            assert!(first.len() > 4 && !first.starts_with('.'), "{key} is explained by: {first}");
        }
    }
}
