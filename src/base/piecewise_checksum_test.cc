#include "base/piecewise_checksum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

namespace tandem {
namespace {

std::vector<std::byte> RandomBytes(size_t size) {
  std::mt19937_64 random(size);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

TEST(PiecewiseChecksum, IsThatOfTheWholeInAnyOrder) {
  const auto bytes = RandomBytes(1000);
  const std::vector<std::pair<uint64_t, uint64_t>> pieces = {
      {0, 10}, {10, 1}, {11, 489}, {500, 500}};
  std::vector<size_t> order = {0, 1, 2, 3};
  do {
    PiecewiseChecksum checksum(bytes);
    for (const size_t i : order) {
      EXPECT_FALSE(checksum.Digest(1000).has_value());
      checksum.Add(pieces[i].first, pieces[i].second);
    }
    EXPECT_EQ(checksum.Digest(1000), Checksum64(bytes));
    EXPECT_FALSE(checksum.Digest(999).has_value());
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(PiecewiseChecksum, IsNoneOfWhatWasAddedTwiceOrNot) {
  const auto bytes = RandomBytes(1000);
  using Pieces = std::vector<std::pair<uint64_t, uint64_t>>;
  for (const Pieces& pieces :
       {Pieces{{0, 1000}, {0, 1000}}, Pieces{{0, 600}, {500, 500}}, Pieces{{500, 500}, {0, 600}},
        Pieces{{0, 500}, {600, 400}}, Pieces{{500, 500}, {500, 400}, {0, 500}}, Pieces{}}) {
    PiecewiseChecksum checksum(bytes);
    for (const auto& [position, length] : pieces) checksum.Add(position, length);
    EXPECT_FALSE(checksum.Digest(1000).has_value());
  }
}

TEST(PiecewiseChecksum, KeepsFewPiecesWaiting) {
  const auto bytes = RandomBytes(1000);
  PiecewiseChecksum checksum(bytes);
  for (uint64_t position = 999; position > 0; --position) checksum.Add(position, 1);
  checksum.Add(0, 1);
  EXPECT_FALSE(checksum.Digest(1000).has_value());
}

TEST(PiecewiseChecksum, IsSharedByThreads) {
  constexpr uint64_t kPiece = 10'000, kPieces = 60, kThreads = 3;
  const auto bytes = RandomBytes(kPiece * kPieces);
  PiecewiseChecksum checksum(bytes);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = t; i < kPieces; i += kThreads) checksum.Add(i * kPiece, kPiece);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(checksum.Digest(bytes.size()), Checksum64(bytes));
}

}  // namespace
}  // namespace tandem
