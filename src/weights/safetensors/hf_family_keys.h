#pragma once

#include "weights/safetensors/config_object.h"
#include "weights/safetensors/hf_keys.h"

// What config.json says beyond what all families have, as GGUF's keys; what it leaves out is what transformers takes.
// Each throws as read_hf_config does.
namespace emelex {

void read_mistral_keys(const ConfigObject& root, HfKeys& keys);
void read_command_r_keys(const ConfigObject& root, HfKeys& keys);
void read_phi_keys(const ConfigObject& root, HfKeys& keys);
void read_phi3_keys(const ConfigObject& root, HfKeys& keys);
void read_qwen_keys(const ConfigObject& root, HfKeys& keys);
void read_mixtral_keys(const ConfigObject& root, HfKeys& keys);
void read_qwen3_moe_keys(const ConfigObject& root, HfKeys& keys);
void read_gemma2_keys(const ConfigObject& root, HfKeys& keys);
void read_gemma3_keys(const ConfigObject& root, HfKeys& keys);
void read_smollm3_keys(const ConfigObject& root, HfKeys& keys);
void read_olmo3_keys(const ConfigObject& root, HfKeys& keys);
void read_gpt_oss_keys(const ConfigObject& root, HfKeys& keys);
void read_granite_keys(const ConfigObject& root, HfKeys& keys);

}  // namespace emelex
