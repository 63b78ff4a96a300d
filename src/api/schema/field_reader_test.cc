#include "api/schema/field_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace tandem::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

boost::json::object Object(std::string_view text) { return boost::json::parse(text).as_object(); }

TEST(FieldReaderTest, LeavesTargetsOfAbsentAndNullFields) {
  const boost::json::object object = Object(R"({"a": null})");
  FieldReader fields(object);
  int a = 7, b = 8;
  fields.Read("a", a);
  fields.Read("b", b);
  EXPECT_TRUE(fields.status().ok());
  EXPECT_EQ(a, 7);
  EXPECT_EQ(b, 8);
}

TEST(FieldReaderTest, KeepsTheFirstErrorWithNameValueAndWhatIsAccepted) {
  const boost::json::object object = Object(R"({"n": "two", "x": -1})");
  FieldReader fields(object, "part.");
  int n = 0;
  std::optional<float> x;
  fields.Read("n", n, {.least = 1, .most = 4});
  fields.Read("x", x, {.least = 0});
  EXPECT_EQ(fields.status().message(),
            "part.n must be an integer of at least 1 and at most 4, got \"two\"");
}

TEST(FieldReaderTest, AcceptsIntegersWrittenWithAZeroFraction) {
  const boost::json::object object = Object(R"({"n": 5.0, "m": 5.5})");
  FieldReader fields(object);
  int n = 0, m = 0;
  fields.Read("n", n);
  EXPECT_TRUE(fields.status().ok());
  EXPECT_EQ(n, 5);
  fields.Read("m", m);
  EXPECT_THAT(std::string(fields.status().message()), HasSubstr("m must be an integer"));
}

TEST(FieldReaderTest, RefusesIntegersThatDoNotFit) {
  const boost::json::object object = Object(R"({"n": 3000000000, "s": 18446744073709551615})");
  int n = 0;
  FieldReader first(object);
  first.Read("n", n);
  EXPECT_FALSE(first.status().ok());
  std::optional<int64_t> s;
  FieldReader second(object);
  second.Read("s", s);
  EXPECT_FALSE(second.status().ok());
}

TEST(FieldReaderTest, AnOpenBoundIsNotAccepted) {
  const boost::json::object object = Object(R"({"p": 0})");
  FieldReader fields(object);
  std::optional<float> p;
  fields.Read("p", p, {.least = 0, .most = 1, .above_least = true});
  EXPECT_EQ(fields.status().message(), "p must be a number above 0 and at most 1, got 0");
}

TEST(FieldReaderTest, ReadsTokenIdsAndRefusesOthers) {
  const boost::json::object object = Object(R"({"ids": [1, 2], "bad": [1, -2]})");
  std::vector<int32_t> ids, bad;
  FieldReader fields(object);
  fields.Read("ids", ids);
  EXPECT_THAT(ids, ElementsAre(1, 2));
  fields.Read("bad", bad);
  EXPECT_THAT(std::string(fields.status().message()), HasSubstr("bad must be a list of token ids"));
}

TEST(FieldReaderTest, TellsWhichFieldsNobodyAskedFor) {
  const boost::json::object object = Object(R"({"known": 1, "foo": 1, "bar": 2})");
  FieldReader fields(object);
  int known = 0;
  fields.Read("known", known);
  EXPECT_THAT(fields.UnreadFields(), ElementsAre("foo", "bar"));
}

TEST(FieldReaderTest, QuotesNumbersAsPeopleWriteThem) {
  EXPECT_EQ(Quote(boost::json::value(-0.5)), "-0.5");
  EXPECT_EQ(Quote(boost::json::value(7)), "7");
}

TEST(FieldReaderTest, QuotesLongValuesCutBetweenCharacters) {
  const std::string quoted = Quote(boost::json::value(std::string(62, 'a') + "éééé"));
  EXPECT_EQ(quoted, "\"" + std::string(62, 'a') + "...");
}

TEST(ParseObjectTest, SaysWhereTheBodyStopsBeingJson) {
  EXPECT_THAT(std::string(ParseObject("{\"a\": tru}").status().message()),
              HasSubstr("the body is not valid JSON"));
  EXPECT_THAT(std::string(ParseObject("").status().message()), HasSubstr("not valid JSON"));
  EXPECT_THAT(std::string(ParseObject("{} x").status().message()), HasSubstr("not valid JSON"));
  EXPECT_THAT(std::string(ParseObject("[1]").status().message()),
              HasSubstr("must be a JSON object, got [1]"));
  EXPECT_THAT(std::string(ParseObject("{\"a\": [1e400]}").status().message()),
              HasSubstr("a number that is too large"));
  EXPECT_TRUE(ParseObject(" {\"a\": 1} \n").ok());
}

}  // namespace
}  // namespace tandem::api
