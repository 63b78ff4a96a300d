#include "loadgen/store_report.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>

namespace tandem::loadgen {
namespace {

double PerSecond(double count, double seconds) { return seconds > 0 ? count / seconds : 0; }

std::string FormatSize(uint64_t bytes) {
  return bytes < 1 << 20 ? fmt::format("{} KiB", bytes >> 10) : fmt::format("{} MiB", bytes >> 20);
}

boost::json::array FiguresToJson(const std::vector<StoreFigure>& figures) {
  boost::json::array list;
  for (const StoreFigure& figure : figures) {
    list.push_back(boost::json::object{
        {"way", figure.way},
        {"object_bytes", figure.object_bytes},
        {"objects", figure.objects},
        {"seconds", figure.seconds},
        {"bytes_per_second",
         PerSecond(double(figure.objects) * double(figure.object_bytes), figure.seconds)}});
  }
  return list;
}

}  // namespace

std::string StoreTable(const std::vector<StoreFigure>& figures) {
  std::string table =
      fmt::format("{:<24} {:>8} {:>10} {:>12}\n", "", "object", "MB/s", "objects/s");
  for (const StoreFigure& figure : figures) {
    const double objects = PerSecond(double(figure.objects), figure.seconds);
    table += fmt::format("{:<24} {:>8} {:>10.0f} {:>12.0f}\n", figure.way,
                         FormatSize(figure.object_bytes),
                         objects * double(figure.object_bytes) / 1e6, objects);
  }
  return table;
}

std::string MachineTable(const MachineLimits& limits) {
  return fmt::format("{:<24} {:>8} {:>10.0f}\n{:<24} {:>8} {:>10.0f}\n", "limit: memcpy, 1 thread",
                     "16 MiB", limits.memcpy_bytes_per_second / 1e6, "limit: loopback TCP", "1 MiB",
                     limits.loopback_bytes_per_second / 1e6);
}

std::string StoreJson(const std::vector<StoreFigure>& figures, const MachineLimits& limits) {
  return boost::json::serialize(
      boost::json::object{{"figures", FiguresToJson(figures)},
                          {"memcpy_bytes_per_second", limits.memcpy_bytes_per_second},
                          {"loopback_bytes_per_second", limits.loopback_bytes_per_second}});
}

std::string WriteFigures(const std::vector<StoreFigure>& figures) {
  return boost::json::serialize(FiguresToJson(figures));
}

absl::StatusOr<std::vector<StoreFigure>> ReadFigures(const std::string& text) try {
  std::vector<StoreFigure> figures;
  const boost::json::value document = boost::json::parse(text);
  for (const boost::json::value& entry : document.as_array()) {
    figures.push_back({boost::json::value_to<std::string>(entry.at("way")),
                       entry.at("object_bytes").to_number<uint64_t>(),
                       entry.at("objects").to_number<uint64_t>(),
                       entry.at("seconds").to_number<double>()});
  }
  return figures;
} catch (const std::exception& error) {
  return absl::InvalidArgumentError(fmt::format("not a list of figures: {}", error.what()));
}

}  // namespace tandem::loadgen
