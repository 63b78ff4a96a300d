#include "model/hub/snapshot_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/scoped_fd.h"
#include "base/status.h"

namespace tandem::model::hub {
namespace {

namespace fs = std::filesystem;

absl::Status MakeDirectoriesFor(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (!error) return absl::OkStatus();
  return absl::ErrnoToStatus(error.value(),
                             fmt::format("cannot create {}", path.parent_path().string()));
}

/// A name beside `path` that no other process uses.
std::string TemporaryName(const fs::path& path) {
  return fmt::format("{}.{}.tmp", path.string(), getpid());
}

absl::Status Replace(const std::string& temporary, const fs::path& path) {
  if (std::rename(temporary.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const int reason = errno;
  unlink(temporary.c_str());
  return absl::ErrnoToStatus(reason, fmt::format("cannot replace {}", path.string()));
}

absl::Status Link(const std::string& snapshot, const RepositoryFile& file) {
  const fs::path path = fs::path(snapshot) / file.path;
  std::string target = "../../blobs/" + file.etag;
  for (const char c : file.path) {
    if (c == '/') target.insert(0, "../");
  }
  std::error_code ignored;
  if (fs::read_symlink(path, ignored) == target) return absl::OkStatus();
  RETURN_IF_ERROR(MakeDirectoriesFor(path));
  const std::string temporary = TemporaryName(path);
  unlink(temporary.c_str());
  if (symlink(target.c_str(), temporary.c_str()) != 0) {
    return absl::ErrnoToStatus(
        errno, fmt::format("cannot link {} to {} (the cache must be on a file system with symbolic "
                           "links; HF_HOME moves it)",
                           path.string(), target));
  }
  return Replace(temporary, path);
}

absl::Status WriteRef(const fs::path& path, const std::string& commit) {
  RETURN_IF_ERROR(MakeDirectoriesFor(path));
  const std::string temporary = TemporaryName(path);
  std::ofstream file(temporary, std::ios::trunc);
  file << commit << std::flush;
  if (!file) return absl::ErrnoToStatus(errno, fmt::format("cannot write {}", temporary));
  file.close();
  return Replace(temporary, path);
}

}  // namespace

std::string BlobPath(const std::string& model_directory, const std::string& etag) {
  return fmt::format("{}/blobs/{}", model_directory, etag);
}

std::string SnapshotPath(const std::string& model_directory, const std::string& commit) {
  return fmt::format("{}/snapshots/{}", model_directory, commit);
}

absl::Status WriteSnapshot(const std::string& model_directory, const std::string& revision,
                           const Repository& repository) {
  const std::string snapshot = SnapshotPath(model_directory, repository.commit);
  for (const RepositoryFile& file : repository.files) RETURN_IF_ERROR(Link(snapshot, file));
  if (revision == repository.commit ||
      CachedCommit(model_directory, revision) == repository.commit) {
    return absl::OkStatus();
  }
  return WriteRef(fs::path(model_directory) / "refs" / revision, repository.commit);
}

std::string CachedCommit(const std::string& model_directory, const std::string& revision) {
  std::string commit;
  std::ifstream(fs::path(model_directory) / "refs" / revision) >> commit;
  if (IsCommit(commit)) return commit;
  std::error_code ignored;
  const bool is_commit =
      IsCommit(revision) && fs::is_directory(SnapshotPath(model_directory, revision), ignored);
  return is_commit ? revision : "";
}

std::vector<RepositoryFile> SnapshotFiles(const std::string& snapshot) {
  std::vector<RepositoryFile> files;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(snapshot, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    if (!entry->is_regular_file(gone)) continue;
    files.push_back({.path = fs::path(entry->path()).lexically_relative(snapshot).string(),
                     .size = static_cast<int64_t>(entry->file_size(gone))});
  }
  return files;
}

}  // namespace tandem::model::hub
