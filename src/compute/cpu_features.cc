#include "compute/cpu_features.h"

#include <cpuid.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/status.h"
#include "hwy/highway.h"

namespace tandem::compute {
namespace {

constexpr std::array<std::pair<std::string_view, CpuTarget>, 6> kNames = {{
    {"portable", CpuTarget::kPortable},
    {"avx2", CpuTarget::kAvx2},
    {"avx512", CpuTarget::kAvx512},
    {"avx512_vnni", CpuTarget::kAvx512Vnni},
    {"avx512_bf16", CpuTarget::kAvx512Bf16},
    {"amx", CpuTarget::kAmx},
}};

/// Whether the operating system saves the tiles' registers.
bool SavesTiles() {
  constexpr unsigned kXsaveEnabled = 1u << 27, kTileConfigAndData = 3u << 17;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & kXsaveEnabled) == 0) return false;
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & kTileConfigAndData) == kTileConfigAndData;
}

bool HasAmx() {
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24, kInt8 = 1u << 25;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  const unsigned wanted = kBf16 | kTile | kInt8;
  return (edx & wanted) == wanted && SavesTiles();
}

bool HasAvx512Bf16() {
  constexpr unsigned kBf16 = 1u << 5;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kBf16) != 0;
}

void CapHighway(CpuTarget target) {
  if (target >= CpuTarget::kAvx512) return;
  int64_t disabled = HWY_AVX3 | HWY_AVX3_DL;
  if (target == CpuTarget::kPortable) disabled |= HWY_AVX2;
  hwy::DisableTargets(disabled);
}

}  // namespace

std::string_view CpuTargetName(CpuTarget target) {
  return kNames[static_cast<size_t>(target)].first;
}

absl::StatusOr<CpuTarget> ParseCpuTarget(std::string_view name) {
  for (const auto& [known, target] : kNames) {
    if (name == known) return target;
  }
  return absl::InvalidArgumentError(fmt::format(
      "CPU target '{}' is not one of portable, avx2, avx512, avx512_vnni, avx512_bf16, amx", name));
}

CpuTarget HighestCpuTarget() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    return CpuTarget::kPortable;
  }
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
    return CpuTarget::kAvx2;
  }
  if (!__builtin_cpu_supports("avx512vnni")) return CpuTarget::kAvx512;
  if (!HasAvx512Bf16()) return CpuTarget::kAvx512Vnni;
  return HasAmx() ? CpuTarget::kAmx : CpuTarget::kAvx512Bf16;
}

absl::StatusOr<CpuTarget> SelectCpuTarget() {
  CpuTarget target = HighestCpuTarget();
  const char* variable = std::getenv("TANDEM_CPU_TARGET");
  if (variable == nullptr || *variable == '\0') return target;
  auto cap = ParseCpuTarget(variable);
  if (!cap.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("TANDEM_CPU_TARGET: {}", std::string(cap.status().message())));
  }
  target = std::min(target, *cap);
  CapHighway(target);
  return target;
}

}  // namespace tandem::compute
