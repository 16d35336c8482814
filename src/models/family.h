#pragma once

// What the file of a family is written with: how its config.json and its modules become those of a GGUF file
// (HfFamily), how a model is built of that (Architecture), and the objects that register both.
#include "models/architecture.h"
#include "models/decoder.h"
#include "models/hf_modules.h"
#include "models/model_config.h"
#include "weights/safetensors/config_object.h"
#include "weights/safetensors/hf_families.h"
#include "weights/safetensors/hf_keys.h"
#include "weights/safetensors/hf_layers.h"
