#include "base/testing/test_certificates.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tandem {

TestCertificates::TestCertificates(const std::string& names) {
  std::string path = (std::filesystem::temp_directory_path() / "tandem-tls-XXXXXX").string();
  EXPECT_NE(mkdtemp(path.data()), nullptr);
  directory_ = path;
  const std::string make = "cd " + directory_ +
                           " && openssl req -x509 -nodes -days 2 -newkey ec -pkeyopt "
                           "ec_paramgen_curve:P-256 ";
  const std::string quietly = " 2>/dev/null";
  EXPECT_EQ(std::system((make + "-subj /CN=ca -keyout ca.key -out ca.pem" + quietly).c_str()), 0);
  EXPECT_EQ(
      std::system((make +
                   "-CA ca.pem -CAkey ca.key -subj /CN=server -addext subjectAltName=" + names +
                   " -addext basicConstraints=critical,CA:FALSE -keyout server.key -out "
                   "server.pem" +
                   quietly)
                      .c_str()),
      0);
}

TestCertificates::~TestCertificates() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string TestCertificates::Write(const std::string& name, const std::string& content) const {
  const std::string path = directory_ + "/" + name;
  std::ofstream(path) << content;
  return path;
}

}  // namespace tandem
