//! As much XML as the Queue service speaks.

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;")
}

pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let Some((entity, after)) = after.split_once(';') else { break };
        out.push_str(before);
        match entity {
            "amp" => out.push('&'),
            "lt" => out.push('<'),
            "gt" => out.push('>'),
            "quot" => out.push('"'),
            "apos" => out.push('\''),
            _ => out.extend(numeric_entity(entity)),
        }
        rest = after;
    }
    out + rest
}

fn numeric_entity(entity: &str) -> Option<char> {
    let digits = entity.strip_prefix('#')?;
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    char::from_u32(code.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_survives_its_way_through_xml() {
        let text = "<a b=\"&amp;\">\r\n'ü'</a>";
        assert_eq!(unescaped(&escaped(text)), text);
        assert_eq!(unescaped("&quot;&#xFC;&apos;"), "\"ü'");
    }
}
