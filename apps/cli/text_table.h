#pragma once

#include <string>
#include <vector>

namespace emelex::cli {

// Rows of cells in columns as wide as their widest cell, two spaces apart. `right` names the columns whose cells stand
// at the right, such as numbers. The last column is not filled up.
std::string text_table(const std::vector<std::vector<std::string>>& rows, const std::vector<size_t>& right = {});

}  // namespace emelex::cli
