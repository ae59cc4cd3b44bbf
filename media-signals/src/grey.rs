//! A picture made small: means of squares of points, enough to see light and movement in.

/// So many points each way become one.
pub const CELL: usize = 4;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grey {
    pub width: usize,
    pub height: usize,
    /// Row by row.
    pub points: Vec<f32>,
}

impl Grey {
    pub fn of(luma: &[u8], stride: usize, width: usize, height: usize) -> Grey {
        let (w, h) = (width / CELL, height / CELL);
        let mut points = Vec::with_capacity(w * h);
        let mut sums = vec![0_u16; w];
        for y in 0..h {
            sums.fill(0);
            for row in (0..CELL).map(|n| &luma[(y * CELL + n) * stride..]) {
                for (sum, cell) in sums.iter_mut().zip(row.as_chunks::<CELL>().0) {
                    *sum += cell.iter().map(|p| u16::from(*p)).sum::<u16>();
                }
            }
            points.extend(sums.iter().map(|sum| f32::from(*sum) / (CELL * CELL) as f32));
        }
        Grey { width: w, height: h, points }
    }

    /// The mean over a part of it, in eighths of width and height.
    pub fn mean(&self, (left, right): (usize, usize), (top, bottom): (usize, usize)) -> f32 {
        let columns = self.width * left / 8..self.width * right / 8;
        let rows = self.height * top / 8..self.height * bottom / 8;
        let n = (columns.len() * rows.len()).max(1);
        rows.map(|y| self.points[y * self.width..][columns.clone()].iter().sum::<f32>()).sum::<f32>() / n as f32
    }

    /// The mean of each column and of each row: what moves sideways moves in the one, what moves up in the other.
    pub fn profiles(&self) -> (Vec<f32>, Vec<f32>) {
        let mut columns = vec![0.0; self.width];
        let mut rows = Vec::with_capacity(self.height);
        for row in self.points.chunks_exact(self.width.max(1)) {
            columns.iter_mut().zip(row).for_each(|(sum, point)| *sum += point);
            rows.push(row.iter().sum::<f32>() / self.width as f32);
        }
        columns.iter_mut().for_each(|sum| *sum /= self.height.max(1) as f32);
        (columns, rows)
    }

    /// The mean difference from another of the same size.
    pub fn change(&self, other: &Grey) -> f32 {
        let sum: f32 = self.points.iter().zip(&other.points).map(|(a, b)| (a - b).abs()).sum();
        sum / self.points.len().max(1) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_picture_has_the_same_light_in_the_same_places() {
        // 16 x 8 points in rows of 20: the left half 40, the right half 200.
        let luma: Vec<u8> = (0..8 * 20).map(|n| if n % 20 < 8 { 40 } else { 200 }).collect();
        let grey = Grey::of(&luma, 20, 16, 8);
        assert_eq!((grey.width, grey.height, &grey.points[..4]), (4, 2, &[40.0, 40.0, 200.0, 200.0][..]));
        assert_eq!(
            (grey.mean((0, 4), (0, 8)), grey.mean((4, 8), (0, 8)), grey.mean((0, 8), (0, 8))),
            (40.0, 200.0, 120.0)
        );
        assert_eq!(grey.profiles(), (vec![40.0, 40.0, 200.0, 200.0], vec![120.0, 120.0]));
        assert_eq!(grey.change(&grey), 0.0);
    }

    #[test]
    fn a_tiny_picture_is_no_misfortune() {
        let grey = Grey::of(&[1, 2, 3], 3, 3, 1);
        assert_eq!((grey.points.len(), grey.mean((0, 8), (0, 8))), (0, 0.0));
        assert_eq!(grey.profiles(), (vec![], vec![]));
    }
}
