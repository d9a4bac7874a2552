//! Measurements live in `benches/`; peers in `peers/`.
