#include "transfer/memory_region.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

namespace tandem::transfer {
namespace {

constexpr uint64_t kSize = 1 << 20;

TEST(MemoryRegion, IsReadByAMappingOfItsDescriptor) {
  auto region = MemoryRegion::Create(kSize);
  ASSERT_TRUE(region.ok()) << region.status();
  auto mapped = MappedRegion::Map(ScopedFd(dup((*region)->fd())), kSize);
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  std::memcpy((*region)->bytes().data() + 4096, "kv", 2);
  EXPECT_EQ(std::memcmp((*mapped)->bytes().data() + 4096, "kv", 2), 0);
}

TEST(MemoryRegion, RefusesOtherWriters) {
  auto region = MemoryRegion::Create(kSize);
  ASSERT_TRUE(region.ok()) << region.status();
  EXPECT_EQ(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, (*region)->fd(), 0),
            MAP_FAILED);
  EXPECT_EQ(pwrite((*region)->fd(), "x", 1, 0), -1);
  EXPECT_NE(ftruncate((*region)->fd(), 0), 0);
}

TEST(MappedRegion, RefusesMemoryThatIsShortOrNotSealed) {
  auto region = MemoryRegion::Create(kSize);
  ASSERT_TRUE(region.ok()) << region.status();
  EXPECT_FALSE(MappedRegion::Map(ScopedFd(dup((*region)->fd())), kSize + 1).ok());
  ScopedFd open(memfd_create("open", MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(open.get(), kSize), 0);
  EXPECT_FALSE(MappedRegion::Map(open, kSize).ok());
}

TEST(MemoryRegion, OutlivesItsOwnersMapping) {
  std::unique_ptr<MappedRegion> mapped;
  {
    auto region = MemoryRegion::Create(kSize);
    ASSERT_TRUE(region.ok()) << region.status();
    std::memcpy((*region)->bytes().data(), "kv", 2);
    mapped = *MappedRegion::Map(ScopedFd(dup((*region)->fd())), kSize);
  }
  EXPECT_EQ(std::memcmp(mapped->bytes().data(), "kv", 2), 0);
}

}  // namespace
}  // namespace tandem::transfer
