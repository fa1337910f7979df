//! Chat templates: the environment that transformers gives them, the families' own, and hostile ones.

use camelid_families::Library;
use camelid_generate::{ChatTemplate, Ending, Message, Role};
use serde_json::json;

fn conversation() -> Vec<Message> {
    [(Role::System, "Be brief."), (Role::User, " Hi "), (Role::Assistant, "Hello."), (Role::User, "Bye")]
        .map(|(role, content)| Message::new(role, content))
        .to_vec()
}

#[track_caller]
fn check(source: &str, expected: &str) {
    let template = ChatTemplate::new("t", source).expect("it is Jinja");
    assert_eq!(template.prompt(&conversation()).expect("it renders"), expected);
}

#[track_caller]
fn refused(source: &str, expected: &str) {
    let error = match ChatTemplate::new("t", source) {
        Ok(template) => template.prompt(&conversation()).expect_err("it must fail").to_string(),
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
    assert_eq!(template.prompt(&[]).expect("it renders"), "<s></s>False");
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
}

#[track_caller]
fn family(name: &str, messages: &[Message], expected: &str) {
    let source = Library::chat_template(name).expect("the template is there");
    let prompt = ChatTemplate::new(name, source).and_then(|template| template.prompt(messages));
    assert_eq!(prompt.expect("it renders"), expected, "{name}");
}

#[test]
fn families_write_their_prompts_as_their_own_code_does() {
    let all = conversation();
    let without_system = &all[1..];
    family(
        "llama2",
        &all,
        "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Hello. </s><s>[INST] Bye [/INST]",
    );
    family("llama2", without_system, "<s>[INST] Hi [/INST] Hello. </s><s>[INST] Bye [/INST]");
    family(
        "llama3",
        without_system,
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n\
         Hello.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    );
    family(
        "chatml",
        &all[..2],
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi <|im_end|>\n<|im_start|>assistant\n",
    );
    family(
        "gemma",
        without_system,
        "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello.<end_of_turn>\n<start_of_turn>user\nBye<end_of_turn>\n\
         <start_of_turn>model\n",
    );
    family(
        "baichuan1",
        &all,
        "Be brief.<reserved_102> Hi <reserved_103>Hello.<reserved_102>Bye<reserved_103>",
    );
    family(
        "baichuan2",
        &all,
        "Be brief.<reserved_106> Hi <reserved_107>Hello.<reserved_106>Bye<reserved_107>",
    );
    family("chatglm1", &all[1..2], " Hi [gMASK]<sop>");
    family(
        "chatglm1",
        without_system,
        "[Round 0]\n问： Hi \n答：Hello.\n[Round 1]\n问：Bye\n答：[gMASK]<sop>",
    );
    family(
        "chatglm2",
        without_system,
        "[gMASK]sop[Round 1]\n\n问： Hi \n\n答：Hello.\n\n[Round 2]\n\n问：Bye\n\n答：",
    );
    family("chatglm3", &all[..2], "[gMASK]sop<|system|>\nBe brief.<|user|>\n Hi <|assistant|>");
    family("glm4", &all[..2], "[gMASK]<sop><|system|>\nBe brief.<|user|>\n Hi <|assistant|>");
    family("minicpm", without_system, "<s><用户>Hi<AI>Hello.<用户>Bye<AI>");
}

#[test]
fn every_template_that_a_family_names_is_there() {
    let library = Library::built_in().expect("the families");
    for family in library.declarations() {
        let Some(entry) = family.chat.get("template") else { continue };
        let name = entry.expr.written();
        let name = name.trim_matches('"');
        let source =
            Library::chat_template(name).unwrap_or_else(|| panic!("{}: chat/{name}.jinja", family.name));
        let template = ChatTemplate::new(name, source).expect("it is Jinja");
        template.render(&conversation()[1..], Ending::Message).expect("it renders");
    }
}

#[test]
fn turns_out_of_order_are_refused_where_the_format_has_no_place_for_them() {
    for name in ["llama2", "gemma"] {
        let template =
            ChatTemplate::new(name, Library::chat_template(name).expect("it is there")).expect("Jinja");
        let twice = [Message::new(Role::User, "a"), Message::new(Role::User, "b")];
        assert!(
            template.prompt(&twice).is_err_and(|error| error.to_string().contains("take turns")),
            "{name}"
        );
    }
}
