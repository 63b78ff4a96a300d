#include "base/memory_budget.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tandem {
namespace {

class MachineRoot {
 public:
  MachineRoot()
      : path_(std::filesystem::path(testing::TempDir()) /
              ("machine_root_" + std::to_string(getpid()))) {
    std::filesystem::remove_all(path_);
  }
  ~MachineRoot() { std::filesystem::remove_all(path_); }

  void Write(const std::string& file, const std::string& text) {
    const std::filesystem::path full = path_.string() + file;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text;
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST(AvailableMemory, IsWhatTheKernelSaysWithoutACgroupLimit) {
  MachineRoot root;
  root.Write("/proc/meminfo", "MemTotal: 100 kB\nMemAvailable: 64 kB\n");
  EXPECT_EQ(AvailableMemory(root.path()), 64u << 10);
}

TEST(AvailableMemory, IsWhatACgroupLeavesWithItsPageCacheGivenBack) {
  MachineRoot root;
  root.Write("/proc/meminfo", "MemAvailable: 1000 kB\n");
  root.Write("/proc/self/cgroup", "0::/job\n");
  root.Write("/sys/fs/cgroup/job/memory.max", "100000\n");
  root.Write("/sys/fs/cgroup/job/memory.current", "60000\n");
  root.Write("/sys/fs/cgroup/job/memory.stat", "anon 10000\nfile 50000\n");
  EXPECT_EQ(AvailableMemory(root.path()), 90000u);
}

TEST(AvailableMemory, IsBoundByTheLimitOfAParentGroup) {
  MachineRoot root;
  root.Write("/proc/meminfo", "MemAvailable: 1000 kB\n");
  root.Write("/proc/self/cgroup", "0::/pod/job\n");
  root.Write("/sys/fs/cgroup/pod/job/memory.max", "max\n");
  root.Write("/sys/fs/cgroup/pod/memory.max", "50000\n");
  root.Write("/sys/fs/cgroup/pod/memory.current", "20000\n");
  EXPECT_EQ(AvailableMemory(root.path()), 30000u);
}

TEST(AvailableMemory, IgnoresAnUnlimitedCgroup) {
  MachineRoot root;
  root.Write("/proc/meminfo", "MemAvailable: 8 kB\n");
  root.Write("/proc/self/cgroup", "0::/\n");
  root.Write("/sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(AvailableMemory(root.path()), 8192u);
}

TEST(HostIdentity, IsStableAndNamesTheBootAndTheUser) {
  EXPECT_EQ(HostIdentity(), HostIdentity());
  EXPECT_TRUE(HostIdentity().starts_with(BootId() + "/net"));
  EXPECT_TRUE(HostIdentity().ends_with("/uid:" + std::to_string(geteuid())));
}

}  // namespace
}  // namespace tandem
