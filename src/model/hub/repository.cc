#include "model/hub/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "absl/strings/ascii.h"
#include "base/status.h"
#include "model/hub/model_reference.h"

namespace tandem::model::hub {
namespace {

absl::Status Wrong(std::string_view field, const boost::json::value* value,
                   std::string_view accepted) {
  return absl::InvalidArgumentError(
      fmt::format("{} is {}; accepted: {}", field,
                  value == nullptr ? "missing" : boost::json::serialize(*value), accepted));
}

std::string_view Text(const boost::json::value* value) {
  const boost::json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

/// The content's name: that of large-file storage if there is one, else the git blob's.
std::string_view EtagOf(const boost::json::object& file) {
  const boost::json::value* lfs = file.if_contains("lfs");
  if (lfs == nullptr || !lfs->is_object()) return Text(file.if_contains("blobId"));
  const std::string_view sha256 = Text(lfs->get_object().if_contains("sha256"));
  return sha256.empty() ? Text(lfs->get_object().if_contains("oid")) : sha256;
}

absl::StatusOr<RepositoryFile> ReadFile(const boost::json::value& sibling) {
  const boost::json::object* object = sibling.if_object();
  if (object == nullptr) return Wrong("siblings[]", &sibling, "an object for each file");
  RepositoryFile file;
  file.path = std::string(Text(object->if_contains("rfilename")));
  if (!IsPathBelow(file.path)) {
    return Wrong("siblings[].rfilename", object->if_contains("rfilename"),
                 "a path below the repository");
  }
  const boost::json::value* size = object->if_contains("size");
  if (size != nullptr && !size->is_null()) {
    if (!size->is_int64() || size->get_int64() < 0) {
      return Wrong(fmt::format("the size of {}", file.path), size, "bytes");
    }
    file.size = size->get_int64();
  }
  file.etag = std::string(EtagOf(*object));
  if (!file.etag.empty() && !IsEtag(file.etag)) {
    return absl::InvalidArgumentError(
        fmt::format("the checksum of {} is \"{}\"; accepted: hexadecimal", file.path, file.etag));
  }
  return file;
}

}  // namespace

absl::StatusOr<Repository> ParseRepository(std::string_view json) {
  boost::json::error_code error;
  const boost::json::value document = boost::json::parse({json.data(), json.size()}, error);
  if (error) {
    return absl::InvalidArgumentError(fmt::format("the reply is no JSON: {}", error.message()));
  }
  const boost::json::object* object = document.if_object();
  if (object == nullptr) return absl::InvalidArgumentError("the reply is no JSON object");
  Repository repository;
  repository.commit = std::string(Text(object->if_contains("sha")));
  if (!IsCommit(repository.commit)) {
    return Wrong("sha", object->if_contains("sha"), "a commit of 40 hexadecimal digits");
  }
  const boost::json::value* siblings = object->if_contains("siblings");
  if (siblings == nullptr || !siblings->is_array()) {
    return Wrong("siblings", siblings, "a list of files");
  }
  for (const boost::json::value& sibling : siblings->get_array()) {
    ASSIGN_OR_RETURN(RepositoryFile file, ReadFile(sibling));
    repository.files.push_back(std::move(file));
  }
  return repository;
}

bool IsEtag(std::string_view etag) {
  return !etag.empty() && etag.size() <= 128 && etag.front() != '.' &&
         std::all_of(etag.begin(), etag.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

bool IsCommit(std::string_view commit) {
  return commit.size() == 40 && std::all_of(commit.begin(), commit.end(), [](unsigned char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

}  // namespace tandem::model::hub
