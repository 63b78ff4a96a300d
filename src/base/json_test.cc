#include "base/json.h"

#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <random>

namespace tandem {
namespace {

TEST(JsonTest, IsWritableUnlessANumberIsAboveTheRangeOfADouble) {
  EXPECT_TRUE(IsWritable(boost::json::parse(R"({"a":[1,-1e308,{"b":null}],"c":"1e400"})")));
  EXPECT_FALSE(IsWritable(boost::json::parse("1e400")));
  EXPECT_FALSE(IsWritable(boost::json::parse(R"({"a":[1,{"b":-1e400}]})")));
}

TEST(JsonTest, NumbersAreReadExactly) {
  // Boost.JSON 1.81 makes -0.03708524256944656 of the first.
  for (const char* text :
       {"-0.037085242569446564", "-1.7976931348623157e308", "5e-324", "0.1",
        "123456789012345678901234567890", "1E+2", "-0.0", "0.30000000000000004"}) {
    EXPECT_EQ(ParseExactJson(text)->as_double(), std::strtod(text, nullptr)) << text;
  }
  EXPECT_EQ(ParseExactJson("9223372036854775807")->as_int64(), 9223372036854775807);
  EXPECT_EQ(ParseExactJson("18446744073709551615")->as_uint64(), 18446744073709551615u);
  EXPECT_FALSE(IsWritable(*ParseExactJson("-1e400")));
  std::mt19937 random(1);
  std::uniform_real_distribution<float> logprob(-20, 0);
  for (int i = 0; i < 10000; ++i) {
    const boost::json::value value(static_cast<double>(logprob(random)));
    EXPECT_EQ(*ParseExactJson(boost::json::serialize(value)), value);
  }
}

TEST(JsonTest, AllElseIsReadAsBoostReadsIt) {
  for (const char* text :
       {R"({"a":[1,-2,{"b":null,"a":true}],"c":"x\u00e4\n\ud83d\ude00","":{},"d":[]})", "[]",
        "null", R"( {"a":1,"a":2} )", "\"text\"", "[[[[1]]]]"}) {
    ASSERT_TRUE(ParseExactJson(text).has_value()) << text;
    EXPECT_EQ(*ParseExactJson(text), boost::json::parse(text)) << text;
  }
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[1,]"), std::string("1 2"), std::string("01"),
        std::string("\"\xff\""), std::string("nul"), std::string(100000, '['),
        std::string("// comment\n1")}) {
    EXPECT_FALSE(ParseExactJson(text).has_value()) << text.substr(0, 20);
  }
}

}  // namespace
}  // namespace tandem
