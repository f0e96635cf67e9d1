//! The actions of a file, and what they cost.

use super::{
    SUMMARY_CHARS_MAX, TITLE_CHARS_MAX, UNIT_CHARS_MAX,
    reader::{Lines, Reader},
};
use crate::domain::{
    Amount,
    catalog::{Action, Cost, Units},
};

pub(super) fn read_action(action: &mut Reader<'_>, keys: &mut Lines) -> Option<Action> {
    let key = action.key("action", r#"key = "render""#, keys);
    action.require("title", r#"title = "Render a room""#);
    let title = action.text("title", 1..=TITLE_CHARS_MAX);
    let description = action.text("description", 0..=SUMMARY_CHARS_MAX);
    let cost = read_cost(action);
    Some(Action { key: key?, title: title?, description: description.unwrap_or_default(), cost: cost? })
}

fn read_cost(action: &mut Reader<'_>) -> Option<Cost> {
    let cost = action.number("cost", "an amount", 1..=Amount::MAX.get());
    let unit = action.text("unit", 1..=UNIT_CHARS_MAX);
    let units_per_credit: Option<Units> =
        action.number("units_per_credit", "a number of units", 1..=Units::MAX);
    // The only rounding there is. It may be written down so that nobody has to wonder.
    action.value("round", "a way to round", "\"up\"", |value| (value.as_str()? == "up").then_some(()));

    let by_unit = ["unit", "units_per_credit", "round"].into_iter().find(|key| action.has(key));
    match (action.has("cost"), by_unit) {
        (true, None) => cost.map(Cost::Fixed),
        (false, Some(_)) => {
            action.require("unit", r#"unit = "tokens""#);
            action.require("units_per_credit", "units_per_credit = 2000");
            Some(Cost::PerUnit { unit: unit?, units_per_credit: units_per_credit? })
        }
        (true, Some(key)) => {
            let message = format!(
                "an action has one price, and {key} makes another; keep cost alone, or remove it for unit \
                 and units_per_credit"
            );
            action.flaw("cost", &message);
            None
        }
        (false, None) => {
            action.flaw("cost", "missing; add cost = 1, or unit = \"tokens\" and units_per_credit = 2000");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::server::catalog::{
        parse,
        testing::{ACTION, HEAD, flaws},
    };

    /// Parses a good file but for its only action, whose settings begin on line 4.
    fn flaws_of_action(settings: &str) -> Vec<String> {
        flaws(&format!("{HEAD}[[actions]]\n{settings}"))
    }

    #[test]
    fn an_action_with_a_flaw_is_named_with_its_line_and_a_remedy() {
        let named = "key = \"render\"\ntitle = \"Render\"\n";
        let amount = "is not an amount; write a whole number from 1 to 1,000,000,000,000";
        let key = "is not a key; write 1 to 64 of a-z, 0-9 and _, the first a letter";
        for (settings, flaw) in [
            ("title = \"Render\"\ncost = 1", r#"3: actions[1].key: missing; add key = "render""#.into()),
            (
                "key = \"render\"\ncost = 1",
                r#"3: actions[1].title: missing; add title = "Render a room""#.into(),
            ),
            ("key = \"A\"\ntitle = \"Render\"\ncost = 1", format!("4: actions[1].key: \"A\" {key}")),
            ("key = 7\ntitle = \"Render\"\ncost = 1", format!("4: actions[1].key: 7 {key}")),
            (&format!("{named}cost = 0"), format!("6: actions[1].cost: 0 {amount}")),
            (&format!("{named}cost = -3"), format!("6: actions[1].cost: -3 {amount}")),
            (&format!("{named}cost = 0.5"), format!("6: actions[1].cost: 0.5 {amount}")),
            (&format!("{named}cost = nan"), format!("6: actions[1].cost: nan {amount}")),
            (&format!("{named}cost = 2024-01-31"), format!("6: actions[1].cost: 2024-01-31 {amount}")),
            (&format!("{named}cost = {{ a = 1 }}"), format!("6: actions[1].cost: a table {amount}")),
            (
                &format!("{named}cots = 1\ncost = 1"),
                "6: actions[1].cots: unknown key; did you mean cost?".into(),
            ),
            (
                named,
                "3: actions[1].cost: missing; add cost = 1, or unit = \"tokens\" and units_per_credit = 2000"
                    .into(),
            ),
            (
                &format!("{named}unit = \"tokens\"\nunits_per_credit = 2000\ncost = 1"),
                "8: actions[1].cost: an action has one price, and unit makes another; keep cost alone, or \
                 remove it for unit and units_per_credit"
                    .into(),
            ),
            (
                &format!("{named}cost = 1\nround = \"up\""),
                "6: actions[1].cost: an action has one price, and round makes another; keep cost alone, or \
                 remove it for unit and units_per_credit"
                    .into(),
            ),
            (
                &format!("{named}unit = \"tokens\""),
                "3: actions[1].units_per_credit: missing; add units_per_credit = 2000".into(),
            ),
            (
                &format!("{named}units_per_credit = 2000"),
                "3: actions[1].unit: missing; add unit = \"tokens\"".into(),
            ),
            (
                &format!("{named}unit = \"tokens\"\nunits_per_credit = 0"),
                "7: actions[1].units_per_credit: 0 is not a number of units; write a whole number from 1 to \
                 1,000,000,000,000"
                    .into(),
            ),
            (
                &format!("{named}unit = \"tokens\"\nunits_per_credit = 2000\nround = \"down\""),
                "8: actions[1].round: \"down\" is not a way to round; write \"up\"".into(),
            ),
        ] {
            assert_eq!(flaws_of_action(settings), [flaw], "{settings}");
        }
    }

    #[test]
    fn a_text_says_something_on_one_line_of_bounded_length() {
        let file = |title: &str, description: &str| {
            format!(
                "{HEAD}[[actions]]\nkey = \"a\"\ncost = 1\ntitle = {title}\ndescription = {description}\n"
            )
        };
        let longest = format!("\"{}\"", "é".repeat(80));
        assert!(parse(&file(&longest, "\"\"")).is_ok());
        for (title, complaint) in [
            ("\"\"", "the text says nothing; write one line of 1 to 80 characters"),
            ("\"  \"", "the text says nothing; write one line of 1 to 80 characters"),
            (
                &longest.replace("éé", "ééé"),
                "the text has 120 characters; write one line of 1 to 80 characters",
            ),
            ("\"a\\tb\"", r"the text holds the control character '\t'; write one line of 1 to 80 characters"),
            (
                "'''a\nb'''",
                r"the text holds the control character '\n'; write one line of 1 to 80 characters",
            ),
            ("[\"a\"]", "a list is not text; write one line of 1 to 80 characters in quotes"),
        ] {
            assert_eq!(flaws(&file(title, "\"\"")), [format!("6: actions[1].title: {complaint}")]);
        }
        let long = format!("\"{}\"", "a".repeat(201));
        assert_eq!(
            flaws(&file("\"A\"", &long)),
            ["7: actions[1].description: the text has 201 characters; write one line of 0 to 200 characters"]
        );
    }

    #[test]
    fn a_catalog_sells_between_one_action_and_a_hundred() {
        let list = "write [[actions]] on a line of its own above the settings of each";
        let what = "is not a list of at least one table";
        assert_eq!(
            flaws(&format!("{HEAD}actions = []")),
            [format!("3: actions: an empty list {what}; {list}")]
        );
        assert_eq!(flaws(&format!("{HEAD}[actions]")), [format!("3: actions: a table {what}; {list}")]);
        assert_eq!(
            flaws(&format!("{HEAD}actions = [\n{{ key = 'a', title = 'A', cost = 1 }},\n7]")),
            [format!("5: actions[2]: 7 is not a table; {list}")]
        );
        let actions = |count| {
            let each = (1..=count).map(|n| ACTION.replace("render", &format!("render_{n}")));
            each.fold(HEAD.to_owned(), |text, action| text + &action)
        };
        assert_eq!(parse(&actions(100)).unwrap().actions.len(), 100);
        assert_eq!(flaws(&actions(101)), ["403: actions[101]: one too many; keep 100 or fewer"]);
    }

    #[test]
    fn two_actions_of_one_key_are_named_with_both_lines() {
        assert_eq!(
            flaws(&format!("{HEAD}{ACTION}{ACTION}")),
            ["8: actions[2].key: \"render\" is already the key of the action on line 4; write another"]
        );
    }
}
