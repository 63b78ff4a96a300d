#include "base/security.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "base/testing/test_certificates.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

/// A client and a server in this process, by way of two buffers.
struct Handshake {
  Handshake(const TlsContext& client_context, const TlsContext& server_context,
            const std::string& host)
      : client(SSL_new(client_context.get())), server(SSL_new(server_context.get())) {
    BIO *to_server = nullptr, *to_client = nullptr;
    BIO_new_bio_pair(&to_client, 0, &to_server, 0);
    SSL_set_bio(client, to_client, to_client);
    SSL_set_bio(server, to_server, to_server);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    ExpectHost(client, host);
    for (int turn = 0; turn < 10; ++turn) {
      client_done = SSL_do_handshake(client) == 1;
      const int failed = SSL_get_error(client, client_done ? 1 : -1);
      if (!client_done && failed == SSL_ERROR_SSL) {
        error = DescribeHandshakeError(client);
        return;
      }
      server_done = SSL_do_handshake(server) == 1;
      if (!server_done && SSL_get_error(server, -1) == SSL_ERROR_SSL) {
        error = DescribeHandshakeError(server);
        return;
      }
    }
  }
  ~Handshake() {
    SSL_free(client);
    SSL_free(server);
  }

  SSL *client, *server;
  bool client_done = false, server_done = false;
  std::string error;
};

TlsContext Server(const TlsFiles& files) {
  auto context = MakeTlsServerContext(files);
  EXPECT_TRUE(context.ok()) << context.status();
  return *std::move(context);
}

TlsContext Client(const TlsFiles& files) {
  auto context = MakeTlsClientContext(files);
  EXPECT_TRUE(context.ok()) << context.status();
  return *std::move(context);
}

TEST(Tls, TrustsTheCaAndTheNamesInTheCertificate) {
  const TestCertificates certificates;
  const TlsContext server = Server(certificates.files()), client = Client({certificates.ca()});
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const Handshake handshake(client, server, host);
    EXPECT_TRUE(handshake.client_done && handshake.server_done) << handshake.error;
  }
  for (const char* host : {"127.0.0.2", "elsewhere"}) {
    const Handshake handshake(client, server, host);
    EXPECT_FALSE(handshake.client_done);
    EXPECT_THAT(handshake.error, HasSubstr("mismatch"));
  }
}

TEST(Tls, DistrustsAnotherCa) {
  const TestCertificates certificates, others;
  const Handshake handshake(Client({others.ca()}), Server(certificates.files()), "127.0.0.1");
  EXPECT_FALSE(handshake.client_done);
  EXPECT_THAT(handshake.error, HasSubstr("its certificate is not trusted"));
  EXPECT_THAT(handshake.error, HasSubstr("tls_ca_file"));
}

TEST(Tls, VerifiesClientsIfToldTo) {
  const TestCertificates certificates, others;
  TlsFiles files = certificates.files();
  files.verify_clients = true;
  const TlsContext server = Server(files);
  EXPECT_TRUE(Handshake(Client(certificates.files()), server, "localhost").server_done);
  const Handshake without(Client({certificates.ca()}), server, "localhost");
  EXPECT_FALSE(without.server_done);
  EXPECT_THAT(without.error, HasSubstr("certificate"));
  TlsFiles stranger = others.files();
  stranger.ca = certificates.ca();
  EXPECT_FALSE(Handshake(Client(stranger), server, "localhost").server_done);
}

TEST(Tls, NamesTheOptionThatIsWrong) {
  const TestCertificates certificates, others;
  const TlsFiles good = certificates.files();
  const auto expect = [](const absl::Status& status, const char* option) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), ::testing::StartsWith(option));
  };
  expect(MakeTlsServerContext({good.ca, "", good.key}).status(), "tls_cert_file is not set");
  expect(MakeTlsServerContext({good.ca, good.certificate, ""}).status(), "tls_key_file is not set");
  expect(MakeTlsServerContext({good.ca, "/nowhere", good.key}).status(),
         "tls_cert_file: '/nowhere'");
  expect(MakeTlsServerContext({good.ca, good.certificate, others.key()}).status(), "tls_key_file:");
  expect(MakeTlsServerContext({"", good.certificate, good.key, true}).status(), "tls_ca_file");
  expect(MakeTlsClientContext({"", good.certificate, good.key}).status(), "tls_ca_file is not set");
  expect(MakeTlsClientContext({good.key}).status(), "tls_ca_file:");
  expect(MakeTlsClientContext({good.ca, good.certificate, ""}).status(), "tls_key_file");
}

TEST(Security, IsOffByDefault) {
  const auto security = LoadSecurity({});
  ASSERT_TRUE(security.ok());
  EXPECT_FALSE(security->tls);
  EXPECT_TRUE(security->token.empty());
}

TEST(Security, TakesWhatTheEnvironmentSaysBelowTheOptions) {
  const TestCertificates files;
  setenv("TANDEM_STORE_TOKEN", "from-environment", 1);
  setenv("TANDEM_STORE_TLS_CA_FILE", "/ca", 1);
  EXPECT_EQ(LoadSecurity({})->token.secret(), "from-environment");
  EXPECT_TRUE(LoadSecurity({})->tls);
  EXPECT_EQ(LoadSecurity({})->files.ca, "/ca");
  SecurityOptions options;
  options.tls_ca_file = "/other";
  options.token_file = files.Write("token", "from-file\n");
  EXPECT_EQ(LoadSecurity(options)->token.secret(), "from-file");
  EXPECT_EQ(LoadSecurity(options)->files.ca, "/other");
  unsetenv("TANDEM_STORE_TOKEN");
  unsetenv("TANDEM_STORE_TLS_CA_FILE");
  setenv("TANDEM_STORE_TOKEN_FILE", options.token_file.c_str(), 1);
  EXPECT_EQ(LoadSecurity({})->token.secret(), "from-file");
  setenv("TANDEM_STORE_TOKEN_FILE", "/nowhere", 1);
  EXPECT_THAT(std::string(LoadSecurity({}).status().message()), HasSubstr("token_file: "));
  unsetenv("TANDEM_STORE_TOKEN_FILE");
  options = {};
  options.tls_verify_clients = true;
  EXPECT_THAT(std::string(LoadSecurity(options).status().message()),
              HasSubstr("tls_verify_clients"));
}

TEST(Security, WarnsOfWhatStrangersReach) {
  Security security;
  EXPECT_EQ(ExposureWarning("calls", "127.0.0.1", security), "");
  EXPECT_EQ(ExposureWarning("calls", "localhost", security), "");
  EXPECT_THAT(ExposureWarning("calls", "0.0.0.0", security),
              HasSubstr("calls on 0.0.0.0 without TLS and without a token"));
  security.token = *BearerToken::Of("word");
  EXPECT_THAT(ExposureWarning("calls", "::", security), HasSubstr("can read the token"));
  security.tls = true;
  EXPECT_EQ(ExposureWarning("calls", "0.0.0.0", security), "");
  security.token = {};
  EXPECT_THAT(ExposureWarning("calls", "0.0.0.0", security), HasSubstr("without a token"));
}

}  // namespace
}  // namespace tandem
