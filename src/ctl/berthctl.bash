# SPDX-License-Identifier: Apache-2.0
# bash completion for berthctl(1)

_berthctl_workloads()
{
	berthctl "$@" workloads --wide 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_berthctl()
{
	local cur prev word command="" i
	local commands="capabilities check explain history import io-model knobs plan plugins reload restore
		status top version workloads"
	local options="--help --no-color --output --socket --version --wide -h -o -s -V -w"
	local connect=()

	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-s | --socket)
			connect=(--socket "${COMP_WORDS[i + 1]}")
			((i++))
			;;
		-o | --output) ((i++)) ;;
		-*) ;;
		*)
			command=$word
			break
			;;
		esac
	done

	case $prev in
	-o | --output)
		mapfile -t COMPREPLY < <(compgen -W "table json" -- "$cur")
		return
		;;
	-s | --socket)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--to)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--plugin-dir)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	-k | --sort)
		mapfile -t COMPREPLY < <(compgen -W "cpu memory memory-pressure io-pressure pressure
			throttling name" -- "$cur")
		return
		;;
	-v | --view)
		mapfile -t COMPREPLY < <(compgen -W "overview pressure memory io berth" -- "$cur")
		return
		;;
	-l | --level)
		mapfile -t COMPREPLY < <(compgen -W "critical high normal batch scavenger" -- "$cur")
		return
		;;
	-d | --interval | --iterations | -n | --lines | -f | --filter) return ;;
	esac

	case $command in
	"") [[ $cur == -* ]] || options=$commands ;;
	check) options+=" --plugin-dir" ;;
	explain) options+=" --now" ;;
	history) options+=" --lines -n" ;;
	import) options+=" --to" ;;
	io-model) options+=" --destructive --size --time" ;;
	restore) options+=" --resume" ;;
	top) options+=" --interval --iterations --sort --filter --view --level --containers --reverse
		-d -n -k -f -v -l -c -r" ;;
	esac

	if [[ -z $command || $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	case $command in
	import)
		if [[ " ${COMP_WORDS[*]:i+1:COMP_CWORD-i-1} " =~ \ (koordinator|rubik|volcano)\  ]]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -W "koordinator rubik volcano" -- "$cur")
		fi
		;;
	check | io-model | plan) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	explain | knobs)
		mapfile -t COMPREPLY < <(compgen -W "$(_berthctl_workloads "${connect[@]}")" -- "$cur")
		;;
	esac
}

complete -o filenames -F _berthctl berthctl
