// SPDX-License-Identifier: Apache-2.0
#include <atom/io/chat_template.hpp>

#include "catch.hpp"

#include <thread>

using namespace atom;

TEST_CASE("threads share a template") {
  const io::ChatTemplate chat(
      "{% macro m(a, b='x') %}{{ a }}{{ b ~ 'y' }}{% endmacro %}"
      "{% for m in messages if m is mapping %}{{ m.role }}{{ loop.index }}{% endfor %}{{ m('q' if n is none else 1) "
      "}}");
  const io::Json variables = io::Json::object(
      {{"messages", io::Json::Array{io::Json::object({{"role", "user"}}), io::Json::object({{"role", "tool"}})}},
       {"n", nullptr}});
  std::vector<std::string> found(4);
  std::vector<std::thread> threads;
  for (std::string& text : found)
    threads.emplace_back([&chat, &variables, &text] {
      for (int i = 0; i < 50; ++i) text = chat.render(variables);
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : found) CHECK(text == "user1tool2qxy");
}
