//! The file of the group's keys. The first key is used, and all are accepted, so that keys can be
//! changed without an outage.
//!
//! It is a text file. Each line is a key (`memberd-key:` and 64 hexadecimal digits), a comment
//! (which begins with `#`), or empty. Anyone who knows a key can pretend to be any member.
//! Therefore the file is refused if users other than its owner and group can read it, or others
//! than its owner can write it.

mod acl;

use crate::plain_file::{NotAFile, read_plain_file};
use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The most keys that a keyring may have.
pub const MOST_KEYS: usize = 8;

/// The longest file, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// The beginning of a key's line.
const PREFIX: &str = "memberd-key:";

/// The bits that the file's mode must not have: all of others, and writing for the group.
const REFUSED_MODE: u32 = 0o027;

/// The length of a key, in bytes.
pub const KEY_LENGTH: usize = 32;

/// One of the group's keys. It is wiped when dropped. Only [`GroupKey::to_line`] shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupKey(Zeroizing<[u8; KEY_LENGTH]>);

/// A secret that is derived from a key. It is boxed, so that moving it leaves no copy behind, and
/// it is wiped when dropped.
pub type Secret = Box<Zeroizing<[u8; KEY_LENGTH]>>;

/// The public id of a key: a hash that identifies the key and does not reveal it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "GroupKey({})", self.id())
    }
}

impl GroupKey {
    /// A new key, from the kernel's random numbers.
    ///
    /// # Errors
    /// When the kernel gives none: getrandom(2).
    pub fn generate() -> io::Result<Self> {
        let mut key = GroupKey(Zeroizing::new([0; KEY_LENGTH]));
        getrandom::fill(&mut *key.0).map_err(io::Error::from)?;
        Ok(key)
    }

    /// The public id: the first four bytes of BLAKE3 in key derivation mode with the context
    /// `memberd key id 1`.
    pub fn id(&self) -> KeyId {
        let [a, b, c, d, ..] = **self.derive("memberd key id 1");
        KeyId([a, b, c, d])
    }

    /// Derives a secret for one purpose, with BLAKE3 in key derivation mode. `context` is a
    /// constant that names the purpose.
    pub fn derive(&self, context: &'static str) -> Secret {
        // The secret is written into its box, so that no copy is left on the stack.
        let mut secret = Secret::default();
        blake3::Hasher::new_derive_key(context)
            .update(self.0.as_slice())
            .finalize_xof()
            .fill(secret.as_mut_slice());
        secret
    }

    /// The line of the file, with its newline. This is the secret itself.
    pub fn to_line(&self) -> Zeroizing<String> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // The full capacity is reserved, so that growing leaves no copy behind.
        let mut line = Zeroizing::new(String::with_capacity(PREFIX.len() + 2 * KEY_LENGTH + 1));
        line.push_str(PREFIX);
        for byte in self.0.iter() {
            line.extend(
                [*byte >> 4, *byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])),
            );
        }
        line.push('\n');
        line
    }
}

/// Why a line is not a key. The error never repeats the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It does not begin like a key.
    #[error(
        "not a key: a line is memberd-key: and 64 hexadecimal digits, as memberctl key generate \
        prints it, or a comment that begins with #"
    )]
    NoKey,
    /// What follows is not 64 hexadecimal digits.
    #[error("a key is 64 hexadecimal digits, not {0} characters")]
    Length(usize),
    /// One of the characters is not a hexadecimal digit.
    #[error("a key is 64 hexadecimal digits, and one of these characters is not")]
    Digit,
}

impl FromStr for GroupKey {
    type Err = KeyError;

    fn from_str(line: &str) -> Result<Self, KeyError> {
        let digits = line.strip_prefix(PREFIX).ok_or(KeyError::NoKey)?;
        if digits.len() != 2 * KEY_LENGTH {
            return Err(KeyError::Length(digits.chars().count()));
        }
        let mut key = GroupKey(Zeroizing::new([0; KEY_LENGTH]));
        for (byte, pair) in key.0.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            for digit in pair {
                let value =
                    char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
                *byte = *byte << 4 | value.ok_or(KeyError::Digit)?;
            }
        }
        Ok(key)
    }
}

/// The group's keys: at least one, and no two are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyring(Vec<GroupKey>);

/// Why a keyring file is refused.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// It is a directory, a pipe or the like.
    #[error("not a regular file")]
    NoFile,
    /// Its mode lets too many users read or write it.
    #[error(
        "its mode is {0:04o}: the key file must not be readable by other users, or writable by its \
        group: chmod 600, or 640 for group memberd"
    )]
    Exposed(u32),
    /// Its access control list gives permissions to users other than its owner, its group and this
    /// process's user.
    #[error(
        "its access control list gives permissions to other users or groups: setfacl -b, then \
        chmod 600, or 640 for group memberd"
    )]
    Shared,
    /// It is longer than any keyring.
    #[error("longer than {MOST_BYTES} bytes")]
    TooLong,
    /// One of its lines is wrong.
    #[error("line {line}: {error}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        error: KeyError,
    },
    /// It is not a text file.
    #[error("not a text file")]
    NoText,
    /// It has a key twice.
    #[error("line {line}: key {id} is there twice")]
    Twice {
        /// Counted from 1.
        line: usize,
        /// The key's id.
        id: KeyId,
    },
    /// It has no key.
    #[error("it has no key: memberctl key generate makes one")]
    Empty,
    /// It has too many keys.
    #[error("more than {MOST_KEYS} keys")]
    TooMany,
}

impl Keyring {
    /// Reads the file at this path.
    ///
    /// # Errors
    /// When the file cannot be read, is exposed to others, or has an error in it.
    pub fn load(path: &Path) -> Result<Self, KeyringError> {
        let file = read_plain_file(path).map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<NotAFile>()) {
                Some(_) => KeyringError::NoFile,
                None => KeyringError::Unreadable(error),
            }
        })?;
        let found = file.metadata()?;
        if found.mode() & REFUSED_MODE != 0 {
            return Err(KeyringError::Exposed(found.mode() & 0o7777));
        }
        // The mode does not show whom an access control list names, only their permissions
        // together.
        if acl::lets_others_in(&file)? {
            return Err(KeyringError::Shared);
        }
        // The full capacity is reserved, so that growing leaves no copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 1));
        file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > MOST_BYTES {
            return Err(KeyringError::TooLong);
        }
        Self::parse(std::str::from_utf8(&bytes).map_err(|_| KeyringError::NoText)?)
    }

    /// Parses the text of a keyring file.
    ///
    /// # Errors When a line is wrong, a key occurs twice, there is no key, or there are more than
    /// [`MOST_KEYS`].
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        let mut keys: Vec<GroupKey> = Vec::with_capacity(MOST_KEYS);
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let key: GroupKey = text.parse().map_err(|error| KeyringError::Line { line, error })?;
            let id = key.id();
            if keys.iter().any(|other| other.id() == id) {
                return Err(KeyringError::Twice { line, id });
            }
            if keys.len() == MOST_KEYS {
                return Err(KeyringError::TooMany);
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(KeyringError::Empty) } else { Ok(Keyring(keys)) }
    }

    /// The keys: the first is used, all are accepted.
    pub fn keys(&self) -> &[GroupKey] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    fn line(digit: char) -> String {
        format!("{PREFIX}{}", digit.to_string().repeat(64))
    }

    fn error(text: &str) -> String {
        Keyring::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn generated_keys_are_read_and_differ() {
        let (one, other) = (GroupKey::generate().unwrap(), GroupKey::generate().unwrap());
        assert_ne!(one, other);
        let text = format!(
            "# ours\n\n{}  {}\r\n# the end",
            one.to_line().as_str(),
            other.to_line().trim_end()
        );
        assert_eq!(Keyring::parse(&text).unwrap().keys(), [one, other]);
    }

    #[test]
    fn the_id_of_a_key_never_changes_and_hides_the_key() {
        let keyring = Keyring::parse(&line('a')).unwrap();
        assert_eq!(format!("{keyring:?}"), "Keyring([GroupKey(805cc896)])");
        assert_eq!(keyring.keys()[0].to_line().as_str(), format!("{}\n", line('a')));
    }

    #[test]
    fn errors_name_the_line_and_never_repeat_the_secret() {
        let secret = "5ec5e7".repeat(10);
        for (text, words) in [
            (String::new(), "it has no key"),
            ("# nothing\n".to_owned(), "it has no key"),
            (format!("\n{secret}"), "line 2: not a key: a line is memberd-key:"),
            (
                format!("{PREFIX}{secret}"),
                "line 1: a key is 64 hexadecimal digits, not 60 characters",
            ),
            (format!("{PREFIX}{secret}wxyz"), "line 1: a key is 64 hexadecimal digits, and one"),
            (format!("{PREFIX}{secret}ää"), "line 1: a key is 64 hexadecimal digits, and one"),
            (format!("{0}\n{0}", line('7')), "line 2: key "),
            ("0123456789".chars().map(|digit| line(digit) + "\n").collect(), "more than 8 keys"),
        ] {
            let error = error(&text);
            assert!(
                error.starts_with(words) && !error.contains("5ec5e7"),
                "{error:?} is not {words:?}"
            );
        }
    }

    #[test]
    fn only_a_private_file_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("group.key");
        fs::write(&path, line('1')).unwrap();
        for (mode, accepted) in [
            (0o400, true),
            (0o440, true),
            (0o600, true),
            (0o640, true),
            (0o644, false),
            (0o660, false),
            (0o604, false),
            (0o601, false),
        ] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            match Keyring::load(&path) {
                Ok(_) => assert!(accepted, "{mode:o}"),
                Err(error) => assert!(
                    !accepted && error.to_string().contains(&format!("mode is {mode:04o}")),
                    "{error}"
                ),
            }
        }
        assert!(matches!(Keyring::load(directory.path()), Err(KeyringError::NoFile)));
        assert!(matches!(
            Keyring::load(&directory.path().join("none")),
            Err(KeyringError::Unreadable(_))
        ));
        let long = directory.path().join("long");
        fs::write(&long, vec![b'#'; MOST_BYTES + 1]).unwrap();
        fs::set_permissions(&long, Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Keyring::load(&long), Err(KeyringError::TooLong)));
    }

    /// Holds of types that are wiped when dropped; else this does not compile.
    fn is_wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}

    #[test]
    fn a_key_its_line_and_derived_secrets_are_wiped_on_drop() {
        let key = GroupKey::generate().unwrap();
        is_wiped(&key.0);
        is_wiped(&key.to_line());
        is_wiped(&*key.derive("memberd key id 1"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_keyring_or_an_error_of_one_line(
            text in "(memberd-key:)?[0-9a-fA-F#\\PC\n]{0,80}",
        ) {
            if let Err(error) = Keyring::parse(&text) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }
}
