#include "base/accept_error.h"

#include <cerrno>

namespace tandem {

bool LeavesConnectionQueued(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

}  // namespace tandem
