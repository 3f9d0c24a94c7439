//! What real tools make of a text of two lines.

/// The text of all samples, except that of the empty one.
pub(super) const TEXT: &[u8] = b"NEEDLE one\nsecond line\n";

/// Made by `gzip -9n` 1.12.
pub(super) const GZIP: &[u8] = b"\
    \x1f\x8b\x08\0\0\0\0\0\x02\x03\xf3suu\xf1qU\xc8\xcfK\xe5*NM\xce\xcfKQ\xc8\xc9\x04\xb2\x01\
    \xedCH8\x17\0\0\0";

/// Made by `pigz -9n` 2.6.
pub(super) const PIGZ: &[u8] = b"\
    \x1f\x8b\x08\0\0\0\0\0\x02\x03\xf3suu\xf1qU\xc8\xcfK\xe5*NM\xce\xcfKQ\xc8\xc9\x04\xb2\x01\
    \xedCH8\x17\0\0\0";

/// Made by `zstd -19` 1.5.4.
pub(super) const ZSTD: &[u8] = b"(\xb5/\xfd$\x17\xb9\0\0NEEDLE one\nsecond line\n\x83`\x1d\x14";

/// Made by `pzstd -p 2` 1.5.4, which begins with a skippable frame.
pub(super) const PZSTD: &[u8] = b"\
    P*M\x18\x04\0\0\0$\0\0\0(\xb5/\xfd\x04X\xb9\0\0NEEDLE one\nsecond line\n\x83`\x1d\x14";

/// Made by `lz4 -9` 1.9.4.
pub(super) const LZ4: &[u8] = b"\
    \x04\x22M\x18d@\xa7\x17\0\0\x80NEEDLE one\nsecond line\n\0\0\0\0\xab\xde\x1d\xce";

/// Made by `lz4 -BD -B4 --content-size` 1.9.4.
pub(super) const LZ4_LINKED: &[u8] = b"\
    \x04\x22M\x18l@\x17\0\0\0\0\0\0\0\x07\x17\0\0\x80NEEDLE one\nsecond line\n\0\0\0\0\xab\xde\
    \x1d\xce";

/// Made by `lz4 -l` 1.9.4.
pub(super) const LZ4_LEGACY: &[u8] = b"\x02!L\x18\x19\0\0\0\xf0\x08NEEDLE one\nsecond line\n";

/// Made by `bzip2 -9` 1.0.8.
pub(super) const BZIP2: &[u8] = b"\
    BZh91AY&SY\xf1u\xe6n\0\0\x04\xd5\x80\0\x10@\0\x06\x05\x0e%\x88\0 \x001\0\0\x08\x11\xb4\xd4i\
    \xea\x164\xc2.\xc0\xc7^\xeaP\xb4~.\xe4\x8ap\xa1!\xe2\xeb\xcc\xdc";

/// Made by `bzip2` 1.0.8 of an empty file.
pub(super) const BZIP2_EMPTY: &[u8] = b"BZh9\x17rE8P\x90\0\0\0\0";

/// Made by `xz -9` 5.4.1.
pub(super) const XZ_9: &[u8] = b"\
    \xfd7zXZ\0\0\x04\xe6\xd6\xb4F\x02\0!\x01\x1c\0\0\0\x10\xcfX\xcc\x01\0\x16NEEDLE one\nsecond \
    line\n\0\0\xc0\x9c\x04}\x912I\xd0\0\x01/\x17\x81\x08I\xb1\x1f\xb6\xf3}\x01\0\0\0\0\x04YZ";

/// Made by `xz --format=lzma` 5.4.1.
pub(super) const LZMA: &[u8] = b"\
    ]\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0'\x11l\x88M\xcc\xef`\xce\xca\xc8\xcb\x96=\x08M\
    \x09\xa8\x96\xc49\xf2{\x84\xcaA \xff\xff\xbe\x17\x80\0";

/// Made by `plzip -9` 1.10.
pub(super) const LZIP: &[u8] = b"\
    LZIP\x01\x0c\0'\x11l\x88M\xcc\xef`\xce\xca\xc8\xcb\x96=\x08M\x09\xa8\x96\xc49\xf2{\x84\xcaA \
    \xff\xff\xbe\x17\x80\0\xedCH8\x17\0\0\0\0\0\0\0<\0\0\0\0\0\0\0";

/// Made by `brotli` 1.0.9.
pub(super) const BROTLI: &[u8] = b"!X\0\x04NEEDLE one\nsecond line\n\x03";

/// Made by `compress` 4.2.4.6.
pub(super) const COMPRESS: &[u8] = b"\
    \x1f\x9d\x90N\x8a\x14!\xc2\xa4\x08\x887n\xca(\x98Sf\x0cB2 \xd8\xa4I\xa8\0";

/// Made by `zip` 3.0.
pub(super) const ZIP: &[u8] = b"\
    PK\x03\x04\n\0\0\0\0\x008T}]\xedCH8\x17\0\0\0\x17\0\0\0\x01\0\x1c\0tUT\x09\0\x03\x8c\xff\x0b\
    k\x9f\xff\x0bkux\x0b\0\x01\x04\0\0\0\0\x04\0\0\0\0NEEDLE one\nsecond line\nPK\x01\x02\x1e\
    \x03\n\0\0\0\0\x008T}]\xedCH8\x17\0\0\0\x17\0\0\0\x01\0\x18\0\0\0\0\0\x01\0\0\0\xa4\x81\0\0\
    \0\0tUT\x05\0\x03\x8c\xff\x0bkux\x0b\0\x01\x04\0\0\0\0\x04\0\0\0\0PK\x05\x06\0\0\0\0\x01\0\
    \x01\0G\0\0\0R\0\0\0\0\0";

/// Made by `lzop` 1.04.
pub(super) const LZOP: &[u8] = b"\
    \x89LZO\0\x0d\n\x1a\n\x10@ \xa0\x09@\x01\x05\x03\0\0\x09\0\0\x81\xa4k\x0b\xff\x8c\0\0\0\0\
    \x01t>{\x05\x07\0\0\0\x17\0\0\0\x17VR\x07hNEEDLE one\nsecond line\n\0\0\0\0";
