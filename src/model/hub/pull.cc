#include "model/hub/pull.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/status.h"
#include "model/hub/catalog.h"
#include "model/hub/downloader.h"
#include "model/hub/snapshot_writer.h"

namespace tandem::model::hub {
namespace {

namespace fs = std::filesystem;

/// The cache's only answer: the snapshot it has, if that holds what would be selected.
absl::StatusOr<std::string> FindCached(const PullOptions& options, const std::string& directory) {
  const ModelReference& model = options.model;
  const std::string commit = CachedCommit(directory, model.revision);
  const std::string snapshot = SnapshotPath(directory, commit);
  const auto selected =
      commit.empty()
          ? absl::NotFoundError("")
          : SelectFiles({.commit = commit, .files = SnapshotFiles(snapshot)}, options.patterns);
  if (selected.ok()) return snapshot;
  return absl::NotFoundError(
      fmt::format("HF_HUB_OFFLINE is set and {} at \"{}\" is not in the cache ({}); unset "
                  "HF_HUB_OFFLINE to get "
                  "it from the hub",
                  model.name, model.revision, directory));
}

absl::Status CheckSpace(const std::string& directory, const std::vector<Blob>& blobs) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return absl::ErrnoToStatus(
        error.value(),
        fmt::format("cannot create {}; HF_HOME or HF_HUB_CACHE moves the cache", directory));
  }
  int64_t needed = 0;
  for (const Blob& blob : blobs) {
    needed += blob.size - PartialFile::ReceivedAt(PartialPath(blob), blob.size);
  }
  struct statvfs info;
  if (statvfs(directory.c_str(), &info) != 0) return absl::OkStatus();
  const auto free = static_cast<int64_t>(info.f_bavail * info.f_frsize);
  if (needed <= free) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("{} more are needed and {} has {} free; free some space, or set HF_HOME to a "
                  "directory on a larger disk",
                  ByteText(needed), directory, ByteText(free)));
}

/// The blobs that are not there, each once.
std::vector<Blob> MissingBlobs(const Subject& subject, const Repository& selected,
                               const HubCache& cache) {
  const std::string directory = cache.ModelDirectory(subject.model.name);
  const std::string locks =
      fmt::format("{}/.locks/{}", cache.directory(), fs::path(directory).filename().string());
  std::vector<Blob> missing;
  for (const RepositoryFile& file : selected.files) {
    Blob blob{.file = file.path,
              .url = ResolveUrl(subject, selected.commit, file.path),
              .etag = file.etag,
              .size = file.size,
              .path = BlobPath(directory, file.etag),
              .lock = fmt::format("{}/{}.lock", locks, file.etag)};
    const bool is_listed = std::any_of(missing.begin(), missing.end(),
                                       [&](const Blob& other) { return other.etag == blob.etag; });
    if (!is_listed && !IsThere(blob)) missing.push_back(std::move(blob));
  }
  return missing;
}

/// What counts as done before the first byte is fetched.
PullProgress ProgressBefore(const Repository& selected, const std::vector<Blob>& missing) {
  PullProgress progress{.files = selected.files.size()};
  for (const RepositoryFile& file : selected.files) progress.bytes += file.size;
  progress.files_done = progress.files - missing.size();
  progress.bytes_done = progress.bytes;
  for (const Blob& blob : missing) progress.bytes_done -= blob.size;
  return progress;
}

absl::StatusOr<Repository> SelectFromHub(Catalog& catalog, const PullOptions& options) {
  ASSIGN_OR_RETURN(Repository repository, catalog.List());
  absl::StatusOr<std::vector<RepositoryFile>> files = SelectFiles(repository, options.patterns);
  if (!files.ok()) {
    return absl::Status(files.status().code(), fmt::format("{}: {}", options.model.name,
                                                           std::string(files.status().message())));
  }
  repository.files = *std::move(files);
  for (RepositoryFile& file : repository.files) {
    RETURN_IF_ERROR(catalog.Complete(repository.commit, file));
  }
  std::sort(repository.files.begin(), repository.files.end(), [](const auto& a, const auto& b) {
    return a.size != b.size ? a.size < b.size : a.path < b.path;
  });
  return repository;
}

}  // namespace

absl::StatusOr<std::string> Pull(const PullOptions& options, const Environment& environment,
                                 const HubCache& cache, PullObserver& observer) {
  const std::string directory = cache.ModelDirectory(options.model.name);
  if (environment.offline) return FindCached(options, directory);
  const Subject subject{.endpoint = environment.endpoint,
                        .has_token = !environment.token.empty(),
                        .model = options.model};
  HttpSession session(environment, options.stop_fd);
  Catalog catalog(session, subject, options.download.retry, observer);
  ASSIGN_OR_RETURN(const Repository selected, SelectFromHub(catalog, options));
  std::vector<Blob> missing = MissingBlobs(subject, selected, cache);
  if (!missing.empty()) RETURN_IF_ERROR(CheckSpace(directory + "/blobs", missing));
  const PullProgress before = ProgressBefore(selected, missing);
  Downloader downloader(subject, options.download, session, observer);
  RETURN_IF_ERROR(downloader.Run(std::move(missing), before));
  RETURN_IF_ERROR(WriteSnapshot(directory, options.model.revision, selected));
  return SnapshotPath(directory, selected.commit);
}

}  // namespace tandem::model::hub
