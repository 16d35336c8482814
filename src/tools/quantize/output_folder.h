#pragma once

#include <filesystem>
#include <string>

namespace emelex {

// A folder of MLX's that appears under its name as a whole. Until commit() its files are in another beside it, which is
// removed when that does not come.
//
// What lies under the name already is replaced only where nothing else can be lost: an empty folder, or one that holds
// the files of an MLX folder and nothing besides. All else is an Error(invalid_argument) that says what is in the way.
class OutputFolder {
 public:
  // `replace`: a folder of that kind may be replaced. Throws Error(invalid_argument) or Error(io).
  OutputFolder(const std::filesystem::path& folder, bool replace);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  ~OutputFolder();

  // Where the files go meanwhile.
  const std::filesystem::path& path() const { return temporary_; }

  // The old folder is put aside first and removed last, so that one of the two is always there whole.
  void commit();

 private:
  void check() const;

  std::filesystem::path folder_;
  std::filesystem::path temporary_;
  bool replace_;
  bool committed_ = false;
};

// What keeps a folder from being replaced by one of MLX's: "the file 'thesis.txt'". Empty: nothing does.
std::string obstacle_in_mlx_folder(const std::filesystem::path& folder);

}  // namespace emelex
