//! `GREP_COLORS`, as GNU grep reads it (grep(1), "ENVIRONMENT").

use memberd_control::grep::GrepColors;

/// The configured colours, whether colour is wanted or not.
#[derive(Debug, Clone, Default)]
pub(super) struct Capabilities(pub(super) GrepColors);

impl Capabilities {
    /// Reads `GREP_COLORS`, and the older `GREP_COLOR` for matches.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Capabilities {
        let mut capabilities = Capabilities::default();
        if let Some(color) =
            variable("GREP_COLOR").filter(|color| !color.is_empty() && is_color(color))
        {
            capabilities.matches(&color);
        }
        capabilities.parse(&variable("GREP_COLORS").unwrap_or_default());
        capabilities
    }

    /// Parses `name=value:name:...`. Unknown names are ignored. The first value that is no colour
    /// ends the parsing, so that nothing else can reach the terminal.
    fn parse(&mut self, text: &str) {
        for capability in text.split(':') {
            match capability.split_once('=') {
                Some((name, value)) if !name.is_empty() && is_color(value) => self.set(name, value),
                Some(_) => return,
                None => self.turn_on(capability),
            }
        }
    }

    fn matches(&mut self, value: &str) {
        value.clone_into(&mut self.0.selected_match);
        value.clone_into(&mut self.0.context_match);
    }

    fn set(&mut self, name: &str, value: &str) {
        let colors = &mut self.0;
        let color = match name {
            "mt" => return self.matches(value),
            "ms" => &mut colors.selected_match,
            "mc" => &mut colors.context_match,
            "sl" => &mut colors.selected_line,
            "cx" => &mut colors.context_line,
            "fn" => &mut colors.file_name,
            "ln" => &mut colors.line_number,
            "bn" => &mut colors.byte_offset,
            "se" => &mut colors.separator,
            _ => return self.turn_on(name),
        };
        value.clone_into(color);
    }

    fn turn_on(&mut self, name: &str) {
        match name {
            "rv" => self.0.reverse = true,
            "ne" => self.0.no_erase = true,
            // `mt` without a value makes the context's matches like the selected ones.
            "mt" => self.0.context_match.clone_from(&self.0.selected_match),
            _ => {}
        }
    }
}

/// Whether it has only digits and semicolons, and no more than members accept.
fn is_color(value: &str) -> bool {
    value.len() <= 64 && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(colors: &str, color: &str) -> GrepColors {
        let variable = |name: &str| match name {
            "GREP_COLORS" => Some(colors.to_owned()),
            "GREP_COLOR" => Some(color.to_owned()),
            _ => None,
        };
        Capabilities::read(variable).0
    }

    #[test]
    fn each_capability_has_its_name() {
        let colors = read("ms=1:mc=2:sl=3:cx=4:fn=5:ln=6:bn=7:se=38;5;8:rv:ne:later=9", "");
        let expected = GrepColors {
            selected_match: "1".to_owned(),
            context_match: "2".to_owned(),
            selected_line: "3".to_owned(),
            context_line: "4".to_owned(),
            file_name: "5".to_owned(),
            line_number: "6".to_owned(),
            byte_offset: "7".to_owned(),
            separator: "38;5;8".to_owned(),
            reverse: true,
            no_erase: true,
        };
        assert_eq!(colors, expected);
        assert_eq!(read("", ""), GrepColors::default());
        assert_eq!(read("mt=7", "").context_match, "7");
        let both = read("ms=1", "7");
        assert_eq!((both.selected_match.as_str(), both.context_match.as_str()), ("1", "7"));
    }

    #[test]
    fn the_first_bad_value_ends_the_parsing() {
        for text in ["fn=1\u{1b}[2J:ln=9", "=1:ln=9", "fn=red:ln=9", "fn=1=2:ln=9"] {
            assert_eq!(read(text, ""), GrepColors::default(), "{text:?}");
        }
        assert_eq!(
            read("fn=1:ln=x:se=2", ""),
            GrepColors { file_name: "1".to_owned(), ..GrepColors::default() }
        );
        assert_eq!(read("", "1m"), GrepColors::default());
    }
}
