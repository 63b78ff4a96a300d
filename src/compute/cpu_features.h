#pragma once

#include <string_view>

#include "absl/status/statusor.h"

namespace tandem::compute {

/// Levels of x86-64 instruction sets that kernels are written for; each includes those before it.
/// Results are reproducible on one level; two levels may differ in the last bits.
enum class CpuTarget {
  kPortable,    ///< x86-64-v2.
  kAvx2,        ///< AVX2, FMA, F16C.
  kAvx512,      ///< AVX-512 F, BW, DQ, VL.
  kAvx512Vnni,  ///< and int8 dot products.
  kAvx512Bf16,  ///< and bfloat16 dot products.
  kAmx,         ///< and bfloat16 and int8 matrix tiles.
};

/// "portable", "avx2", "avx512", "avx512_vnni", "avx512_bf16" or "amx".
std::string_view CpuTargetName(CpuTarget target);
absl::StatusOr<CpuTarget> ParseCpuTarget(std::string_view name);

/// The highest level that the processor has.
CpuTarget HighestCpuTarget();

/// The level to compute on: the highest, capped by the environment variable TANDEM_CPU_TARGET if
/// that is set. Caps the libraries that kernels come from as well, which they take account of only
/// before their first use. InvalidArgument if the variable holds another word.
absl::StatusOr<CpuTarget> SelectCpuTarget();

}  // namespace tandem::compute
