#pragma once

#include <cstddef>
#include <vector>

namespace tandem::loadgen {

/// Measured values of one kind, such as latencies. Not synchronised.
class Distribution {
 public:
  void Add(double value) { values_.push_back(value); }
  void Add(const Distribution& other);

  size_t count() const { return values_.size(); }
  /// The least value that at least `percent` of all values do not exceed (nearest rank); 0 without
  /// values. `percent` lies in 0..100.
  double Percentile(double percent) const;

 private:
  std::vector<double> values_;
};

}  // namespace tandem::loadgen
