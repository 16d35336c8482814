#include "cli/text_table.h"

#include <algorithm>

namespace emelex::cli {
namespace {

// Characters, not bytes: each has one byte that continues none.
size_t width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace

std::string text_table(const std::vector<std::vector<std::string>>& rows, const std::vector<size_t>& right) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string table;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - width(row[i]), ' ');
      const bool is_right = std::find(right.begin(), right.end(), i) != right.end();
      const bool is_last = i + 1 == row.size();
      table += is_right ? space + row[i] : row[i] + (is_last ? "" : space);
      table += is_last ? "\n" : "  ";
    }
  }
  return table;
}

}  // namespace emelex::cli
