//! Terraces in the morning above a loom whose cloth grows by one row each second.

pub const WIDTH: usize = 270;
pub const HEIGHT: usize = 480;

type Colour = [u8; 3];
const SKY: Colour = [0xE6, 0xEE, 0xE6];
const SUN: Colour = [0xE0, 0xA5, 0x26];
const FAR: Colour = [0xB9, 0xD0, 0xC0];
const MID: Colour = [0x7F, 0xAE, 0x93];
const NEAR: Colour = [0x3F, 0x7F, 0x63];
const RICE: Colour = [0xE7, 0xB4, 0x43];
const RIDGE: Colour = [0xA8, 0x7A, 0x1C];
const LEAF_DEEP: Colour = [0x0F, 0x3F, 0x30];
const RED: Colour = [0xD0, 0x32, 0x4F];
const WHITE: Colour = [0xFF, 0xFF, 0xFF];
const WARP: Colour = [0xB9, 0xC3, 0xB6];
const WOOD: Colour = [0x5A, 0x46, 0x30];

/// Where the loom begins.
const LOOM: f32 = 300.0;
const ROW: f32 = 26.0;

/// Fills a picture of RGB rows, `stride` bytes apart, as it is at `t` seconds.
pub fn draw(rgb: &mut [u8], stride: usize, t: f32) {
    for (y, row) in rgb.chunks_mut(stride).take(HEIGHT).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(3).take(WIDTH).enumerate() {
            pixel.copy_from_slice(&colour(x as f32, y as f32, t));
        }
    }
}

fn colour(x: f32, y: f32, t: f32) -> Colour {
    if y >= LOOM { loom(x, y, t) } else { hills(x, y, t) }
}

fn hills(x: f32, y: f32, t: f32) -> Colour {
    let terrace = 214.0 + 10.0 * (x / 60.0).sin();
    if y > terrace {
        let step = (y - terrace + 4.0 * ((x + 12.0 * t) / 34.0).sin()) % 16.0;
        return if step < 3.0 { RIDGE } else { RICE };
    }
    // Layers drift past each other as when the phone is moved slowly.
    let ridge = |base: f32, height: f32, width: f32, speed: f32| base - height * ((x + speed * t) / width).sin();
    if y > ridge(196.0, 16.0, 40.0, 7.0) {
        NEAR
    } else if y > ridge(168.0, 20.0, 52.0, 4.0) {
        MID
    } else if y > ridge(138.0, 18.0, 66.0, 2.0) {
        FAR
    } else if (x - 196.0).powi(2) + (y - (104.0 - 6.0 * t)).powi(2) < 30.0 * 30.0 {
        SUN
    } else {
        SKY
    }
}

fn loom(x: f32, y: f32, t: f32) -> Colour {
    if !(18.0..252.0).contains(&x) || !(LOOM + 10.0..=470.0).contains(&y) {
        return WOOD;
    }
    let woven = LOOM + 10.0 + (t.floor() + 1.0) * ROW;
    if y < woven {
        return brocade(x, y - LOOM - 10.0);
    }
    // The shuttle crosses once a second, ahead of the row it lays.
    let shuttle = 18.0 + (t.fract()) * 234.0;
    let (dx, dy) = ((x - shuttle).abs() / 26.0, (y - woven - 9.0).abs() / 7.0);
    if dx * dx + dy * dy < 1.0 {
        return if dy < 0.4 && dx < 0.5 { SUN } else { RED };
    }
    if (x as i32) % 6 == 0 { WARP } else { WHITE }
}

/// Diamonds, as the cloth of Tujia brocade has them.
fn brocade(x: f32, y: f32) -> Colour {
    let (u, v) = ((x % ROW - ROW / 2.0).abs(), (y % ROW - ROW / 2.0).abs());
    match ((u + v) / 3.0) as i32 {
        0 => RED,
        1 => SUN,
        2 => LEAF_DEEP,
        3 => SUN,
        _ => LEAF_DEEP,
    }
}
