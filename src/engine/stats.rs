//! Reads the rows of `docker stats`, which prints rounded text. Pure.

use serde_json::{Map, Value, json};

/// One row of docker's, whatever controls stand before it, with its numbers.
#[must_use]
pub fn sample(line: &str) -> Option<Value> {
    let start = line.find('{')?;
    let end = line.rfind('}')?;
    let mut row: Map<String, Value> = serde_json::from_str(line.get(start..=end)?).ok()?;
    let numbers = {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
        let pair = |key: &str| text(key).split_once(" / ").map(|(a, b)| (size(a), size(b))).unwrap_or_default();
        let percent = |key: &str| text(key).trim_end_matches('%').parse::<f64>().ok();
        let (memory, limit) = pair("MemUsage");
        let (received, sent) = pair("NetIO");
        let (read, written) = pair("BlockIO");
        json!({
            "cpuPercent": percent("CPUPerc"),
            "memoryUsageBytes": memory,
            "memoryLimitBytes": limit,
            "memoryPercent": percent("MemPerc"),
            "networkReceivedBytes": received,
            "networkSentBytes": sent,
            "blockReadBytes": read,
            "blockWrittenBytes": written,
            "pids": text("PIDs").parse::<u64>().ok(),
        })
    };
    if let Value::Object(numbers) = numbers {
        row.extend(numbers);
    }
    Some(Value::Object(row))
}

/// docker's sizes: decimal units as `1.2kB`, binary ones as `1.2KiB`. `--` is no number.
fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = text.find(|char: char| char.is_ascii_alphabetic())?;
    let number: f64 = text[..unit].trim().parse().ok()?;
    let factor = match &text[unit..] {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "PB" => 1e15,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        "TiB" => 1_099_511_627_776.0,
        "PiB" => 1_125_899_906_842_624.0,
        _ => return None,
    };
    let bytes = (number * factor).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size, far below 2^53")]
    (bytes >= 0.0).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gets_numbers_beside_its_text() {
        let line = "\x1b[2J\x1b[H{\"ID\":\"a\",\"CPUPerc\":\"12.50%\",\"MemUsage\":\"1.5MiB / 2GiB\",\"MemPerc\":\"0.07%\",\
                    \"NetIO\":\"1.2kB / 0B\",\"BlockIO\":\"-- / --\",\"PIDs\":\"3\"}\n";
        let row = sample(line).unwrap();
        assert_eq!(row["cpuPercent"], 12.5);
        assert_eq!(row["memoryUsageBytes"], 1_572_864);
        assert_eq!(row["memoryLimitBytes"], 2_147_483_648_u64);
        assert_eq!(row["networkReceivedBytes"], 1200);
        assert_eq!(row["blockReadBytes"], Value::Null);
        assert_eq!(row["pids"], 3);
        assert_eq!(row["MemUsage"], "1.5MiB / 2GiB");
        assert!(sample("\x1b[2J\x1b[H").is_none());
    }
}
