#include "cli/store_operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "base/status.h"
#include "cli/progress.h"
#include "cli/waiting_line.h"
#include "store/etcd/connect_to_masters.h"
#include "transfer/socket_address.h"

namespace tandem::cli {
namespace {

using boost::json::object;
using store::ErrorCode;

constexpr int kKeysPerCall = 1000;
constexpr size_t kPieceBytes = 4 << 20;

TimePoint Deadline(const StoreOptions& options) {
  return Clock::Real().Now() + std::chrono::seconds(options.timeout_seconds);
}

absl::Status Failure(const std::string& what, int code) {
  if (code == store::kObjectExists) {
    return absl::AlreadyExistsError(
        fmt::format("{}: the key exists, and objects are written once; remove it first", what));
  }
  return absl::UnavailableError(
      fmt::format("{}: {} ({})", what, store::Describe(static_cast<ErrorCode>(code)), code));
}

void PrintJson(const boost::json::value& value) {
  std::cout << boost::json::serialize(value) << std::endl;
}

absl::StatusOr<std::string> ReadInput(const std::string& file) {
  std::ifstream stream;
  if (file != "-") {
    stream.open(file, std::ios::binary);
    if (!stream) return absl::NotFoundError(fmt::format("cannot read the file {}", file));
  }
  std::istream& input = file == "-" ? std::cin : stream;
  std::error_code unknown;
  const auto size = file == "-" ? 0 : std::filesystem::file_size(file, unknown);
  Progress progress(fmt::format("reading {}", file == "-" ? "standard input" : file),
                    unknown ? 0 : size);
  std::string content;
  std::vector<char> piece(kPieceBytes);
  while (input) {
    input.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    content.append(piece.data(), static_cast<size_t>(input.gcount()));
    progress.Advance(static_cast<uint64_t>(input.gcount()));
  }
  if (input.bad()) return absl::UnavailableError(fmt::format("cannot read all of {}", file));
  return content;
}

absl::Status WriteOutput(const std::string& file, std::span<const std::byte> bytes) {
  std::ofstream stream;
  if (file != "-") stream.open(file, std::ios::binary | std::ios::trunc);
  std::ostream& output = file == "-" ? std::cout : stream;
  Progress progress(fmt::format("writing {}", file == "-" ? "standard output" : file),
                    bytes.size());
  while (!bytes.empty() && output) {
    const std::span<const std::byte> piece = bytes.first(std::min(bytes.size(), kPieceBytes));
    output.write(reinterpret_cast<const char*>(piece.data()),
                 static_cast<std::streamsize>(piece.size()));
    progress.Advance(piece.size());
    bytes = bytes.subspan(piece.size());
  }
  if (output.flush()) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("cannot write to {}", file));
}

/// A client that only puts and gets, and the metrics it counts in.
class Visitor {
 public:
  static absl::StatusOr<std::unique_ptr<Visitor>> Join(StoreOptions options) {
    options.segment_bytes = 0;
    auto visitor = std::make_unique<Visitor>();
    ASSIGN_OR_RETURN(visitor->client_, JoinPool(options, visitor->metrics_));
    return visitor;
  }
  store::StoreClient* operator->() { return client_.get(); }

 private:
  MetricRegistry metrics_;
  std::unique_ptr<store::StoreClient> client_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<store::StoreClient>> JoinPool(const StoreOptions& options,
                                                             MetricRegistry& metrics) {
  store::StoreClientOptions client;
  client.local_hostname = options.hostname;
  if (client.local_hostname.empty()) {
    absl::StatusOr<std::string> address = store::FindMaster(options.master, Deadline(options));
    if (address.ok()) address = transfer::LocalAddressTowards(*address);
    if (!address.ok()) {
      return absl::Status(address.status().code(),
                          fmt::format("--master: {}", std::string(address.status().message())));
    }
    client.local_hostname = *std::move(address);
  }
  client.metadata_server = options.metadata_server;
  client.master_address = options.master;
  client.protocol = options.protocol;
  client.device_name = options.device_name;
  client.segment_bytes = options.segment_bytes;
  client.local_buffer_bytes = options.buffer_bytes;
  client.security = options.security;
  client.call_timeout = std::chrono::seconds(options.timeout_seconds);
  client.transfer_timeout = std::chrono::seconds(options.timeout_seconds);
  return store::StoreClient::Create(client, metrics, Clock::Real());
}

absl::Status PutObject(const StoreOptions& options, const std::string& key, const std::string& file,
                       const store::ReplicateConfig& config) {
  ASSIGN_OR_RETURN(const std::string value, ReadInput(file));
  ASSIGN_OR_RETURN(const std::unique_ptr<Visitor> client, Visitor::Join(options));
  const std::span<const std::byte> bytes = std::as_bytes(std::span(value.data(), value.size()));
  const ErrorCode code = [&] {
    const WaitingLine line("storing " + key);
    return (*client)->Put(std::vector{key}, std::vector{bytes}, config, Deadline(options))[0];
  }();
  if (code != store::kOk) return Failure(fmt::format("cannot put {}", key), code);
  if (options.json) PrintJson(object{{"key", key}, {"size", value.size()}});
  return absl::OkStatus();
}

absl::Status GetObject(const StoreOptions& options, const std::string& key,
                       const std::string& file) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Visitor> client, Visitor::Join(options));
  std::vector<ErrorCode> codes;
  const auto handles = [&] {
    const WaitingLine line("fetching " + key);
    return (*client)->Read(std::vector{key}, Deadline(options), &codes);
  }();
  if (handles[0] == nullptr) return Failure(fmt::format("cannot get {}", key), codes[0]);
  RETURN_IF_ERROR(WriteOutput(file, handles[0]->bytes()));
  if (options.json && file != "-") {
    PrintJson(object{{"key", key}, {"size", handles[0]->bytes().size()}, {"file", file}});
  }
  return absl::OkStatus();
}

absl::Status ListObjects(const StoreOptions& options, const std::string& prefix) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Visitor> client, Visitor::Join(options));
  boost::json::array listed;
  std::vector<std::string> keys;
  do {
    const std::string after = keys.empty() ? "" : keys.back();
    ASSIGN_OR_RETURN(keys, (*client)->ListKeys(prefix, kKeysPerCall, after, Deadline(options)));
    for (const std::string& key : keys) {
      if (options.json) {
        listed.emplace_back(key);
      } else {
        std::cout << key << '\n';
      }
    }
  } while (keys.size() == kKeysPerCall);
  if (options.json) PrintJson(listed);
  std::cout.flush();
  return absl::OkStatus();
}

absl::Status RemoveObjects(const StoreOptions& options, const std::vector<std::string>& keys,
                           bool force) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Visitor> client, Visitor::Join(options));
  const std::vector<ErrorCode> codes = (*client)->Remove(keys, force, Deadline(options));
  absl::Status status;
  boost::json::array removed;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (codes[i] == store::kOk) {
      removed.emplace_back(keys[i]);
    } else {
      const std::string hint =
          codes[i] == store::kObjectHasLease ? "; --force removes it all the same" : "";
      const absl::Status failure = Failure(fmt::format("cannot remove {}", keys[i]), codes[i]);
      status.Update(
          absl::Status(failure.code(), fmt::format("{}{}", std::string(failure.message()), hint)));
    }
  }
  if (options.json) PrintJson(object{{"removed", std::move(removed)}});
  return status;
}

absl::Status DescribeObject(const StoreOptions& options, const std::string& key) {
  // Straight from the master: looking on grants no lease.
  ASSIGN_OR_RETURN(const Security security, LoadSecurity(options.security));
  ASSIGN_OR_RETURN(const auto master, store::ConnectToMasters(options.master, security));
  store::proto::GetReplicasRequest request;
  request.add_keys(key);
  request.set_without_lease(true);
  ASSIGN_OR_RETURN(const auto response, master->GetReplicas(request, Deadline(options)));
  const store::proto::GetReplicasResult& result = response.results(0);
  if (result.code() != store::kOk) return Failure(fmt::format("no {}", key), result.code());
  const std::string checksum = fmt::format("{:016x}", result.checksum());
  boost::json::array replicas;
  for (const store::proto::Extent& extent : result.extents()) {
    object replica{{"segment", extent.segment()}, {"offset", extent.offset()}};
    if (extent.on_disk()) replica["on_disk"] = true;
    replicas.push_back(std::move(replica));
  }
  if (options.json) {
    PrintJson(object{{"key", key},
                     {"size", result.size()},
                     {"xxh3", checksum},
                     {"replicas", std::move(replicas)}});
    return absl::OkStatus();
  }
  std::cout << fmt::format("key       {}\nsize      {}\nxxh3      {}\n", key, result.size(),
                           checksum);
  for (const store::proto::Extent& extent : result.extents()) {
    const std::string place = extent.on_disk() ? "on disk" : fmt::format("at {}", extent.offset());
    std::cout << fmt::format("replica   {} {}\n", extent.segment(), place);
  }
  std::cout.flush();
  return absl::OkStatus();
}

}  // namespace tandem::cli
