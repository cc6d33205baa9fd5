//! What a server has answered: that it is whole messages of the protocol, and which kind of answer it is.

use std::fmt::Write;

/// All that a server may say.
const TAGS: &[u8] = b"RSKZ12tTnDCEGHdcsIN3v";

/// The kind of an answer: its messages in order, errors by their SQLSTATE, repetitions told once. Or what is wrong with it.
pub fn kind(answer: &[u8]) -> Result<String, String> {
    // The answers to requests for encryption are single letters.
    let letters = answer.iter().take(2).take_while(|byte| **byte == b'N').count();
    let letters = if is_message(&answer[letters..]) { letters } else { letters.saturating_sub(1) };
    let (mut rest, mut kind, mut last) = (&answer[letters..], "N".repeat(letters), String::new());
    let mut fatal = false;
    while let Some((&tag, after)) = rest.split_first() {
        let length = after.get(..4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes);
        let length = length.and_then(|length| usize::try_from(length).ok()).filter(|length| *length >= 4);
        let body = length.and_then(|length| after.get(4..length)).ok_or("a message is cut or of a wrong length")?;
        if !TAGS.contains(&tag) {
            return Err(format!("a message of the unknown type {tag}"));
        }
        if fatal {
            return Err("a message after the last one".to_owned());
        }
        let mut told = char::from(tag).to_string();
        match tag {
            b'E' => {
                let code = field(body, b'C').ok_or("an error without a SQLSTATE")?;
                if code.starts_with("XX") {
                    let message = field(body, b'M').unwrap_or_default();
                    return Err(format!("an internal error: {message}"));
                }
                fatal = field(body, b'V').ok_or("an error without a severity")? == "FATAL";
                let _ = write!(told, "{code}");
            }
            b'Z' => match body {
                [letter @ (b'I' | b'T' | b'E')] => told.push(char::from(*letter)),
                _ => return Err("ReadyForQuery without a state".to_owned()),
            },
            b'D' => row(body).ok_or("a row that is not as long as its values")?,
            _ => {}
        }
        if told != last {
            kind.push_str(&told);
            kind.push(' ');
            last = told;
        }
        rest = &after[body.len() + 4..];
    }
    Ok(kind)
}

fn is_message(bytes: &[u8]) -> bool {
    match bytes {
        [] => true,
        [_, a, b, c, d, ..] => (4..1 << 20).contains(&i32::from_be_bytes([*a, *b, *c, *d])),
        _ => false,
    }
}

/// A field of an ErrorResponse.
fn field(body: &[u8], code: u8) -> Option<String> {
    let fields = body.split(|byte| *byte == 0).filter(|field| field.first() == Some(&code));
    fields.map(|field| String::from_utf8_lossy(&field[1..]).into_owned()).next()
}

/// A DataRow: as many values as it says, each as long as it says, and nothing behind them.
fn row(body: &[u8]) -> Option<()> {
    let (count, mut rest) = body.split_at_checked(2)?;
    for _ in 0..u16::from_be_bytes(count.try_into().ok()?) {
        let (length, values) = rest.split_at_checked(4)?;
        let length = i32::from_be_bytes(length.try_into().ok()?);
        rest = values.split_at_checked(usize::try_from(length.max(0)).ok()?)?.1;
    }
    rest.is_empty().then_some(())
}

#[test]
fn a_whole_answer_has_a_kind_and_a_torn_one_has_a_fault() {
    let error = |code: &str, severity: &str| {
        let body = format!("SERROR\0V{severity}\0C{code}\0Mno\0\0");
        [&[b'E'][..], &(body.len() as i32 + 4).to_be_bytes(), body.as_bytes()].concat()
    };
    let row = b"D\0\0\0\x0b\0\x01\0\0\0\x01x";
    let ready = b"Z\0\0\0\x05I";
    let answer = [&row[..], row, &error("42601", "ERROR"), ready].concat();
    assert_eq!(kind(&answer).unwrap(), "D E42601 ZI ");
    assert_eq!(kind(b"NN").unwrap(), "NN");
    assert_eq!(kind(&[b"N", &error("08P01", "FATAL")[..]].concat()).unwrap(), "NE08P01 ");
    let wrong = [
        answer[..answer.len() - 1].to_vec(),
        [&answer[..], b"Z\0\0\0\x05?"].concat(),
        b"D\0\0\0\x0b\0\x02\0\0\0\x01x".to_vec(),
        b"D\0\0\0\x0b\0\x01\0\0\0\x02x".to_vec(),
        b"?\0\0\0\x04".to_vec(),
        error("XX000", "ERROR"),
        [error("08P01", "FATAL"), ready.to_vec()].concat(),
    ];
    for answer in wrong {
        assert!(kind(&answer).is_err(), "{answer:?}");
    }
}
