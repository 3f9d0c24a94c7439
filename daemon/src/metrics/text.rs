//! Writes Prometheus' text format, <https://prometheus.io/docs/instrumenting/exposition_formats/>.
//! It owns the text of one page.
//!
//! The crate `prometheus-client` writes OpenMetrics, which `promtool check metrics` rejects. It
//! would also have to own the counters, which belong to the parts that count. The format is small.

use super::histogram::Histogram;
use std::fmt::Write;

/// The text of a page while it is written.
#[derive(Debug, Default)]
pub struct Text {
    text: String,
}

/// One metric of the page. Its samples follow each other.
#[derive(Debug)]
pub struct Family<'text> {
    text: &'text mut String,
    name: &'static str,
}

impl Text {
    /// Returns the finished page.
    pub fn finish(self) -> String {
        self.text
    }

    /// Begins a metric that only grows. Its name ends in `_total`.
    pub fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// Begins a metric that grows and shrinks.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// Writes a whole histogram of seconds.
    pub fn histogram(&mut self, name: &'static str, help: &str, histogram: &Histogram) {
        let Family { text, .. } = self.family(name, "histogram", help);
        for (bound, count) in histogram.buckets() {
            line(text, &format!("{name}_bucket{{le=\"{}\"}} {count}", bound.as_secs_f64()));
        }
        line(text, &format!("{name}_bucket{{le=\"+Inf\"}} {}", histogram.count()));
        line(text, &format!("{name}_sum {}", histogram.sum().as_secs_f64()));
        line(text, &format!("{name}_count {}", histogram.count()));
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        line(
            &mut self.text,
            &format!("# HELP {name} {}", help.replace('\\', r"\\").replace('\n', r"\n")),
        );
        line(&mut self.text, &format!("# TYPE {name} {kind}"));
        Family { text: &mut self.text, name }
    }
}

impl Family<'_> {
    /// Writes a sample without labels.
    pub fn value(self, value: impl Into<Value>) {
        line(self.text, &format!("{} {}", self.name, value.into().0));
    }

    /// Writes a sample with one label.
    pub fn labelled(
        &mut self,
        label: &str,
        label_value: &str,
        value: impl Into<Value>,
    ) -> &mut Self {
        let label_value =
            label_value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
        line(self.text, &format!("{}{{{label}=\"{label_value}\"}} {}", self.name, value.into().0));
        self
    }
}

/// The text of a sample's value.
#[derive(Debug)]
pub struct Value(String);

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Value(value.to_string())
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Value(value.to_string())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value(value.to_string())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value(u8::from(value).to_string())
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_page_follows_the_format() {
        let mut text = Text::default();
        text.counter("a_total", "All a.").value(7_u64);
        text.gauge("b_seconds", "Some \\ b.")
            .labelled("of", "x\"y", 0.25)
            .labelled("of", "z", true);
        const BOUNDS: &[Duration] = &[Duration::from_millis(250), Duration::from_secs(1)];
        let mut histogram = Histogram::new(BOUNDS);
        histogram.observe(Duration::from_millis(500));
        text.histogram("c_seconds", "C.", &histogram);
        assert_eq!(
            text.finish(),
            "# HELP a_total All a.\n# TYPE a_total counter\na_total 7\n\
             # HELP b_seconds Some \\\\ b.\n# TYPE b_seconds gauge\nb_seconds{of=\"x\\\"y\"} \
             0.25\nb_seconds{of=\"z\"} 1\n\
             # HELP c_seconds C.\n# TYPE c_seconds histogram\nc_seconds_bucket{le=\"0.25\"} \
             0\nc_seconds_bucket{le=\"1\"} 1\n\
             c_seconds_bucket{le=\"+Inf\"} 1\nc_seconds_sum 0.5\nc_seconds_count 1\n"
        );
    }
}
