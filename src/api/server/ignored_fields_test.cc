#include "api/server/ignored_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/testing/captured_log.h"

namespace tandem::api {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(IgnoredFieldsTest, AreToldOnceEach) {
  const CapturedLog log;
  IgnoredFields fields;
  fields.Note("r1", {"temprature", "top-p"});
  fields.Note("r2", {"temprature"});
  EXPECT_THAT(log.text(), AllOf(HasSubstr("r1"), HasSubstr("\"temprature\""),
                                HasSubstr("\"top-p\""), Not(HasSubstr("r2"))));
}

TEST(IgnoredFieldsTest, AClientCannotFillTheLog) {
  const CapturedLog log;
  IgnoredFields fields;
  fields.Note("r", {"line\nfeed", std::string(100000, 'x')});
  for (int i = 0; i < 1000; ++i) fields.Note("r", {std::to_string(i)});
  const std::string text = log.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 100);
  EXPECT_LT(text.size(), 20000u);
  EXPECT_THAT(text, HasSubstr("further names are not told"));
}

}  // namespace
}  // namespace tandem::api
