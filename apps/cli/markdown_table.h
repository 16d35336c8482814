#pragma once

#include <string>
#include <vector>

namespace emelex::cli {

// A table in Markdown, aligned for people. `rows` begin with the heading and are equally long; of each the first cell
// is to the left, the others to the right.
std::string markdown_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace emelex::cli
