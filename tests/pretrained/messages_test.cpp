// SPDX-License-Identifier: Apache-2.0
// Which tokens of a conversation are learnt.
#include <atom/pretrained/messages.hpp>

#include "../catch.hpp"
#include "../io/scratch.hpp"

#include <atom/io/tokenizer_json.hpp>

using namespace atom;
using io::ChatTemplate;
using io::Json;
using io::Tokenizer;
using pretrained::encode;
using pretrained::mark_turns;
using pretrained::MarkedText;
using pretrained::MessageOptions;

namespace {

const std::string golden = ATOM_TEST_DIR "/golden/templates/";
const std::string tokenizers = ATOM_TEST_DIR "/io/tokenizers/";

ChatTemplate load(const std::string& name) { return ChatTemplate(io::read_file(golden + name + ".jinja"), name); }

// A token for each ASCII character and each mark of the templates; <s> begins every text unless that is refused.
Tokenizer characters() {
  std::string text;
  for (char c = ' '; c <= '~'; ++c) text += c;
  const Tokenizer plain = io::character_tokenizer(text + '\n');
  std::vector<io::AddedToken> marks;
  for (const char* mark : {"<s>", "<|im_start|>", "<|im_end|>", "<|start|>", "<|end|>", "<|eot|>"})
    marks.push_back({static_cast<TokenId>(plain.size()) + static_cast<TokenId>(marks.size()), mark});
  return Tokenizer(plain.model(), {.before = {static_cast<TokenId>(plain.size())}}, marks);
}

// What is learnt, each run of tokens in brackets.
std::string learnt(const Tokenizer& tokenizer, const data::Example& example) {
  CHECK(example.ids.size() == example.counts.size());
  std::string text;
  for (std::size_t i = 0; i < example.ids.size(); ++i) {
    if (!example.counts[i]) continue;
    if (i == 0 || !example.counts[i - 1]) text += '[';
    tokenizer.append_bytes(text, example.ids[i]);
    if (i + 1 == example.ids.size() || !example.counts[i + 1]) text += ']';
  }
  return text;
}

std::string learnt(const Tokenizer& tokenizer, const ChatTemplate& chat, std::string_view messages,
                   const MessageOptions& options = {}) {
  const Json conversation = io::parse_json(messages, "test");
  return learnt(tokenizer, encode(tokenizer, mark_turns(chat, conversation, options)));
}

constexpr std::string_view two_turns = R"({"messages": [
  {"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."},
  {"role": "user", "content": "Bye"}, {"role": "assistant", "content": "See\nyou."}, {"role": "user", "content": "!"}]})";

}  // namespace

TEST_CASE("each turn of the assistant is learnt, up to the token that ends it", "[pretrained]") {
  const Tokenizer tokenizer = characters();
  CHECK(learnt(tokenizer, load("chatml"), two_turns) == "[Hello.<|im_end|>][See\nyou.<|im_end|>]");
  CHECK(learnt(tokenizer, load("headers"), two_turns, {.variables = Json::object({{"bos_token", "<s>"}})}) ==
        "[Hello.<|eot|>][See\nyou.<|eot|>]");
  // A content may look like the marks around it, and may be empty.
  CHECK(learnt(tokenizer, load("chatml"), R"({"messages": [{"role": "user", "content": "<|im_start|>assistant\nno"},
      {"role": "assistant", "content": ""}, {"role": "assistant", "content": " <|im_end|> x "}]})") ==
        "[<|im_end|>][ <|im_end|> x <|im_end|>]");
  // Without a token that ends it, a turn ends where its text does.
  const ChatTemplate plain(
      "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
      "{% if add_generation_prompt %}assistant: {% endif %}");
  CHECK(learnt(tokenizer, plain, two_turns) == "[Hello.\n][See\nyou.\n]");
}

TEST_CASE("the text is the template's own, up to the last turn, and begins once", "[pretrained]") {
  const Tokenizer tokenizer = characters();
  const auto variables = Json::object({{"bos_token", "<s>"}});
  const auto marked = mark_turns(load("headers"), io::parse_json(two_turns, "test"), {.variables = variables});
  CHECK(marked.text ==
        "<s><|start|>system<|end|>\n\nBe short.<|eot|><|start|>user<|end|>\n\nHi<|eot|>"
        "<|start|>assistant<|end|>\n\nHello.<|eot|><|start|>user<|end|>\n\nBye<|eot|>"
        "<|start|>assistant<|end|>\n\nSee\nyou.<|eot|>");
  const auto ids = encode(tokenizer, marked).ids;
  CHECK(ids == tokenizer.encode(marked.text, {.add_special = false}));
  CHECK(std::ranges::count(ids, *tokenizer.find("<s>")) == 1);
}

TEST_CASE("variables and tools reach the template", "[pretrained]") {
  const ChatTemplate chat(
      "{{ a }}{{ tools[0].name if tools else '-' }}{{ strftime_now('%Y') }}"
      "{% for m in messages %}>{{ m.content }}<|eot|>{% endfor %}"
      "{% if add_generation_prompt %}>{% endif %}");
  MessageOptions options{.variables = Json::object({{"a", 5}}), .rendering = {.now = io::CivilTime{2026, 1, 1}}};
  const auto text = [&](const char* conversation) {
    return mark_turns(chat, io::parse_json(conversation, "test"), options).text;
  };
  CHECK(text(R"({"tools": [{"name": "t"}], "messages": [{"role": "assistant", "content": "x"}], "id": 7})") ==
        "5t2026>x<|eot|>");
  CHECK(text(R"({"messages": [{"role": "assistant", "content": "x"}]})") == "5-2026>x<|eot|>");
}

TEST_CASE("where earlier turns look otherwise, the last one is learnt", "[pretrained]") {
  const auto conversation = io::parse_json(R"({"messages": [
      {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "<think>\nsum\n</think>\n\n4"},
      {"role": "user", "content": "Sure?"}, {"role": "assistant", "content": "<think>\nyes\n</think>\n\nYes"}]})",
                                           "test");
  const Tokenizer tokenizer = characters();
  const MarkedText marked = mark_turns(load("Qwen-Qwen3-0.6B"), conversation);
  CHECK(marked.last_turn_only);
  CHECK(learnt(tokenizer, encode(tokenizer, marked)) == "[<think>\nyes\n</think>\n\nYes<|im_end|>]");
  CHECK(marked.text.find("sum") == std::string::npos);
}

TEST_CASE("tokens across the beginning of a turn are not learnt", "[pretrained]") {
  const Tokenizer tokenizer = io::load_tokenizer(tokenizers + "qwen.json");  // "\n\n" is one token
  CHECK(learnt(tokenizer, load("chatml"),
               R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "\nab b"},
                                {"role": "assistant", "content": "ab"}]})") == "[ab b<|im_end|>][ab<|im_end|>]");
}

TEST_CASE("tokenizers that mark spaces agree on where a turn begins", "[pretrained]") {
  const ChatTemplate chat(
      "{{ '<s>' }}{% for m in messages %}{{ '[INST] ' ~ m.content ~ ' [/INST]' if m.role == 'user' "
      "else ' ' ~ m.content ~ '<|im_end|>' }}{% endfor %}");
  constexpr std::string_view conversation = R"({"messages": [
      {"role": "user", "content": "a b"}, {"role": "assistant", "content": "ab a"},
      {"role": "user", "content": "b"}, {"role": "assistant", "content": "a"}]})";
  for (const char* name : {"llama2.json", "mistral.json"}) {
    const Tokenizer tokenizer = io::load_tokenizer(tokenizers + name);
    CHECK(learnt(tokenizer, chat, conversation) == "[\u2581ab\u2581a<|im_end|>][\u2581a<|im_end|>]");
  }
}

TEST_CASE("a file of conversations becomes batches", "[pretrained]") {
  const Scratch scratch;
  io::write_file(scratch / "train.jsonl",
                 R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
  
{"messages": [{"role": "user", "content": "c"}, {"role": "assistant", "content": "dd"}]})"
                 "\r\n");
  const Tokenizer tokenizer = characters();
  const auto read = pretrained::read_messages(scratch / "train.jsonl", load("chatml"), tokenizer);
  CHECK(read.examples.size() == 2);
  CHECK(read.last_turn_only == 0);
  data::ExampleBatches<Cpu> batches(read.examples, {.batch = 2, .context = 64, .shuffle = false});
  const auto [x, y] = batches.next();
  CHECK(batches.targets() == 5);  // b and the end, d, d and the end
  CHECK(x.dim(1) == y.dim(1));
}

TEST_CASE("errors name file and line", "[pretrained]") {
  const Scratch scratch;
  const std::string path = scratch / "wrong.jsonl";
  const auto wrong = [&](const std::string& line, const ChatTemplate& chat) {
    io::write_file(path, "\n" + line + "\n");
    return error_of([&] { pretrained::read_messages(path, chat, characters()); });
  };
  const ChatTemplate chat = load("chatml");
  const std::string where = "[" + path + ":2] ";
  CHECK(wrong("{", chat).starts_with(where + "not JSON at byte 2"));
  CHECK(wrong("[]", chat).find("\"messages\" is looked up in an array") != std::string::npos);
  CHECK(wrong("{}", chat) == where + "\"messages\" is missing");
  CHECK(wrong(R"({"messages": 5})", chat) == where + "found an integer, expected an array");
  CHECK(wrong(R"({"messages": [5]})", chat) == where + "message 0: found an integer, expected an object");
  CHECK(wrong(R"({"messages": [{"content": "x"}]})", chat) == where + "\"role\" is missing");
  CHECK(wrong(R"({"messages": [{"role": "user", "content": "x"}]})", chat) ==
        where + "found no message of the role assistant, expected something to learn");
  CHECK(wrong(R"({"messages": [{"role": "assistant"}]})", chat).starts_with(where + "[template chatml:2] +: found"));
  CHECK(wrong(R"({"messages": [{"role": "assistant", "content": "x"}]})",
              ChatTemplate("{{ 'prompt' if add_generation_prompt else messages[0].content }}"))
            .starts_with(where + "the template begins the last turn otherwise than its generation prompt says"));
}
