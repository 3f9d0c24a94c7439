//! Reads from the header of a zstd frame how much memory its window needs.

/// The window of the frame that begins with `head`, in bytes (RFC 8878, 3.1.1.1). None when the
/// header is cut off.
pub(super) fn of(head: &[u8]) -> Option<u64> {
    let (descriptor, rest) = head.get(4..)?.split_first()?;
    let is_single_segment = descriptor & 0x20 != 0;
    if !is_single_segment {
        let window = rest.first()?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // The whole text is the window. Its size follows the number of the dictionary.
    let dictionary_bytes = [0, 1, 2, 4].get(usize::from(descriptor & 3))?;
    let size_bytes = [1, 2, 4, 8].get(usize::from(descriptor >> 6))?;
    let mut size = [0; 8];
    let field = rest.get(*dictionary_bytes..)?.get(..*size_bytes)?;
    size.get_mut(..*size_bytes)?.copy_from_slice(field);
    Some(u64::from_le_bytes(size) + if *size_bytes == 2 { 256 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_window_is_that_of_the_descriptor_or_the_whole_text() {
        let magic = [0x28, 0xb5, 0x2f, 0xfd];
        let window = |rest: &[u8]| of(&[&magic, rest].concat());
        assert_eq!(window(&[0, 0]), Some(1024));
        assert_eq!(window(&[0, 14 << 3 | 4]), Some((16 << 20) / 8 * 12));
        assert_eq!(window(&[0, 0xff]), Some((1 << 41) / 8 * 15));
        assert_eq!(window(&[0x20, 7]), Some(7));
        assert_eq!(window(&[0x63, 1, 2, 3, 4, 1, 1]), Some(257 + 256));
        assert_eq!(window(&[0xa0, 0, 0, 0, 4]), Some(64 << 20));
        assert_eq!(window(&[0xe0, 0, 0, 0, 0, 1, 0, 0, 0]), Some(1 << 32));
        assert_eq!(window(&[0xa0, 0, 0]), None);
        assert_eq!(window(&[]), None);
    }
}
