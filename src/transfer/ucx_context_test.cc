#include "transfer/ucx_context.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace tandem::transfer {
namespace {

TEST(RdmaDevices, AreTheFoldersOfTheSystemsList) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / "tandem_infiniband";
  std::filesystem::create_directories(folder / "mlx5_1");
  std::filesystem::create_directories(folder / "mlx5_0");
  EXPECT_EQ(RdmaDevices(folder.string()), (std::vector<std::string>{"mlx5_0", "mlx5_1"}));
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(RdmaDevices(folder.string()).empty());
}

TEST(CheckRdmaDevices, NamesTheDevicesThereAreAndWhatToWrite) {
  const std::vector<std::string> devices = {"mlx5_0", "mlx5_1"};
  EXPECT_TRUE(CheckRdmaDevices("", devices).ok());
  EXPECT_TRUE(CheckRdmaDevices("mlx5_1", devices).ok());
  EXPECT_TRUE(CheckRdmaDevices("mlx5_0:1,mlx5_1", devices).ok());
  const std::string wrong(CheckRdmaDevices("mlx5_9", devices).message());
  EXPECT_NE(wrong.find("mlx5_9"), std::string::npos);
  EXPECT_NE(wrong.find("mlx5_0, mlx5_1"), std::string::npos);
  EXPECT_NE(wrong.find("protocol: \"tcp\""), std::string::npos);
  const std::string none(CheckRdmaDevices("mlx5_0", {}).message());
  EXPECT_NE(none.find("no RDMA device"), std::string::npos);
  EXPECT_NE(none.find("protocol: \"tcp\""), std::string::npos);
}

}  // namespace
}  // namespace tandem::transfer
