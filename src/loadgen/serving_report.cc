#include "loadgen/serving_report.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace tandem::loadgen {
namespace {

double Milliseconds(const Distribution& seconds, double percent) {
  return seconds.Percentile(percent) * 1e3;
}

double PerSecond(int64_t count, const ServingResult& result) {
  return result.seconds > 0 ? double(count) / result.seconds : 0;
}

}  // namespace

std::string ServingTable(const std::vector<ServingResult>& results) {
  std::string table =
      fmt::format("{:>11} {:>8} {:>9} {:>9} {:>8} {:>8} {:>12} {:>12}\n", "concurrency", "requests",
                  "TTFT p50", "p99", "ITL p50", "p99", "output tok/s", "total tok/s");
  for (const ServingResult& result : results) {
    table += fmt::format("{:>11} {:>8} {:>9.1f} {:>9.1f} {:>8.1f} {:>8.1f} {:>12.1f} {:>12.1f}\n",
                         result.concurrency, result.completed,
                         Milliseconds(result.seconds_to_first_token, 50),
                         Milliseconds(result.seconds_to_first_token, 99),
                         Milliseconds(result.seconds_between_tokens, 50),
                         Milliseconds(result.seconds_between_tokens, 99),
                         PerSecond(result.completion_tokens, result),
                         PerSecond(result.prompt_tokens + result.completion_tokens, result));
  }
  table += "TTFT: time to first token, ITL: inter-token latency, both in milliseconds\n";
  for (const ServingResult& result : results) {
    if (result.failed == 0) continue;
    table += fmt::format("concurrency {}: {} of {} requests failed: {}\n", result.concurrency,
                         result.failed, result.failed + result.completed, result.first_error);
  }
  return table;
}

std::string ServingJson(const std::vector<ServingResult>& results) {
  boost::json::array list;
  for (const ServingResult& result : results) {
    list.push_back(boost::json::object{
        {"concurrency", result.concurrency},
        {"completed", result.completed},
        {"failed", result.failed},
        {"first_error", result.first_error},
        {"seconds", result.seconds},
        {"prompt_tokens", result.prompt_tokens},
        {"completion_tokens", result.completion_tokens},
        {"ttft_p50_ms", Milliseconds(result.seconds_to_first_token, 50)},
        {"ttft_p99_ms", Milliseconds(result.seconds_to_first_token, 99)},
        {"itl_p50_ms", Milliseconds(result.seconds_between_tokens, 50)},
        {"itl_p99_ms", Milliseconds(result.seconds_between_tokens, 99)},
        {"output_tokens_per_second", PerSecond(result.completion_tokens, result)},
        {"total_tokens_per_second",
         PerSecond(result.prompt_tokens + result.completion_tokens, result)},
    });
  }
  return boost::json::serialize(list);
}

}  // namespace tandem::loadgen
