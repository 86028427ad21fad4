#!/usr/bin/env bash
# Progress in time: on frames whose month of opening is known (planted), a history finds that month;
# its scores are those of samples made of single windows; a month taken away scores as in a store
# that was written without it; any number of ranks writes the same bytes; SIGUSR1 ends it with 75.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
rm -rf run-* opened relabelled alone hidden out-* stopped
plant=$C3D_TEST_BIN/plant_openings
cp -r "$C3D_TEST_STORE/store" opened
expect 0 "$plant" open opened/scenes-*.h5 opened/samples.csv
cp out.txt openings.txt

near() { # FILE FILE: keys in column 1, scores in column 2
    awk 'NR == FNR { a[$1] = $2; n++; next }
         !($1 in a) || (d = a[$1] - $2) > 2e-6 || d < -2e-6 { print "differs:", $0, a[$1]; bad = 1 }
         { m++ } END { exit bad || n != m || n == 0 }' "$1" "$2"
}
history() { # NAME OUT OPTIONS...: of the test frames of $data, else of the planted store
    local name=$1 out=$2
    shift 2
    expect 0 "$C3D_BIN/c3d-evaluate" "run-$name" --data "${data:-opened}" --history --threshold 0.5 \
        --out "out-$out" "$@"
}
train() { # NAME EPOCHS SETTINGS...
    local name=$1 epochs=$2
    shift 2
    expect 0 "$C3D_BIN/c3d-train" "$config" --set run.dir="run-$name" --set train.epochs="$epochs" \
        --set model.width=8 --set model.fc=32 --set evaluation.batch=4 "$@"
}
# Frames found in the month they opened in, or at most N - 1 months later.
found() { # NAME N
    awk -F'[ ,]' -v late="$2" '
        function months(text, p) { split(text, p, "-"); return p[1] * 12 + p[2] }
        NR == FNR { opened[$1] = months($2); next }
        FNR > 1 && $1 in opened { n++; d = months($5) - opened[$1]; ok += $5 && d >= 0 && d < late
                                  lag += $13 == months($5) - 2020 * 12 - 1 && $11 == 2020 }
        FNR > 1 && !($1 in opened) { others++; alarms += $3 != "" }
        END { print n, ok, lag, others, alarms; exit !(n > 20 && ok >= 0.9 * n && lag == n && alarms <= 0.1 * others) }
    ' openings.txt "out-$1/detections-test.csv" || fail "$1: months of opening"
}
# Samples of single windows of the test frames: another way to the same scores.
windows() { # LENGTH STEP
    rm -rf alone
    cp -r opened alone
    awk -F, -v OFS=, -v n="$1" -v step="$2" '
        NR == FNR { if (FNR > 1 && !($2 in at)) { at[$2] = k++; month[k - 1] = $2 } next }
        FNR == 1 { print; next }
        $7 == "test" { for (i = 0; i + n <= k; i++) print $2 * 100 + i, $2, month[i], n, $5, $6, $7, $8 }
    ' months.csv opened/samples.csv >alone/samples.csv
}
{ echo frame,month; for i in $(seq 0 15); do
    echo "0,$(printf %04d-%02d $((2020 + (8 + i) / 12)) $(((8 + i) % 12 + 1)))"; done; } >months.csv
last_of() { # LENGTH: frame_id-last month, score
    awk -F, -v n="$1" 'NR == FNR { month[FNR - 2] = $2; place[$2] = FNR - 2; next }
        FNR > 1 { print $2 "-" month[place[$3] + n - 1], $5 }' months.csv alone/out/scores-test.csv
}
equals_alone() { # NAME LENGTH
    expect 0 "$C3D_BIN/c3d-evaluate" "run-$1" --data alone --out alone/out
    last_of "$2" >alone.txt
    awk -F, 'NR > 1 { print $1 "-" $2, $3 }' "out-$1/history-test.csv" >history.txt
    near alone.txt history.txt || fail "$1: a history is not the scores of its windows"
}

train window 12 --set data.time=window --set data.time_months=3
history window window
found window 3
windows 3 1
equals_alone window 3

# the last window of a series is the sample itself
awk -F, 'NR > 1 { print $2 "-2021-12", $5 }' out-window/scores-test.csv >samples.txt
grep -- "-2021-12 " history.txt >last.txt
near samples.txt last.txt || fail "the last window is not the sample"

train slice 12 --set model.network=cnn2d --set data.slice=random
history slice slice
found slice 1
windows 1 1
equals_alone slice 1

train stride 2 --set data.time=stride --set data.time_months=3
history stride stride --occlude 0
[ "$(wc -l <out-stride/history-test.csv)" = "$(($(wc -l <out-stride/detections-test.csv) * 2 - 1))" ] ||
    fail "stride: of 16 months, 15 of them apart: 2 windows a frame"
[ ! -e out-stride/occlusion-test.csv ] || fail "occlusion without being asked"
awk -F, 'NR > 1 { print $2 "-2021-12", $5 }' out-stride/scores-test.csv >samples.txt
awk -F, '$2 == "2021-12" { print $1 "-" $2, $3 }' out-stride/history-test.csv >last.txt
near samples.txt last.txt || fail "stride: the last window is not the sample"

# months taken away, one by one, from stores that are written without them
frame=$(awk -F, '$8 == "hit" { print $2; exit }' out-window/occlusion-test.csv)
for network in window slice; do
    history $network $network-one --frames "$frame"
    [ ! -e out-$network-one/scores-test.csv ] || fail "--frames: scores of a few frames"
    : >without.txt
    awk -F, 'NR > 1 { print $3, $4 }' out-$network-one/occlusion-test.csv >occluded.txt
    while read -r month _; do
        rm -rf hidden
        cp -r opened hidden
        "$plant" hide hidden/scenes-*.h5 "$frame" "$month" || fail "hide $month"
        expect 0 "$C3D_BIN/c3d-evaluate" run-$network --data hidden --out hidden/out
        awk -F, -v f="$frame" -v m="$month" '$2 == f { print m, $5 }' hidden/out/scores-test.csv >>without.txt
    done < <(if [ $network = window ]; then sed 1d occluded.txt; else awk 'NR % 6 == 5' occluded.txt; fi)
    awk 'NR == FNR { wanted[$1] = 1; next } $1 in wanted' without.txt occluded.txt >some.txt
    near without.txt some.txt || fail "$network: a month taken away is not a month that was missing"
done
[ "$(wc -l <out-window-one/occlusion-test.csv)" = 4 ] || fail "3 months of one sample"

# the change of the log-odds: that of the scores where they are not rounded, and there where they are
hits=$(awk -F, '$8 == "hit" { print $2 }' out-window/occlusion-test.csv | uniq | paste -sd,)
logits() { # NAME: a line of how many rows there are, and of rows by their scores
    history "$1" "$1-logits" --frames "$hits"
    awk -F, 'function l(p) { return log(p / (1 - p)) }
        NR == 1 { named = $NF == "change_logit"; next }
        $4 > 0.01 && $4 < 0.99 && $6 > 0.01 && $6 < 0.99 {
            n++; d = l($4) - l($6) - $NF; bad += d > 2e-5 || d < -2e-5 }
        $5 == 0 { still++; moved += $NF != 0 }
        END { print NR - 1, named + 0, n + 0, bad + 0, still + 0, moved + 0 }' "out-$1-logits/occlusion-test.csv"
}
sharpen() { # FACTOR: the network, surer or less sure
    cp -r run-window "run-x$1"
    expect 0 "$C3D_TEST_BIN/scale_layer" run-window/best.safetensors "run-x$1/best.safetensors" fc8 "$1"
}
sharpen 0.25
sharpen 8
train two 3 --set model.outputs=2 --set data.time=window --set data.time_months=3
train every 3 --set model.network=cnn2d --set data.slice=every
for network in x0.25 two every; do
    said=$(logits $network)
    [[ $said == [1-9]*" 1 "[1-9]*" 0 "*" "* ]] || fail "$network: change_logit is not of the scores: $said"
done
said=$(logits x8)
[ "$said" = "15 1 0 0 15 15" ] || fail "saturated scores: $said"
awk -F, 'NR == FNR { of[$1 "," $3] = $NF; next }
    FNR > 1 { n++; d = 32 * of[$1 "," $3] - $NF; bad += d > 1e-3 || d < -1e-3 }
    END { exit bad || n != 15 }' out-x0.25-logits/occlusion-test.csv out-x8-logits/occlusion-test.csv ||
    fail "logits times 32, and their changes are not"

# the page shows it
cp out-window/*-test.* run-window
expect 0 "$C3D_BIN/c3d-report" run-window --out page.html
grep -q "<h2>Progress in time</h2>" page.html || fail "no section in the report"
grep -q "A lasting detection in 29 of 29 places with a positive label and in 0 of 30 others" page.html ||
    fail "the report counts otherwise: $(grep -o "A lasting[^.]*" page.html)"
[ "$(grep -c "Months that decided" page.html)" = 1 ] || fail "no strips of months"
grep -q "Colours are of the change of the log-odds" page.html || fail "strips are not of the log-odds"
cp out-x8-logits/*-test.* run-x8
expect 0 "$C3D_BIN/c3d-report" run-x8 --out page.html
grep -q "or 0.1 where all are smaller (from [1-9].* in these rows)" page.html ||
    fail "strips of saturated scores are pale: $(grep -o "Each row has[^<]*" page.html)"

# what was there in the first month scored may have begun before: its lag is that of the series
lags() { # OUT N M: of N places, M more left out, on the terminal and on the page
    local more=""
    [ "$3" = 0 ] || more="; $3 more was so from the first scored month on, so they began then or before"
    grep -q "months from January of the first such year to it: median .* to .*, of $2 places whose beginning is in the series$more\$" \
        out.txt || fail "$1: lags: $(grep January out.txt)"
    cp out-"$1"/*-test.* run-slice
    expect 0 "$C3D_BIN/c3d-report" run-slice --out page.html
    grep -q "began a median of .*), of $2 places whose beginning is in the series$more\." page.html ||
        fail "$1: lags in the report: $(grep -o "began a median[^<]*" page.html)"
}
start=$(awk -F, '$3 == "2021-01" && $5 == $3 && $8 == 0 && $13 { print $1; exit }' out-slice/detections-test.csv)
n=$(awk -F, 'FNR > 1 && $13 { n++ } END { print n }' out-slice/detections-test.csv)
rm -rf hidden
cp -r opened hidden
for month in 09 10 11 12; do "$plant" hide hidden/scenes-*.h5 "$start" 2020-$month || fail "hide $month"; done
history slice slice --occlude 0
lags slice "$n" 0
data=hidden history slice start --occlude 0
lags start $((n - 1)) 1
data=$C3D_TEST_STORE/store history slice open --occlude 0
grep -q "a lasting detection in [1-9][0-9]* of them$" out.txt || fail "lags of places open from the start"
cp out-open/*-test.* run-slice
expect 0 "$C3D_BIN/c3d-report" run-slice --out page.html
grep -q "A lasting detection in" page.html || fail "no counts of places open from the start"
! grep -q "began a median" page.html || fail "the report has lags of places open from the start"

# another network's files do not stay; a place that some year calls positive is no false detection,
# whatever its one sample of the list is
grep -q '"checkpoint": "[0-9a-f]' out-window/history-test.json || fail "a history of no checkpoint"
rm -rf relabelled
cp -r opened relabelled
one=$(awk -F, 'NR > 1 && $2 > 0 && $5 { print $1; exit }' out-window/detections-test.csv)
awk -F, -v OFS=, -v one="$one" '$2 == one && $7 == "test" { $6 = 0 } { print }' opened/samples.csv >relabelled/samples.csv
cmp -s opened/samples.csv relabelled/samples.csv && fail "no sample was relabelled"
cp -r out-window out-again
expect 0 "$C3D_BIN/c3d-evaluate" run-window --data relabelled --history --threshold 0.5 \
    --occlude 0 --out out-again
says "29 of 29 places with a positive label"
says "0 of 30 others"
grep -q "^$one,0," out-again/detections-test.csv || fail "the sample's label is not told"
[ ! -e out-again/occlusion-test.csv ] || fail "an occlusion of an earlier history stayed"
rm run-window/occlusion-test.csv
cp out-again/*-test.* run-window
expect 0 "$C3D_BIN/c3d-report" run-window --out page.html
grep -q "A lasting detection in 29 of 29 places with a positive label and in 0 of 30 others" page.html ||
    fail "the report takes a place with a positive year for another: $(grep -o "A lasting[^.]*" page.html)"

# ranks
for n in 3; do
    expect 0 ranks $n "$C3D_BIN/c3d-evaluate" run-window --data opened --history --threshold 0.5 --out out-$n
    for file in history detections occlusion scores; do
        cmp out-window/$file-test.csv out-$n/$file-test.csv || fail "$file: 1 and $n ranks differ"
    done
done

expect 2 "$C3D_BIN/c3d-evaluate" run-window --data opened --lasting 2
says "--lasting: means something with --history only"
expect 2 "$C3D_BIN/c3d-evaluate" run-window --data opened --history --frames 1,x
says 'expected frame ids such as 12,7, got "x"'
expect 3 "$C3D_BIN/c3d-evaluate" run-window --data opened --history --frames 123456
says "frame 123456 has no sample in this split"

# stopped while the windows are scored: the samples' scores are there, a history is not
expect 0 "$C3D_BIN/c3d-train" "$config" --set run.dir=run-wide --set train.max_steps=1 \
    --set model.width=32 --set data.time=window --set data.time_months=6
$mpi -np 2 "$C3D_BIN/c3d-evaluate" run-wide --checkpoint last --split train --history --out stopped >out.txt 2>&1 &
pid=$!
for _ in $(seq 1000); do [ -e stopped/scores-train.csv ] && break; sleep 0.02; done
kill -USR1 $pid
code=0
wait $pid || code=$?
[ $code = 75 ] || { fail "exit $code after SIGUSR1, expected 75"; cat out.txt; }
! ls stopped/history-* stopped/occlusion-* >/dev/null 2>&1 || fail "files of a history that was stopped"
finish
