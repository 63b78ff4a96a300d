#include "loadgen/distribution.h"

#include <algorithm>
#include <cmath>

namespace tandem::loadgen {

void Distribution::Add(const Distribution& other) {
  values_.insert(values_.end(), other.values_.begin(), other.values_.end());
}

double Distribution::Percentile(double percent) const {
  if (values_.empty()) return 0;
  std::vector<double> values = values_;
  const double rank = std::ceil(percent / 100 * double(values.size()));
  const size_t index = rank < 1 ? 0 : std::min(size_t(rank), values.size()) - 1;
  std::nth_element(values.begin(), values.begin() + index, values.end());
  return values[index];
}

}  // namespace tandem::loadgen
