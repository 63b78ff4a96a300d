#include "base/host_lookup.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <latch>

namespace tandem {
namespace {

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

int PortOf(const HostAddresses& addresses) {
  const sockaddr* address = addresses->ai_addr;
  return ntohs(address->sa_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(address)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(address)->sin_port);
}

TEST(HostLookupTest, KnowsAddressesAtOnce) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    const auto found = LookUpHost(host, 4711, TimePoint::min());
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(PortOf(*found), 4711);
  }
}

TEST(HostLookupTest, AsksForNames) {
  const auto found = LookUpHost("localhost", 80, In(std::chrono::seconds(20)));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(PortOf(*found), 80);
  const auto nothing = LookUpHost("no name", 80, In(std::chrono::seconds(20)));
  EXPECT_TRUE(absl::IsInvalidArgument(nothing.status())) << nothing.status();
  EXPECT_NE(nothing.status().message().find("'no name' is not a host name or address"),
            std::string::npos);
}

TEST(HostLookupTest, WaitsForANameServiceUntilTheDeadlineOnly) {
  // Shared with a thread that may outlive the test.
  const auto answer = std::make_shared<std::latch>(1);
  const auto asked = std::make_shared<std::latch>(1);
  const auto stuck = [=](const char* host, const char* port, const addrinfo* hints,
                         addrinfo** found) {
    if (hints->ai_flags & AI_NUMERICHOST) return getaddrinfo(host, port, hints, found);
    asked->count_down();
    answer->wait();
    return EAI_AGAIN;
  };
  const auto late = LookUpHost("somewhere", 80, In(std::chrono::milliseconds(10)), stuck);
  EXPECT_TRUE(absl::IsDeadlineExceeded(late.status())) << late.status();
  asked->wait();
  EXPECT_TRUE(LookUpHost("127.0.0.1", 80, TimePoint::min(), stuck).ok());
  answer->count_down();
}

}  // namespace
}  // namespace tandem
