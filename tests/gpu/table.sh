# Sourced by run.sh: a stage is a list of checks, each a command with a row in the stage's table.

begin_stage() { # NAME
    stage=$1
    stage_began=$EPOCHSECONDS
    stage_s=${C3D_GPU_STAGE_S:-530}
    log=$C3D_GPU_LOGS/log-$stage.txt
    rows=$C3D_GPU_LOGS/rows-$stage.tsv
    scratch=$C3D_GPU_LOGS/scratch-$stage
    said=$C3D_GPU_LOGS/said-$stage.txt
    rm -rf "$scratch"
    mkdir -p "$scratch"
    : >"$rows"
    : >"$log"
    printf '\n== %s%s\n' "$stage" "$(title)"
}

title() {
    if [ "$rehearsal" = 1 ]; then
        echo " (REHEARSAL with $C3D_GPU_BACKEND of $C3D_GPU_BUILD: nothing of this ran on a GPU)"
    else
        echo " ($gpu_count x $gpu_name)"
    fi
}

seconds_left() { echo $((stage_s - (EPOCHSECONDS - stage_began))); }

row() { # CHECK RESULT SECONDS NOTE
    printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >>"$rows"
    printf '%-44s %-8s %4s s  %s\n' "$1" "$2" "$3" "$4"
}

# check NAME COMMAND...: the command's exit code decides: 0 ok, 77 skipped, which is a failure too
# (something that this machine should be able to run was not run); check_or_skip lets that pass. The
# last line of its output that begins with "note: " is the row's note.
check() { run_check 0 "$@"; }
check_or_skip() { run_check 1 "$@"; }

run_check() { # MAY_SKIP NAME COMMAND...
    local may_skip=$1 name=$2 left began=$EPOCHSECONDS code result
    shift 2
    left=$(seconds_left)
    if [ "$left" -lt 3 ]; then
        row "$name" "NOT RUN" 0 "no time left of ${stage_s} s"
        return 1
    fi
    printf '\n--- %s: %s\n' "$name" "$*" >>"$log"
    # the positional parameters are for the inner shell
    # shellcheck disable=SC2016
    timeout -k 10 "$left" bash -c 'cd "$scratch" && "$@"' check "$@" >"$said" 2>&1 </dev/null
    code=$?
    cat "$said" >>"$log"
    printf -- '--- exit %d after %d s\n' $code $((EPOCHSECONDS - began)) >>"$log"
    case $code in
        0) result=ok ;;
        77) [ "$may_skip" = 1 ] && result=skipped || result=SKIPPED ;;
        124 | 137) result=TIME ;;
        *) result=FAILED ;;
    esac
    row "$name" "$result" $((EPOCHSECONDS - began)) "$(note_of "$code")"
    if [ "$result" = FAILED ] || [ "$result" = TIME ]; then tail -n 15 "$said" | sed 's/^/    /'; fi
    case $result in ok | skipped) return 0 ;; *) return 1 ;; esac
}

note_of() { # CODE
    local note
    note=$(sed -n 's/^note: //p' "$said" | tail -1)
    # else what a program says went wrong, else the end of what it says
    [ -n "$note" ] || [ "$1" = 0 ] || note=$(grep -E '^c3d-|FAILED|differ' "$said" | tail -1)
    [ -n "$note" ] || [ "$1" = 0 ] || note=$(grep -vE '^[ -]*$' "$said" | tail -1)
    printf '%s' "$note" | tr '\t|' '  ' | cut -c1-160
}

# Ends the stage: its table, and false when a row is no success. A stage without rows is none.
finish_stage() {
    local bad n
    n=$(wc -l <"$rows")
    bad=$(awk -F'\t' '$2 != "ok" && $2 != "skipped"' "$rows" | wc -l)
    {
        printf '## %s%s\n\n' "$stage" "$(title)"
        printf '%d checks, %d not passed, %d s\n\n' "$n" "$bad" $((EPOCHSECONDS - stage_began))
        printf '| check | result | seconds | note |\n| --- | --- | --- | --- |\n'
        awk -F'\t' '{ printf "| %s | %s | %s | %s |\n", $1, $2, $3, $4 }' "$rows"
        # what a stage has to show beside its rows
        if [ -s "$C3D_GPU_LOGS/text-$stage.txt" ]; then
            printf '\n```\n'
            cat "$C3D_GPU_LOGS/text-$stage.txt"
            printf '```\n'
        fi
    } >"$C3D_GPU_LOGS/table-$stage.md"
    printf '\n'
    cat "$C3D_GPU_LOGS/table-$stage.md"
    rm -f "$said"
    [ "$bad" = 0 ] && [ "$n" -gt 0 ]
}

# results.md: the machine, then the tables of all stages that were run, in the layout of
# docs/gpu-results.md.
write_results() {
    local name
    {
        printf '# Results on a GPU\n\n'
        printf '%s, commit %s\n\n' "$(date -u '+%Y-%m-%d %H:%M UTC')" \
            "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
        printf -- '- GPU: %s x %s, compute capability %s, driver %s\n' "$gpu_count" "$gpu_name" "$gpu_sm" \
            "$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -1)"
        printf -- '- host: %s cores, %s\n' "$jobs" \
            "$(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)"
        printf -- '- built with: %s\n' "$(ours "$bin/c3d-train" --version 2>/dev/null | paste -sd' ')"
        for name in build questions parity sanitize train bench; do
            [ -f "$C3D_GPU_LOGS/table-$name.md" ] || continue
            printf '\n'
            cat "$C3D_GPU_LOGS/table-$name.md"
        done
    } >"$C3D_GPU_LOGS/results.md"
}
