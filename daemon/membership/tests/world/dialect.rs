//! What members of the version before say and hear. It owns no state.

use ciborium::Value;
use memberd_membership::PROTOCOL_VERSION;

/// A message as the version before has it: that version's elements and fields alone. It has no
/// record of a forgotten member, and no request to forget one: then nothing is left.
pub fn as_the_version_before_has_it(bytes: &[u8]) -> Vec<u8> {
    // Behind an array is the sender's incarnation, if it is a datagram's.
    let mut incarnation = bytes;
    let mut message: Vec<Value> = ciborium::from_reader(&mut incarnation).unwrap();
    message[0] = Value::from(PROTOCOL_VERSION - 1);
    let known = match &mut message[1] {
        Value::Map(call) if call[0].0 == Value::from("Forget") => return Vec::new(),
        Value::Map(call) => {
            if let Value::Map(fields) = &mut call[0].1 {
                fields.retain(|(field, _)| *field != Value::from("forgotten"));
            }
            2
        }
        kind if *kind == Value::from(9) => return Vec::new(),
        kind if *kind == Value::from(0) => 7,
        kind if *kind == Value::from(1) => 5,
        _ => usize::MAX,
    };
    message.truncate(known);
    let mut bytes = Vec::new();
    ciborium::into_writer(&message, &mut bytes).unwrap();
    [&bytes, incarnation].concat()
}
