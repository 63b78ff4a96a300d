#include "cli/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tandem::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class ConfigFileTest : public testing::Test {
 protected:
  ConfigFileTest() {
    parser_.AddPort("rpc_port", &rpc_port_, "port for calls");
    parser_.AddString("cluster_id", &cluster_id_, "a name");
  }
  ~ConfigFileTest() override { std::filesystem::remove(path_); }

  std::string ErrorOf(const std::string& path) {
    const absl::Status status = ReadConfigFile(path, parser_);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  }
  std::string ErrorOfText(const std::string& text) {
    std::ofstream(path_) << text;
    return ErrorOf(path_);
  }

  const std::string path_ =
      testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name() + ".yaml";
  int rpc_port_ = 1;
  std::string cluster_id_;
  GflagsParser parser_;
};

TEST_F(ConfigFileTest, SetsWhatTheCommandLineDoesNot) {
  ASSERT_TRUE(parser_.Parse({"--rpc_port=2"}).ok());
  ASSERT_TRUE(SetFlagsFrom("rpc-port: 3\ncluster_id: c\n", parser_).ok());
  EXPECT_EQ(rpc_port_, 2);
  EXPECT_EQ(cluster_id_, "c");
}

TEST_F(ConfigFileTest, SaysWhyAFileCannotBeRead) {
  EXPECT_EQ(ErrorOf(testing::TempDir()),
            "--config_path=" + testing::TempDir() + ": cannot be read: Is a directory");
  EXPECT_EQ(ErrorOf("/nowhere.yaml"),
            "--config_path=/nowhere.yaml: cannot be read: No such file or directory");
  EXPECT_THAT(ErrorOf("/dev/zero"), HasSubstr("--config_path=/dev/zero: larger than 1 MiB"));
}

TEST_F(ConfigFileTest, NamesItselfAndWhatIsWrong) {
  EXPECT_THAT(ErrorOfText(""), HasSubstr("not a map"));
  EXPECT_THAT(ErrorOfText("a: ["), StartsWith("--config_path=" + path_));
  EXPECT_THAT(ErrorOfText("rpc_port: x"),
              AllOf(HasSubstr(path_), HasSubstr("--rpc_port=x: not a port number")));
}

TEST_F(ConfigFileTest, RefusesAKeyThatComesTwice) {
  for (const char* text :
       {"rpc_port: 2\ncluster_id: c\nrpc_port: 3\n",
        R"({"cluster_id": "c", "rpc_port": 2, "rpc_port": 2})", "rpc-port: 2\nrpc_port: 3\n"}) {
    parser_ = GflagsParser();
    parser_.AddPort("rpc_port", &rpc_port_, "port for calls");
    parser_.AddString("cluster_id", &cluster_id_, "a name");
    EXPECT_THAT(ErrorOfText(text),
                StartsWith("--config_path=" + path_ + ": 'rpc_port' comes twice"));
  }
  ASSERT_TRUE(parser_.Parse({"--rpc_port=2"}).ok());
  EXPECT_THAT(ErrorOfText("rpc_port: 2\nrpc_port: 3\n"), HasSubstr("'rpc_port' comes twice"))
      << "also where the command line comes first";
}

}  // namespace
}  // namespace tandem::cli
