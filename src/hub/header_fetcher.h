#pragma once

#include "hub/hub_client.h"
#include "hub/part_file.h"
#include "hub/retry.h"

namespace emelex {

// Fetches the beginning of a .gguf or .safetensors file, up to the end of what says which tensors it has, into the file
// where the rest will come. Asks for a few kilobytes at a time; a server that ignores ranges is cut off there. Returns
// false for such a server. Throws Error as a download does.
bool fetch_header(HttpConnection& connection, const HubAccess& access, const RepoInfo& info, const RemoteFile& remote,
                  const RetryPolicy& retry, PartFile& file);

}  // namespace emelex
