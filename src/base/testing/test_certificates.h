#pragma once

#include <string>

#include "base/tls.h"

namespace tandem {

/// A CA and a certificate of it for localhost and 127.0.0.1, made by openssl in a directory of
/// their own that goes with this.
class TestCertificates {
 public:
  /// `names` is what stands in the certificate, as openssl's subjectAltName.
  explicit TestCertificates(const std::string& names = "IP:127.0.0.1,DNS:localhost");
  ~TestCertificates();
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  std::string ca() const { return directory_ + "/ca.pem"; }
  std::string certificate() const { return directory_ + "/server.pem"; }
  std::string key() const { return directory_ + "/server.key"; }
  TlsFiles files() const { return {ca(), certificate(), key()}; }

  /// A file there with this content; its path.
  std::string Write(const std::string& name, const std::string& content) const;

 private:
  std::string directory_;
};

}  // namespace tandem
