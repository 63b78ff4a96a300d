#include "proxy/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::proxy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> List(InstanceFlags flags) {
  flags.role = "decoder";
  const auto instances = ListInstances(flags);
  EXPECT_TRUE(instances.ok()) << instances.status();
  return instances.value_or(std::vector<std::string>{});
}

std::string Error(InstanceFlags flags) {
  flags.role = "decoder";
  const auto instances = ListInstances(flags);
  EXPECT_EQ(instances.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(instances.status().message());
}

TEST(ListInstancesTest, PairsHostsWithPorts) {
  EXPECT_THAT(List({.hosts = {"a", "b"}, .ports = {1, 2}}), ElementsAre("a:1", "b:2"));
  EXPECT_THAT(List({.hosts = {"a"}, .ports = {1, 2}}), ElementsAre("a:1", "a:2"));
  EXPECT_THAT(List({.hosts = {"a", "b"}, .ports = {1}}), ElementsAre("a:1", "b:1"));
  EXPECT_THAT(List({.hosts = {"a", "b"}, .ports = {1, 2}, .count = 2}), ElementsAre("a:1", "b:2"));
}

TEST(ListInstancesTest, ACountMeansConsecutivePorts) {
  EXPECT_THAT(List({.hosts = {"::1"}, .ports = {8200}, .count = 3}),
              ElementsAre("[::1]:8200", "[::1]:8201", "[::1]:8202"));
  EXPECT_THAT(List({.hosts = {"a"}, .ports = {8200}, .count = 1}), ElementsAre("a:8200"));
}

TEST(ListInstancesTest, ErrorsNameTheFlagAndTheValue) {
  EXPECT_THAT(Error({.hosts = {"a", "b"}, .ports = {1, 2, 3}}),
              HasSubstr("--decoder-host lists 2 hosts and --decoder-port 3 ports"));
  EXPECT_THAT(Error({.hosts = {"a", "b"}, .ports = {1, 2}, .count = 3}),
              HasSubstr("--num-decoders is 3"));
  EXPECT_THAT(Error({.hosts = {}, .ports = {1}}), HasSubstr("--decoder-host"));
  EXPECT_THAT(Error({.hosts = {"a"}, .ports = {70000}}), HasSubstr("70000"));
  EXPECT_THAT(Error({.hosts = {"a"}, .ports = {65535}, .count = 2}), HasSubstr("65536"));
  EXPECT_THAT(Error({.hosts = {"a b"}, .ports = {1}}), HasSubstr("'a b'"));
  EXPECT_THAT(Error({.hosts = {"a", "a"}, .ports = {1}}), HasSubstr("a:1 twice"));
}

}  // namespace
}  // namespace tandem::proxy
