#include "store/proto/tls_probe.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/scoped_fd.h"
#include "base/testing/test_certificates.h"

namespace tandem::store {
namespace {

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

TEST(FindTlsFailure, KnowsNothingOfWhoIsSilentOrNotThere) {
  const ScopedFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  const std::string endpoint = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  const TestCertificates certificates;
  const TlsContext context = *MakeTlsClientContext({certificates.ca()});
  for (const TlsContext& used : {context, TlsContext()}) {
    EXPECT_EQ(FindTlsFailure(endpoint, used, In(std::chrono::seconds(5))), "");
  }
  ASSERT_EQ(listen(socket.get(), 16), 0);
  for (const TlsContext& used : {context, TlsContext()}) {
    EXPECT_EQ(FindTlsFailure(endpoint, used, In(std::chrono::milliseconds(50))), "");
  }
  EXPECT_EQ(FindTlsFailure("nowhere", context, In(std::chrono::seconds(5))), "");
  EXPECT_EQ(FindTlsFailure("no.such.host.invalid:1", context, In(std::chrono::seconds(5))), "");
}

}  // namespace
}  // namespace tandem::store
