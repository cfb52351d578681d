//! .NET's `RSAKeyValue`, which is as much XML as its own writer makes: no attributes, no comments,
//! no namespaces. Blanks between elements and inside numbers are passed over.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::super::base64_text;

/// The elements in the order in which .NET writes them.
const NAMES: [&str; 8] = ["Modulus", "Exponent", "P", "Q", "DP", "DQ", "InverseQ", "D"];

/// The numbers of [`NAMES`], each if it is there.
pub(super) type Fields = Zeroizing<[Option<Vec<u8>>; 8]>;

/// Reads the elements, in any order, each at most once; nothing when the text has anything else.
pub(super) fn parse(text: &str) -> Option<Fields> {
    let mut decoded = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text.trim();
    if rest.starts_with("&lt;") {
        decode_html(rest, &mut decoded);
        rest = &decoded;
    }
    let mut fields = Fields::default();
    rest = rest.strip_prefix("<RSAKeyValue>")?.strip_suffix("</RSAKeyValue>")?.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.strip_prefix('<')?.split_once('>')?;
        let (value, after) = after.split_once("</")?;
        rest = after.strip_prefix(name)?.strip_prefix('>')?.trim_start();
        let place = NAMES.iter().position(|known| *known == name)?;
        let field = fields.get_mut(place).filter(|field| field.is_none())?;
        *field = Some(base64_text::decode_base64(value)?.to_vec());
    }
    Some(fields)
}

/// Undoes .NET's `HtmlEncode`, as far as it touches such a text.
fn decode_html(text: &str, decoded: &mut String) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        let (letter, length) = match after {
            _ if after.starts_with("lt;") => ("<", 3),
            _ if after.starts_with("gt;") => (">", 3),
            _ => ("&", 0),
        };
        decoded.push_str(letter);
        rest = after.get(length..).unwrap_or_default();
    }
    decoded.push_str(rest);
}

/// Writes elements of name, number and the bytes that the number is filled up to with zeroes.
pub(super) fn write(fields: &[(&str, &[u8], usize)]) -> Zeroizing<String> {
    let room = fields
        .iter()
        .map(|(name, number, size)| 2 * name.len() + 5 + number.len().max(*size).div_ceil(3) * 4);
    let frame = "<RSAKeyValue></RSAKeyValue>".len();
    // All of it at once: a growing text leaves pieces of the key behind.
    let mut xml = Zeroizing::new(String::with_capacity(room.sum::<usize>() + frame));
    xml.push_str("<RSAKeyValue>");
    for (name, number, size) in fields {
        let mut padded = Zeroizing::new(vec![0; number.len().max(*size)]);
        let start = padded.len() - number.len();
        padded[start..].copy_from_slice(number);
        xml.push('<');
        xml.push_str(name);
        xml.push('>');
        STANDARD.encode_string(&*padded, &mut xml);
        xml.push_str("</");
        xml.push_str(name);
        xml.push('>');
    }
    xml.push_str("</RSAKeyValue>");
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_another_order_make_no_difference() {
        let text = "\r\n<RSAKeyValue>\n <Exponent>AQ\nAB</Exponent>\t<Modulus> AA== </Modulus>\n\
                    </RSAKeyValue> ";
        let fields = parse(text).unwrap();
        assert_eq!(fields[0].as_deref(), Some(&[0][..]));
        assert_eq!(fields[1].as_deref(), Some(&[1, 0, 1][..]));
        assert!(fields[2..].iter().all(Option::is_none));
    }

    #[test]
    fn whatever_net_does_not_write_is_refused() {
        for text in [
            "",
            "<RSAKeyValue>",
            "<RSAKeyValue></RSAKeyValue>x",
            "<rsakeyvalue></rsakeyvalue>",
            "<RSAKeyValue a=\"b\"></RSAKeyValue>",
            "<RSAKeyValue><P>AA==</P><P>AA==</P></RSAKeyValue>",
            "<RSAKeyValue><P>AA==</Q></RSAKeyValue>",
            "<RSAKeyValue><P>AA==</RSAKeyValue>",
            "<RSAKeyValue><P>A</P></RSAKeyValue>",
            "<RSAKeyValue><P a=\"b\">AA==</P></RSAKeyValue>",
            "<RSAKeyValue><Other>AA==</Other></RSAKeyValue>",
            "<RSAKeyValue><!-- --><P>AA==</P></RSAKeyValue>",
            "<RSAKeyValue>x<P>AA==</P></RSAKeyValue>",
            "&amp;lt;RSAKeyValue&amp;gt;&amp;lt;/RSAKeyValue&amp;gt;",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn short_numbers_are_filled_up_with_zeroes() {
        assert_eq!(*write(&[("P", &[1], 3)]), "<RSAKeyValue><P>AAAB</P></RSAKeyValue>");
    }
}
