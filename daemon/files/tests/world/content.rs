//! What clients write: records that differ at every place, so that a lost, mixed or foreign byte is
//! seen. A record says its number and its length.

/// The number and the length of a record.
pub const HEAD: usize = 16;

/// A record in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub number: u64,
    pub begin: usize,
    pub length: usize,
}

fn word(number: u64, place: u64) -> u64 {
    let mut mixed =
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ place.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 29)
}

/// The record of this number. It has at least [`HEAD`] bytes.
pub fn record(number: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&(length as u64).to_be_bytes());
    let mut place = 0;
    while bytes.len() < length {
        bytes.extend_from_slice(&word(number, place).to_be_bytes());
        place += 1;
    }
    bytes.truncate(length);
    bytes
}

/// Whether these are the bytes of a record behind its head.
fn is_body(number: u64, bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let end = word(number, chunks.len() as u64).to_be_bytes();
    let mut words = (0..).map(|place| word(number, place));
    chunks.iter().all(|chunk| words.next() == Some(u64::from_be_bytes(*chunk)))
        && rest == &end[..rest.len()]
}

/// The records of a file; an error says where it stops being made of them.
pub fn records(bytes: &[u8]) -> Result<Vec<Found>, usize> {
    let mut found = Vec::new();
    let mut begin = 0;
    while begin < bytes.len() {
        let rest = &bytes[begin..];
        let head = |at: usize| rest.get(at..at + 8).and_then(|it| it.try_into().ok());
        let (Some(number), Some(length)) = (head(0), head(8)) else { return Err(begin) };
        let number = u64::from_be_bytes(number);
        let length = usize::try_from(u64::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length < HEAD || rest.len() < length {
            return Err(begin);
        }
        if !is_body(number, &rest[HEAD..length]) {
            return Err(begin);
        }
        found.push(Found { number, begin, length });
        begin += length;
    }
    Ok(found)
}

/// Whether these bytes could be the beginning of records: only the last may be cut.
pub fn is_beginning(bytes: &[u8]) -> bool {
    match records(bytes) {
        Ok(_) => true,
        Err(begin) => {
            let rest = &bytes[begin..];
            let Some(head) = rest.get(..HEAD) else { return true };
            let (number, length) = head.split_at(8);
            let number = u64::from_be_bytes(number.try_into().expect("eight bytes"));
            let length = u64::from_be_bytes(length.try_into().expect("eight bytes"));
            length > rest.len() as u64
                && record(number, rest.len().max(HEAD))[HEAD..] == rest[HEAD..]
        }
    }
}

#[test]
fn records_are_found_and_every_changed_byte_is() {
    // A record that is all head has nothing against which its number could be held.
    let bytes = [record(1, 24), record(2, 40), record(3, 333)].concat();
    let numbers: Vec<u64> = records(&bytes).unwrap().iter().map(|one| one.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 4;
        assert!(records(&changed).is_err(), "byte {at}");
        assert!(is_beginning(&bytes[..at]), "byte {at}");
    }
    assert!(records(&[record(1, 30), record(2, 60)[..50].to_vec()].concat()).is_err());
    assert!(!is_beginning(&[record(1, 30)[..20].to_vec(), record(2, 60)].concat()));
}
