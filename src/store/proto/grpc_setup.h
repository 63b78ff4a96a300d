#pragma once

namespace tandem::store {

/// Has gRPC's mutexes not look for deadlocks, which Debian's build of Abseil does by default and
/// which takes a twentieth of a call. Called before a channel or a server is made.
void SetUpGrpc();

}  // namespace tandem::store
