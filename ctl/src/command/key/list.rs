//! `memberctl key list [FILE] [--json]`: prints the ids of a keyring's keys.

use memberd_control::keyring::{GroupKey, KeyId, Keyring};

use super::File;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::output::{Output, Style};

/// Lists the keys of a keyring. The keys themselves are never printed.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    file: File,

    /// Print an array of JSON objects
    #[arg(long)]
    json: bool,
}

impl List {
    /// Prints each key's id and use, in the order of the file.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let path = &self.file.path;
        let keyring = Keyring::load(path).map_err(|error| {
            let remedy = if path.exists() { "" } else { ": memberctl key generate FILE makes one" };
            Failure::new(Exit::Failed, format!("{}: {error}{remedy}", path.display()))
        })?;
        let uses = std::iter::once("seals").chain(std::iter::repeat("accepted"));
        let keys: Vec<(KeyId, &str)> = keyring.keys().iter().map(GroupKey::id).zip(uses).collect();
        let mut output = Output::new();
        if self.json { array(&mut output, &keys) } else { table(&mut output, &keys) }
    }
}

fn array(output: &mut Output, keys: &[(KeyId, &str)]) -> Result<(), Failure> {
    let keys = keys.iter().map(|(id, usage)| json::text(&json::Key { id: id.to_string(), usage }));
    let keys = keys.collect::<Result<Vec<String>, Failure>>()?;
    output.line(&format!("[\n  {}\n]", keys.join(",\n  ")))
}

fn table(output: &mut Output, keys: &[(KeyId, &str)]) -> Result<(), Failure> {
    output.line(&output.styled(Style::Bold, "KEY       USE"))?;
    for (id, usage) in keys {
        output.line(&format!("{id}  {usage}"))?;
    }
    output.flush()
}
