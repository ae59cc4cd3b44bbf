//! QR codes (ISO/IEC 18004), as a picture and as squares.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

/// Modules of white that scanners want around it.
pub const QUIET: i32 = 4;

/// Printed and folded, or seen across a hall: a quarter of it may be lost.
pub fn encode(text: &str) -> QrCode {
    // Only texts of kilobytes do not fit, and an address with a host of such length is none.
    QrCode::encode_text(text, QrCodeEcc::Quartile)
        .or_else(|_| QrCode::encode_text(text, QrCodeEcc::Low))
        .unwrap_or_else(|_| QrCode::encode_text("", QrCodeEcc::Low).expect("nothing fits into a QR code"))
}

/// Modules a side, with what is around it.
pub fn side(qr: &QrCode) -> i32 {
    qr.size() + 2 * QUIET
}

/// Its dark modules: row by row, those that lie together as one. `(x, y, width)`, with what is around it counted.
pub fn runs(qr: &QrCode) -> Vec<(i32, i32, i32)> {
    let mut runs = Vec::new();
    for y in 0..qr.size() {
        let mut x = 0;
        while x < qr.size() {
            let width = (x..qr.size()).take_while(|&x| qr.get_module(x, y)).count() as i32;
            if width > 0 {
                runs.push((x + QUIET, y + QUIET, width));
            }
            x += width + 1;
        }
    }
    runs
}

/// The `d` of an SVG path, a module being one unit.
pub fn path(qr: &QrCode) -> String {
    runs(qr).into_iter().fold(String::new(), |mut path, (x, y, width)| {
        let _ = write!(path, "M{x} {y}h{width}v1h-{width}z");
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dark_module_is_in_one_run() {
        let qr = encode("https://weijia.example/join/ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        let mut dark = std::collections::HashSet::new();
        for (x, y, width) in runs(&qr) {
            for x in x..x + width {
                assert!(dark.insert((x - QUIET, y - QUIET)), "twice");
            }
        }
        for y in 0..qr.size() {
            for x in 0..qr.size() {
                assert_eq!(dark.contains(&(x, y)), qr.get_module(x, y), "{x} {y}");
            }
        }
        assert_eq!(side(&qr), qr.size() + 8);
        assert_eq!(path(&qr).matches('M').count(), runs(&qr).len());
    }

    #[test]
    fn what_does_not_fit_is_no_panic() {
        assert_eq!(encode(&"x".repeat(9_000)).size(), 21);
    }
}
