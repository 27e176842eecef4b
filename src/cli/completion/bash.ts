// The completion script for bash, 3.2 and later.
import { caseTables, quoted } from "./case-tables.ts";
import type { VerbWords } from "./words.ts";

const HEAD = `# Completion of stillwave for bash, written by \`stillwave completion bash\`. For this user, for good:
#   mkdir -p ~/.local/share/bash-completion/completions
#   stillwave completion bash > ~/.local/share/bash-completion/completions/stillwave
`;

/** COMP_WORDBREAKS splits \`--device=cpu\` at its =; the word before the = is the flag. */
const BODY = `
_stillwave() {
  local path= place=0 i=1 flag= word verbs flags given names current=\${COMP_WORDS[COMP_CWORD]} found=()
  while [ $i -lt $COMP_CWORD ]; do
    word=\${COMP_WORDS[i]}
    i=$((i + 1))
    if [ "$word" = = ]; then continue; fi
    if [ -n "$flag" ]; then flag=; continue; fi
    case "$word" in
      -*) if _stillwave_value "\${path:+$path }$word"; then flag=$word; fi;;
      *)
        if _stillwave_at "\${path:+$path }$word"; then path="\${path:+$path }$word"
        else place=$((place + 1)); fi;;
    esac
  done
  if [ "$current" = = ]; then current=; fi
  COMPREPLY=()
  if [ -n "$flag" ]; then _stillwave_value "\${path:+$path }$flag"
  else
    _stillwave_at "$path"
    case "$current" in
      -*) given=("\${flags[@]}") names=none;;
      *)
        given=() names=none
        _stillwave_argument "$path" $place
        if [ "$path" = help ]; then _stillwave_at ''; fi
        given+=("\${verbs[@]}");;
    esac
  fi
  local IFS=$'\\n'
  found=($(compgen -W "\${given[*]}" -- "$current"))
  case "$names" in
    files) compopt -o filenames 2>/dev/null; found+=($(compgen -f -- "$current"));;
    folders) compopt -o filenames 2>/dev/null; found+=($(compgen -d -- "$current"));;
  esac
  COMPREPLY=("\${found[@]}")
}
complete -F _stillwave stillwave
`;

export const bashScript = (verbs: readonly VerbWords[]): string =>
  [HEAD, caseTables("_stillwave", verbs, quoted), BODY].join("\n");
