#include "supervisor/deployment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace tandem::supervisor {
namespace {

using testing::Contains;
using testing::HasSubstr;

class DeploymentTest : public testing::Test {
 protected:
  DeploymentTest() {
    options_.program = "/bin/tandem";
    options_.model = "model.gguf";
    options_.directory = testing::TempDir();
    options_.ports = {0, 0, 0, 0, 0, 0};
  }

  std::vector<ChildPlan> Plan() {
    auto plans = PlanDeployment(options_, ports_);
    EXPECT_TRUE(plans.ok()) << plans.status();
    return *std::move(plans);
  }

  DeploymentOptions options_;
  DeploymentPorts ports_;
};

TEST_F(DeploymentTest, PassesPortsThatTheSystemChoseOn) {
  const auto plans = Plan();
  ASSERT_EQ(plans.size(), 4u);
  plans[0].on_ready({{"rpc", 1001}, {"metrics", 1002}, {"metadata", 1003}});
  plans[1].on_ready({{"http", 1004}});
  plans[2].on_ready({{"http", 1005}});

  EXPECT_THAT(plans[0].command().arguments, Contains("--rpc_port=1001"));
  EXPECT_THAT(plans[0].command().arguments, Contains("-v=1"));
  EXPECT_THAT(plans[3].command().arguments, Contains("--prefiller-port=1004"));
  EXPECT_THAT(plans[3].command().arguments, Contains("--decoder-port=1005"));

  const ChildCommand decoder = plans[2].command();
  EXPECT_THAT(decoder.arguments, Contains(HasSubstr("kv_consumer")));
  std::ifstream file(decoder.environment.at("LMCACHE_CONFIG_FILE"));
  std::stringstream config;
  config << file.rdbuf();
  EXPECT_THAT(config.str(), HasSubstr("mooncakestore://127.0.0.1:1001/"));
  EXPECT_THAT(config.str(), HasSubstr("http://127.0.0.1:1003/metadata"));
}

TEST_F(DeploymentTest, StopsTheProxyFirstAndTheMasterLast) {
  const auto plans = Plan();
  EXPECT_LT(plans[3].stop_stage, plans[1].stop_stage);
  EXPECT_EQ(plans[1].stop_stage, plans[2].stop_stage);
  EXPECT_LT(plans[2].stop_stage, plans[0].stop_stage);
}

TEST_F(DeploymentTest, LetsRequestsInFlightFinishWhereverTheyWereSent) {
  options_.grace = std::chrono::milliseconds(19'500);
  const auto plans = Plan();
  for (const ChildPlan& plan : plans) EXPECT_EQ(plan.drains, plan.name != "master") << plan.name;
  for (int i = 1; i < 4; ++i) {
    EXPECT_THAT(plans[i].command().arguments, Contains("--shutdown-grace=20"));
  }
  Duration after_grace{};
  for (const ChildPlan& plan : plans) after_grace = std::max(after_grace, plan.stop_timeout);
  EXPECT_LT(after_grace + plans[0].stop_timeout, std::chrono::seconds(5));
}

TEST_F(DeploymentTest, RefusesAPortGivenTwice) {
  options_.ports.prefiller = options_.ports.decoder = 45123;
  EXPECT_THAT(std::string(CheckPorts(options_).message()),
              testing::AllOf(HasSubstr("45123"), HasSubstr("--prefiller-port"),
                             HasSubstr("--decoder-port")));
}

TEST_F(DeploymentTest, RefusesANumberThatIsNoPort) {
  options_.ports.proxy = 70000;
  EXPECT_THAT(std::string(CheckPorts(options_).message()), HasSubstr("--port 70000"));
}

TEST(ThreadsForEach, SharesTheCoresOut) {
  EXPECT_EQ(ThreadsForEach(1), 1);
  EXPECT_EQ(ThreadsForEach(2), 2);
  EXPECT_EQ(ThreadsForEach(8), 4);
}

}  // namespace
}  // namespace tandem::supervisor
