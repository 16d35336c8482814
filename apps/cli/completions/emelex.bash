# bash completion for emelex
_emelex() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
  local runtime="--threads --device --kv-type --memory-limit --gpu-memory-limit --kernels"
  local flags=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "run bench tokenize detokenize template eval quantize pull import list show verify rm gc default config --version --help" -- "$current")
    return
  fi
  case $previous in
    --device) flags="auto cpu gpu" ;;
    --kv-type) flags="auto f16 f32 q8_0" ;;
    --kernels | --against-kernels) flags="fast float mlx" ;;
    --type) flags="f32 f16 bf16 q8_0 q6_k q5_k_m q5_k_s q5_1 q5_0 q4_k_m q4_k_s q4_1 q4_0 iq4_nl iq4_xs q3_k_l q3_k_m q3_k_s q2_k tq2_0 tq1_0 mxfp4_moe" ;;
    -o | --output) flags="md json csv" ;;
  esac
  if [ -n "$flags" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
    return
  fi
  case $command in
    run) flags="--prompt --file --system --max-tokens --temperature --top-p --top-k --min-p --repeat-penalty --seed
      --stop --raw --context --stats --json $runtime" ;;
    bench) flags="--prompt --generate --depth --batch --repetitions --probe --output $runtime" ;;
    eval) flags="--file --against --against-kernels --context --chunks --json $runtime" ;;
    tokenize) flags="--ids --json --special" ;;
    detokenize) flags="--special" ;;
    template) flags="--messages --tools --documents --variables --template --no-generation-prompt --continue --json" ;;
    quantize) flags="--type --mlx --bits --group-size --requantize --force --threads --json" ;;
    import) flags="--name --copy" ;;
    pull) flags="--revision --name --include --offline --verify --connections --part-size --stall --tries --retry-wait" ;;
    list | rm | gc) flags="--json" ;;
    verify) flags="--deep --json" ;;
    config)
      flags="--json"
      case $COMP_CWORD in
        2) mapfile -t COMPREPLY < <(compgen -W "path get set $flags" -- "$current"); return ;;
        3) mapfile -t COMPREPLY < <(compgen -W "$(emelex config 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$current"); return ;;
      esac
      ;;
    show) flags="--json --full --tensors --metadata --keys --template" ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags --help" -- "$current")
  else
    local names=""
    # A ':' divides words here, so a name is only offered where none has been typed yet.
    if [ "$COMP_CWORD" -eq 2 ] && [[ $command =~ ^(run|bench|tokenize|detokenize|template|eval|quantize|show|verify|rm|default)$ ]]; then
      names=$(emelex list 2>/dev/null | awk 'NR > 1 { print $1 }')
    fi
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current"; compgen -f -- "$current")
  fi
}
complete -o filenames -F _emelex emelex
