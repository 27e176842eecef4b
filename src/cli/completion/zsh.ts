// The completion script for zsh, with what each word means.
import { caseTables, quoted } from "./case-tables.ts";
import type { VerbWords } from "./words.ts";

const HEAD = `#compdef stillwave
# Completion of stillwave for zsh, written by \`stillwave completion zsh\`. For this user, for good:
#   stillwave completion zsh > "\${fpath[1]}/_stillwave"        # a folder of fpath that you may write to
# or, in ~/.zshrc after compinit:
#   source <(stillwave completion zsh)
`;

const BODY = `
_stillwave() {
  local treepath= flag= word i names current=$words[CURRENT]
  local -a typed verbs flags given
  typed=("\${(@)words[2,CURRENT-1]}")
  integer place=0
  for word in "\${(@)typed}"; do
    if [[ -n $flag ]]; then flag=; continue; fi
    case "$word" in
      -*=*) ;;
      -*) if _stillwave_value "\${treepath:+$treepath }$word"; then flag=$word; fi;;
      *)
        if _stillwave_at "\${treepath:+$treepath }$word"; then treepath="\${treepath:+$treepath }$word"
        else (( place += 1 )); fi;;
    esac
  done
  if [[ -z $flag && $current == --*=* ]]; then
    flag=\${current%%=*}
    compset -P 1 '*='
  fi
  if [[ -n $flag ]]; then
    _stillwave_value "\${treepath:+$treepath }$flag" || return 1
  else
    _stillwave_at "$treepath"
    if [[ $current == -* ]]; then _describe -o flag flags; return; fi
    given=() names=none
    _stillwave_argument "$treepath" $place
    if [[ $treepath == help ]]; then _stillwave_at ''; fi
    if (( $#verbs )); then _describe verb verbs; fi
  fi
  if (( $#given )); then compadd -a given; fi
  case "$names" in
    files) _files;;
    folders) _files -/;;
  esac
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _stillwave "$@"; else compdef _stillwave stillwave; fi
`;

/** \`name:what it means\`, as _describe takes it. */
const described = (word: string, description: string): string =>
  quoted(`${word.replaceAll(":", "\\:")}${description === "" ? "" : `:${description}`}`);

export const zshScript = (verbs: readonly VerbWords[]): string =>
  [HEAD, caseTables("_stillwave", verbs, described), BODY].join("\n");
