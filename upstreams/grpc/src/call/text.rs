//! Bodies of gRPC-Web in base64 (`application/grpc-web-text`): texts that were put together, each padded on its own.

use base64::{DecodeError, Engine, engine::general_purpose::STANDARD};

/// Takes bytes out of the pieces of a text. Holds the begin of one group of four at most.
#[derive(Debug, Default)]
pub(super) struct Groups {
    held: Vec<u8>,
}

/// A text that ends too early.
#[derive(Debug, thiserror::Error)]
#[error("it ends within a group of base64")]
pub(super) struct Cut;

impl Groups {
    /// The bytes of all groups that are whole with this piece.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        self.held.extend_from_slice(piece);
        let whole = self.held.len() / 4 * 4;
        let rest = self.held.split_off(whole);
        let groups = std::mem::replace(&mut self.held, rest);
        decode(&groups, out)
    }

    /// Whether the text may end here.
    pub(super) fn end(&mut self) -> Result<(), Cut> {
        if std::mem::take(&mut self.held).is_empty() { Ok(()) } else { Err(Cut) }
    }
}

/// Decodes groups of four, of which several may be padded.
fn decode(groups: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    out.reserve(groups.len() / 4 * 3);
    let mut rest = groups;
    while !rest.is_empty() {
        let padded = rest.iter().position(|byte| *byte == b'=').map_or(rest.len(), |at| at / 4 * 4 + 4);
        let (text, more) = rest.split_at_checked(padded).unwrap_or((rest, &[]));
        STANDARD.decode_vec(text, out)?;
        rest = more;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
        let (mut groups, mut out) = (Groups::default(), Vec::new());
        for piece in pieces {
            groups.push(piece, &mut out).ok()?;
        }
        groups.end().ok()?;
        Some(out)
    }

    proptest! {
        #[test]
        fn base64_is_decoded_however_it_is_cut_and_put_together(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..6),
            cuts in proptest::collection::vec(1_usize..9, 1..20),
        ) {
            let text: String = parts.iter().map(|part| STANDARD.encode(part)).collect();
            let (mut pieces, mut rest, mut cuts) = (Vec::new(), text.as_bytes(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                pieces.push(piece);
                rest = more;
            }
            prop_assert_eq!(all(pieces), Some(parts.concat()));
        }
    }

    #[test]
    fn base64_that_is_none_is_told() {
        for wrong in ["AAA", "AA=A", "A===", "!!!!"] {
            assert_eq!(all([wrong.as_bytes()]), None, "{wrong}");
        }
    }
}
