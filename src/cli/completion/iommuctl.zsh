#compdef iommuctl
# zsh completion of iommuctl; made by: iommuctl completion zsh
# What a daemon says is compared and offered, never expanded, and only where it has plain characters.

@TABLES@
# The devices of the daemon that the line names, one a line.
_iommuctl_devices() {
  local -a given
  local i
  for ((i = 2; i < CURRENT - 1; i++)); do
    case ${words[i]} in
      --socket|--address|--tls-ca|--tls-cert|--tls-key) given+=("${words[i]}" "${words[i+1]}") ;;
    esac
  done
  "${words[1]}" devices --quiet --timeout 500ms "${given[@]}" 2>/dev/null | grep -E '^[A-Za-z0-9][A-Za-z0-9._:/-]*$'
}

_iommuctl() {
  emulate -L zsh
  local current=${words[CURRENT]} previous=${words[CURRENT-1]} command='' want='' word
  local children options valued operands values
  integer first=2 at=0 i
  _iommuctl_command ''
  while ((first < CURRENT)) && [[ " $children " == *" ${words[first]} "* ]]; do
    command=${command:+$command }${words[first]}
    first=$((first + 1))
    _iommuctl_command "$command"
  done
  for ((i = first; i < CURRENT; i++)); do
    case ${words[i]} in
      -*) [[ " $valued " == *" ${words[i]} "* ]] && i=$((i + 1)) ;;
      *) at=$((at + 1)) ;;
    esac
  done
  if [[ " $valued " == *" $previous "* && $previous == -?* ]]; then
    _iommuctl_values "$command" "$previous"
    want=$values
  elif [[ $current == -* ]]; then
    want=${options// /,}
  elif [[ -n $children ]]; then
    want=${children// /,}
  else
    for word in ${=operands}; do
      want=$word
      [[ $at -eq 0 || $word == *+ ]] && break
      at=$((at - 1))
      want=''
    done
    want=${want%+}
  fi
  local -a found
  case $want in
    ''|@none) return 1 ;;
    @file) _files; return ;;
    @device) found=("${(@f)$(_iommuctl_devices)}") ;;
    *) found=("${(@s:,:)want}") ;;
  esac
  compadd -- "${found[@]}"
}

if [[ ${funcstack[1]} == _iommuctl ]]; then _iommuctl "$@"; else compdef _iommuctl iommuctl; fi
