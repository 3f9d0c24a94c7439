//! `GREP_COLORS`, as GNU grep reads it (grep(1), "ENVIRONMENT").

use memberd_control::grep::{GrepColors, Sgr};

/// The configured colours, whether colour is wanted or not.
#[derive(Debug, Clone, Default)]
pub(super) struct Capabilities(pub(super) GrepColors);

impl Capabilities {
    /// Reads `GREP_COLORS`, and the older `GREP_COLOR` for matches.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Capabilities {
        let mut capabilities = Capabilities::default();
        let older = variable("GREP_COLOR").and_then(|color| Sgr::new(&color));
        if let Some(color) = older.filter(|color| !color.is_none()) {
            capabilities.matches(&color);
        }
        capabilities.parse(&variable("GREP_COLORS").unwrap_or_default());
        capabilities
    }

    /// Parses `name=value:name:...`. Unknown names are ignored. The first value that is no colour
    /// ends the parsing, so that nothing else can reach the terminal.
    fn parse(&mut self, text: &str) {
        for capability in text.split(':') {
            let Some((name, value)) = capability.split_once('=') else {
                self.turn_on(capability);
                continue;
            };
            match Sgr::new(value).filter(|_| !name.is_empty()) {
                Some(color) => self.set(name, &color),
                None => return,
            }
        }
    }

    fn matches(&mut self, color: &Sgr) {
        self.0.selected_match.clone_from(color);
        self.0.context_match.clone_from(color);
    }

    fn set(&mut self, name: &str, value: &Sgr) {
        let colors = &mut self.0;
        let color: &mut Sgr = match name {
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
        color.clone_from(value);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sgr(numbers: &str) -> Sgr {
        Sgr::new(numbers).unwrap()
    }

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
            selected_match: sgr("1"),
            context_match: sgr("2"),
            selected_line: sgr("3"),
            context_line: sgr("4"),
            file_name: sgr("5"),
            line_number: sgr("6"),
            byte_offset: sgr("7"),
            separator: sgr("38;5;8"),
            reverse: true,
            no_erase: true,
        };
        assert_eq!(colors, expected);
        assert_eq!(read("", ""), GrepColors::default());
        assert_eq!(read("mt=7", "").context_match, sgr("7"));
        let both = read("ms=1", "7");
        assert_eq!((both.selected_match, both.context_match), (sgr("1"), sgr("7")));
    }

    #[test]
    fn the_first_bad_value_ends_the_parsing() {
        for text in ["fn=1\u{1b}[2J:ln=9", "=1:ln=9", "fn=red:ln=9", "fn=1=2:ln=9"] {
            assert_eq!(read(text, ""), GrepColors::default(), "{text:?}");
        }
        assert_eq!(
            read("fn=1:ln=x:se=2", ""),
            GrepColors { file_name: sgr("1"), ..GrepColors::default() }
        );
        assert_eq!(read("", "1m"), GrepColors::default());
    }
}
