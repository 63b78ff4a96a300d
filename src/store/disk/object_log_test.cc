#include "store/disk/object_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <random>

#include "base/hash.h"
#include "store/disk/testing/faulty_io.h"
#include "store/disk/testing/temporary_directory.h"

namespace tandem::store {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kFile = 64 << 10;

std::vector<std::byte> Value(uint64_t generation, size_t size) {
  std::mt19937_64 random(generation);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

/// A log whose objects are named by their generation.
class ObjectLogTest : public ::testing::Test {
 protected:
  void Open(uint64_t capacity = 1 << 20) {
    log_.reset();
    auto opened = ObjectLog::Open(
        {.directory = directory_.path(), .capacity_bytes = capacity, .file_bytes = kFile}, io_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    log_ = *std::move(opened);
  }

  std::vector<absl::Status> StoreAll(const std::vector<uint64_t>& generations, size_t size = 5000) {
    std::vector<std::vector<std::byte>> values;
    std::vector<ObjectLog::Write> writes;
    for (const uint64_t generation : generations) values.push_back(Value(generation, size));
    for (size_t i = 0; i < generations.size(); ++i) {
      writes.push_back(
          {{Key(generations[i]), generations[i], size, Checksum64(values[i]), false}, values[i]});
    }
    return log_->Store(writes, &dropped_);
  }
  absl::Status Store(uint64_t generation, size_t size = 5000) {
    return StoreAll(std::vector{generation}, size)[0];
  }

  absl::StatusOr<std::vector<std::byte>> Read(uint64_t generation, uint64_t position,
                                              uint64_t length) {
    std::vector<std::byte> bytes(length);
    std::promise<absl::Status> read;
    log_->Read(generation, position, bytes,
               [&read](absl::Status status) { read.set_value(std::move(status)); });
    const absl::Status status = read.get_future().get();
    if (!status.ok()) return status;
    return bytes;
  }
  bool Holds(uint64_t generation, size_t size = 5000) {
    const auto object = log_->Find(generation);
    if (!object) return false;
    const auto bytes = Read(generation, 0, object->size);
    return bytes.ok() && object->key == Key(generation) && *bytes == Value(generation, size) &&
           Checksum64(*bytes) == object->checksum;
  }
  static std::string Key(uint64_t generation) { return "key " + std::to_string(generation); }

  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(directory_.path())) {
      files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  void Overwrite(const fs::path& file, uint64_t position, const std::string& bytes) {
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(static_cast<std::streamoff>(position));
    stream << bytes;
    ASSERT_TRUE(stream.flush());
  }

  const testing::TemporaryDirectory directory_;
  testing::FaultyIo io_;
  std::vector<StoredObject> dropped_;
  std::unique_ptr<ObjectLog> log_;
};

TEST_F(ObjectLogTest, GivesBackWhatItWasGiven) {
  Open();
  EXPECT_TRUE(Store(1).ok());
  EXPECT_TRUE(Store(2, 1).ok());
  EXPECT_TRUE(Store(3, 200'000).ok());  // larger than a file usually is
  EXPECT_TRUE(Holds(1) && Holds(2, 1) && Holds(3, 200'000));
  const auto part = Read(1, 1234, 100);
  ASSERT_TRUE(part.ok());
  const auto whole = Value(1, 5000);
  EXPECT_TRUE(std::equal(part->begin(), part->end(), whole.begin() + 1234));
  EXPECT_TRUE(absl::IsOutOfRange(Read(1, 4990, 11).status()));
  EXPECT_TRUE(absl::IsNotFound(Read(9, 0, 1).status()));
  EXPECT_EQ(log_->size(), 3u);
  EXPECT_TRUE(Store(1).ok());  // once more is no more
  EXPECT_EQ(log_->size(), 3u);
}

TEST_F(ObjectLogTest, RebuildsItsIndexFromTheRecords) {
  Open();
  std::vector<uint64_t> generations(40);
  for (size_t i = 0; i < generations.size(); ++i) generations[i] = i + 1;
  for (const absl::Status& status : StoreAll(generations)) EXPECT_TRUE(status.ok()) << status;
  EXPECT_GT(Files().size(), 2u);
  Open();
  EXPECT_EQ(log_->size(), 40u);
  for (const uint64_t generation : generations) EXPECT_TRUE(Holds(generation)) << generation;
  EXPECT_TRUE(Store(100).ok());
  Open();
  EXPECT_TRUE(Holds(100) && Holds(1));
}

TEST_F(ObjectLogTest, WhatWasRemovedDoesNotComeBack) {
  Open();
  StoreAll({1, 2, 3});
  EXPECT_TRUE(log_->Remove(std::vector<uint64_t>{2, 77}).ok());
  EXPECT_TRUE(absl::IsNotFound(Read(2, 0, 1).status()));
  Open();
  EXPECT_TRUE(Holds(1) && Holds(3));
  EXPECT_FALSE(log_->Find(2));
}

TEST_F(ObjectLogTest, ARemovalThatFailsIsTriedAgain) {
  Open();
  StoreAll({1, 2});
  io_.FailWrites(absl::UnknownError("EIO"));
  EXPECT_FALSE(log_->Remove(std::vector<uint64_t>{1}).ok());
  EXPECT_FALSE(log_->Find(1));
  io_.FailWrites(absl::OkStatus());
  EXPECT_TRUE(log_->Remove(std::vector<uint64_t>{1}).ok());
  Open();
  EXPECT_FALSE(log_->Find(1));
  EXPECT_TRUE(Holds(2));
}

TEST_F(ObjectLogTest, AFileGoesWithItsLastObject) {
  Open();
  StoreAll({1, 2});
  Open();  // ends the file
  StoreAll({3});
  ASSERT_EQ(Files().size(), 2u);
  EXPECT_TRUE(log_->Remove(std::vector<uint64_t>{1, 2}).ok());
  EXPECT_EQ(Files().size(), 1u);
  EXPECT_TRUE(Holds(3));
}

TEST_F(ObjectLogTest, StaysWithinItsCapacityByDroppingTheOldest) {
  Open(4 * kFile);
  for (uint64_t generation = 1; generation <= 200; ++generation) {
    EXPECT_TRUE(Store(generation).ok());
    EXPECT_LE(log_->used(), 4 * kFile);
  }
  uint64_t bytes = 0;
  for (const fs::path& file : Files()) bytes += fs::file_size(file);
  EXPECT_LE(bytes, 4 * kFile);
  EXPECT_EQ(dropped_.size() + log_->size(), 200u);
  EXPECT_EQ(dropped_.front().key.substr(0, 4), "key ");
  for (uint64_t i = dropped_.size() + 1; i <= 200; ++i) EXPECT_TRUE(Holds(i)) << i;
  // What there is room for at all is taken.
  EXPECT_TRUE(absl::IsResourceExhausted(Store(201, 4 * kFile)));
  EXPECT_TRUE(Store(202, 3 * kFile).ok());
  EXPECT_TRUE(Holds(202, 3 * kFile));
}

TEST_F(ObjectLogTest, ATornTailIsCutOff) {
  Open();
  StoreAll({1, 2});
  io_.FailWritesAfter(1, absl::UnknownError("killed"));
  EXPECT_FALSE(Store(3).ok());  // its bytes are there, its head is not
  io_.FailWritesAfter(-1, absl::OkStatus());
  const fs::path file = Files()[0];
  Open();
  EXPECT_EQ(log_->size(), 2u);
  EXPECT_TRUE(Holds(1) && Holds(2));
  const uint64_t length = RecordLength(Key(1).size(), 5000);
  EXPECT_EQ(fs::file_size(file), kFileHeaderBytes + 2 * length);

  fs::resize_file(file, kFileHeaderBytes + 2 * length - 1000);  // torn in the second one's bytes
  Open();
  EXPECT_TRUE(Holds(1));
  EXPECT_FALSE(log_->Find(2));
  EXPECT_EQ(fs::file_size(file), kFileHeaderBytes + length);
}

TEST_F(ObjectLogTest, ADamagedHeadCostsOneObject) {
  Open();
  StoreAll({1, 2, 3});
  const uint64_t length = RecordLength(Key(1).size(), 5000);
  Overwrite(Files()[0], kFileHeaderBytes + length + 20, "damage");
  Open();
  EXPECT_TRUE(Holds(1) && Holds(3));
  EXPECT_FALSE(log_->Find(2));
}

TEST_F(ObjectLogTest, DamagedBytesDoNotHaveTheChecksum) {
  Open();
  ASSERT_TRUE(Store(1).ok());
  Overwrite(Files()[0], kFileHeaderBytes + BytesOffset(Key(1).size()) + 100, "damage");
  const auto bytes = Read(1, 0, 5000);
  ASSERT_TRUE(bytes.ok());
  EXPECT_NE(Checksum64(*bytes), log_->Find(1)->checksum);
}

TEST_F(ObjectLogTest, AnObjectThatLooksLikeARecordIsNone) {
  Open();
  ASSERT_TRUE(Store(1).ok());
  // The bytes of a whole file, records and all, as an object; then its head is lost.
  std::ifstream stream(Files()[0], std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(stream)), {});
  const auto bytes = std::as_bytes(std::span(content));
  const std::vector<ObjectLog::Write> writes = {
      {{"trojan", 2, bytes.size(), Checksum64(bytes), false}, bytes}};
  ASSERT_TRUE(log_->Store(writes, &dropped_)[0].ok());
  Overwrite(Files()[0], kFileHeaderBytes + RecordLength(Key(1).size(), 5000), "damage");
  Overwrite(Files()[0], kFileHeaderBytes, "damage");
  Open();
  EXPECT_EQ(log_->size(), 0u);
}

TEST_F(ObjectLogTest, AFileOfOtherBytesIsNoLog) {
  std::ofstream(directory_.path() + "/000000000007.log") << std::string(5000, 'x');
  std::ofstream(directory_.path() + "/000000000008.log") << "short";
  std::ofstream(directory_.path() + "/lock") << "not a log";
  Open();
  EXPECT_EQ(log_->size(), 0u);
  EXPECT_TRUE(Store(1).ok());
  EXPECT_TRUE(fs::exists(directory_.path() + "/lock"));
}

TEST_F(ObjectLogTest, AFullDiskTakesNothingAndGoesOnOnceThereIsRoom) {
  Open();
  StoreAll({1});
  Open();
  io_.FailReserve(absl::ResourceExhaustedError("ENOSPC"));
  EXPECT_TRUE(absl::IsResourceExhausted(Store(2)));
  EXPECT_EQ(dropped_.size(), 1u);  // the oldest file made room, but not enough
  io_.FailReserve(absl::OkStatus());
  EXPECT_TRUE(Store(3).ok());
  io_.FailWrites(absl::ResourceExhaustedError("ENOSPC"));
  EXPECT_TRUE(absl::IsResourceExhausted(Store(4)));
  io_.FailWrites(absl::OkStatus());
  EXPECT_TRUE(Store(5).ok());
  EXPECT_TRUE(Holds(5));
  EXPECT_FALSE(log_->Find(2) || log_->Find(4));
}

TEST_F(ObjectLogTest, AFailingDiskIsReportedAndNothingIsIndexed) {
  Open();
  StoreAll({1});
  io_.FailWrites(absl::UnknownError("EIO"));
  for (const absl::Status& status : StoreAll({2, 3})) EXPECT_FALSE(status.ok());
  EXPECT_FALSE(log_->Find(2));
  io_.FailWrites(absl::OkStatus());
  io_.FailReads(absl::UnknownError("EIO"));
  EXPECT_TRUE(absl::IsDataLoss(Read(1, 0, 10).status()));
  io_.FailReads(absl::OkStatus());
  EXPECT_TRUE(Holds(1));
  EXPECT_TRUE(Store(4).ok());
  Open();
  EXPECT_TRUE(Holds(1) && Holds(4));
}

TEST_F(ObjectLogTest, IsCompleteUnlessALaterProcessMayFindMore) {
  Open();
  EXPECT_TRUE(log_->IsComplete());
  StoreAll({1, 2, 3});
  io_.FailSyncs(absl::UnknownError("EIO"));
  EXPECT_FALSE(log_->Remove(std::vector<uint64_t>{1}).ok());
  EXPECT_FALSE(log_->IsComplete());
  io_.FailSyncs(absl::OkStatus());
  EXPECT_TRUE(log_->Remove(std::vector<uint64_t>{1}).ok());
  EXPECT_TRUE(log_->IsComplete());

  io_.FailWrites(absl::UnknownError("EIO"));
  EXPECT_FALSE(Store(4).ok());  // its bytes, without a head
  EXPECT_TRUE(log_->IsComplete());
  io_.FailWrites(absl::OkStatus());
  io_.FailWritesAfter(1, absl::UnknownError("EIO"));
  EXPECT_FALSE(Store(5).ok());  // its head
  io_.FailWritesAfter(-1, absl::OkStatus());
  EXPECT_FALSE(log_->IsComplete());
  EXPECT_TRUE(Store(6).ok());
  EXPECT_FALSE(log_->IsComplete());
  Open();  // and finds what there is
  EXPECT_TRUE(log_->IsComplete());
}

TEST_F(ObjectLogTest, SyncsWhatAnEarlierProcessMayHaveMarkedWithoutIt) {
  Open();
  StoreAll({1, 2});
  ASSERT_TRUE(log_->Remove(std::vector<uint64_t>{1}).ok());
  io_.FailSyncs(absl::UnknownError("EIO"));
  Open();
  EXPECT_FALSE(log_->IsComplete());
  EXPECT_TRUE(Holds(2));
  io_.FailSyncs(absl::OkStatus());
  Open();
  EXPECT_TRUE(log_->IsComplete());
}

TEST_F(ObjectLogTest, IsNotCompleteWithARecordTwice) {
  Open();
  StoreAll({1, 2});
  fs::copy_file(Files()[0], directory_.path() + "/000000000009.log");
  Open();
  EXPECT_TRUE(Holds(1) && Holds(2));
  EXPECT_FALSE(log_->IsComplete());
}

}  // namespace
}  // namespace tandem::store
