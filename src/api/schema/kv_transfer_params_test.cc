#include "api/schema/kv_transfer_params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace tandem::api {
namespace {

using ::testing::HasSubstr;

TEST(KvTransferParamsTest, SurvivesARoundTrip) {
  const std::string text =
      R"({"first_tok":12,"committed_tokens":300,"namespace":"model=m",)"
      R"("first_tok_logprobs":{"token":12,"top":[]},"first_tok_finish_reason":"stop",)"
      R"("resume_tokens":[12,13],"stored_bytes":5000000000})";
  absl::StatusOr<KvTransferParams> params = KvTransferParams::FromJson(boost::json::parse(text));
  ASSERT_TRUE(params.ok()) << params.status();
  EXPECT_EQ(boost::json::serialize(params->ToJson()), text);
}

TEST(KvTransferParamsTest, IgnoresWhatOtherConnectorsSend) {
  absl::StatusOr<KvTransferParams> params = KvTransferParams::FromJson(
      boost::json::parse(R"({"do_remote_decode": true, "ret_first_tok": true})"));
  ASSERT_TRUE(params.ok());
  EXPECT_TRUE(params->ret_first_tok);
  EXPECT_FALSE(params->first_tok);
}

TEST(KvTransferParamsTest, NamesTheFieldThatIsWrong) {
  const absl::Status status =
      KvTransferParams::FromJson(boost::json::parse(R"({"first_tok": -4})")).status();
  EXPECT_EQ(status.message(),
            "kv_transfer_params.first_tok must be an integer of at least 0 and at most 2147483647, "
            "got -4");
  EXPECT_THAT(std::string(KvTransferParams::FromJson(boost::json::value(3)).status().message()),
              HasSubstr("kv_transfer_params must be an object, got 3"));
}

}  // namespace
}  // namespace tandem::api
