#!/usr/bin/env bash
# c3d-report on runs made up here: what the page must say, and what it must say when a file is
# missing or broken.
set -euo pipefail
rm -rf kept.json full a f b c d gap one work compared data page.html nobin
mkdir -p a b data
failures=0
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}
has() { grep -qF -- "$2" "$1" || fail "$1 has no: $2"; }
hasnt() { if grep -qF -- "$2" "$1"; then fail "$1 has: $2"; fi; }
ends() { # CODE MESSAGE-PART COMMAND...
    local code=$1 part=$2 status=0
    shift 2
    "$@" >said 2>&1 || status=$?
    [ "$status" = "$code" ] || fail "$*: exit $status, expected $code: $(cat said)"
    grep -qF -- "$part" said || fail "$*: does not say '$part' but: $(cat said)"
}

make_run() { # DIR NETWORK SHIFT
    printf 'data:\n  root: ""\n  store: data\n  seed: 1\nmodel:\n  network: %s\ntrain:\n  epochs: 6\n' "$2" >"$1/config.yaml"
    {
        echo epoch,step,train_loss,train_accuracy,train_precision,train_recall,val_loss,val_accuracy,val_precision,val_recall,val_f1,val_auc,learning_rate,scenes_per_s
        for e in 1 2 3 4 5 6; do
            echo "$e,$((e * 20)),0.$((9 - e))$3,0.$((e + 3))1,0.$((e + 2))2,0.$((e + 3))3,0.$((9 - e))8,0.$((e + 3))4,,0.$((e + 2))6,0.5,0.8$e,0.001,41.5"
        done
    } >"$1/metrics.csv"
}
evaluation() { # HASH TP
    local m='"metrics":{"accuracy":{"value":0.815,"low":0.75,"high":0.86,"method":"wilson"},"precision":{"value":null,"low":null,"high":null,"method":"wilson"},"recall":{"value":0.7,"low":0.6,"high":0.8,"method":"wilson"},"f1":{"value":0.74,"low":0.64,"high":0.82,"method":"wilson-jaccard"}}'
    printf '{"schema":1,"split":"test","list_hash":"%s","n":200,"threshold":0.9,"counts":{"tp":%d,"fp":7,"tn":93,"fn":30},%s,"at":{"0.5":{"counts":{"tp":88,"fp":17,"tn":83,"fn":12},%s},"0.9":{"counts":{"tp":%d,"fp":7,"tn":93,"fn":30},%s}},"by":{}}\n' \
        "$1" "$2" "$m" "$m" "$2" "$m"
}
make_run a c3d 1
make_run b cnn2d 7
evaluation 00000000000000aa 70 >a/evaluation-test.json
evaluation 00000000000000aa 71 >b/evaluation-test.json
echo '{"format":"c3d-dataset","schema":1,"hash":"0123456789abcdef","frame_size_px":32,"dtype":"uint16","bands":["blue","red & <green>"],"classes":["other","mining"],"periods":[{"first":"2021-01","months":["2021-01","2021-02","2021-03"]}],"shards":[]}' >data/dataset.json
printf 'sample_id,frame_id,first_month,n_months,label_year,label,split,fold\n0,0,2021-01,3,2021,1,test,0\n1,1,2021-01,3,2021,0,train,0\n2,2,2021-01,3,2021,1,train,0\n' >data/samples.csv

report=$C3D_BIN/c3d-report
mkdir -p nobin
words() { env PATH="$PWD/nobin" "$report" "$@"; } # without figures, which take time
ends 0 "page.html: 2 runs" "$report" a b --out page.html --title 'a <script> & "b"'
has said '  b                 0.815 (0.750-0.860)  undefined            0.700 (0.600-0.800)  0.740 (0.640-0.820)     71      7     93     30'
has page.html '<title>a &lt;script&gt; &amp; &quot;b&quot;</title>'
has page.html '<td class=num>71</td><td class=num>7</td><td class=num>93</td><td class=num>30</td>'
has page.html '<b>0.815</b> <span class=ci>0.750&#8211;0.860</span>'
has page.html 'undefined'
has page.html 'All on the same list of 200 samples'
has page.html 'red &amp; &lt;green&gt;'
has page.html '3 dates, 2021-01 to 2021-03'
has page.html '<code>model.network</code></th><td><code>c3d</code></td><td><code>cnn2d</code>'
if grep -E '(src|href)="?(https?:)?//' page.html; then fail "the page reaches for the network"; fi
if command -v gnuplot >/dev/null; then
    [ "$(grep -c '<figure class=plot>' page.html)" = 11 ] || fail "not eleven figures"
    # no epoch has a precision on the validation samples
    [ "$(grep -c '<svg role=img' page.html)" = 10 ] || fail "not ten drawings"
    if [ -n "$(grep -oE " id=['\"][^'\"]*['\"]" page.html | tr -d "\"'" | sort | uniq -d)" ]; then
        fail "an id stands twice"
    fi
fi
# of six epochs the third and the fourth have no validation loss: two lines, not one across
mkdir gap
cp a/config.yaml gap
awk -F, -v OFS=, 'NR == 4 || NR == 5 {$7 = ""} {print}' a/metrics.csv >gap/metrics.csv
"$report" gap --out gap.html >/dev/null
solid=$(awk '/<figure class=plot>/ {n++} n == 1' gap.html |
    sed -n "/stroke-dasharray/d; s/.*<path stroke='rgb( 47, 134, 200)' *d='\\([^']*\\)'.*/\\1/p")
if command -v gnuplot >/dev/null && [ "$(tr -cd ML <<<"$solid")" != MLML ]; then
    fail "a line across epochs without a value: $solid"
fi
# one epoch: a point to be seen, beside the axis
mkdir one
cp a/config.yaml one
head -2 a/metrics.csv >one/metrics.csv
"$report" one --out one.html >said
has said 'warning: one has not been scored on the test split: c3d-evaluate one'
points=$(awk '/<figure class=plot>/ {n++} n == 1' one.html |
    sed -n "s/.*translate(\([0-9]*\)[^)]*) scale(\([0-9]*\).*/\1 \2/p" | awk '$1 > 150 && $2 >= 3' | wc -l)
if command -v gnuplot >/dev/null && [ "$points" != 2 ]; then fail "$points points of one epoch"; fi
cp page.html first.html
"$report" a b --out page.html --title 'a <script> & "b"' >/dev/null
cmp first.html page.html || fail "the same files give another page"

# a comparison: its words, its table, its warnings; a label with a quote does not reach gnuplot
mkdir -p compared
entry='"metric":"auc","difference":-0.0412,"low":-0.0701,"high":-0.0123,"p":0.00812,"p_holm":0.01624,"verdict":"worse"'
cost='"cost":{"parameters":2500000,"multiply_adds":1000000000.0,"bytes_a_sample":2000000,"samples_seen":13804.0,"device_hours":null}'
printf '{"schema":1,"split":"test","n":200,"n_blocks":14,"reference":"c3d","primary":"auc","warnings":["few <blocks>"],"settings":[{"key":"model.network","values":["c3d",null]}],"data":[],"networks":[{"name":"c3d","n_seeds":3,"metrics":{"auc":{"value":0.9531,"low":0.92,"high":0.98}},%s},{"name":"a '"'"'b'"'"'","n_seeds":2,"metrics":{"auc":{"value":0.9119,"low":null,"high":null}},%s}],"differences":[{"name":"a '"'"'b'"'"'",%s}],"mcnemar":[{"name":"a '"'"'b'"'"'","run":1,"reference_only":12,"network_only":5,"p":0.00001}],"paragraph":"What it says & how."}\n' \
    "$cost" "$cost" "$entry" >compared/comparison.json
ends 0 "2 runs" "$report" a b --comparison compared --out page.html
has page.html '<section id=comparison>'
has page.html '<p>What it says &amp; how.</p>'
has page.html '<p class=warn>few &lt;blocks&gt;</p>'
has page.html '<b>-0.0412</b> <span class=ci>-0.0701 to -0.0123</span></td><td class=num>0.0081</td><td class=num>0.0162</td><td class=name>worse</td>'
has page.html '<td class=num>2.5</td><td class=num>1</td><td class=num>2</td><td class=num>13804</td><td class=num>&#8211;</td>'
has page.html '<td class=num>12</td><td class=num>5</td><td class=num>&lt; 0.0001</td>'
has page.html '<td class=name>not known</td>'
if command -v gnuplot >/dev/null; then has page.html "b&#39; -0.0412 (-0.0701 to -0.0123)"; fi
ends 3 "b: no comparison.json; c3d-evaluate --compare writes it" "$report" a --comparison b --out page.html

# a mean over seeds is not a run's figure; runs of a compared network are called by its name
has page.html 'Figures of a network are means over its 2 to 3 seeds'
hasnt page.html '<b>c3d/a</b>'
sed 's|"name":"c3d",|"name":"c3d","source":"work/nets",|' compared/comparison.json >compared/new.json
mv compared/new.json compared/comparison.json
mkdir -p work/nets
cp -r a work/nets/seed1
cp -r b work/nets/seed2
cp -r a work/netsy
ends 0 "3 runs" "$report" work/nets/seed1 work/nets/seed2/ work/netsy --comparison compared --out page.html
has page.html '<b>c3d/seed1</b>'
has page.html '<b>c3d/seed2</b>'
hasnt page.html '<b>c3dy'
# a directory of runs, and a run twice
ends 3 "work/nets: no run but a directory of 2, such as work/nets/seed1" "$report" work/nets --out page.html
ends 2 "./a/: the same run as a, given twice" "$report" a b ./a/ --out page.html
rm -r work

# accuracy that calling everything by the largest class would have too; AUC on the terminal
cp -r a d
evaluation 00000000000000aa 70 | sed 's/"tp":70,"fp":7,"tn":93,"fn":30/"tp":0,"fp":0,"tn":163,"fn":37/g; s/"metrics":{/&"auc":{"value":0.75,"low":0.5,"high":0.875,"method":"hanley-mcneil"},/' >d/evaluation-test.json
ends 0 "  d                 0.750 (0.500-0.875)" "$report" d --out page.html
has said 'test split, area under the ROC curve (95 %)'
has page.html ', no better than calling everything other: 0.815)'
has page.html "Hanley and McNeil's, which takes neighbours for independent (area under the ROC curve)"
hasnt page.html 'a bootstrap that draws whole blocks'
rm -r d
ends 0 "1 run" "$report" a --out page.html
hasnt page.html 'calling everything'

# an interval that is not by blocks says why
cp -r a f
sed -i 's/"method":"wilson-jaccard"/&,"fallback":"positives in too few blocks"/g' f/evaluation-test.json
ends 0 "1 run" "$report" f --out page.html
has page.html '<abbr class=ci title="not by blocks: positives in too few blocks">*p</abbr>'
has page.html 'Not by blocks: *p positives in too few blocks.'
hasnt page.html '*n'

# what was drawn again, as the evaluation says; bands only where it has them
blocks_of_a() { # N_BLOCKS BLOCK_KM LOW
    evaluation 00000000000000aa 70 |
        sed "s/\"n\":200,/\"n\":200,\"n_blocks\":$1,\"block_km\":$2,\"checkpoint\":\"c1\",\"curves\":{\"roc\":{\"fpr\":[0,1],\"tpr\":[0,1],\"low\":[$3,$3],\"high\":[1,1]}},/" >d/evaluation-test.json
    ends 0 "1 run" "$report" d --out page.html
}
cp -r a d
blocks_of_a 57 10 0
has page.html '200 samples in 57 spatial blocks of 10 km.'
has page.html '<li>bands and bars: 95 % intervals</li>'
hasnt page.html 'taken as independent'
blocks_of_a 57 null 0
has page.html '200 samples in 57 groups or frames, taken as independent.'
has page.html '<p class=warn>These samples were not drawn again by squares'
hasnt page.html 'spatial block'
blocks_of_a 9 10 null
has page.html 'Fewer than 10 blocks'
has page.html '<li>bars: 95 % intervals</li>'
hasnt page.html 'bands and bars'

# a curve without intervals begins in the origin all the same
sed 's/"low":\[null,null\],"high":\[1,1\]/"low":[0,null],"high":[0,null]/' d/evaluation-test.json >d/new.json
mv d/new.json d/evaluation-test.json
ends 0 "1 run" "$report" d --out page.html
hasnt page.html 'bands and bars'

# each run at the threshold that it was scored with
parts='"by":{"year":{"2021":{"n":9,"counts":{},"metrics":{}}}},"area_weighted":{"recall":{"value":0.5}}'
cp d/evaluation-test.json kept.json
for at in a:0.35 d:0.25; do
    evaluation 00000000000000aa 70 | sed "s/\"threshold\":0.9/\"threshold\":${at#*:}/; s/\"by\":{}/$parts/" >x.json
    mv x.json "${at%:*}"/evaluation-test.json
    printf 'evaluation:\n  threshold: %s\n' "${at#*:}" >>"${at%:*}"/config.yaml
done
ends 0 "2 runs" "$report" a d --out page.html
has page.html '</span>a, above 0.35</h4>'
has page.html '</span>d, above 0.25</h4>'
hasnt page.html 'Confusion, positive when'
for what in 'Balanced accuracy, specificity and F0.5' 'Each part' 'These figures'; do
    has page.html "$what: positive when the score is above 0.35 (a), 0.25 (d)."
done
has page.html '<li>shares: score above 0.35 (a), 0.25 (d)</li>'
ends 0 "1 run" "$report" a --out page.html
has page.html 'Confusion, positive when the score is above 0.35'
has page.html 'Each part: positive when the score is above 0.35.'
has page.html '<li>shares: score above 0.35</li>'
evaluation 00000000000000aa 70 >a/evaluation-test.json
mv kept.json d/evaluation-test.json
make_run a c3d 1
cp a/config.yaml d

# a history is shown beside the scores of its own checkpoint alone
printf 'frame_id,month,score,valid_share\n4,2021-01,0.1,1\n4,2021-02,0.9,1\n5,2021-01,0.2,1\n5,2021-02,0.8,1\n' >d/history-test.csv
printf 'frame_id,label,first_month,lasting_month,first_label_year,lasting_lag\n4,0,2021-02,2021-02,2021,1\n5,0,2021-02,2021-02,,\n' >d/detections-test.csv
echo '{"schema":1,"split":"test","checkpoint":"c1"}' >d/history-test.json
ends 0 "1 run" "$report" d --out page.html
# of two negative samples one is of a place with a positive year
has page.html 'A lasting detection in 1 of 1 places with a positive label and in 1 of 1 others'
has page.html '+ frame 4'
has page.html '- frame 5'
hasnt page.html 'of another checkpoint'
hasnt page.html 'of which checkpoint'
echo '{"schema":1,"split":"test","checkpoint":"c2"}' >d/history-test.json
ends 0 "1 run" "$report" d --out page.html
has page.html 'd: history-test.csv is of another checkpoint than the scores above and is not shown'
hasnt page.html 'A lasting detection'
rm d/history-test.json
ends 0 "1 run" "$report" d --out page.html
has page.html 'd: history-test.csv does not say of which checkpoint it is'
has page.html 'A lasting detection'
rm -r d

# a run that was trained on after it was scored; one scored by its best checkpoint is fine
checkpoint() { # PATH CHECKSUM
    local header
    header=$(printf '%-64s' "{\"__metadata__\":{\"checksum\":\"$2\"}}")
    mkdir -p "$(dirname "$1")"
    printf '\x40\0\0\0\0\0\0\0%s' "$header" >"$1"
}
scored_by() { # CHECKSUM
    evaluation 00000000000000aa 70 | sed "s/\"n\":200,/&\"checkpoint\":\"$1\",/" >d/evaluation-test.json
    ends 0 "1 run" words d --out page.html
}
cp -r a d
scored_by c1
hasnt page.html 'scores are of'
checkpoint d/checkpoints/step-00000040.safetensors c1
checkpoint d/checkpoints/step-00000060.safetensors c2
checkpoint d/best.safetensors c3
scored_by c1
has page.html 'd: its test scores are of step 40, and the run has gone on to step 60'
has page.html 'c3d-evaluate d --split test scores it again'
has said 'warning: d: its test scores are of step 40'
scored_by c4
has page.html 'd: its test scores are of another checkpoint than its best.safetensors'
for own in c2 c3; do
    scored_by $own
    hasnt page.html 'scores are of'
done
checkpoint d/best.safetensors c1
scored_by c1
hasnt page.html 'scores are of'
# what cannot be read might be it
echo broken >d/best.safetensors
scored_by c4
hasnt page.html 'scores are of'
rm -r d

# scores that were cut at the end of a line
cp -r a d
printf 'sample_id,frame_id,first_month,label,score,block\n0,0,2021-01,1,0.8,0\n' >d/scores-test.csv
ends 0 "1 run" words d --out page.html
has page.html '<p class=warn>d: scores-test.csv is not what evaluation-test.json was made with; no pictures of it are shown; c3d-evaluate d --split test writes both again.</p>'
hasnt page.html 'From the test split.'
hasnt page.html 'No pictures:'
sed -i 's/"n":200/"n":1/' d/evaluation-test.json
ends 0 "1 run" words d --out page.html
hasnt page.html 'no pictures of it'
rm -r d

# a comparison of other runs, or of other scores than these
compared_with() { # RUN CHECKPOINT LIST_HASH
    mkdir -p other
    printf '{"schema":1,"split":"test","n":200,"reference":"x","primary":"auc","warnings":[],"networks":[{"name":"x","source":"%s","scored":[{"dir":"%s","checkpoint":%s,"list_hash":"%s","precision":null}]},{"name":"forest","source":"forest","scored":[{"dir":"forest","checkpoint":null,"list_hash":null,"precision":null}]}],"differences":[],"mcnemar":[],"settings":[],"data":[],"paragraph":"P."}\n' \
        "$1" "$1" "$2" "$3" >other/comparison.json
    ends 0 "1 run" words d --comparison other --out page.html
}
cp -r a d
evaluation 00000000000000aa 70 | sed 's/"n":200,/&"checkpoint":"c1",/' >d/evaluation-test.json
hasnt_comparison_warning() {
    for part in 'of other scores' 'shows none of these' 'does not show' 'does not say of which'; do
        hasnt page.html "$part"
    done
}
compared_with d '"c1"' 00000000000000aa
hasnt_comparison_warning
compared_with d null 00000000000000aa
hasnt_comparison_warning
compared_with moved/since '"c1"' 00000000000000aa
hasnt_comparison_warning
compared_with d '"c0"' 00000000000000aa
has page.html '<p class=warn>x: the comparison is of other scores than these; c3d-evaluate --compare makes it again.</p>'
has said 'warning: x: the comparison is of other scores than these'
compared_with d '"c1"' 00000000000000bb
has page.html 'x: the comparison is of other scores than these'
compared_with b '"c0"' 00000000000000aa
has page.html '<p class=warn>The comparison shows none of these runs but x, forest.</p>'
ends 0 "2 runs" words b d --comparison other --out page.html
has page.html '<p class=warn>The comparison does not show d.</p>'
compared_with d '"c1"' 00000000000000aa
sed -i 's/"n":200/"n":199/' other/comparison.json
ends 0 "1 run" words d --comparison other --out page.html
has page.html 'x: the comparison is of other scores than these'
compared_with d '"c1"' 00000000000000aa
sed -i 's/"scored":\[[^]]*\]/"runs":1/g' other/comparison.json
ends 0 "1 run" words d --comparison other --out page.html
has page.html 'comparison.json does not say of which scores it is'
rm -r d other

# K classes: means, each class, the confusion matrix; a run of one output beside it keeps its tables
cp -r a c
estimate() { printf '"%s":{"value":%s,"low":%s,"high":%s,"method":"m"}' "$1" "$2" "$3" "$4"; }
class() { # NUMBER NAME N PREDICTED
    printf '{"class":%d,"name":"%s","n":%d,"predicted":%d,"metrics":{%s,%s,%s}}' "$@" \
        "$(estimate precision 0.5 0.1 0.9)" "$(estimate recall null null null)" "$(estimate f1 0.25 0.2 0.3)"
}
{
    printf '{"schema":1,"split":"test","list_hash":"00000000000000aa","n":9,"confusion":[[2,1,0],[0,2,0],[1,1,3]],'
    printf '"metrics":{%s,%s,%s,%s,%s,%s},"classes":[%s,%s,%s],"by":{}}\n' \
        "$(estimate accuracy 0.667 0.354 0.879)" "$(estimate precision 0.7222 null null)" \
        "$(estimate recall 0.7333 null null)" "$(estimate f1 null null null)" \
        "$(estimate auc 0.8123 null null)" "$(estimate loss 0.71 null null)" \
        "$(class 0 other 3 3)" "$(class 1 'a<b' 2 4)" "$(class 2 'class 2' 4 2)"
} >c/evaluation-test.json
ends 0 "the class of the largest score" "$report" c --out page.html
has said '  c                 0.667 (0.354-0.879)  0.722      0.733      undefined'
has page.html '<th scope=col>as a&lt;b</th><th scope=col>as class 2</th>'
has page.html '<td class=num>1</td><td class=num>1</td><td class=num>3</td></tr>'
has page.html '<b>0.812</b>'
if grep -q 'is above' page.html; then fail "a threshold where there is none"; fi
ends 0 "2 runs" "$report" a c --out page.html
has page.html 'is above 0.9'
has page.html '<th scope=col>as class 2</th>'

# without gnuplot
ends 0 "1 run" env PATH="$PWD/nobin" "$report" a --out page.html
has page.html 'gnuplot: No such file or directory'
has page.html '<details open>'

# on a disk that is full: the reason, not that gnuplot drew nothing
mkdir -p full
if command -v gnuplot >/dev/null && command -v unshare >/dev/null &&
    unshare -m sh -c 'mount -t tmpfs -o size=8k,nr_inodes=16 none full' 2>/dev/null; then
    for size in 4k 8k 12k; do
        ends 0 "1 run" unshare -m sh -c "mount -t tmpfs -o size=$size none full && head -c 4096 /dev/zero >full/x &&
            TMPDIR=\"$PWD/full\" \"$report\" a --out page.html"
        grep -q "Figures are missing ([^)]*/full/[^)]*No space left on device" page.html ||
            fail "$size: does not say that the disk is full: $(grep -o 'Figures are missing ([^)]*)' page.html)"
    done
else
    echo "no file system of its own can be mounted: a full disk is not looked at"
fi

# what is missing or broken
evaluation 00000000000000bb 71 >b/evaluation-test.json
ends 0 "2 runs" "$report" a b --out page.html
has page.html 'must not be compared'
rm b/evaluation-test.json
ends 0 "2 runs" "$report" a b --out page.html
has said 'warning: b has not been scored on the test split: c3d-evaluate b'
has page.html 'b has not been scored on the test split'
mv data/dataset.json data/gone
ends 0 "1 run" "$report" a --out page.html
has page.html "The dataset is not there now. Its path is a relative one and was looked for from $PWD;"
printf '{"schema":' >b/evaluation-test.json
ends 3 "b/evaluation-test.json" "$report" a b --out page.html
has page.html 'The dataset is not there now'
ends 3 "is it a run directory?" "$report" data --out page.html
ends 3 "nowhere/page.html" "$report" a --out nowhere/page.html
ends 2 "--out: required" "$report" a
ends 2 "did you mean --out?" "$report" a --uot page.html
ends 2 "expected RUN..., got nothing" "$report" --out page.html
ends 0 "c3d-report RUN... [OPTION...]" "$report" --help
ends 0 "c3d-report 0." "$report" --version

[ "$failures" = 0 ] && echo "c3d-report: all as expected"
exit "$((failures > 0))"
