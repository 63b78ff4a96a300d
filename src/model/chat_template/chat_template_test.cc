#include "model/chat_template/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <chrono>
#include <string>

namespace tandem::model {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

absl::StatusOr<std::string> Render(std::string_view source,
                                   const boost::json::object& variables = {}) {
  const auto chat_template = ChatTemplate::Parse(source);
  if (!chat_template.ok()) return chat_template.status();
  return (*chat_template)->Render(variables);
}

std::string ErrorOf(std::string_view source, const boost::json::object& variables = {}) {
  const auto rendered = Render(source, variables);
  EXPECT_EQ(rendered.status().code(), absl::StatusCode::kInvalidArgument) << source;
  return std::string(rendered.status().message());
}

TEST(ChatTemplate, SaysWhereItDoesNotParse) {
  EXPECT_EQ(ErrorOf("a\n  {{ x | nothing }}"), "line 2, column 10: there is no filter \"nothing\"");
  EXPECT_EQ(ErrorOf("{{ x is nothing }}"), "line 1, column 9: there is no test \"nothing\"");
  EXPECT_EQ(ErrorOf("{{ (1 }}"), "line 1, column 1: the tag that begins here does not end");
  EXPECT_EQ(ErrorOf("{{ [1 2] }}"), "line 1, column 7: expected \",\", got \"2\"");
  EXPECT_THAT(ErrorOf("\n\n{% include 'x' %}"), StartsWith("line 3, column 4: unexpected tag"));
  EXPECT_THAT(ErrorOf("{% if x %}"), HasSubstr("the tag has no \"endif\""));
  EXPECT_THAT(ErrorOf("{{ 'x }}"), HasSubstr("the string that begins here does not end"));
  EXPECT_THAT(ErrorOf("{{ 1 ? 2 }}"), HasSubstr("unexpected character '?'"));
  EXPECT_THAT(ErrorOf("{{ 99999999999999999999 }}"), HasSubstr("is larger than 2^63 - 1"));
  EXPECT_THAT(ErrorOf("{% break %}"), HasSubstr("outside of a loop"));
}

TEST(ChatTemplate, SaysBeforeItIsRenderedWhatItDoesNotKnow) {
  const auto error_of = [](std::string_view source) {
    return std::string(ChatTemplate::Parse(source).status().message());
  };
  EXPECT_EQ(error_of("a\n{% if false %}{{ now() }}{% endif %}"),
            "line 2, column 18: there is no function \"now\"");
  EXPECT_EQ(error_of("{% for m in messages %}{{ m.content.swapcase() }}{% endfor %}"),
            "line 1, column 36: there is no method \"swapcase\"");
  EXPECT_EQ(error_of("{{ [1] | map('frob') }}"), "line 1, column 14: there is no filter \"frob\"");
  EXPECT_EQ(error_of("{% filter map('frob') %}{% endfilter %}"),
            "line 1, column 15: there is no filter \"frob\"");
  EXPECT_EQ(error_of("\n{{ [1] | select('frob') }}"),
            "line 2, column 17: there is no test \"frob\"");
  EXPECT_EQ(error_of("{{ [1] | reject('frob', 2) }}"),
            "line 1, column 17: there is no test \"frob\"");
  EXPECT_EQ(error_of("{{ [1] | selectattr('role', 'frob') }}"),
            "line 1, column 29: there is no test \"frob\"");
  EXPECT_EQ(error_of("{{ [1] | rejectattr('role', 'frob', 2) }}"),
            "line 1, column 29: there is no test \"frob\"");
  for (const char* source :
       {"{{ [1] | map('upper') }}", "{{ [1] | map(attribute='frob') }}", "{{ [1] | select }}",
        "{{ [1] | select('odd') }}", "{{ [1] | selectattr('frob') }}",
        "{{ [1] | selectattr('frob', '==', 'frob') }}", "{{ [1] | select(name) }}",
        "{{ [1] | join('frob') }}", "{{ raise_exception('a') }}",
        "{% macro f(x) %}{{ x }}{% endmacro %}{{ f(1) }}",
        "{% if now is defined %}{{ now() }}{% endif %}", "{{ messages[0].content.strip() }}",
        "{% set f = range %}{{ f(3) }}", "{{ f(1) }}{% macro f(x) %}{{ x }}{% endmacro %}"}) {
    EXPECT_EQ(error_of(source), "") << source;
  }
}

TEST(ChatTemplate, SaysWhereItGoesWrong) {
  EXPECT_EQ(ErrorOf("{{ 1 }}\n{{ 1 + 'a' }}"),
            "line 2, column 4: cannot apply \"+\" to int and str");
  EXPECT_EQ(ErrorOf("{{ x.y }}"),
            "line 1, column 5: cannot take .y of an undefined value: there is no variable x");
  EXPECT_THAT(ErrorOf("{{ 1 // 0 }}"), HasSubstr("division by zero"));
  EXPECT_THAT(ErrorOf("{{ 9223372036854775807 + 1 }}"), HasSubstr("larger than 2^63 - 1"));
}

TEST(ChatTemplate, GivesTheTextOfItsOwnExceptions) {
  EXPECT_EQ(ErrorOf("{{ raise_exception('roles must alternate') }}"), "roles must alternate");
}

TEST(ChatTemplate, PrintsTheTimeThatItIsGiven) {
  const auto chat_template = ChatTemplate::Parse("{{ strftime_now('%Y') }}");
  ASSERT_TRUE(chat_template.ok()) << chat_template.status();
  const auto rendered =
      (*chat_template)
          ->Render({}, std::chrono::system_clock::time_point(std::chrono::hours(24 * 200)));
  ASSERT_TRUE(rendered.ok()) << rendered.status();
  EXPECT_EQ(*rendered, "1970");
}

TEST(ChatTemplate, RendersWhatTheAssistantWrote) {
  EXPECT_EQ(Render("a{% generation %}b{% endgeneration %}c").value(), "abc");
}

TEST(ChatTemplate, BoundsItsSteps) {
  EXPECT_THAT(
      ErrorOf("{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}"
              "{% endfor %}{% endfor %}{% endfor %}"),
      HasSubstr("more steps than are allowed"));
  EXPECT_THAT(ErrorOf("{% set ns = namespace(l=[1]) %}{% for i in range(100) %}"
                      "{% set ns.l = ns.l + ns.l %}{% endfor %}"),
              HasSubstr("longer than a million elements"));
}

TEST(ChatTemplate, BoundsItsOutput) {
  EXPECT_THAT(ErrorOf("{{ 'a' * 1000000000 }}"), HasSubstr("longer than 64 MiB"));
  EXPECT_THAT(ErrorOf("{% set ns = namespace(s='ab') %}{% for i in range(100) %}"
                      "{% set ns.s = ns.s + ns.s %}{% endfor %}"),
              HasSubstr("longer than 64 MiB"));
  EXPECT_THAT(ErrorOf("{% set s = 'a' * 1000000 %}{% set l = [s] * 1 %}"),
              HasSubstr("cannot apply"));
  EXPECT_THAT(ErrorOf("{% set s = 'a' * 10000000 %}{% set l = [s, s, s, s, s, s, s, s, s] %}"
                      "{{ [l, l, l, l]|tojson }}"),
              HasSubstr("longer than 64 MiB"));
}

TEST(ChatTemplate, BoundsItsRecursion) {
  EXPECT_THAT(ErrorOf("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
              HasSubstr("calls itself too deeply"));
  EXPECT_THAT(ErrorOf("{{ " + std::string(1000, '(') + "1" + std::string(1000, ')') + " }}"),
              HasSubstr("nested too deeply"));
  std::string sum = "{{ 1";
  for (int i = 0; i < 1000; ++i) sum += " + 1";
  EXPECT_THAT(ErrorOf(sum + " }}"), HasSubstr("nested too deeply"));
  std::string blocks;
  for (int i = 0; i < 1000; ++i) blocks += "{% if 1 %}";
  EXPECT_THAT(ErrorOf(blocks), HasSubstr("nested too deeply"));
  EXPECT_THAT(ErrorOf("{% set ns = namespace(l=[]) %}{% for i in range(1000) %}"
                      "{% set ns.l = [ns.l] %}{% endfor %}"),
              HasSubstr("deeper than 100 levels"));
}

TEST(ChatTemplate, RefusesVariablesThatAreNestedTooDeeply) {
  boost::json::value deep = 1;
  for (int i = 0; i < 200; ++i) deep = boost::json::array{deep};
  EXPECT_THAT(ErrorOf("{{ x }}", {{"x", deep}}), HasSubstr("x: a variable is nested deeper"));
}

TEST(ChatTemplate, KeepsSelfReferencesOnlyForTheRendering) {
  EXPECT_EQ(
      Render("{% set ns = namespace(a=1) %}{% set ns.self = ns %}{{ ns.self.self.a }}").value(),
      "1");
}

}  // namespace
}  // namespace tandem::model
