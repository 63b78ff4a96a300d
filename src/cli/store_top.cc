#include "cli/store_top.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "cli/termination.h"
#include "http/client.h"
#include "store/etcd/connect_to_masters.h"

namespace tandem::cli {
namespace {

using Metrics = std::map<std::string, double>;

constexpr std::pair<const char*, const char*> kCalls[] = {
    {"put", "master_put_end_requests_total"},
    {"get", "master_get_replica_list_requests_total"},
    {"exist", "master_exist_key_requests_total"},
    {"remove", "master_remove_requests_total"},
};

double Value(const Metrics& metrics, const std::string& name) {
  const auto found = metrics.find(name);
  return found == metrics.end() ? 0 : found->second;
}

double Rate(const Metrics& before, const Metrics& now, const std::string& name, double seconds) {
  return seconds > 0 ? std::max(0.0, Value(now, name) - Value(before, name)) / seconds : 0;
}

std::string FormatBytes(double bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < std::size(kUnits); ++unit) bytes /= 1024;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, kUnits[unit]);
}

double Share(double part, double whole) { return whole > 0 ? part / whole : 0; }

/// Of each master, the leader among them.
std::vector<std::string> MetricsUrls(const TopOptions& options, const Security& security) {
  const bool named = !options.metrics.empty();
  std::vector<std::string> urls;
  for (const absl::string_view address :
       absl::StrSplit(named ? options.metrics : options.common.master, ',')) {
    const std::string host(address.substr(0, address.rfind(':')));
    urls.push_back(fmt::format("{}://{}", security.tls ? "https" : "http",
                               named ? std::string(address) : host + ":9003"));
  }
  return urls;
}

absl::StatusOr<std::string> Fetch(http::Client& client, const std::string& url,
                                  const TopOptions& options, const Security& security) {
  http::ClientRequest request{
      .url = url, .total_timeout = std::chrono::seconds(options.common.timeout_seconds)};
  if (!security.token.empty()) {
    request.headers.Set("Authorization", security.token.Authorization());
  }
  const auto response = client.Fetch(std::move(request));
  if (!response.ok() || response->status != 200) {
    return absl::UnavailableError(
        fmt::format("{}: {}; --metrics names the master's --metrics_port", url,
                    response.ok() ? fmt::format("status {}", response->status)
                                  : std::string(response.status().message())));
  }
  return response->body;
}

absl::StatusOr<Metrics> FetchMetrics(http::Client& client, const TopOptions& options,
                                     const Security& security) {
  const std::vector<std::string> urls = MetricsUrls(options, security);
  absl::Status status = absl::UnavailableError("none of the masters leads at the moment");
  for (const std::string& url : urls) {
    if (urls.size() > 1) {
      const auto role = Fetch(client, url + "/role", options, security);
      if (!role.ok()) status = role.status();
      if (!role.ok() || *role != "leader\n") continue;
    }
    ASSIGN_OR_RETURN(const std::string text, Fetch(client, url + "/metrics", options, security));
    return ParseMetrics(text);
  }
  return status;
}

absl::StatusOr<std::vector<SegmentView>> FetchSegments(store::MasterClient& master,
                                                       const TopOptions& options) {
  ASSIGN_OR_RETURN(
      const auto response,
      master.ListSegments(
          {}, Clock::Real().Now() + std::chrono::seconds(options.common.timeout_seconds)));
  std::vector<SegmentView> segments;
  for (int i = 0; i < response.segments_size() && i < response.used_size(); ++i) {
    const store::proto::Segment& segment = response.segments(i);
    segments.push_back({segment.name(), segment.host_identity(), segment.size(), response.used(i)});
  }
  return segments;
}

/// Waits; true once a signal has come.
bool Interrupted(const Termination& termination, double seconds) {
  pollfd waited{termination.fd(), POLLIN, 0};
  return poll(&waited, 1, static_cast<int>(std::lround(seconds * 1000))) > 0;
}

}  // namespace

std::map<std::string, double> ParseMetrics(const std::string& text) {
  Metrics metrics;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const size_t space = line.rfind(' ');
    double value = 0;
    if (line.front() == '#' || space == absl::string_view::npos ||
        !absl::SimpleAtod(line.substr(space + 1), &value)) {
      continue;
    }
    metrics[std::string(line.substr(0, space))] = value;
  }
  return metrics;
}

std::string TopTable(const std::vector<SegmentView>& segments, const Metrics& before,
                     const Metrics& now, double seconds) {
  const double used = Value(now, "master_allocated_bytes");
  const double capacity = Value(now, "master_total_capacity_bytes");
  std::string text = fmt::format(
      "pool      {} of {} ({:.0f} %), {:.0f} objects, {:.0f} of them pinned, {:.0f} clients\n",
      FormatBytes(used), FormatBytes(capacity), 100 * Share(used, capacity),
      Value(now, "master_key_count"), Value(now, "master_soft_pin_key_count"),
      Value(now, "master_active_clients"));
  text += "calls/s  ";
  for (const auto& [name, metric] : kCalls) {
    text += fmt::format(" {} {:.0f}", name, Rate(before, now, metric, seconds));
  }
  text += fmt::format("\nevicted   {:.0f} objects/s, {}/s; {:.0f} puts found no room\n\n",
                      Rate(before, now, "master_evicted_key_count", seconds),
                      FormatBytes(Rate(before, now, "master_evicted_size_bytes", seconds)),
                      Value(now, "master_put_start_alloc_failures_total"));
  text += fmt::format("{:<28} {:>12} {:>12} {:>6}\n", "segment", "used", "size", "%");
  for (const SegmentView& segment : segments) {
    text += fmt::format("{:<28} {:>12} {:>12} {:>6.0f}\n", segment.name,
                        FormatBytes(double(segment.used)), FormatBytes(double(segment.size)),
                        100 * Share(double(segment.used), double(segment.size)));
  }
  return text;
}

std::string TopJson(const std::vector<SegmentView>& segments, const Metrics& before,
                    const Metrics& now, double seconds) {
  boost::json::object rates;
  for (const auto& [name, metric] : kCalls) rates[name] = Rate(before, now, metric, seconds);
  boost::json::array listed;
  for (const SegmentView& segment : segments) {
    listed.push_back(boost::json::object{{"name", segment.name},
                                         {"host", segment.host},
                                         {"size", segment.size},
                                         {"used", segment.used}});
  }
  return boost::json::serialize(boost::json::object{
      {"used", static_cast<uint64_t>(Value(now, "master_allocated_bytes"))},
      {"capacity", static_cast<uint64_t>(Value(now, "master_total_capacity_bytes"))},
      {"objects", static_cast<uint64_t>(Value(now, "master_key_count"))},
      {"clients", static_cast<uint64_t>(Value(now, "master_active_clients"))},
      {"calls_per_second", std::move(rates)},
      {"evicted_per_second", Rate(before, now, "master_evicted_key_count", seconds)},
      {"segments", std::move(listed)}});
}

absl::Status ShowTop(const TopOptions& options) {
  if (options.metrics.empty() && options.common.master.starts_with(store::kEtcdScheme)) {
    return absl::InvalidArgumentError(
        "--metrics is not set: etcd does not know the masters' ports for metrics");
  }
  const Termination termination;
  ASSIGN_OR_RETURN(const Security security, LoadSecurity(options.common.security));
  TlsContext tls;
  if (security.tls) {
    ASSIGN_OR_RETURN(tls, MakeTlsClientContext(security.files));
  }
  const auto client = http::Client::Create(1, tls);
  ASSIGN_OR_RETURN(const auto master, store::ConnectToMasters(options.common.master, security));
  Metrics before;
  TimePoint measured = Clock::Real().Now();
  const bool in_place = isatty(STDOUT_FILENO) != 0 && !options.common.json;
  for (int shown = 0; options.count == 0 || shown < options.count; ++shown) {
    if (shown > 0 && Interrupted(termination, options.interval_seconds)) break;
    ASSIGN_OR_RETURN(const Metrics now, FetchMetrics(*client, options, security));
    ASSIGN_OR_RETURN(const auto segments, FetchSegments(*master, options));
    const TimePoint time = Clock::Real().Now();
    const double seconds = shown == 0 ? 0 : Seconds(time - measured);
    if (in_place) std::cout << "\033[H\033[J";
    if (options.common.json) {
      std::cout << TopJson(segments, before, now, seconds) << std::endl;
    } else {
      std::cout << TopTable(segments, before, now, seconds) << std::endl;
    }
    before = now;
    measured = time;
  }
  return absl::OkStatus();
}

}  // namespace tandem::cli
