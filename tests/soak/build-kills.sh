# shellcheck shell=bash disable=SC2154 # what tests/soak.sh and tests/support/soak.sh set
# build-kills COUNT: c3d-dataset build on 1 to 3 ranks is killed (SIGKILL to a rank, or to mpirun and
# all of them) COUNT times at random moments: at any time, while frames.gpkg or a shard is being made,
# while scenes are cut, at the end. What is marked present is whole each time, nothing that was
# finished is done again, and each build that gets to its end, and the last, is byte for byte that of
# an undisturbed one.
count=${count:-20}
echo "soak build-kills: seed $seed, $count kills, programs of $C3D_BIN"
tool=$C3D_BIN/c3d-dataset
"$tool" demo "$dir/archive" --size tiny --seed 3 >"$dir/data.log" 2>&1 || wrong "no archive: $(tail -1 "$dir/data.log")"
cat >"$dir/dataset.yaml" <<YAML
data:
  root: $dir/archive
  mosaics: planet_medres_normalized_analytic_{YYYY}-{MM}_mosaic/*_quad.tif
  labels: mapbiomas/brasil_coverage_{YYYY}.tif
  label_classes: {forest: [3], mining: [30]}
  positive: forest
  positive_share: 0.6
  negative_share: 0.5
  frame_size_px: 32
  stride_px: 12
  months: 2021-01/2022-12
  split: random
  max_missing_share: 0.7
  allow_leaking_split: true
YAML
build=("$tool" build "$dir/dataset.yaml" --memory-mb 8 --scenes-per-shard 60 --threads 2)

hashes() { (cd "$dir/$1" && sha256sum scenes-*.h5 samples.csv dataset.json clip.json); }
ranks_of() { pgrep -P "$pid" -f c3d-dataset; }
await_file() { # PATTERN: until such a file is there, or the build is over
    local until_s=$((SECONDS + 20))
    until compgen -G "$dir/killed/$1" >/dev/null; do
        is_running "$pid" && [ $SECONDS -lt $until_s ] || return 0
    done
}
await_moment() { # MOMENT: from the start of the program
    case $1 in
        frames) await_file 'frames.gpkg.part*' ; draw 30 ;;
        shards) await_file '*.h5.part' ; draw 3 ;;
        clip) await_word " to do" ; draw 1500 ;;
        end) await_word "samples: " ; draw 30 ;;
        any) draw $((whole_ms * 3 / 2)) ;;
    esac
    nap "$drawn"
}
present() { # scenes that are marked, in a directory that may hold nothing yet
    "$tool" info "$dir/killed" 2>/dev/null |
        awk '/^frames/ { n = $2 } /not clipped yet/ { n -= $1 } END { print n + 0 }'
}
check_whole() {
    hashes killed | diff "$dir/whole.sums" - >&2 || wrong "$1: the store is not that of an undisturbed build"
    compgen -G "$dir/killed/*.part*" >&2 && wrong "$1: a part of a file is left"
    return 0
}

begin=${EPOCHREALTIME/./}
must 1 "${build[@]}" --out "$dir/whole"
whole_ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
hashes whole >"$dir/whole.sums"
echo "an undisturbed build takes $whole_ms ms"

n_done=0 had=0 n_kills=0 starts=0
declare -A n_of
while [ $n_kills -lt "$count" ]; do
    draw_one any frames shards clip clip clip end
    moment=$drawn
    draw_one 1 2 3
    ranks=$drawn
    start "$dir/killed.log" "$ranks" "${build[@]}" --out "$dir/killed"
    starts=$((starts + 1))
    [ $starts -le $((10 * count + 50)) ] || wrong "$starts starts for $n_kills kills"
    await_moment "$moment"
    mapfile -t alive < <(ranks_of)
    draw_one one all
    how=$drawn
    if [ ${#alive[@]} -gt 0 ]; then
        [ "$how" = all ] || { draw_one "${alive[@]}"; alive=("$drawn"); }
        [ "$how" = one ] || kill -9 "$pid" 2>/dev/null
        kill -9 "${alive[@]}" 2>/dev/null
    fi
    await
    for process in "${alive[@]}"; do
        for _ in $(seq 200); do is_running "$process" || break; sleep 0.05; done
    done
    was=$(sed -n 's/.*; \([0-9]*\) are there.*/\1/p' "$log" | tail -1)
    [ -z "$was" ] || [ "$was" -ge "$had" ] || wrong "kill $n_kills: $had scenes were there, then $was"
    if [ "$code" = 0 ]; then
        check_whole "build $((n_done + 1))"
        n_done=$((n_done + 1)) had=0
        rm -rf "$dir/killed"
        continue
    fi
    n_kills=$((n_kills + 1))
    if compgen -G "$dir/killed/scenes-*.h5" >/dev/null; then
        "$tool" verify "$dir/killed" >"$dir/verify.log" 2>&1
        grep -q 'checksums agree' "$dir/verify.log" ||
            { tail -5 "$dir/verify.log" "$log" >&2; wrong "kill $n_kills ($moment): verify"; }
        had=$(present)
    fi
    n_of[$moment]=$((${n_of[$moment]:-0} + 1))
    printf 'kill %*d/%d: %-6s %s of %d ranks, exit %d, %d scenes there\n' ${#count} $n_kills "$count" \
        "$moment" "$how" "$ranks" "$code" "$had"
done
must 2 "${build[@]}" --out "$dir/killed"
check_whole "the last build"
for moment in "${!n_of[@]}"; do echo "$moment: ${n_of[$moment]} kills"; done
passed "$n_kills kills, $((n_done + 1)) builds came to their end"
