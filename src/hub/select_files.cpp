#include "hub/select_files.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/strings.h"
#include "hub/manifest.h"
#include "hub/names.h"
#include "weights/safetensors/model_files.h"

namespace emelex {
namespace {

constexpr size_t kMaxPathBytes = 512;
constexpr size_t kMaxPartBytes = 200;  // of 255 that file systems allow: temporary names are longer

// What a folder of SafeTensors has beside its weights. Never pickles, never code.
constexpr std::array<std::string_view, 14> kFolderFiles = {"config.json",
                                                           "generation_config.json",
                                                           "model.safetensors.index.json",
                                                           "tokenizer.json",
                                                           "tokenizer.model",
                                                           "tokenizer_config.json",
                                                           "special_tokens_map.json",
                                                           "added_tokens.json",
                                                           "vocab.json",
                                                           "merges.txt",
                                                           "vocab.txt",
                                                           "chat_template.jinja",
                                                           "chat_template.json",
                                                           "tekken.json"};

constexpr std::string_view kBetween = "-. /";  // between the words of a name

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool is_weights_gguf(const RemoteFile& file) {
  const std::string name = to_lower(base_name(file.path));
  // Projectors of images and importance matrices come as GGUF, too.
  return name.ends_with(".gguf") && name.find("mmproj") == std::string::npos &&
         name.find("imatrix") == std::string::npos;
}

// Names, with those of a file in parts as one: path without the part's number → its files.
using Models = std::map<std::string, std::vector<RemoteFile>>;

Models gguf_models(const RepoInfo& info) {
  Models models;
  for (const RemoteFile& file : info.files) {
    if (!is_weights_gguf(file)) continue;
    const std::string stem = file.path.substr(0, file.path.size() - std::string_view(".gguf").size());
    models[std::string(without_part_number(stem))].push_back(file);
  }
  for (auto& [name, files] : models) {
    std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  }
  return models;
}

std::string stem_of(const Models::value_type& model) { return to_lower(base_name(model.first)); }

// What tells a model's name from those of the others, without the words that all begin with: of "Step-Balanced" and
// "Step-Compact" it is "balanced" and "compact".
std::string label_of(const Models& models, const Models::value_type& model) {
  const std::string stem = stem_of(model);
  size_t common = 0;
  for (size_t end = stem.find_first_of(kBetween); end != std::string::npos;
       end = stem.find_first_of(kBetween, end + 1)) {
    const std::string_view head = std::string_view(stem).substr(0, end + 1);
    const bool all = std::all_of(models.begin(), models.end(),
                                 [head](const auto& other) { return stem_of(other).starts_with(head); });
    if (!all) break;
    common = end + 1;
  }
  return common < stem.size() ? stem.substr(common) : stem;
}

// How a user names one model among those of a repository: by its quantization where no other has that, else by what
// tells the names apart. Empty for one that is alone and does not say its quantization.
std::string tag_of(const Models& models, const Models::value_type& model) {
  const std::string quantization = quantization_of_file(model.second.front().path);
  const auto same = std::count_if(models.begin(), models.end(), [&](const auto& other) {
    return quantization_of_file(other.second.front().path) == quantization;
  });
  if (same == 1 && (!quantization.empty() || models.size() == 1)) return quantization;
  const std::string label = label_of(models, model);
  const bool unique = std::count_if(models.begin(), models.end(),
                                    [&](const auto& other) { return label_of(models, other) == label; }) == 1;
  return unique ? label : to_lower(model.first);
}

// Whether `wanted` stands in `text` between separators or its ends.
bool has_words(std::string_view text, std::string_view wanted, std::string_view between) {
  for (size_t at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + 1)) {
    const size_t end = at + wanted.size();
    const bool begins = at == 0 || between.find(text[at - 1]) != std::string_view::npos;
    const bool ends = end == text.size() || between.find(text[end]) != std::string_view::npos;
    if (begins && ends) return true;
  }
  return false;
}

bool is_named(const Models::value_type& model, const std::string& wanted) {
  const std::string path = to_lower(model.first);
  const std::string first = to_lower(model.second.front().path);
  return wanted == path || wanted == base_name(path) || wanted == first || wanted == base_name(first);
}

using Fitting = std::vector<const Models::value_type*>;

template <class Test>
Fitting fitting_where(const Models& models, const Test& test) {
  Fitting fitting;
  for (const auto& model : models) {
    if (test(model)) fitting.push_back(&model);
  }
  if (fitting.size() <= 1) return fitting;
  // Folders hold variants of what the repository itself holds.
  Fitting at_root;
  for (const auto* model : fitting) {
    if (model->first.find('/') == std::string::npos) at_root.push_back(model);
  }
  return at_root.size() == 1 ? at_root : fitting;
}

// A whole name wins over a quantization or label, and that over a part of a name: "Q4_K_XL" means "UD-Q4_K_XL" only
// where there is no other. `loosely`: "mxfp4" may also mean "MXFP4_MOE".
Fitting that_fit(const Models& models, const std::string& wanted, bool loosely) {
  const std::string lower = to_lower(wanted);
  Fitting fitting = fitting_where(models, [&](const auto& model) { return is_named(model, lower); });
  if (!fitting.empty()) return fitting;
  fitting = fitting_where(models, [&](const auto& model) {
    return quantization_of_file(model.second.front().path) == lower ||
           (models.size() > 1 && label_of(models, model) == lower);
  });
  if (!fitting.empty()) return fitting;
  fitting = fitting_where(models, [&](const auto& model) { return has_words(to_lower(model.first), lower, kBetween); });
  if (!fitting.empty() || !loosely || lower.find('_') != std::string::npos) return fitting;
  const std::string wider = str_cat(kBetween, "_");
  return fitting_where(models, [&](const auto& model) { return has_words(to_lower(model.first), lower, wider); });
}

std::string choices(const Models& models) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyz0123456789-_.+/";
  std::set<std::string> names;
  for (const auto& model : models) {
    const std::string tag = tag_of(models, model);
    const bool plain = !tag.empty() && tag.find_first_not_of(kPlain) == std::string::npos;
    names.insert(plain ? tag : in_quotes(tag.empty() ? base_name(model.second.front().path) : tag));
  }
  std::string text;
  size_t n = 0;
  for (const std::string& name : names) {
    if (++n > 40) return text + ", …";
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

[[noreturn]] void nothing_chosen(const RepoInfo& info, const Models& models, const std::string& wanted,
                                 const Fitting& fitting) {
  std::string what = "expected one of its quantizations, got none";
  if (!wanted.empty()) what = str_cat("it has no ", in_quotes(wanted));
  std::string has = choices(models);
  if (fitting.size() > 1) {
    what = str_cat("several of its files are ", in_quotes(wanted));
    has.clear();
    for (const auto* model : fitting) {
      has += (has.empty() ? "" : ", ") + in_quotes(base_name(model->second.front().path));
    }
  }
  throw Error(ErrorCode::not_found, str_cat("[hub] ", in_quotes(info.repo), ": ", what, "; choose one: emelex pull ",
                                            info.repo, ":NAME, where NAME is one of ", has));
}

Selection select_gguf(const RepoInfo& info, const Models& models, const std::string& wanted,
                      const std::vector<std::string>& preferred) {
  Fitting fitting;
  if (!wanted.empty()) {
    fitting = that_fit(models, wanted, true);
  } else if (models.size() == 1) {
    fitting = {&*models.begin()};
  } else {
    for (const std::string& name : preferred) {
      if (fitting.size() != 1) fitting = that_fit(models, name, false);
    }
  }
  if (fitting.size() != 1) nothing_chosen(info, models, wanted, fitting);
  return {fitting.front()->second, tag_of(models, *fitting.front()), false};
}

bool belongs_to_folder(const RemoteFile& file, bool has_model_files) {
  const std::string& path = file.path;
  const size_t slash = path.find('/');
  if (slash != std::string::npos) {
    return path.substr(0, slash) == kTemplatesFolder && path.ends_with(".jinja") && path.rfind('/') == slash;
  }
  // Some repositories hold the same weights twice, the second time in their publisher's own layout.
  if (path.ends_with(".safetensors")) return !has_model_files || path.starts_with("model");
  return is_folder_file(path);
}

Selection select_folder(const RepoInfo& info) {
  const auto has = [&](const auto& test) { return std::any_of(info.files.begin(), info.files.end(), test); };
  const bool model_files =
      has([](const RemoteFile& file) { return file.path.starts_with("model") && file.path.ends_with(".safetensors"); });
  Selection selection{.folder = true};
  for (const RemoteFile& file : info.files) {
    if (belongs_to_folder(file, model_files)) selection.files.push_back(file);
  }
  const auto is_weights = [](const RemoteFile& file) { return file.path.ends_with(".safetensors"); };
  const bool whole = has([](const RemoteFile& file) { return file.path == "config.json"; }) &&
                     std::any_of(selection.files.begin(), selection.files.end(), is_weights);
  if (!whole) {
    std::vector<std::string> names;
    for (const RemoteFile& file : info.files) names.push_back(file.path);
    const auto kind = kind_of_files(names);
    throw Error(ErrorCode::unsupported,
                str_cat("[hub] ", in_quotes(info.repo), " has neither .gguf files nor a config.json with .safetensors",
                        kind ? str_cat(", but ", *kind) : "", "; look for a repository of the model that has"));
  }
  // The small ones first: they are there soon, and what is wrong with them shows.
  std::sort(selection.files.begin(), selection.files.end(), [&](const RemoteFile& a, const RemoteFile& b) {
    return std::pair(is_weights(a), a.path) < std::pair(is_weights(b), b.path);
  });
  return selection;
}

Selection select_included(const RepoInfo& info, const std::string& include) {
  Selection selection;
  for (const RemoteFile& file : info.files) {
    if (fnmatch(include.c_str(), file.path.c_str(), 0) == 0) selection.files.push_back(file);
  }
  if (selection.files.empty()) {
    throw Error(ErrorCode::not_found,
                str_cat("[hub] ", in_quotes(info.repo), " has no file that fits ", in_quotes(include)));
  }
  std::stable_sort(selection.files.begin(), selection.files.end(), [](const RemoteFile& a, const RemoteFile& b) {
    return std::pair(!is_weights_gguf(a), a.path) < std::pair(!is_weights_gguf(b), b.path);
  });
  selection.folder = !is_weights_gguf(selection.files.front());
  if (!selection.folder) selection.quantization = quantization_of_file(selection.files.front().path);
  return selection;
}

}  // namespace

bool is_folder_file(std::string_view name) {
  return name.ends_with(".tiktoken") || std::find(kFolderFiles.begin(), kFolderFiles.end(), name) != kFolderFiles.end();
}

std::string quantization_of_file(const std::string& path) {
  std::string stem = to_lower(base_name(path));
  if (stem.ends_with(".gguf")) stem.resize(stem.size() - 5);
  stem = std::string(without_part_number(stem));
  std::string quantization = split_quantization(stem).quantization;
  if (!quantization.empty() || path.find('/') == std::string::npos) return quantization;
  const std::string folder = to_lower(base_name(path.substr(0, path.rfind('/'))));
  return is_quantization(folder) ? folder : "";
}

Selection select_files(const RepoInfo& info, const std::string& wanted, const std::string& include,
                       const std::vector<std::string>& preferred) {
  Selection selection;
  if (!include.empty()) {
    selection = select_included(info, include);
  } else {
    const Models models = gguf_models(info);
    if (models.empty() && !wanted.empty()) {
      throw Error(ErrorCode::not_found, str_cat("[hub] ", in_quotes(info.repo), " has no .gguf files, hence no ",
                                                in_quotes(wanted), "; leave that out"));
    }
    selection = models.empty() ? select_folder(info) : select_gguf(info, models, wanted, preferred);
  }
  std::set<std::string> seen;
  for (const RemoteFile& file : selection.files) {
    check_remote_path(file.path, info.repo);
    if (!seen.insert(to_lower(file.path)).second) {
      throw Error(ErrorCode::network, str_cat("[hub] ", in_quotes(info.repo), " has two files named ",
                                              in_quotes(file.path), ", which some disks hold for one"));
    }
  }
  return selection;
}

void check_remote_path(const std::string& path, const std::string& repo) {
  bool good = !path.empty() && path.size() <= kMaxPathBytes && path.back() != '/';
  for (const char c : path) good = good && static_cast<unsigned char>(c) >= 0x20 && c != 0x7F && c != '\\' && c != ':';
  for (size_t begin = 0; good && begin < path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = std::string_view(path).substr(begin, end - begin);
    good = !part.empty() && part.front() != '.' && part.size() <= kMaxPartBytes;
    begin = end + 1;
  }
  // Neither our manifest nor a folder of its name, which would keep it from being written.
  if (good && to_lower(path.substr(0, path.find('/'))) != kManifestName) return;
  throw Error(ErrorCode::network, str_cat("[hub] ", in_quotes(repo), " names a file that can't be trusted: ",
                                          in_quotes(std::string_view(path).substr(0, 200))));
}

}  // namespace emelex
