#include "model/chat_template/filters.h"

namespace tandem::model::jinja {

const Filter* FindFilter(std::string_view name) {
  for (const auto filters :
       {TextFilters(), SequenceFilters(), SelectionFilters(), ConversionFilters()}) {
    for (const Filter& filter : filters) {
      if (filter.name == name) return &filter;
    }
  }
  return nullptr;
}

}  // namespace tandem::model::jinja
