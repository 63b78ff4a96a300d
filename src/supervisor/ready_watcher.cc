#include "supervisor/ready_watcher.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <fstream>
#include <sstream>

namespace tandem::supervisor {

absl::StatusOr<std::unique_ptr<ReadyWatcher>> ReadyWatcher::Create(const std::string& directory) {
  ScopedFd fd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd.valid() || inotify_add_watch(fd.get(), directory.c_str(), IN_MOVED_TO) < 0) {
    return absl::ErrnoToStatus(errno, "cannot watch " + directory);
  }
  return std::unique_ptr<ReadyWatcher>(new ReadyWatcher(std::move(fd)));
}

void ReadyWatcher::Acknowledge() {
  char events[4096];
  while (read(fd_.get(), events, sizeof(events)) > 0) {
  }
}

std::optional<PortMap> ReadyWatcher::Read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::stringstream text;
  text << file.rdbuf();
  boost::system::error_code error;
  const boost::json::value document = boost::json::parse(text.str(), error);
  if (error || !document.is_object()) return std::nullopt;
  const boost::json::value* ports = document.as_object().if_contains("ports");
  if (ports == nullptr || !ports->is_object()) return std::nullopt;
  PortMap result;
  for (const auto& [name, port] : ports->as_object()) {
    if (port.is_int64()) result[name] = static_cast<int>(port.as_int64());
  }
  return result;
}

}  // namespace tandem::supervisor
