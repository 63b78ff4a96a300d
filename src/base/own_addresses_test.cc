#include "base/own_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(OwnAddresses, AreThoseOfTheInterfaces) {
  EXPECT_THAT(OwnAddresses(), testing::Contains("127.0.0.1"));
  EXPECT_THAT(OwnAddresses(), testing::Not(testing::Contains("192.0.2.1")));
}

}  // namespace
}  // namespace tandem
