//! Shortens names, so that the names of real hosts fit. It owns no state.

use crate::format::printable;

/// What stands for the characters that were left out.
const ELLIPSIS: char = '…';

/// The end that all these names share, from a dot on, such as `.fra1.example.com`. It is empty if
/// they share none, or if there is only one name.
pub(super) fn common_domain<'n>(mut names: impl Iterator<Item = &'n str>) -> &'n str {
    let domain = |name: &'n str| name.find('.').and_then(|dot| name.get(dot..)).unwrap_or_default();
    let (Some(first), Some(second)) = (names.next(), names.next()) else { return "" };
    [second].into_iter().chain(names).fold(domain(first), |mut shared, name| {
        let has = |domain: &str| name.len() > domain.len() && name.ends_with(domain);
        while !shared.is_empty() && !has(shared) {
            let rest = shared.get(1..).unwrap_or_default();
            shared = domain(rest);
        }
        shared
    })
}

/// The name without this domain, in at most `columns` characters. Of a name that is longer, more
/// of the end stays than of the beginning: hosts often differ in a number there.
pub(super) fn shorten(name: &str, domain: &str, columns: usize) -> String {
    let name = printable(name.strip_suffix(domain).unwrap_or(name));
    let length = name.chars().count();
    if length <= columns {
        return name;
    }
    let room = columns.saturating_sub(1);
    let head = room / 3;
    let tail = length - (room - head);
    name.chars()
        .take(head)
        .chain([ELLIPSIS].into_iter().take(columns))
        .chain(name.chars().skip(tail))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_domain_is_found_and_left_out() {
        let shared = |names: &[&'static str]| common_domain(names.iter().copied());
        assert_eq!(shared(&["a.fra1.example.com", "b.fra1.example.com"]), ".fra1.example.com");
        assert_eq!(shared(&["a.fra1.example.com", "b.lon1.example.com"]), ".example.com");
        assert_eq!(shared(&["a.example.com", "b.example.org"]), "");
        assert_eq!(shared(&["a.example.com", "example.com"]), ".com");
        assert_eq!(shared(&["a.example.com"]), "");
        assert_eq!(shared(&["vm1", "vm2"]), "");
        assert_eq!(shared(&[]), "");
    }

    #[test]
    fn a_long_name_keeps_its_number() {
        let domain = ".fra1.example.com";
        assert_eq!(shorten("app-server-01.fra1.example.com", domain, 20), "app-server-01");
        assert_eq!(shorten("app-server-01.fra1.example.com", domain, 8), "ap…er-01");
        assert_eq!(shorten("vm1", domain, 3), "vm1");
        assert_eq!(shorten("vm12", "", 1), "…");
        assert_eq!(shorten("vm12", "", 0), "");
    }
}
