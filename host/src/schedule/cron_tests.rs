//! What a rule means, against what people know from crontab.

use super::*;

fn rule(text: &str) -> Rule {
    Rule::read(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

fn at(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap()
}

fn after(text: &str, from: &str) -> String {
    rule(text).next_local(at(from)).unwrap().to_string()
}

fn refused(text: &str) -> String {
    Rule::read(text).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn five_fields_fire_at_second_zero_and_six_begin_with_seconds() {
    assert_eq!(after("30 2 * * *", "2026-01-01 02:29:59"), "2026-01-01 02:30:00");
    assert_eq!(after("30 2 * * *", "2026-01-01 02:30:00"), "2026-01-02 02:30:00");
    assert_eq!(after("*/20 30 2 * * *", "2026-01-01 02:30:00"), "2026-01-01 02:30:20");
    assert_eq!(after("*/20 30 2 * * *", "2026-01-01 02:30:40"), "2026-01-02 02:30:00");
}

#[test]
fn zero_and_seven_are_sunday_and_one_is_monday() {
    // 2026-01-01 is a Thursday.
    for (field, day) in
        [("0", "04"), ("7", "04"), ("sun", "04"), ("Sunday", "04"), ("1", "05"), ("MON", "05")]
    {
        let expected = format!("2026-01-{day} 00:00:00");
        assert_eq!(after(&format!("0 0 * * {field}"), "2026-01-01 00:00:00"), expected, "{field}");
    }
}

#[test]
fn weekday_ranges_lists_and_steps_count_as_crontab_does() {
    let days = |field: &str| rule(&format!("0 0 * * {field}")).weekdays.numbers();
    assert_eq!(days("1-5"), [1, 2, 3, 4, 5]);
    assert_eq!(days("mon-fri"), [1, 2, 3, 4, 5]);
    assert_eq!(days("5-7"), [0, 5, 6]);
    assert_eq!(days("sat-sun"), [0, 6]);
    assert_eq!(days("fri-mon"), [0, 1, 5, 6]);
    assert_eq!(days("0-7"), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(days("*/2"), [0, 2, 4, 6]);
    assert_eq!(days("1-5/2"), [1, 3, 5]);
    assert_eq!(days("3/2"), [3, 5]);
    assert_eq!(days("sun,wed,5"), [0, 3, 5]);
}

#[test]
fn when_day_and_weekday_are_both_restricted_either_matches() {
    // The 13th of January 2026 is a Tuesday; Fridays are the 2nd, 9th and 16th.
    assert_eq!(after("0 0 13 * 5", "2026-01-09 00:00:00"), "2026-01-13 00:00:00");
    assert_eq!(after("0 0 13 * 5", "2026-01-13 00:00:00"), "2026-01-16 00:00:00");
}

#[test]
fn a_day_field_that_begins_with_a_star_narrows_the_weekday() {
    // Sundays with an odd day of the month.
    assert_eq!(after("0 0 */2 * 0", "2026-01-01 00:00:00"), "2026-01-11 00:00:00");
    assert_eq!(after("0 0 ? * 0", "2026-01-01 00:00:00"), "2026-01-04 00:00:00");
}

#[test]
fn a_day_that_no_year_has_never_fires() {
    for text in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 0 30 feb ?"] {
        let said = refused(text);
        assert!(said.contains("never fires") && said.contains(text), "{said}");
    }
    assert_eq!(after("0 0 29 2 *", "2096-03-01 00:00:00"), "2104-02-29 00:00:00");
    assert_eq!(after("0 0 30 2 1", "2026-01-01 00:00:00"), "2026-02-02 00:00:00");
}

#[test]
fn words_beginning_with_at_are_spelled_out() {
    assert_eq!(rule("@daily"), rule("0 0 * * *"));
    assert_eq!(rule(" @Weekly "), rule("0 0 * * sun"));
    assert!(refused("@reboot").contains("appliance-started"));
}

#[test]
fn every_wrong_field_is_named_with_the_rule() {
    let said = refused("61 24 0 13 8");
    for part in [
        "\"61\" as its minute",
        "\"24\" as its hour",
        "\"0\" as its day",
        "\"13\" as its month",
        "\"8\" as its weekday",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(said.matches("\"61 24 0 13 8\"").count(), 5);
}

#[test]
fn nonsense_costs_a_clear_error_and_nothing_else() {
    for text in [
        "* * * *",
        "* * * * * * *",
        "a b c d e",
        "*/0 * * * *",
        "5-1 * * * *",
        "1, * * * *",
        "-1 * * * *",
        "* * * * mon-",
        "* * * * /2",
        "* * * * ,",
        "* * * * 1/0",
        "? * * * *",
        "* * L * *",
        "* * 15W * *",
        "* * * * 5#3",
        "* * * * +1",
        "99999999999999 * * * *",
        "🙂 * * * *",
        "* * * * 9-1",
        "*/99 * * * *",
    ] {
        let said = refused(text);
        assert!(said.contains(text) && said.contains("nothing was changed"), "{said}");
    }
    assert!(refused("  ").contains("no rule"));
    assert!(refused(&"1,".repeat(500)).contains("too long"));
}

#[test]
fn wildcards_and_steps_repeat_and_plain_times_do_not() {
    for text in ["*/5 * * * *", "0 */2 * * *", "30 * * * *", "*/15 2 * * *", "0,30 0-23 * * *"] {
        assert!(rule(text).repeats(), "{text}");
    }
    for text in ["30 2 * * *", "0,30 8-17 * * mon-fri", "*/10 30 2 * * *"] {
        assert!(!rule(text).repeats(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn reading_never_panics(text in "[ -~]{0,40}") {
        let _ = Rule::read(&text);
    }

    #[test]
    fn reading_things_like_rules_never_panics(text in "[0-9*/,?a-z -]{5,30}") {
        let _ = Rule::read(&text).map(|rule| rule.in_words());
    }
}
