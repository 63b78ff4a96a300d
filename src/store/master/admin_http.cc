#include "store/master/admin_http.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <functional>
#include <string_view>
#include <utility>

#include "absl/strings/str_split.h"
#include "http/metrics_response.h"
#include "store/proto/error_code.h"

namespace tandem::store {
namespace {

http::Response Text(int status, std::string body) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(body)};
}

http::Response Json(const boost::json::value& value) {
  return {200, {{"Content-Type", "application/json"}}, boost::json::serialize(value)};
}

using Answer = std::function<http::Response(const http::Request&)>;

void Get(http::Router& router, const std::string& path, Answer answer) {
  router.Add("GET", path,
             [answer = std::move(answer)](http::Request request,
                                          std::shared_ptr<http::ResponseWriter> writer) {
               writer->Respond(answer(request));
             });
}

/// An answer that needs a query parameter.
Answer WithParameter(const std::string& name,
                     std::function<http::Response(const std::string& value)> answer) {
  return [name, answer = std::move(answer)](const http::Request& request) {
    const std::optional<std::string> value = request.QueryValue(name);
    if (!value || value->empty()) {
      return Text(400, fmt::format("the query parameter '{0}' is missing: {1}?{0}=...\n", name,
                                   request.path));
    }
    return answer(*value);
  };
}

proto::GetReplicasResponse LookUp(Master& master, const std::vector<std::string>& keys) {
  proto::GetReplicasRequest request;
  request.set_without_lease(true);
  for (const std::string& key : keys) request.add_keys(key);
  return master.GetReplicas(request);
}

boost::json::object DescribeObject(const proto::GetReplicasResult& result,
                                   const proto::GetReplicasResponse& response) {
  boost::json::array replicas;
  for (const proto::Extent& extent : result.extents()) {
    boost::json::object replica{{"segment", extent.segment()},
                                {"offset", extent.offset()},
                                {"length", extent.length()},
                                {"generation", extent.generation()}};
    if (extent.on_disk()) replica["on_disk"] = true;
    for (const proto::Segment& segment : response.segments()) {
      if (segment.name() == extent.segment()) replica["endpoint"] = segment.data_endpoint();
    }
    replicas.push_back(std::move(replica));
  }
  return {{"size", result.size()},
          {"checksum", fmt::format("{:016x}", result.checksum())},
          {"replicas", std::move(replicas)}};
}

http::Response QueryKey(Master& master, const std::string& key) {
  const proto::GetReplicasResponse response = LookUp(master, {key});
  const proto::GetReplicasResult& result = response.results(0);
  if (result.code() != kOk) {
    return Text(404, fmt::format("{}: {}\n", key, Describe(ErrorCode(result.code()))));
  }
  boost::json::object description = DescribeObject(result, response);
  description["key"] = key;
  return Json(description);
}

http::Response QueryKeys(Master& master, const std::string& list) {
  const std::vector<std::string> keys = absl::StrSplit(list, ',', absl::SkipEmpty());
  const proto::GetReplicasResponse response = LookUp(master, keys);
  boost::json::object found;
  for (int i = 0; i < response.results_size(); ++i) {
    const proto::GetReplicasResult& result = response.results(i);
    if (result.code() == kOk) {
      found[keys[i]] = DescribeObject(result, response);
    } else {
      found[keys[i]] = {{"error", Describe(ErrorCode(result.code()))}, {"code", result.code()}};
    }
  }
  return Json(found);
}

http::Response AllKeys(Master& master) {
  const proto::ListKeysResponse response = master.ListKeys({});
  std::string lines;
  for (const std::string& key : response.keys()) lines += key + "\n";
  return Text(200, std::move(lines));
}

boost::json::object DescribeSegment(const proto::ListSegmentsResponse& response, int i) {
  const proto::Segment& segment = response.segments(i);
  return {{"name", segment.name()},
          {"client_id", segment.client_id()},
          {"capacity", segment.size()},
          {"used", response.used(i)},
          {"largest_free", response.largest_free(i)},
          {"disk_used", response.disk_used(i)},
          {"protocol", segment.protocol()},
          {"endpoint", segment.data_endpoint()},
          {"host_identity", segment.host_identity()}};
}

http::Response AllSegments(Master& master) {
  const proto::ListSegmentsResponse response = master.ListSegments({});
  std::string lines;
  for (const proto::Segment& segment : response.segments()) {
    lines += segment.name() + "\n";
  }
  return Text(200, std::move(lines));
}

http::Response QuerySegment(Master& master, const std::string& name) {
  const proto::ListSegmentsResponse response = master.ListSegments({});
  for (int i = 0; i < response.segments_size(); ++i) {
    if (response.segments(i).name() == name) return Json(DescribeSegment(response, i));
  }
  return Text(404, fmt::format("no segment '{}'; /get_all_segments lists those there are\n", name));
}

}  // namespace

std::string Summary(const PoolUsage& usage) {
  const double ratio =
      usage.capacity_bytes == 0 ? 0 : double(usage.allocated_bytes) / double(usage.capacity_bytes);
  const std::string disk = usage.disk_keys == 0 ? ""
                                                : fmt::format(" | disk: {} bytes, {} keys",
                                                              usage.disk_bytes, usage.disk_keys);
  return fmt::format(
      "memory: {} of {} bytes ({:.1f} %) | keys: {}, soft-pinned: {} | clients: {} | segments: "
      "{}, fragmentation: {:.1f} %{}\n",
      usage.allocated_bytes, usage.capacity_bytes, 100 * ratio, usage.keys, usage.soft_pinned_keys,
      usage.active_clients, usage.segments, 100 * usage.fragmentation, disk);
}

void AddAdminRoutes(http::Router& router, const ServingMaster& serving, MasterMetrics& metrics,
                    const MetricRegistry& registry) {
  Get(router, "/metrics", [&](const http::Request&) {
    const std::shared_ptr<Master> master = serving.Get();
    metrics.Show(master == nullptr ? PoolUsage() : master->usage());
    return http::MetricsResponse(registry);
  });
  const auto ask = [&](auto answer) {
    return [&serving, answer](const auto&... arguments) {
      const std::shared_ptr<Master> master = serving.Get();
      if (master == nullptr) return Text(503, "this master stands by: another one leads\n");
      return answer(*master, arguments...);
    };
  };
  Get(router, "/metrics/summary", ask([](Master& master, const http::Request&) {
        return Text(200, Summary(master.usage()) + "\n");
      }));
  Get(router, "/health", [](const http::Request&) { return Text(200, "OK\n"); });
  Get(router, "/role", [&](const http::Request&) {
    return Text(200, serving.Get() == nullptr ? "standby\n" : "leader\n");
  });
  Get(router, "/query_key", WithParameter("key", ask(QueryKey)));
  Get(router, "/batch_query_keys", WithParameter("keys", ask(QueryKeys)));
  Get(router, "/get_all_keys",
      ask([](Master& master, const http::Request&) { return AllKeys(master); }));
  Get(router, "/get_all_segments",
      ask([](Master& master, const http::Request&) { return AllSegments(master); }));
  Get(router, "/query_segment", WithParameter("segment", ask(QuerySegment)));
}

}  // namespace tandem::store
