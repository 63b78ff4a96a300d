#include "cli/serve_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The options; fails the test if the command line is refused.
ServeOptions Parse(const Arguments& arguments) {
  std::variant<ServeOptions, int> parsed = ParseServeFlags(arguments);
  EXPECT_TRUE(std::holds_alternative<ServeOptions>(parsed));
  return std::holds_alternative<ServeOptions>(parsed) ? std::get<ServeOptions>(parsed)
                                                      : ServeOptions{};
}

/// What is printed for a command line that is refused with exit code 2.
std::string Complaint(const Arguments& arguments) {
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  std::variant<ServeOptions, int> parsed = ParseServeFlags(arguments);
  std::string printed = ::testing::internal::GetCapturedStderr();
  printed += ::testing::internal::GetCapturedStdout();
  EXPECT_TRUE(std::holds_alternative<int>(parsed)) << printed;
  if (std::holds_alternative<int>(parsed)) {
    EXPECT_EQ(std::get<int>(parsed), 2);
  }
  return printed;
}

TEST(ServeFlagsTest, TakesTheGuidesCommandLine) {
  const ServeOptions options =
      Parse({"m", "--port", "8100", "--enforce-eager", "--no-enable-prefix-caching",
             "--kv-transfer-config", R"({"kv_role":"kv_producer"})"});
  EXPECT_EQ(options.model, "m");
  EXPECT_EQ(options.port, 8100);
  EXPECT_FALSE(options.enable_prefix_caching);
  EXPECT_EQ(options.kv_transfer_config, R"({"kv_role":"kv_producer"})");
  EXPECT_THAT(options.served_model_names, ElementsAre("m"));
  EXPECT_THAT(options.warnings, ElementsAre(HasSubstr("--enforce-eager")));
  EXPECT_GE(options.threads, 1);
}

TEST(ServeFlagsTest, TakesValuesInBothForms) {
  const ServeOptions options = Parse(
      {"--served-model-name", "a", "--served-model-name=b", "--max-model-len=2K", "m.gguf",
       "--kv-cache-memory=64mb", "--dtype=float32", "--kv-cache-dtype", "bfloat16",
       "--disable-log-requests", "--api-key", "k", "--ssl-certfile=/c", "--ssl-keyfile", "/k"});
  EXPECT_EQ(options.model, "m.gguf");
  EXPECT_EQ(options.ssl_certfile, "/c");
  EXPECT_EQ(options.ssl_keyfile, "/k");
  EXPECT_THAT(options.served_model_names, ElementsAre("a", "b"));
  EXPECT_EQ(options.max_model_len, 2048);
  EXPECT_EQ(options.kv_cache_bytes, 64u << 20);
  EXPECT_EQ(options.kv_cache_dtype, compute::DataType::kBFloat16);
  EXPECT_FALSE(options.log_requests);
  EXPECT_THAT(options.api_keys, ElementsAre("k"));
}

TEST(ServeFlagsTest, SharesPrefixesAndServesInOrderUnlessTold) {
  const ServeOptions usual = Parse({"m"});
  EXPECT_TRUE(usual.enable_prefix_caching);
  EXPECT_FALSE(usual.schedule_by_priority);
  EXPECT_EQ(usual.max_logprobs, 20);
  const ServeOptions told = Parse(
      {"m", "--no-enable-prefix-caching", "--scheduling-policy", "priority", "--max-logprobs=-1"});
  EXPECT_FALSE(told.enable_prefix_caching);
  EXPECT_TRUE(told.schedule_by_priority);
  EXPECT_EQ(told.max_logprobs, -1);
  EXPECT_THAT(told.warnings, ::testing::IsEmpty());
}

TEST(ServeFlagsTest, ComplaintsNameFlagAndValue) {
  EXPECT_THAT(Complaint({}), HasSubstr("MODEL"));
  EXPECT_THAT(Complaint({"m", "--port=99999"}),
              ::testing::AllOf(HasSubstr("--port"), HasSubstr("99999"), HasSubstr("65535")));
  EXPECT_THAT(Complaint({"m", "--max-num-seqs=many"}),
              ::testing::AllOf(HasSubstr("--max-num-seqs"), HasSubstr("many")));
  EXPECT_THAT(Complaint({"m", "--block-size=32"}),
              ::testing::AllOf(HasSubstr("--block-size"), HasSubstr("32"), HasSubstr("16")));
  EXPECT_THAT(Complaint({"m", "-tp", "2"}), HasSubstr("--tensor-parallel-size"));
  EXPECT_THAT(Complaint({"m", "--kv-cache-dtype=fp8"}),
              HasSubstr("--kv-cache-dtype: 'fp8' is not accepted; it takes auto"));
  for (const auto& [flag, value, accepted] :
       {std::tuple("--kv-cache-memory", "much", "kb, mb, gb or tb"),
        {"--kv-cache-memory", "0", "at least 1"},
        {"--seed", "x", "a whole number of at least 0"},
        {"--max-model-len", "abc", "k (1000) or K (1024)"},
        {"--shutdown-grace", "soon", "a whole number from 0 to 86400"},
        {"--max-num-seqs", "many", "a whole number from 1 to 65536"},
        {"--generation-config", "none", "auto or vllm"},
        {"--uvicorn-log-level", "loud", "info or warning"}}) {
    EXPECT_THAT(Complaint({"m", flag, value}),
                ::testing::AllOf(HasSubstr(flag), HasSubstr(value), HasSubstr(accepted)));
  }
  EXPECT_THAT(Complaint({"m", "--scheduling-policy=lifo"}),
              ::testing::AllOf(HasSubstr("--scheduling-policy"), HasSubstr("lifo"),
                               HasSubstr("fcfs"), HasSubstr("priority")));
  EXPECT_THAT(Complaint({"m", "--max-model-length=5"}), HasSubstr("--max-model-len?"));
}

TEST(ServeFlagsTest, TheLastOfAFlagCounts) {
  const ServeOptions options =
      Parse({"m", "--port", "8200", "--enable-prefix-caching", "--port", "0",
             "--no-enable-prefix-caching", "--dtype=auto", "--dtype=float32"});
  EXPECT_EQ(options.port, 0);
  EXPECT_FALSE(options.enable_prefix_caching);
  EXPECT_EQ(options.kv_cache_dtype, compute::DataType::kFloat32);
}

TEST(ServeFlagsTest, SeveralNamesMayFollowOneFlag) {
  EXPECT_THAT(Parse({"m", "--served-model-name", "a", "b"}).served_model_names,
              ElementsAre("a", "b"));
}

}  // namespace
}  // namespace tandem::cli
