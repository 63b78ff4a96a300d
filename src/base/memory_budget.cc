#include "base/memory_budget.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

namespace tandem {
namespace {

constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

uint64_t ReadNumber(const std::string& path, uint64_t otherwise) {
  std::ifstream file(path);
  uint64_t value = 0;
  return file >> value ? value : otherwise;
}

uint64_t ReadField(const std::string& path, const std::string& field, uint64_t otherwise) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    uint64_t value = 0;
    if (words >> name >> value && name == field) return value;
  }
  return otherwise;
}

std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// What the cgroup at `folder` may still take. Page cache counts as used there but gives way.
uint64_t LeftInGroup(const std::string& folder, const std::string& limit_file,
                     const std::string& usage_file, const std::string& cache_field) {
  const uint64_t limit = ReadNumber(folder + limit_file, kUnlimited);
  if (limit == kUnlimited) return kUnlimited;
  const uint64_t used = ReadNumber(folder + usage_file, 0);
  const uint64_t cache = ReadField(folder + "memory.stat", cache_field, 0);
  const uint64_t held = used - std::min(used, cache);
  return limit - std::min(limit, held);
}

/// The least that any group from `path` up to the root of `hierarchy` may still take: a limit on a
/// parent binds its children.
uint64_t LeftInGroups(const std::string& hierarchy, std::string path, const std::string& limit_file,
                      const std::string& usage_file, const std::string& cache_field) {
  uint64_t left = kUnlimited;
  while (true) {
    if (!path.ends_with('/')) path += '/';
    left = std::min(left, LeftInGroup(hierarchy + path, limit_file, usage_file, cache_field));
    if (path == "/") return left;
    path.pop_back();
    path.erase(path.rfind('/') + 1);
  }
}

std::string GroupPath(const std::string& root, const std::string& controller) {
  std::ifstream file(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    if (line.substr(first + 1, second - first - 1) != controller) continue;
    const std::string path = line.substr(second + 1);
    return path.starts_with('/') ? path : "/" + path;
  }
  return "/";
}

}  // namespace

uint64_t AvailableMemory(const std::string& root) {
  const uint64_t kibibytes = ReadField(root + "/proc/meminfo", "MemAvailable:", kUnlimited >> 10);
  const std::string groups = root + "/sys/fs/cgroup";
  return std::min(
      {kibibytes << 10,
       LeftInGroups(groups, GroupPath(root, ""), "memory.max", "memory.current", "file"),
       LeftInGroups(groups + "/memory", GroupPath(root, "memory"), "memory.limit_in_bytes",
                    "memory.usage_in_bytes", "total_cache")});
}

std::string BootId() { return ReadLine("/proc/sys/kernel/random/boot_id"); }

std::string HostIdentity() {
  char target[128];
  const ssize_t length = readlink("/proc/self/ns/net", target, sizeof(target));
  return BootId() + "/" + (length > 0 ? std::string(target, length) : "net") +
         "/uid:" + std::to_string(geteuid());
}

}  // namespace tandem
