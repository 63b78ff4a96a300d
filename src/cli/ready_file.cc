#include "cli/ready_file.h"

#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace tandem::cli {

absl::Status WriteReadyFile(const std::string& path, const std::map<std::string, int>& ports) {
  if (path.empty()) return absl::OkStatus();
  boost::json::object port_object;
  for (const auto& [name, port] : ports) port_object[name] = port;
  const boost::json::object document{{"pid", getpid()}, {"ports", std::move(port_object)}};
  const std::string partial = absl::StrCat(path, ".partial");
  {
    std::ofstream file(partial);
    file << boost::json::serialize(document) << "\n";
    if (!file.flush())
      return absl::UnavailableError(absl::StrCat("the ready_file cannot be written: ", partial));
  }
  if (std::rename(partial.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("the ready_file cannot be written: ", path));
  }
  return absl::OkStatus();
}

}  // namespace tandem::cli
