#pragma once

#include "text/pipeline/pre_tokenizer.h"
#include "text/vocabulary/vocabulary.h"

namespace emelex {

// A text that is one long word to a BPE model can be cut before each "▁" without changing what becomes of it, but where
// a token has one inside. Words then are short, and often the same. The cut for a vocabulary; null where "▁" is no
// token (its neighbours may then become one unknown token with it).
PreTokenizerPtr make_mark_cut_for(const Vocabulary& vocabulary);

}  // namespace emelex
