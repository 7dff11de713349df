# bash completion of iommuctl; made by: iommuctl completion bash
# A colon breaks words in bash, so the line itself is read, and what readline has before the last colon is left out again.
# What a daemon says is compared and offered, never expanded (compgen -W would), and only where it has plain characters.

@TABLES@
# The devices of the daemon that the line names, one a line.
_iommuctl_devices() {
  local given=() i name
  for ((i = 1; i + 1 < $#; i++)); do
    case ${!i} in
      --socket|--address|--tls-ca|--tls-cert|--tls-key) name=$((i + 1)); given+=("${!i}" "${!name}") ;;
    esac
  done
  "$1" devices --quiet --timeout 500ms "${given[@]}" 2>/dev/null | grep -E '^[A-Za-z0-9][A-Za-z0-9._:/-]*$'
}

_iommuctl() {
  local line=${COMP_LINE:0:COMP_POINT} words current previous command='' first=1 at=0 i
  local children options valued operands values want='' word
  read -r -a words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current=${words[${#words[@]} - 1]}
  previous=${words[${#words[@]} - 2]}
  _iommuctl_command ''
  while ((first < ${#words[@]} - 1)) && [[ " $children " == *" ${words[first]} "* ]]; do
    command=${command:+$command }${words[first]}
    first=$((first + 1))
    _iommuctl_command "$command"
  done
  for ((i = first; i < ${#words[@]} - 1; i++)); do
    case ${words[i]} in
      -*) [[ " $valued " == *" ${words[i]} "* ]] && i=$((i + 1)) ;;
      *) at=$((at + 1)) ;;
    esac
  done
  COMPREPLY=()
  if [[ " $valued " == *" $previous "* && $previous == -?* ]]; then
    _iommuctl_values "$command" "$previous"
    want=$values
  elif [[ $current == -* ]]; then
    want=${options// /,}
  elif [[ -n $children ]]; then
    want=${children// /,}
  else
    for word in $operands; do
      want=$word
      [[ $at -eq 0 || $word == *+ ]] && break
      at=$((at - 1))
      want=''
    done
    want=${want%+}
  fi
  case $want in
    ''|@none) return ;;
    @file) compopt -o filenames 2>/dev/null; while read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current"); return ;;
    @device) want=$(_iommuctl_devices "${words[@]}") ;;
    *) want=${want//,/$'\n'} ;;
  esac
  while read -r word; do
    [[ -n $word && $word == "$current"* ]] && COMPREPLY+=("$word")
  done <<<"$want"
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
    word=${current%"${current##*:}"}
    COMPREPLY=("${COMPREPLY[@]#"$word"}")
  fi
}

complete -F _iommuctl iommuctl
