//! The programs that are measured. It owns no state.

use clap::ValueEnum;
use std::fmt;

/// A program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum System {
    /// Ten members, or five for jobs
    Memberd,
    /// Apache Spark 4.3
    #[value(name = "spark-4.3")]
    Spark43,
    /// Apache Spark 3.5
    #[value(name = "spark-3.5")]
    Spark35,
    /// Debian's awk
    Mawk,
    /// DuckDB, by its package for Python
    Duckdb,
    /// angle-grinder
    Agrind,
}

impl System {
    /// All of them, in the order of the measurement.
    pub(crate) const ALL: [System; 6] = [
        System::Memberd,
        System::Spark43,
        System::Spark35,
        System::Mawk,
        System::Duckdb,
        System::Agrind,
    ];

    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            System::Memberd => "memberd",
            System::Spark43 => "Spark 4.3",
            System::Spark35 => "Spark 3.5",
            System::Mawk => "mawk",
            System::Duckdb => "DuckDB",
            System::Agrind => "angle-grinder",
        }
    }

    /// The name by which its packages are installed, if it is Spark.
    pub(crate) fn spark(self) -> Option<&'static str> {
        match self {
            System::Spark43 => Some("spark-4.3"),
            System::Spark35 => Some("spark-3.5"),
            _ => None,
        }
    }
}

/// For the default of the option.
impl fmt::Display for System {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let value = self.to_possible_value();
        formatter.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}
