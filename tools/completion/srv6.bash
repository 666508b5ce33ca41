# SPDX-License-Identifier: Apache-2.0
# shell completion for bash: srv6-ctl, srv6-top, srv6-drill. Source it, or install it as
# /usr/share/bash-completion/completions/srv6-ctl (and link the others to it).

# Names that the agent knows, of the KEY members of an array; nothing when no agent answers.
_srv6_names() { # COMMAND KEY
    local -a target=()
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -s | --socket | --host) target=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}") ;;
        esac
    done
    command -v jq >/dev/null || return 0
    srv6-ctl "${target[@]}" --timeout 500ms --json "$1" 2>/dev/null |
        jq -r ".[] | arrays | .[] | .$2 // empty" 2>/dev/null
}

# Readline quotes the '>' in names of links and flows when it takes them for names of files.
_srv6_reply() { # WORDS
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "${COMP_WORDS[COMP_CWORD]}")
}

# Completes the value of an option that takes one; fails when the word before is none.
_srv6_value() {
    case ${COMP_WORDS[COMP_CWORD - 1]} in
        -s | --socket | --out) mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}") ;;
        --host) _srv6_reply "$(basename -a /run/srv6/lab/*/ 2>/dev/null)" ;;
        --level) _srv6_reply 'debug info warning alarm' ;;
        --view) _srv6_reply 'links flows jobs members status events' ;;
        --why) _srv6_reply "$(_srv6_names links link)" ;;
        --timeout | --since | --capacity | --address | --leaf-pattern | --spine-pattern | --name | --block | \
            --for | --settle | --prefix | -d | --delay | -n | --count) COMPREPLY=() ;;
        *) return 1 ;;
    esac
}

# The words that are neither options nor their values, up to the cursor, in WORDS.
_srv6_words() {
    local i
    WORDS=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -s | --socket | --host | --timeout | --why | --level | --since | --capacity | --out | --address | \
                --leaf-pattern | --spine-pattern | --name | --block | --for | --settle | --prefix)
                ((i++))
                ;;
            -*) ;;
            *) WORDS+=("${COMP_WORDS[i]}") ;;
        esac
    done
}

_srv6_ctl() {
    local -a WORDS
    _srv6_value && return
    if [[ ${COMP_WORDS[COMP_CWORD]} == -* ]]; then
        _srv6_reply '--socket --host --timeout --json --force --check --why --follow --level --since
            --capacity --out --address --leaf-pattern --spine-pattern --name --block --help --version'
        return
    fi
    _srv6_words
    case "${WORDS[*]}" in
        '') _srv6_reply 'status members links jobs flows rules paths why trace audit history events job link node keys fabric' ;;
        job) _srv6_reply 'submit remove' ;;
        link) _srv6_reply 'drain undrain set' ;;
        node) _srv6_reply 'drain undrain' ;;
        keys) _srv6_reply 'generate list' ;;
        fabric) _srv6_reply 'check import export' ;;
        'job remove') _srv6_reply "$(_srv6_names jobs job)" ;;
        'link drain' | 'link undrain' | 'link set') _srv6_reply "$(_srv6_names links link)" ;;
        history) _srv6_reply "$(_srv6_names links link)" ;;
        why | trace) _srv6_reply "$(_srv6_names flows flow)" ;;
        paths | 'paths '*) _srv6_reply "$(_srv6_names members name)" ;;
        'job submit' | 'keys list' | 'fabric '*)
            mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
            ;;
    esac
}

_srv6_top() {
    _srv6_value && return
    _srv6_reply '--batch --once --json --delay --count --view --socket --host --timeout --help --version'
}

_srv6_drill() {
    local -a WORDS
    _srv6_value && return
    if [[ ${COMP_WORDS[COMP_CWORD]} == -* ]]; then
        _srv6_reply '--for --yes --one-way --settle --prefix --timeout --json --help --version'
        return
    fi
    _srv6_words
    case "${WORDS[*]}" in
        '') _srv6_reply 'list plan run' ;;
        plan | run) _srv6_reply 'link-cut agent-kill' ;;
        *' agent-kill') _srv6_reply "$(basename -a /run/srv6/lab/*/ 2>/dev/null)" ;;
    esac
}

complete -o default -F _srv6_ctl srv6-ctl
complete -F _srv6_top srv6-top
complete -F _srv6_drill srv6-drill
