# fish completion for emelex
set -l commands run bench tokenize detokenize template eval quantize pull import list show verify rm gc default config
complete -c emelex -n "not __fish_seen_subcommand_from $commands" -f -a "$commands"
complete -c emelex -n "not __fish_seen_subcommand_from $commands" -l version
complete -c emelex -n "__fish_seen_subcommand_from run bench tokenize detokenize template eval quantize show verify rm default" -a "(emelex list 2>/dev/null | awk 'NR > 1 { print \$1 }')"
complete -c emelex -n "__fish_seen_subcommand_from run bench eval" -s t -l threads -x
complete -c emelex -n "__fish_seen_subcommand_from run bench eval" -l device -x -a "auto cpu gpu"
complete -c emelex -n "__fish_seen_subcommand_from run bench eval" -l kv-type -x -a "auto f16 f32 q8_0"
complete -c emelex -n "__fish_seen_subcommand_from run bench eval" -l memory-limit -x
complete -c emelex -n "__fish_seen_subcommand_from run bench eval" -l gpu-memory-limit -x
complete -c emelex -n "__fish_seen_subcommand_from run bench eval" -l kernels -x -a "fast float mlx"
for flag in system max-tokens temperature top-p top-k min-p repeat-penalty seed stop context
    complete -c emelex -n "__fish_seen_subcommand_from run" -l $flag -x
end
complete -c emelex -n "__fish_seen_subcommand_from run bench" -s p -l prompt -x
complete -c emelex -n "__fish_seen_subcommand_from run eval" -s f -l file -r
complete -c emelex -n "__fish_seen_subcommand_from run" -l raw
complete -c emelex -n "__fish_seen_subcommand_from run" -l stats
complete -c emelex -n "__fish_seen_subcommand_from run tokenize template eval quantize list show verify rm gc config" -l json
complete -c emelex -n "__fish_seen_subcommand_from bench" -s n -l generate -x
complete -c emelex -n "__fish_seen_subcommand_from bench" -s d -l depth -x
complete -c emelex -n "__fish_seen_subcommand_from bench" -s b -l batch -x
complete -c emelex -n "__fish_seen_subcommand_from bench" -s r -l repetitions -x
complete -c emelex -n "__fish_seen_subcommand_from bench" -l probe
complete -c emelex -n "__fish_seen_subcommand_from bench" -s o -l output -x -a "md json csv"
complete -c emelex -n "__fish_seen_subcommand_from tokenize" -l ids
complete -c emelex -n "__fish_seen_subcommand_from tokenize detokenize" -l special
for flag in tools documents
    complete -c emelex -n "__fish_seen_subcommand_from template" -l $flag -r
end
complete -c emelex -n "__fish_seen_subcommand_from template" -s m -l messages -r
complete -c emelex -n "__fish_seen_subcommand_from template" -l variables -x
complete -c emelex -n "__fish_seen_subcommand_from template" -l template -x
complete -c emelex -n "__fish_seen_subcommand_from template" -l no-generation-prompt
complete -c emelex -n "__fish_seen_subcommand_from template" -l continue
complete -c emelex -n "__fish_seen_subcommand_from quantize" -s t -l type -x -a "f32 f16 bf16 q8_0 q6_k q5_k_m q5_k_s q5_1 q5_0 q4_k_m q4_k_s q4_1 q4_0 iq4_nl iq4_xs q3_k_l q3_k_m q3_k_s q2_k tq2_0 tq1_0 mxfp4_moe"
complete -c emelex -n "__fish_seen_subcommand_from quantize" -l threads -x
complete -c emelex -n "__fish_seen_subcommand_from quantize" -l mlx
complete -c emelex -n "__fish_seen_subcommand_from quantize" -l bits -x -a "2 3 4 5 6 8"
complete -c emelex -n "__fish_seen_subcommand_from quantize" -l group-size -x -a "32 64 128"
complete -c emelex -n "__fish_seen_subcommand_from quantize" -l requantize
complete -c emelex -n "__fish_seen_subcommand_from quantize" -l force
complete -c emelex -n "__fish_seen_subcommand_from import" -l name -x
complete -c emelex -n "__fish_seen_subcommand_from import" -l copy
for flag in revision name include connections part-size stall tries retry-wait
    complete -c emelex -n "__fish_seen_subcommand_from pull" -l $flag -x
end
complete -c emelex -n "__fish_seen_subcommand_from pull" -l offline
complete -c emelex -n "__fish_seen_subcommand_from pull" -l verify
complete -c emelex -n "__fish_seen_subcommand_from verify" -l deep
complete -c emelex -n "__fish_seen_subcommand_from config; and not __fish_seen_subcommand_from path get set" -f -a "path get set"
complete -c emelex -n "__fish_seen_subcommand_from config; and __fish_seen_subcommand_from get set" -f -a "(emelex config 2>/dev/null | awk 'NR > 1 { print \$1 }')"
for flag in full tensors metadata keys template
    complete -c emelex -n "__fish_seen_subcommand_from show" -l $flag
end
complete -c emelex -n "__fish_seen_subcommand_from eval" -l against -r
complete -c emelex -n "__fish_seen_subcommand_from eval" -l against-kernels -x -a "fast float mlx"
complete -c emelex -n "__fish_seen_subcommand_from eval" -l context -x
complete -c emelex -n "__fish_seen_subcommand_from eval" -l chunks -x
