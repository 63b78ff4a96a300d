#include "api/schema/tool_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>

namespace tandem::api {
namespace {

using ::testing::HasSubstr;

std::string Calls(std::string_view calls, std::string* error = nullptr) {
  const boost::json::value message = boost::json::parse(calls);
  FieldReader fields(message.as_object(), "messages[1].");
  const boost::json::array read = ReadToolCalls(fields, "messages[1].");
  if (error != nullptr) *error = std::string(fields.status().message());
  return boost::json::serialize(read);
}

std::string ErrorOf(std::string_view calls) {
  std::string error;
  Calls(calls, &error);
  return error;
}

TEST(ToolCallsTest, GivesTemplatesTheArgumentsAsAnObject) {
  EXPECT_EQ(Calls(R"({"tool_calls": [
                {"id": "1", "type": "function",
                 "function": {"name": "f", "arguments": "{\"a\": [1, \"x\"]}"}},
                {"function": {"name": "g", "arguments": {"b": 2}}},
                {"function": {"name": "h", "arguments": ""}},
                {"function": {"name": "i"}}]})"),
            R"([{"id":"1","type":"function","function":{"name":"f","arguments":{"a":[1,"x"]}}},)"
            R"({"function":{"name":"g","arguments":{"b":2}}},)"
            R"({"function":{"name":"h","arguments":{}}},)"
            R"({"function":{"name":"i","arguments":{}}}])");
  EXPECT_EQ(Calls("{}"), "[]");
  EXPECT_EQ(Calls(R"({"tool_calls": null})"), "[]");
}

TEST(ToolCallsTest, NamesTheCallThatIsWrong) {
  EXPECT_THAT(ErrorOf(R"({"tool_calls": {}})"), HasSubstr("messages[1].tool_calls must be a list"));
  EXPECT_THAT(ErrorOf(R"({"tool_calls": [{"function": {"name": "f"}}, {"function": 3}]})"),
              HasSubstr(R"(got {"function":3} as element 1)"));
  EXPECT_THAT(ErrorOf(R"({"tool_calls": [{"type": "custom", "function": {"name": "f"}}]})"),
              HasSubstr("as element 0"));
  for (const char* arguments : {R"("{")", R"("[1]")", "3", "[]"}) {
    EXPECT_THAT(
        ErrorOf(R"({"tool_calls": [{"function": {"name": "f", "arguments": )" +
                std::string(arguments) + "}}]}"),
        HasSubstr(
            "messages[1].tool_calls[0].function.arguments must be a JSON object or its text"));
  }
}

TEST(ToolCallsTest, TakesToolsAsTheyAre) {
  const boost::json::value body = boost::json::parse(
      R"({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"x": 1}}}]})");
  FieldReader fields(body.as_object());
  EXPECT_EQ(ReadTools(fields), body.at("tools"));
  EXPECT_TRUE(fields.status().ok());
}

}  // namespace
}  // namespace tandem::api
