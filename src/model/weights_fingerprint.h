#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/model_config.h"
#include "model/weight_source.h"

namespace tandem::model {

/// What WeightSource::Fingerprint gives: hashes the config and a few thousand sampled bytes of each
/// tensor, in the order of their names. Milliseconds, and the same on every host.
std::string WeightsFingerprint(const ModelConfig& config,
                               std::vector<std::pair<std::string_view, WeightView>> weights);

}  // namespace tandem::model
