//! Moments as the calendar has them, in UTC.

/// Seconds since 1970 as `20260131T235959Z`.
pub(crate) fn of_seconds(seconds: u64) -> String {
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that a leap day is the last.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let part = (5 * of_year + 2) / 153;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let date = of_year - (153 * part + 2) / 5 + 1;
    format!("{year:04}{month:02}{date:02}T{:02}{:02}{:02}Z", of_day / 3600, of_day % 3600 / 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::of_seconds;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_709_164_800, "20240229T000000Z"),
            (1_798_761_599, "20261231T235959Z"),
        ] {
            assert_eq!(of_seconds(seconds), expected);
        }
    }
}
