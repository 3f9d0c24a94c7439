//! Answers of programs, made comparable. [`Answers`] keeps the first one to each question.

use crate::logs::DAY;
use crate::question::Question;
use std::collections::BTreeMap;

/// The rows of an answer, sorted by their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer(Vec<String>);

/// The first answer to each question, and who gave it.
#[derive(Debug, Default)]
pub(crate) struct Answers(BTreeMap<Question, (String, Answer)>);

impl Answer {
    /// The rows that a program printed.
    pub(crate) fn read(output: &[u8]) -> Self {
        let text = String::from_utf8(output.to_vec()).expect("text, as the logs are");
        Self::of(text.lines().map(short).collect())
    }

    fn of(mut rows: Vec<String>) -> Self {
        rows.sort();
        Answer(rows)
    }

    /// What the last column adds up to.
    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().map(|row| split(row).1).sum()
    }

    /// The same without the column of the machine, as a program answers that does not know it.
    fn without_machines(&self) -> Self {
        let mut sums: BTreeMap<String, u64> = BTreeMap::new();
        for row in &self.0 {
            let (key, count) = split(row);
            let others = key.split('\t').filter(|cell| !cell.starts_with("vm"));
            *sums.entry(others.collect::<Vec<_>>().join("\t")).or_default() += count;
        }
        Self::of(sums.into_iter().map(|(key, sum)| format!("{key}\t{sum}")).collect())
    }
}

impl Answers {
    /// Checks that an answer has the same bytes as the first one.
    ///
    /// # Panics
    /// When it has not, and names a row.
    pub(crate) fn check(&mut self, question: Question, who: &str, answer: Answer) {
        assert!(!answer.0.is_empty(), "{who} found nothing");
        let Some((first, expected)) = self.0.get(&question) else {
            self.0.insert(question, (who.to_owned(), answer));
            return;
        };
        same(who, &answer, first, expected);
    }

    /// As [`Answers::check`], for an answer without machines.
    pub(crate) fn check_without_machines(&self, question: Question, who: &str, answer: &Answer) {
        if let Some((first, expected)) = self.0.get(&question) {
            let expected = match question {
                Question::Clients => expected.clone(),
                Question::Errors | Question::Windows => expected.without_machines(),
            };
            same(who, answer, first, &expected);
        }
    }
}

fn same(who: &str, answer: &Answer, first: &str, expected: &Answer) {
    if answer == expected {
        return;
    }
    let differs = |one: &Answer, other: &Answer| -> String {
        one.0.iter().find(|row| !other.0.contains(row)).cloned().unwrap_or_default()
    };
    panic!(
        "{who} has {} rows, among them {:?}; {first} has {}, among them {:?}",
        answer.0.len(),
        differs(answer, expected),
        expected.0.len(),
        differs(expected, answer)
    );
}

/// A row with short names of files, and with windows as times.
fn short(row: &str) -> String {
    let cells = row.split('\t').enumerate().map(|(at, cell)| match cell.strip_prefix(DAY.0) {
        Some(clock) => format!("{}T{}0+00:00", DAY.1, clock.trim_start_matches(':')),
        None if at < 2 && cell.starts_with('/') && cell.contains("/srv/") => {
            cell.rsplit('/').next().unwrap_or_default().to_owned()
        }
        None => cell.to_owned(),
    });
    cells.collect::<Vec<_>>().join("\t")
}

/// The keys of a row, and its number.
fn split(row: &str) -> (&str, u64) {
    let (key, count) = row.rsplit_once('\t').expect("a row has columns");
    (key, count.parse().expect("the last column is a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_all_programs_become_the_same() {
        let memberd =
            "2026-11-30T10:00:00+00:00\tvm1\t200\t7\n2026-11-30T10:00:00+00:00\tvm2\t200\t5\n";
        let one_member = memberd.replace("vm", "/tmp/memberd-x/vm1/srv/vm");
        let awk = "30/Nov/2026:10:00:0\tvm2\t200\t5\n30/Nov/2026:10:00:0\tvm1\t200\t7\n";
        let agrind = "30/Nov/2026:10:00:0\t200\t12\n";
        let mut answers = Answers::default();
        for (who, output) in [("memberd", memberd), ("one member", &one_member), ("mawk", awk)] {
            answers.check(Question::Windows, who, Answer::read(output.as_bytes()));
        }
        let agrind = Answer::read(agrind.as_bytes());
        answers.check_without_machines(Question::Windows, "angle-grinder", &agrind);
        assert_eq!(agrind.sum(), 12);
    }

    #[test]
    #[should_panic(expected = "mawk has 1 rows, among them \"a\\t8\"; memberd has 1")]
    fn an_answer_that_differs_is_a_failure() {
        let mut answers = Answers::default();
        answers.check(Question::Clients, "memberd", Answer::read(b"a\t7\n"));
        answers.check(Question::Clients, "mawk", Answer::read(b"a\t8\n"));
    }
}
