//! The bytes of messages between members: CBOR (RFC 8949) within bounds. Owns no state.

use super::output::FilesMessage;
use crate::forms;
use crate::keeper::Body;
use crate::transfer::Transfer;

/// The version of the messages: their first byte.
const VERSION: u8 = 1;

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilesMessageError {
    /// They are longer than [`FilesMessage::MAX_BYTES`].
    #[error("{0} bytes are too long")]
    TooLong(usize),
    /// They begin with the number of another version.
    #[error("version {0} of messages about files is unknown here: update memberd")]
    Version(u8),
    /// They have another form, or exceed a bound.
    #[error("malformed")]
    Malformed,
}

impl FilesMessage {
    /// The longest message, in bytes.
    pub const MAX_BYTES: usize = (1 << 20) + (4 << 10);

    /// The bytes of the message: the version, and the content as CBOR.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        forms::encode_into(self, &mut bytes);
        bytes
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When the bytes are none, or exceed a bound.
    pub fn decode(bytes: &[u8]) -> Result<FilesMessage, FilesMessageError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(FilesMessageError::TooLong(bytes.len()));
        }
        let (version, rest) = bytes.split_first().ok_or(FilesMessageError::Malformed)?;
        if *version != VERSION {
            return Err(FilesMessageError::Version(*version));
        }
        let message: FilesMessage = forms::decode(rest).ok_or(FilesMessageError::Malformed)?;
        match &message {
            FilesMessage::Propose { mutation, .. } if !mutation.fits() => {
                Err(FilesMessageError::Malformed)
            }
            _ => Ok(message),
        }
    }

    /// Whether it carries contents, or must come in order with those: such messages have a
    /// connection of their own, so that nothing short waits behind them.
    #[must_use]
    pub fn is_bulk(&self) -> bool {
        match self {
            FilesMessage::Transfer(transfer) => matches!(
                transfer,
                Transfer::Begin { .. }
                    | Transfer::Piece { .. }
                    | Transfer::Finish { .. }
                    | Transfer::Abandon { .. }
                    | Transfer::Data { .. }
            ),
            FilesMessage::Keeper { message, .. } => {
                matches!(message.body, Body::ImagePiece { .. })
            }
            FilesMessage::Propose { .. }
            | FilesMessage::Ask { .. }
            | FilesMessage::Reply { .. } => false,
        }
    }
}
