# Prints what zsh offers for a command line, one word a line: an interactive zsh in a terminal of its own completes it, with a compadd that
# prints what it is given. Usage: zsh -f completion.zsh LINE     (_plimsoll in zsh/ of the current folder, which keeps zcompdump)
zmodload zsh/zpty
zpty shell zsh -f -i
receive() { local text; while zpty -r shell text; do print -rn -- $text; [[ $text == *$1* ]] && break; done }
setup=$(mktemp)
cat >$setup <<'SETUP'
PROMPT= RPROMPT=
setopt no_beep
fpath=($PWD/zsh $fpath)
autoload -Uz compinit
compinit -u -C -d ./zcompdump
bindkey '^I' complete-word
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return $?; fi
  local -a hits
  builtin compadd -A hits "$@"
  local hit
  for hit in $hits; do print -r -- "<offer>$hit"; done
  builtin compadd "$@"
}
ended() { print '<end>' }
comppostfuncs=(ended)
print '<ready>'
SETUP
zpty -w shell "source $setup"
receive '<ready>' >/dev/null
zpty -n -w shell "$1"$'\t'
receive '<end>' | tr -d '\r' | sed -n 's/^.*<offer>//p'
rm -f $setup
zpty -d shell
