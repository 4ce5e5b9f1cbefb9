//! Texts that others wrote, for the log.

/// The longest [`excerpt`], in bytes.
const EXCERPT: usize = 512;

/// What of a text that others wrote goes to the log: one line of at most 512 bytes, without control characters. `…` stands
/// for what is left out.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let end = text.floor_char_boundary(EXCERPT);
    let mut line: String = text[..end].trim().chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    if end < text.len() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_others_is_one_bounded_line() {
        assert_eq!(excerpt("a\r\nb "), "a  b");
        assert!(excerpt(&"é".repeat(600)).len() < 520);
    }
}
