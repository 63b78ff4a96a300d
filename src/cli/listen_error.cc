#include "cli/listen_error.h"

#include "absl/strings/str_cat.h"

namespace tandem::cli {

absl::Status NameOtherAddresses(const absl::Status& error) {
  return absl::Status(
      error.code(),
      absl::StrCat(error.message(),
                   "; --host and --port choose another address (port 0: any that is free)"));
}

}  // namespace tandem::cli
