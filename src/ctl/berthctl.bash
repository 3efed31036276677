# SPDX-License-Identifier: Apache-2.0
# bash completion for berthctl(1)

_berthctl_workloads()
{
	berthctl "$@" workloads --wide 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_berthctl()
{
	local cur prev word command="" i
	local commands="capabilities check explain history knobs plan plugins reload restore
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
	--plugin-dir)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	-k | --sort)
		mapfile -t COMPREPLY < <(compgen -W "cpu memory pressure name" -- "$cur")
		return
		;;
	-d | --interval | --iterations | -n | --lines) return ;;
	esac

	case $command in
	"") [[ $cur == -* ]] || options=$commands ;;
	check) options+=" --plugin-dir" ;;
	history) options+=" --lines -n" ;;
	restore) options+=" --resume" ;;
	top) options+=" --interval --iterations --sort -d -n -k" ;;
	esac

	if [[ -z $command || $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	case $command in
	check | plan) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	explain | knobs)
		mapfile -t COMPREPLY < <(compgen -W "$(_berthctl_workloads "${connect[@]}")" -- "$cur")
		;;
	esac
}

complete -o filenames -F _berthctl berthctl
