#pragma once

#include <cstdint>
#include <string>

namespace tandem {

/// Bytes of memory this process's group may still be given: the smaller of the kernel's
/// MemAvailable and what is left of the cgroup's limit (v2 memory.max, v1 memory.limit_in_bytes).
/// `root` stands before /proc and /sys, for tests.
uint64_t AvailableMemory(const std::string& root = "");

/// Names this machine as far as shared memory reaches: boot id, network namespace and effective
/// user. Two processes with the same identity can map each other's memory; those of two users do
/// not trust each other, and two network namespaces stand for two hosts.
std::string HostIdentity();

/// The boot id alone: equal for everything that shares this machine's memory.
std::string BootId();

}  // namespace tandem
