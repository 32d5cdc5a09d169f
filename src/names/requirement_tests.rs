use super::*;
use crate::names::PipRequirement;
use proptest::prelude::*;

#[test]
fn what_every_pip_reads_is_accepted() {
    for text in [
        "a",
        "A.b_c-1",
        "3",
        "a[]",
        "a[ x ,y.z ] >=1",
        "a [x];os_name=='x'",
        "a<1",
        "a<=1 , >2,!=3",
        "a(>=1)",
        "a ( ~= 1.0 ,<2 ) ; extra == 'x'",
        "a==1.*",
        "a != v2!1.2.*",
        "a==1.0+cpu.1-x_y",
        "a>=1.0RC1.post2.dev3",
        "a>1.0alpha",
        "a>1.0-beta_2",
        "a>1.0.preview-",
        "a<2!1c0",
        "a==1-1",
        "a==1.rev",
        "a==1r5dev",
        "a==V01.002",
        "a~=1.4.5a4",
        "a===1.0",
        "a===any-word_+*.! ; os_name == 'x'",
        "a>=1,===2",
        "a( === 1 , >= 1 )",
        "a;os.name=='x'",
        "a; python_implementation != \"x\"",
        "a; '3.1' <= python_version and python_full_version~='3.1'",
        "a; os_name=='x'and sys_platform in'x y'or'z'not in platform_version",
        "a; (os_name == '')or(\"it's\" === extra)",
        "a ; ( (platform_machine > 'x') and ((extra < ';)')) )",
    ] {
        assert!(PipRequirement::parse(text).is_ok(), "{text:?}");
    }
}

#[test]
fn what_some_pip_does_not_read_is_refused_with_the_reason() {
    for (text, why) in [
        ("<2", "it does not begin with a name"),
        ("_a", "it does not begin with a name"),
        ("a_", "the name \"a_\" must begin and end with a letter or a digit"),
        ("a-<1", "the name \"a-\" must begin and end with a letter or a digit"),
        ("a [x-]", "the name \"x-\" must begin and end with a letter or a digit"),
        ("a[", "expected a name after \"[\""),
        ("a[x,]", "expected a name after \",\""),
        ("a[x y]", "expected \",\" or \"]\" after \"x\""),
        ("a b", "expected an operator, \";\" or the end after \"a\""),
        ("a[x][y]", "expected an operator, \";\" or the end after \"]\""),
        ("a/b", "expected an operator, \";\" or the end after \"a\""),
        ("a=1", "expected an operator such as \"==\" after \"a\""),
        ("a()", "expected an operator such as \"==\" after \"(\""),
        ("a>=1,", "expected an operator such as \"==\" after \",\""),
        ("a<", "expected a version after \"<\""),
        ("a===", "expected a version after \"===\""),
        ("a== =1", "expected a version after \"==\""),
        ("a==x", "\"x\" is not a version"),
        ("a==1.x", "\"1.x\" is not a version"),
        ("a==1!", "\"1!\" is not a version"),
        ("a==1.*.1", "\"1.*.1\" is not a version"),
        ("a==1.0a1.*", "\"1.0a1.*\" is not a version"),
        ("a==1+", "\"1+\" is not a version"),
        ("a==1+a..b", "\"1+a..b\" is not a version"),
        ("a==1.0dev1post1", "\"1.0dev1post1\" is not a version"),
        ("a>=1.*", "\"1.*\" is allowed only after \"==\" and \"!=\""),
        ("a<1+cpu", "\"1+cpu\" is allowed only after \"==\" and \"!=\""),
        ("a~=1.0+cpu", "\"1.0+cpu\" is allowed only after \"==\" and \"!=\""),
        ("a~=1", "after \"~=\" a version must have at least two numbers, for example 1.0"),
        ("a~=1.0beta1", "after \"~=\" a pre-release must be written as 1.0a1 or 1.0b1"),
        ("a===1,>=2", "\",\" is not allowed in a version after \"===\""),
        ("a===x/../../tmp", "\"/\" is not allowed in a version after \"===\""),
        ("a>=1 2", "expected \",\", \";\" or the end after \"1\""),
        ("a (>=1),<2", "expected \",\", \";\" or the end after \")\""),
        ("a (>=1", "expected \",\" or \")\" after \"1\""),
        ("a;", "expected a variable or a quoted text after \";\""),
        ("a; ()", "expected a variable or a quoted text after \"(\""),
        ("a; x == 1", "\"x\" is not a variable of a marker"),
        ("a; 'x' in extras", "\"extras\" is not a variable of a marker"),
        ("a; os_name", "expected an operator such as \"==\" or \"not in\" after \"os_name\""),
        ("a; os_name not  in 'x'", "expected an operator such as \"==\" or \"not in\" after \"os_name\""),
        ("a; os_name IN 'x'", "expected an operator such as \"==\" or \"not in\" after \"os_name\""),
        ("a; os_name ==", "expected a variable or a quoted text after \"==\""),
        ("a; os_name == 'x", "a quoted text is not closed"),
        ("a; os_name == sys_platform", "a marker must compare a variable with a quoted text"),
        ("a; 'x' == 'x'", "a marker must compare a variable with a quoted text"),
        ("a; '1'~= platform_release", "in a marker \"~=\" must be between a variable and a version"),
        ("a; os_name == 'x' 'y'", "expected \"and\", \"or\" or the end after \"x\""),
        ("a; os_name == 'x')", "expected \"and\", \"or\" or the end after \"x\""),
        ("a; (os_name == 'x'", "expected \"and\", \"or\" or \")\" after \"x\""),
        ("a; os_name == 'x' and", "expected a variable or a quoted text after \"and\""),
    ] {
        assert_eq!(PipRequirement::parse(text).expect_err(text).why, why, "{text:?}");
    }
}

#[test]
fn two_common_slips_are_refused_with_a_hint() {
    for (text, hint) in [
        ("a; os_name == posix", "write text in quotes"),
        ("a===1; os_name == 'posix'", "put a space after the version"),
    ] {
        assert_eq!(PipRequirement::parse(text).expect_err(text).hint.as_deref(), Some(hint), "{text:?}");
    }
}

#[test]
fn parentheses_can_be_nested_but_not_without_end() {
    let nested = |depth: usize| format!("a; {}os_name == 'x'{}", "(".repeat(depth), ")".repeat(depth));
    assert!(check_grammar(&nested(DEEPEST)).is_ok());
    for text in [nested(DEEPEST + 1), nested(200_000), format!("a; {}", "(".repeat(200_000))] {
        let why = check_grammar(&text).map_err(|refusal| refusal.why);
        assert_eq!(why, Err("parentheses are nested more than 20 deep".to_owned()));
    }
}

#[test]
fn what_is_shown_of_a_long_requirement_is_short() {
    let long = "a".repeat(900);
    for text in [format!("{long} b"), format!("{long}-"), format!("a=={long}"), format!("a; {long} == 'x'")] {
        let why = PipRequirement::parse(&text).expect_err("no requirement").why;
        assert!(why.len() < 200, "{why}");
    }
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9]([a-zA-Z0-9._-]{0,6}[a-zA-Z0-9])?"
}

fn extras() -> impl Strategy<Value = String> {
    let names = prop::collection::vec(name(), 0..3).prop_map(|names| format!("[{}]", names.join(" , ")));
    prop_oneof![Just(String::new()), names]
}

/// `>=1.0rc1.post2`, `==1.*`, `~=1.0`.
fn clause() -> impl Strategy<Value = String> {
    const RELEASE: &str = "v?([0-9]!)?[0-9]{1,3}(\\.[0-9]{1,2}){0,2}";
    const PRE: &str = "([-_.]?(a|b|c|rc|alpha|beta|pre|preview|RC)[-_.]?[0-9]{0,2})?";
    const POST: &str = "(-[0-9]{1,2}|[-_.]?(post|rev|r)[-_.]?[0-9]{0,2})?([-_.]?(dev|Dev)[-_.]?[0-9]{0,2})?";
    let regex = |text: String| prop::string::string_regex(&text).expect("a regular expression");
    prop_oneof![
        regex(format!("(<=|>=|<|>|==|!=) {{0,2}}{RELEASE}{PRE}{POST}")),
        regex(format!("(==|!=) ?{RELEASE}{PRE}{POST}\\+[a-z0-9]{{1,3}}([-_.][A-Z0-9]{{1,3}}){{0,2}}")),
        regex(format!("(==|!=) ?{RELEASE}\\.\\*")),
        "~= ?[0-9]{1,2}\\.[0-9]([-_.]?(a|rc|pre)[0-9]?)?(-[0-9])?(\\.dev[0-9])?",
        "=== {0,2}[a-zA-Z0-9.+!*_][a-zA-Z0-9.+!*_-]{0,6} ",
    ]
}

fn versions() -> impl Strategy<Value = String> {
    let clauses = || prop::collection::vec(clause(), 1..4).prop_map(|clauses| clauses.join(", "));
    prop_oneof![Just(String::new()), clauses(), clauses().prop_map(|clauses| format!("( {clauses} )"))]
}

fn marker() -> impl Strategy<Value = String> {
    let operator = prop_oneof![prop::sample::select(&OPERATORS[..]), Just(" in "), Just(" not in ")];
    let variable = prop::sample::select(&VARIABLES[..]);
    let text = "'[ -&(-~]{0,6}'|\"[ !#-~]{0,6}\"";
    let comparison = (variable, operator, text, any::<bool>()).prop_map(|(variable, operator, text, turned)| {
        if turned && operator != "~=" {
            format!("{text}{operator}{variable}")
        } else {
            format!("{variable}{operator}{text}")
        }
    });
    comparison.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), "( and | or )", inner.clone()).prop_map(|(left, word, right)| left + &word + &right),
            inner.prop_map(|marker| format!("( {marker} )")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_built_by_the_grammar_is_accepted(
        (name, extras, versions, marker, blank) in (name(), extras(), versions(), marker(), " {0,2}")
    ) {
        let bare = format!("{name}{blank}{extras}{blank}{versions}");
        let whole = format!("{bare}{blank};{blank}{marker}");
        for text in [bare.trim(), &whole] {
            let refusal = check_grammar(text).err().map(|refusal| refusal.why);
            prop_assert_eq!(refusal, None, "{:?}", text);
            if PipRequirement::parse(text).is_ok() {
                let list = PipRequirement::parse_list(text);
                prop_assert_eq!(list.map(|list| list.len()), Ok(1), "{:?}", text);
            }
        }
    }

    #[test]
    fn no_text_makes_the_scanner_panic(
        text in prop_oneof![
            "(?s).{0,40}|a(?s).{0,20}|[ -~]{0,60}",
            "a ?[<>=!~]{1,3} ?[0-9a-z.*+!_,é-]{0,12}",
            "a; ?[a-z_.'\"]{0,12}[ <>=!'\"()a-z0-9.é]{0,30}",
        ]
    ) {
        let accepted = check_grammar(&text).is_ok();
        prop_assert!(!accepted || text.starts_with(|c: char| c.is_ascii_alphanumeric()));
    }
}
