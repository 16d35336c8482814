#ifndef EMELEX_CUDA_LAYOUTS
#define EMELEX_CUDA_LAYOUTS

// Layouts that the host and the kernels agree on. Plain C: it is compiled into emelex, and its text by NVRTC.

// The values of one step, one buffer on the device that begins with this. Offsets are in bytes from its start, so that
// captured launches find the arrays of every step of their shape.
struct StepHeader {
  int rows;          // tokens, with the padding
  int sequences;     // with the padding
  int table_width;   // blocks of a sequence's row in the tables
  int tokens_at;     // int [rows]
  int positions_at;  // int [rows]
  int sequences_at;  // int [rows], the sequence of each token
  int long_rope_at;  // int [rows], whether Rope::long_inv_freq applies
  int outputs_at;    // int [outputs]
  int blocks_at;     // unsigned long long [sequences][table_width], addresses of the blocks
};

// A matrix as products read it: tiles of kTileRows rows by kTileColumns columns, [row tiles][column tiles], each
// the weights in the order in which the lanes of a warp hold the first operand of mma.m16n8k16, then the scales.
#define TILE_ROWS 16
#define TILE_COLUMNS 64
#define MOST_PARTS 4

// Matrices that lie one under the other, each padded to whole tiles, and where their products go.
struct ProductParts {
  int count;
  int first_tile[MOST_PARTS];  // in row tiles
  int rows[MOST_PARTS];
  float* out[MOST_PARTS];         // [tokens, rows]
  const float* bias[MOST_PARTS];  // [rows], or null
};

struct ProductArgs {
  const unsigned char* tiles;
  const unsigned short* x;  // float16 [tokens, column_tiles * TILE_COLUMNS]
  const float* x_scale;     // [tokens], what x was divided by, or null: 1
  const float* residual;    // [tokens, rows] that the first part's product is added to, or null
  int tokens;
  int row_tiles;
  int column_tiles;
  struct ProductParts parts;
};

// How two products become one.
enum GateKind { GATE_SILU, GATE_GELU, GATE_CLAMPED };

// A product of few tokens, with a norm before it and a gate after it.
struct FusedArgs {
  const unsigned char* tiles;
  const float* x;         // [tokens, columns], aligned to 16 bytes
  const float* norm;      // [columns], likewise, where the kernel has the input normalized
  const float* residual;  // [tokens, rows] that the first part's product is added to, or null
  float eps;              // of the norm
  int tokens;
  int row_tiles;  // of all parts; of one, where two are gated
  int gate;       // GateKind
  struct ProductParts parts;
};

// What elementwise.cu's `activation` reads and writes.
struct ActivationArgs {
  int kind;                // GateKind, or one of elementwise.cu's
  int columns;             // of a row
  int stride;              // between rows of gate and up
  const float* gate;       // [rows]
  const float* up;         // likewise, or null
  const float* x_scale;    // [rows] that gate and up are multiplied with, or null
  const float* gate_bias;  // [columns], or null
  const float* up_bias;
  float* out;              // [rows, columns], or null
  unsigned short* halves;  // float16 [rows, half_stride]
  int half_stride;
  float* half_scales;  // [rows]
};

// How the blocks of GGUF's types are read where a matrix is packed.
enum PackSource {
  PACK_F32,
  PACK_F16,
  PACK_BF16,
  PACK_Q4_0,
  PACK_Q4_1,
  PACK_Q5_0,
  PACK_Q5_1,
  PACK_Q8_0,
  PACK_Q2_K,
  PACK_Q3_K,
  PACK_Q4_K,
  PACK_Q5_K,
  PACK_Q6_K,
};

struct PackArgs {
  const unsigned char* source;  // rows as in the file
  long long row_bytes;
  int type;  // PackSource
  int rows;
  int columns;
  int first_tile;  // of the matrix among all row tiles
  int column_tiles;
  unsigned char* tiles;
  int* overflow;  // becomes 1 where a weight is not finite in float16
};

struct AttendArgs {
  const unsigned char* step;  // StepHeader and what follows
  const float* q;             // [rows, heads, head_dim], rotated and scaled
  const float* sinks;         // [heads] or null
  float* out;                 // [rows, heads * head_dim]
  unsigned short* half_out;   // the same as float16, [rows, half_stride], or null
  float* partial;             // [rows, heads, splits, head_dim + 2]
  long long layer_at;         // bytes of the layer in a block
  int heads;
  int kv_heads;
  int splits;
  int half_stride;
  int window;
  float soft_cap;
  int first_row;  // of the launch; partial begins with it
};

// Attention of one token a sequence, which rotates and stores as well. Of `attend`, q is not read.
struct SingleAttendArgs {
  struct AttendArgs attend;  // its splits: that a row has room for in `partial`
  const float* q;            // [rows, heads * head_dim]
  const float* k;            // [rows, kv_heads * head_dim]
  const float* v;
  const float* cos_sin;  // [rows, rope_dim]: cosines, then sines
  int* arrivals;         // [rows, blocks of heads], zeros between launches
  int rope_dim;
  int interleaved;
  float scale;  // of q
};

struct StoreArgs {
  const unsigned char* step;
  const float* q;  // [rows, heads * head_dim]
  const float* k;  // [rows, kv_heads * head_dim]
  const float* v;
  const float* cos_sin;  // [rows, rope_dim]: cosines, then sines
  float* rotated;        // of q
  long long layer_at;
  int heads;
  int kv_heads;
  int rope_dim;
  int interleaved;
  float scale;  // of q
};

#endif
