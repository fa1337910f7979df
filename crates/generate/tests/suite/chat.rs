//! Chat templates: the environment that transformers gives them, the families' own, and hostile ones.

use camelid_families::Library;
use camelid_generate::{ChatTemplate, Conversation, Ending, Join, Message, Piece};
use serde_json::json;

fn conversation() -> Conversation {
    let turns = [("system", "Be brief."), ("user", " Hi "), ("assistant", "Hello."), ("user", "Bye")];
    Conversation::of(turns.map(|(role, content)| Message::new(role, content)).to_vec())
}

fn rendered(template: &ChatTemplate, said: &Conversation, ending: Ending) -> String {
    template.render(said, ending).expect("it renders").text()
}

#[track_caller]
fn check(source: &str, expected: &str) {
    let template = ChatTemplate::new("t", source).expect("it is Jinja");
    assert_eq!(rendered(&template, &conversation(), Ending::Answer), expected);
}

#[track_caller]
fn refused(source: &str, expected: &str) {
    let error = match ChatTemplate::new("t", source) {
        Ok(template) => {
            template.render(&conversation(), Ending::Answer).expect_err("it must fail").to_string()
        }
        Err(error) => error.to_string(),
    };
    assert!(error.contains(expected), "{error:?} lacks {expected:?}");
}

#[test]
fn templates_see_what_transformers_shows_them() {
    check("{{ messages | length }}{{ add_generation_prompt }}{{ tools is none }}", "4TrueTrue");
    check(
        "{% for m in messages %}\n    {% if m['role'] == 'user' %}\n{{ m.content.strip() }}\n    {% endif %}\n{% endfor %}",
        "Hi\nBye\n",
    );
    check("{{ messages[1:] | map(attribute='role') | join(',') }}", "user,assistant,user");
    check(
        "{{ messages[0].content.startswith('Be').__class__ is undefined }}{{ 'a,b'.split(',')[1].upper() }}",
        "TrueB",
    );
    check(
        "{% for m in messages %}{% if loop.index0 == 1 %}{% continue %}{% endif %}{{ m.role[0] }}{% endfor %}",
        "sau",
    );
    check(
        "{% for m in messages %}{% if loop.index0 == 2 %}{% break %}{% endif %}{{ m.role[0] }}{% endfor %}",
        "su",
    );
    check(
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
        "4",
    );
    check("{{ {'a': [1, 'é<'], 'b': none} | tojson }}", r#"{"a": [1, "é<"], "b": null}"#);
    check("{{ strftime_now('%Y') | int > 2000 }}", "True");
    check("{% generation %}x{% endgeneration %}{%- generation -%} y {%- endgeneration -%}", "xy");
    check("a\n", "a");
}

#[test]
fn special_tokens_are_names() {
    let names = json!({ "bos_token": "<s>", "eos_token": "</s>" });
    let template =
        ChatTemplate::new("t", "{{ bos_token }}{{ eos_token }}{{ pad_token is defined }}").expect("Jinja");
    let template = template.with_names(names.as_object().cloned().expect("an object"));
    assert_eq!(rendered(&template, &conversation(), Ending::Answer), "<s></s>False");
}

#[test]
fn hostile_templates_end_in_an_error_with_their_line() {
    refused(
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "a loop without end",
    );
    refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "t, line 1: ");
    refused("one\n{{ messages | frobnicate }}", "t, line 2: unknown filter: filter frobnicate is unknown");
    refused("{% if %}", "t, line 1: syntax error");
    refused(
        "{{ raise_exception('no system text, please') }}",
        "the template refuses: no system text, please",
    );
    refused("{% include '/etc/passwd' %}", "");
    refused("{{ nobody.name }}", "t, line 1: ");
    refused("{% for a in range(9999) %}{{ 'x' * 9999 }}{% endfor %}", "the prompt is longer than");
    // Each of these would fill the memory.
    let long = "{% set s = 'x' * 9999999 %}";
    refused(&format!("{long}{{{{ s.replace('x', s) }}}}"), "a text without end");
    refused(&format!("{long}{{{{ s.join(s) }}}}"), "");
    refused("{{ '%9999999999d' % 1 }}", "a width of more than");
    refused("{{ '%*d' % (99999999, 1) }}", "a width of more than");
    refused("{{ 'x'.center(99999999999) }}", "a width of 99999999999 is more than");
    let doubled = "{% set ns = namespace(l=['xxxxxxxx']) %}{% for i in range(40) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}";
    refused(&format!("{doubled}{{{{ ns.l | tojson }}}}"), "a text without end");
    refused(&format!("{doubled}{{{{ ns.l | string }}}}"), "a text without end");
}

#[test]
fn every_template_that_a_family_names_is_there() {
    let library = Library::built_in().expect("the families");
    for family in library.declarations() {
        let Some(entry) = family.chat.get("template") else { continue };
        let name = entry.expr.written();
        let name = name.trim_matches('"');
        // A family without a form of its own says so.
        if name == "none" || name == "null" {
            continue;
        }
        let source =
            Library::chat_template(name).unwrap_or_else(|| panic!("{}: chat/{name}.jinja", family.name));
        let template = ChatTemplate::new(name, source).expect("it is Jinja");
        let turns = Conversation::of(conversation().messages[1..].to_vec());
        template.joined(Join::Ids).render(&turns, Ending::Message).expect("it renders");
    }
}

#[test]
fn an_answer_goes_on_where_it_was_left() {
    let mut said = conversation();
    said.messages.push(Message::new("assistant", "Good "));
    let open = |source: &str| {
        ChatTemplate::new("t", source)
            .and_then(|template| template.render(&said, Ending::Open))
            .map(|p| p.text())
    };
    let each = |content: &str| {
        format!("{{% for m in messages %}}<{{{{ {content} }}}}>{{% endfor %}}{{{{ add_generation_prompt }}}}")
    };
    assert_eq!(open(&each("m.content")).expect("it goes on"), "<Be brief.>< Hi ><Hello.><Bye><Good ");
    // A template that strips strips what was begun as well.
    assert_eq!(open(&each("m.content | trim")).expect("it goes on"), "<Be brief.><Hi><Hello.><Bye><Good");
    let left_out = open("{{ messages[0].content }}").expect_err("it leaves it out").to_string();
    assert!(left_out.contains("the last message can't go on: t leaves it out"), "{left_out}");
}

#[test]
fn pieces_are_what_the_template_marks_and_nothing_that_a_user_says() {
    let source = "{{ token('<s>') ~ alone(messages[0].content) ~ 'x' ~ messages[0].content }}";
    let template = ChatTemplate::new("t", source).expect("Jinja").joined(Join::Ids);
    let text = "a\u{fdd0}<s>\u{fdd2}\u{fdd1}b";
    let prompt = template.render(&Conversation::of(vec![Message::new("user", text)]), Ending::Answer);
    let pieces = [Piece::Token("<s>".into()), Piece::Literal(text.into()), Piece::Parsed(format!("x{text}"))];
    assert_eq!(prompt.expect("it renders").pieces, pieces);
    let plain = ChatTemplate::new("t", source).expect("Jinja").render(&conversation(), Ending::Answer);
    assert!(
        plain.is_err_and(|error| error.to_string().contains("token")),
        "only a family's own template marks pieces"
    );
}

#[track_caller]
fn no_conversation(text: &[u8], expected: &str) {
    let error = Conversation::read(text).expect_err("it is none").to_string();
    assert!(error.contains(expected), "{error:?} lacks {expected:?}");
}

#[test]
fn what_is_no_conversation_is_refused_by_the_place_that_is_wrong() {
    no_conversation(b"", "no JSON");
    no_conversation(b"[{]", "no JSON");
    no_conversation(b"\xff\xfe[", "no UTF-8 from byte 0 on");
    no_conversation(b"\"Hi\"", "a list of messages is needed");
    no_conversation(b"{}", "a list of messages is needed");
    no_conversation(b"[]", "the list of messages is empty");
    no_conversation(br#"["Hi"]"#, "message 1: a text is no object with `role` and `content`");
    no_conversation(
        br#"[{"role": "user", "content": "a"}, {"content": "b"}]"#,
        "message 2: `role` is missing",
    );
    no_conversation(br#"[{"role": 5, "content": "b"}]"#, "message 1: `role` = 5");
    no_conversation(br#"[{"role": "user"}]"#, "message 1: `content` is missing or null");
    no_conversation(br#"[{"role": "user", "content": null}]"#, "message 1: `content` is missing or null");
    no_conversation(br#"[{"role": "user", "content": 5}]"#, "message 1: `content` is a number");
    no_conversation(&[b"[".repeat(200), b"]".repeat(200)].concat(), "no JSON: recursion limit");
    no_conversation(&vec![b' '; (64 << 20) + 1], "more than 67108864 are not read");
}

#[test]
fn parts_go_to_templates_that_take_them() {
    let parts = json!([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]).to_string();
    let said = Conversation::read(parts.as_bytes()).expect("a conversation");
    let render = |source: &str| {
        let template = ChatTemplate::new("t", source).expect("Jinja");
        template.render(&said, Ending::Answer).map(|prompt| prompt.text()).map_err(|error| error.to_string())
    };
    assert_eq!(render("{% for p in messages[0].content %}{{ p.text }}{% endfor %}"), Ok("Hi".into()));
    let refused = Err("message 1: `content` is no text, and t takes none but texts".to_owned());
    assert_eq!(render("{{ messages[0].content }}"), refused);
    assert_eq!(render("{{ 'user: ' + messages[0].content }}"), refused);
    assert_eq!(render("{{ messages[0].content.strip() }}"), refused);
}

#[test]
fn further_keys_and_names_reach_the_template() {
    let said = json!({
        "messages": [{"role": "assistant", "content": null, "tool_calls": [{"z": 1, "a": 2}], "reasoning": "so"}],
        "tools": [{"name": "f"}], "enable_thinking": false, "documents": null,
    });
    let said = Conversation::read(said.to_string().as_bytes()).expect("a conversation");
    let source = "{{ messages[0].content is defined }}{{ messages[0].tool_calls | tojson }}{{ messages[0].reasoning_content }}\
                  {{ messages[0].thinking }}{{ tools[0].name }}{{ enable_thinking }}{{ documents is none }}";
    let template = ChatTemplate::new("t", source).expect("Jinja");
    assert_eq!(rendered(&template, &said, Ending::Answer), "False[{\"z\": 1, \"a\": 2}]sosofFalseTrue");
}
