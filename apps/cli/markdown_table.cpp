#include "cli/markdown_table.h"

#include <algorithm>

#include "base/strings.h"

namespace emelex::cli {
namespace {

// A cell of a Markdown table: as wide as its column, numbers to the right.
std::string cell(const std::string& text, size_t width, bool right) {
  const std::string space(width > text.size() ? width - text.size() : 0, ' ');
  return right ? space + text : text + space;
}

}  // namespace

std::string markdown_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.at(0).size(), 3);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string table;
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string line = "|";
    std::string rule = "|";
    for (size_t i = 0; i < widths.size(); ++i) {
      line += str_cat(" ", cell(rows[r][i], widths[i], i > 0), " |");
      rule += str_cat(" ", std::string(widths[i] - 1, '-'), i > 0 ? ":" : "-", " |");
    }
    table += line + "\n";
    if (r == 0) table += rule + "\n";
  }
  return table;
}

}  // namespace emelex::cli
